//! The torrents in `torrents/` and the content they stand for, which is generated and not stored.

use std::path::Path;

use torr::base::{BLOCK_LEN, FileIndex, Rng};
use torr::hash::{sha1, sha256};
use torr::proto::metainfo::{Metainfo, MetainfoError, PieceDigest};

/// The content of a sample file: what the generator of this seed gives, low byte first.
fn content(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut bytes: Vec<u8> =
        std::iter::repeat_with(|| rng.next_u64().to_le_bytes()).take(len.div_ceil(8)).flatten().collect();
    bytes.truncate(len);
    bytes
}

/// Each sample file of the folder with the seed and the length of its content.
const MANY: [(&str, u64, usize); 6] = [
    ("many-files/LIESMICH – ünïcode.txt", 11, 1234),
    ("many-files/empty.txt", 12, 0),
    ("many-files/music/01 one.flac", 13, 300_000),
    ("many-files/music/02 two.flac", 14, 262_144),
    ("many-files/pictures/a/deep/er/photo.jpg", 15, 99_999),
    ("many-files/z.bin", 16, 16_384),
];

fn sample(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("torrents").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every piece of the torrent is right by each digest it has a hash for, over these files and zeros for padding.
fn assert_content(metainfo: &Metainfo, files: &[(&str, u64, usize)]) {
    let (geometry, hashes) = (metainfo.geometry(), metainfo.piece_hashes());
    let mut line = vec![0; geometry.end() as usize];
    for (at, file) in metainfo.files().iter().enumerate().filter(|(_, file)| !file.attributes().is_pad()) {
        let (_, seed, len) = files
            .iter()
            .find(|(path, _, _)| *path == file.path().as_str())
            .unwrap_or_else(|| panic!("{} is no sample file", file.path().as_str()));
        assert_eq!(file.len(), *len as u64, "{}", file.path().as_str());
        let start = geometry.file_range(FileIndex(at as u32)).start as usize;
        line[start..start + len].copy_from_slice(&content(*seed, *len));
    }
    for piece in geometry.pieces() {
        let range = geometry.piece_range(piece);
        let bytes = &line[range.start as usize..range.end as usize];
        let sha1 = PieceDigest::V1(sha1(bytes));
        let stored: u64 = geometry.parts_of(piece).filter(|part| !part.pad).map(|part| part.len).sum();
        let blocks = bytes[..stored as usize].chunks(BLOCK_LEN as usize).map(sha256);
        let root = PieceDigest::from_blocks(geometry.piece_len(), blocks);
        let id = metainfo.info_hash();
        let right = [hashes.verify(piece, &sha1), hashes.verify(piece, &root)];
        assert_eq!(right, [id.v1().is_some(), id.v2().is_some()], "piece {}", piece.index());
    }
}

#[test]
fn the_single_file_is_what_its_torrent_says() {
    let metainfo = Metainfo::parse(&sample("single-file.torrent")).expect("a good torrent");
    assert!(metainfo.is_single_file());
    assert_content(&metainfo, &[("single-file.bin", 1, 1_000_003)]);
}

#[test]
fn the_many_files_are_what_their_torrent_says() {
    let metainfo = Metainfo::parse(&sample("many-files.torrent")).expect("a good torrent");
    assert_eq!(metainfo.files().len(), MANY.len());
    assert_content(&metainfo, &MANY);
}

#[test]
fn the_hybrid_torrent_is_used_by_its_v1_half() {
    let metainfo = Metainfo::parse(&sample("hybrid.torrent")).expect("a good torrent");
    assert!(metainfo.info_hash().v1().is_some() && metainfo.info_hash().v2().is_some());
    assert_content(&metainfo, &MANY);
}

#[test]
fn a_torrent_of_v2_only_is_read_and_refused_by_name() {
    let metainfo = Metainfo::parse(&sample("v2-only.torrent")).expect("a good torrent");
    assert!(metainfo.info_hash().v1().is_none());
    assert_content(&metainfo, &MANY);
    assert_eq!(metainfo.downloadable(), Err(MetainfoError::V2Only));
}
