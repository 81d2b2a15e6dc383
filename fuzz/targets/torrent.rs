//! Torrent files, of any version.

use torr::base::Piece;
use torr::proto::magnet::Magnet;
use torr::proto::metainfo::Metainfo;

pub fn run(data: &[u8]) {
    match Metainfo::parse(data) {
        Ok(torrent) => {
            checked(&torrent);
            again(&torrent);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What holds of every torrent that was accepted.
pub fn checked(torrent: &Metainfo) {
    let geometry = torrent.geometry();
    assert_eq!(torrent.piece_hashes().count(), geometry.piece_count() as usize);
    assert_eq!(geometry.pieces().last().map(Piece::index), geometry.piece_count().checked_sub(1));
    assert_eq!(geometry.file_count() as usize, torrent.files().len());
    let total: u64 = torrent.files().iter().map(torr::proto::File::len).sum();
    assert_eq!(total, geometry.total());
    assert!(total > 0);
    let spans: u64 = geometry.pieces().map(|piece| u64::from(geometry.len_of(piece))).sum();
    assert_eq!(spans, total, "the pieces are all there is");
    let mut paths: Vec<_> =
        torrent.files().iter().filter(|file| file.is_stored()).map(torr::proto::File::path).collect();
    paths.sort();
    assert!(paths.windows(2).all(|pair| pair[0] != pair[1]), "no two files are stored in one");
    for path in paths {
        for component in path.components() {
            super::paths::is_safe(component);
        }
    }
    assert!(torrent.extras().trackers.iter().map(Vec::len).sum::<usize>() <= 200);
    assert!(torrent.notes().iter().all(|note| !note.to_string().is_empty()));
    assert!(
        Metainfo::from_info(torrent.raw_info()).is_ok_and(|info| info.info_hash() == torrent.info_hash())
    );
}

/// The file as torr writes it, and the link to it.
fn again(torrent: &Metainfo) {
    let back = Metainfo::parse(&torrent.to_bytes()).expect("what is written can be read");
    assert_eq!((back.info_hash(), back.raw_info()), (torrent.info_hash(), torrent.raw_info()));
    assert_eq!((back.files(), back.name()), (torrent.files(), torrent.name()));
    assert_eq!(back.extras(), torrent.extras());
    let link = Magnet::of(torrent).to_string();
    assert_eq!(Magnet::parse(&link).map(|magnet| magnet.info_hash), Ok(torrent.info_hash()));
}
