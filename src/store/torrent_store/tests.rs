use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition, WriteTransaction};

use super::*;
use crate::base::{Bitfield, Geometry};
use crate::proto::metainfo::PieceHashes;
use crate::store::{
    DiskErrorKind, FilePool, FileSpec, FileStamp, FileStamps, Layout, Storage, StorageOptions,
};

pub(in crate::store) fn record(seed: u8) -> ResumeRecord {
    let mut have = Bitfield::none(19);
    have.insert(Geometry::single(1, 19).unwrap().piece(u32::from(seed) % 19).unwrap());
    let stamp = FileStamp { size: 5, mtime_ns: -3, ctime_ns: -2, inode: u64::MAX };
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    ResumeRecord {
        id: InfoHashes::from_v1([seed; 20]),
        folder: PathBuf::from("/home/x/\u{1f600}"),
        root_name: Some("\u{1f600}".to_owned()),
        stamps: FileStamps { files: vec![Some(stamp), None], part: Some(stamp) },
        flushed: Bitfield::none(19),
        written: have,
        mount: Some("boot:7".to_owned()),
        uploaded: u64::MAX,
        downloaded: 3,
        added: at(1),
        finished: None,
        saved: at(2_000_000_000),
        running: true,
        partial: false,
        unfinished: BTreeMap::from([(3, vec![0..5, 7..8]), (18, std::iter::once(2..32_767).collect())]),
    }
}

fn save(store: &TorrentStore, records: impl IntoIterator<Item = ResumeRecord>) -> Result<(), DiskError> {
    let changes: Vec<_> = records.into_iter().map(|record| Change::Record(Box::new(record))).collect();
    store.save(&changes)
}

#[test]
fn what_was_saved_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let store = TorrentStore::in_state_dir(&state);
    assert_eq!(store.load_all().unwrap(), []);
    assert!(!state.exists(), "a look makes nothing");
    save(&store, [record(2), record(1)]).unwrap();
    let newer = ResumeRecord { running: false, ..record(1) };
    save(&store, [newer.clone()]).unwrap();
    for store in [store, TorrentStore::in_state_dir(&state)] {
        assert_eq!(store.load(&record(2).id).unwrap(), Some(record(2)));
        assert_eq!(store.load(&record(3).id).unwrap(), None);
        assert_eq!(store.load_all().unwrap(), [newer.clone(), record(2)]);
    }
}

#[test]
fn torrent_files_are_found_and_the_last_used_is_first() {
    let state = tempfile::tempdir().unwrap();
    let store = TorrentStore::in_state_dir(state.path());
    let id = |n: u8| InfoHashes::from_v1([n; 20]);
    assert_eq!((store.list().unwrap(), store.torrent_file(&id(1)).unwrap()), (vec![], None));
    for n in [1, 2, 3, 1] {
        store.save(&[Change::TorrentFile(id(n), vec![n; 10])]).unwrap();
    }
    assert_eq!(store.list().unwrap(), [id(1), id(3), id(2)]);
    assert_eq!(store.torrent_file(&id(2)).unwrap(), Some(vec![2; 10]));
    store.save(&[Change::TorrentFile(id(2), b"edited".to_vec())]).unwrap();
    assert_eq!(store.torrent_file(&id(2)).unwrap(), Some(b"edited".to_vec()));
    // A torrent is owned as long as its owner says so.
    let owner = Owner { process: 7, folder: "/some where".into() };
    store.save(&[Change::Owner(id(1), Some(owner.clone()))]).unwrap();
    assert_eq!(store.owner(&id(1)).unwrap(), Some(owner));
    store.save(&[Change::Owner(id(1), None)]).unwrap();
    assert_eq!(store.owner(&id(1)).unwrap(), None);
}

#[test]
fn torrents_of_an_early_version_are_taken_over() {
    let state = tempfile::tempdir().unwrap();
    let torrents = state.path().join("torrents");
    std::fs::create_dir(&torrents).unwrap();
    let id = |n: u8| InfoHashes::from_v1([n; 20]);
    for n in 1..=3 {
        let path = torrents.join(format!("{}.torrent", id(n)));
        std::fs::write(&path, [n; 10]).unwrap();
        let used = SystemTime::now() - Duration::from_secs(100 - u64::from(n));
        std::fs::File::open(&path).unwrap().set_modified(used).unwrap();
    }
    std::fs::write(torrents.join("mine.txt"), "not yours").unwrap();
    let store = TorrentStore::in_state_dir(state.path());
    assert_eq!(store.list().unwrap(), [id(3), id(2), id(1)]);
    assert_eq!(store.torrent_file(&id(2)).unwrap(), Some(vec![2; 10]));
    let left: Vec<_> =
        std::fs::read_dir(&torrents).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["mine.txt"]);
}

