//! The torrent store with many torrents: how long it takes to open it and load all records, to list the torrents, and
//! to save one record, after a clean end and after a kill. `cargo bench --bench library -- [TORRENTS]`.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(missing_docs, reason = "a bench has no callers")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Instant, SystemTime};

use torr::base::{Bitfield, InfoHashes};
use torr::store::{Change, FileStamp, FileStamps, ResumeRecord, TorrentStore};

/// Pieces of a torrent.
const PIECES: u32 = 2000;
/// Bytes of its torrent file, most of which are digests.
const TORRENT_FILE: usize = 40_500;

fn main() {
    let count = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(10_000_u32);
    let state = tempfile::tempdir().expect("a temporary folder can be made");
    let store = TorrentStore::in_state_dir(state.path());
    for first in (0..count).step_by(1000) {
        let changes = (first..count.min(first + 1000)).flat_map(|number| {
            let record = record(number);
            let file = vec![number as u8; TORRENT_FILE];
            [Change::TorrentFile(record.id, file), Change::Record(Box::new(record))]
        });
        store.save(&changes.collect::<Vec<_>>()).expect("it is saved");
    }
    // As a kill leaves it, while a session has it open.
    let killed = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::copy(store.path(), killed.path().join("library.redb")).expect("it is copied");
    drop(store);
    println!("{count} torrents of {PIECES} pieces, ms");
    measure("after a clean end", state.path());
    measure("after a kill", killed.path());
}

fn measure(name: &str, state: &Path) {
    let store = TorrentStore::in_state_dir(state);
    let timed = |what: &str, work: &dyn Fn() -> usize| {
        let start = Instant::now();
        let found = work();
        println!("{name}: {what:20} {:8.1}  ({found})", start.elapsed().as_secs_f64() * 1000.0);
    };
    timed("open, load all", &|| store.load_all().expect("it can be read").len());
    timed("list", &|| store.list().expect("it can be read").len());
    timed("load one", &|| store.load(&record(7).id).expect("it can be read").into_iter().count());
    timed("save one", &|| {
        store.save(&[Change::Record(Box::new(record(7)))]).expect("it is saved");
        1
    });
}

fn record(number: u32) -> ResumeRecord {
    let mut digest = [0; 20];
    digest[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    digest[4..8].copy_from_slice(&number.to_be_bytes());
    let stamp = FileStamp { size: 1 << 30, mtime_ns: 1, ctime_ns: 1, inode: number.into() };
    let now = SystemTime::now();
    ResumeRecord {
        id: InfoHashes::from_v1(digest),
        folder: "/home/somebody/Downloads".into(),
        root_name: None,
        stamps: FileStamps { files: vec![Some(stamp); 10], part: None },
        flushed: Bitfield::all(PIECES),
        written: Bitfield::all(PIECES),
        mount: None,
        uploaded: 1,
        downloaded: 1,
        added: now,
        finished: Some(now),
        saved: now,
        running: false,
        partial: false,
        unfinished: BTreeMap::new(),
    }
}
