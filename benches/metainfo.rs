//! How long it takes to read large torrent files.

use torr::proto::metainfo::{Attributes, Content, Draft, DraftFile, Extras, Metainfo};

fn main() {
    divan::main();
}

/// A torrent of this many files of one piece each.
fn torrent(files: u32) -> Vec<u8> {
    let file = |n: u32| DraftFile {
        path: vec![format!("directory {}", n / 100), format!("file {n:06}.bin")],
        len: 16 << 10,
        attributes: Attributes::NONE,
    };
    draft(Content::Several((0..files).map(file).collect()), files)
}

fn draft(content: Content, pieces: u32) -> Vec<u8> {
    let digests = (0..pieces * 20).map(|n| (n % 251) as u8).collect();
    let name = "bench".to_owned();
    let extras = Extras::default();
    Draft { name, content, piece_len: 16 << 10, digests, private: false, source: None, extras }.to_bytes()
}

#[divan::bench]
fn pieces_100_000(bencher: divan::Bencher) {
    let bytes = draft(Content::Single(100_000 * (16 << 10), Attributes::NONE), 100_000);
    bencher.bench(|| Metainfo::parse(divan::black_box(&bytes)).expect("the torrent is well-formed"));
}

#[divan::bench]
fn files_100_000(bencher: divan::Bencher) {
    let bytes = torrent(100_000);
    bencher.bench(|| Metainfo::parse(divan::black_box(&bytes)).expect("the torrent is well-formed"));
}