#[test]
fn many_sessions_save_at_once() {
    let state = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for session in 0..6 {
            let store = TorrentStore::in_state_dir(state.path());
            scope.spawn(move || {
                for round in 0..5 {
                    save(&store, [record(session * 10 + round)]).unwrap();
                    assert!(store.load(&record(session * 10).id).unwrap().is_some());
                }
            });
        }
    });
    assert_eq!(TorrentStore::in_state_dir(state.path()).load_all().unwrap().len(), 30);
}

#[test]
fn a_file_that_another_program_keeps_to_itself_is_busy() {
    let state = tempfile::tempdir().unwrap();
    let store = TorrentStore::in_state_dir(state.path());
    let held = Database::create(store.path()).unwrap();
    assert_eq!(save(&store, [record(1)]).unwrap_err().kind, DiskErrorKind::Busy);
    assert_eq!(store.load_all().unwrap_err().kind, DiskErrorKind::Busy);
    drop(held);
    save(&store, [record(1)]).unwrap();
}

#[test]
fn a_session_that_never_ends_its_transaction_does_not_hold_up_the_others_for_long() {
    let state = tempfile::tempdir().unwrap();
    let stores = [0, 1].map(|_| TorrentStore::in_state_dir(state.path()));
    save(&stores[0], [record(1)]).unwrap();
    assert_eq!(stores[1].load_all().unwrap(), [record(1)]);
    let mut met = None;
    let owner = |_: &WriteTransaction| {
        met = Some((save(&stores[1], [record(2)]), TorrentStore::in_state_dir(state.path()).check()));
        Ok(())
    };
    let owner = std::cell::RefCell::new(owner);
    stores[0].file.write(|transaction| (owner.borrow_mut())(transaction)).unwrap();
    let (saved, opened) = met.unwrap();
    assert_eq!(saved.unwrap_err().kind, DiskErrorKind::Busy);
    assert_eq!(opened.unwrap_err().kind, DiskErrorKind::Busy);
    save(&stores[1], [record(2)]).unwrap();
    assert_eq!(stores[0].load_all().unwrap().len(), 2);
}

#[test]
fn a_file_that_was_removed_or_replaced_is_opened_anew() {
    let state = tempfile::tempdir().unwrap();
    let store = TorrentStore::in_state_dir(state.path());
    save(&store, [record(1)]).unwrap();
    std::fs::remove_file(store.path()).unwrap();
    assert_eq!(store.load_all().unwrap(), []);
    save(&store, [record(2)]).unwrap();
    assert_eq!(TorrentStore::in_state_dir(state.path()).load_all().unwrap(), [record(2)]);
}

#[test]
fn one_record_that_cannot_be_read_costs_only_its_torrent() {
    let state = tempfile::tempdir().unwrap();
    let store = TorrentStore::in_state_dir(state.path());
    save(&store, (1..=3).map(record)).unwrap();
    let spoil = |row: &[u8]| {
        let id = record(2).id.to_string();
        store
            .file
            .write(|transaction| {
                transaction.open_table(RECORDS)?.insert(id.as_str(), row)?;
                Ok(())
            })
            .unwrap();
        assert_eq!(store.load_all().unwrap(), [record(1), record(3)]);
        assert_eq!(store.load(&record(2).id).unwrap(), None);
    };
    let whole = record(2).to_bytes();
    spoil(&[]);
    spoil(&whole[..whole.len() - 1]);
    let mut bent = whole;
    bent[30] ^= 1;
    spoil(&bent);
    // The record of another torrent.
    spoil(&record(1).to_bytes());
    assert!(!state.path().join("library.redb.bad").exists());
}

#[test]
fn the_file_of_a_newer_version_is_refused_and_left_as_it_is() {
    let state = tempfile::tempdir().unwrap();
    let store = TorrentStore::in_state_dir(state.path());
    save(&store, [record(1)]).unwrap();
    drop(store);
    let newer = Database::create(state.path().join(FILE_NAME)).unwrap();
    let change = newer.begin_write().unwrap();
    change.open_table(TableDefinition::<&str, u64>::new("meta")).unwrap().insert("format", 1000).unwrap();
    change.commit().unwrap();
    drop(newer);
    let store = TorrentStore::in_state_dir(state.path());
    for error in [store.check().unwrap_err(), save(&store, [record(2)]).unwrap_err()] {
        assert_eq!(error.kind, DiskErrorKind::Newer);
        assert!(error.to_string().ends_with(": a newer torr wrote it"), "{error}");
    }
    drop(store);
    let mut later = std::fs::read(state.path().join(FILE_NAME)).unwrap();
    let newer = Database::open(state.path().join(FILE_NAME)).unwrap();
    assert_eq!(newer.begin_read().unwrap().open_table(RECORDS).unwrap().len().unwrap(), 1);
    drop(newer);
    // Nor is one that a later redb has written in a format of its own.
    assert_eq!((later[64], later[192]), (3, 3), "where redb keeps the number of its format");
    (later[64], later[192]) = (4, 4);
    std::fs::write(state.path().join(FILE_NAME), &later).unwrap();
    let store = TorrentStore::in_state_dir(state.path());
    assert_eq!(store.check().unwrap_err().kind, DiskErrorKind::Newer);
    assert_eq!(save(&store, [record(2)]).unwrap_err().kind, DiskErrorKind::Newer);
    assert!(std::fs::read(store.path()).unwrap() == later);
}

#[test]
fn a_file_cut_anywhere_or_bent_is_set_aside_and_never_lost() {
    // In memory, if possible: each of many cases makes its files durable.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    save(&TorrentStore::in_state_dir(folder.path()), [record(1)]).unwrap();
    let whole = std::fs::read(folder.path().join(FILE_NAME)).unwrap();
    let cuts = (1..700).step_by(37).chain((700..whole.len()).step_by(whole.len() / 100));
    let cut = cuts.map(|cut| (format!("cut at {cut}"), whole[..cut].to_vec()));
    let bits = (0..700).step_by(3).chain((700..whole.len() * 8).step_by(whole.len() / 10));
    let bent = bits.map(|bit| {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        (format!("bit {bit} flipped"), bytes)
    });
    for (case, bytes) in cut.chain(bent) {
        let state = tempfile::tempdir_in(folder.path()).unwrap();
        let store = TorrentStore::in_state_dir(state.path());
        std::fs::write(store.path(), &bytes).unwrap();
        let loaded = store.load_all();
        let aside = state.path().join("library.redb.bad");
        match loaded {
            Ok(records) if aside.exists() => {
                assert_eq!((records, std::fs::read(&aside).unwrap().len()), (vec![], bytes.len()), "{case}");
            }
            // What was read is right, whatever else is damaged.
            Ok(records) => assert!(records.iter().all(|found| *found == record(1)), "{case}"),
            Err(error) => panic!("{case}: {error}"),
        }
        save(&store, [record(2)]).unwrap_or_else(|error| panic!("{case}: {error}"));
        assert!(store.load(&record(2).id).unwrap().is_some(), "{case}");
    }
}

#[test]
fn only_unchanged_files_are_believed() {
    let folder = tempfile::tempdir().unwrap();
    let geometry = Arc::new(Geometry::new(10, [(25, false), (25, false)]).unwrap());
    let file = |name: &str| FileSpec { path: name.into(), len: 25, pad: false, executable: false };
    let id = InfoHashes::from_v1([3; 20]);
    let layout =
        Layout::new(id, geometry.clone(), vec![file("a"), file("b")], PieceHashes::from_v1([[0; 20]; 5]))
            .unwrap();
    let storage =
        Storage::new(folder.path(), layout, StorageOptions::default(), &[], &FilePool::new(8)).unwrap();
    for piece in geometry.pieces() {
        storage.write(piece, &[vec![7; geometry.len_of(piece) as usize]]).unwrap();
    }
    storage.flush().unwrap();
    let saved = SystemTime::now();
    let mut record = ResumeRecord {
        id,
        stamps: storage.file_stamps().unwrap(),
        flushed: Bitfield::all(5),
        written: Bitfield::all(5),
        saved,
        running: false,
        ..record(1)
    };
    assert!(trusted_pieces(&storage, &record).unwrap().is_full());
    // Pieces that were only written are trusted after a clean end, as long as the page cache lives on.
    let mut written = ResumeRecord { flushed: Bitfield::none(5), mount: storage.mount(), ..record.clone() };
    assert_eq!(trusted_pieces(&storage, &written).unwrap().is_full(), written.mount.is_some());
    written.running = true;
    assert!(trusted_pieces(&storage, &written).unwrap().is_empty());
    (written.running, written.mount) = (false, Some("another boot:1".to_owned()));
    assert!(trusted_pieces(&storage, &written).unwrap().is_empty());
    let touch = |time| {
        let file = std::fs::File::options().write(true).open(folder.path().join("b")).unwrap();
        file.set_modified(time).unwrap();
    };
    touch(saved + Duration::from_secs(5));
    let left: Vec<_> =
        trusted_pieces(&storage, &record).unwrap().iter().map(crate::base::Piece::index).collect();
    assert_eq!(left, [0, 1]);
    record.running = true;
    assert!(trusted_pieces(&storage, &record).unwrap().is_full());
    touch(saved + record::GRACE + Duration::from_secs(5));
    assert_eq!(trusted_pieces(&storage, &record).unwrap().count(), 2);
    touch(saved - Duration::from_secs(500));
    assert_eq!(trusted_pieces(&storage, &record).unwrap().count(), 2);
    std::fs::File::options().write(true).open(folder.path().join("a")).unwrap().set_len(3).unwrap();
    assert_eq!(trusted_pieces(&storage, &record).unwrap().count(), 0);
}
