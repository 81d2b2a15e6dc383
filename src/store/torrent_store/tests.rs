use std::sync::Arc;

use super::*;
use crate::base::Geometry;
use crate::proto::metainfo::PieceHashes;
use crate::store::{FilePool, FileSpec, FileStamp, Layout, StorageOptions};

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

#[test]
fn what_was_saved_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let store = TorrentStore::new(folder.path().join("state/library.redb"));
    assert_eq!(store.load_all().unwrap(), []);
    store.save(&[record(2), record(1)]).unwrap();
    let newer = ResumeRecord { running: false, ..record(1) };
    store.save(std::slice::from_ref(&newer)).unwrap();
    assert_eq!(store.load(&record(2).id).unwrap(), Some(record(2)));
    assert_eq!(store.load(&record(3).id).unwrap(), None);
    assert_eq!(store.load_all().unwrap(), [newer, record(2)]);
    store.remove(&record(2).id).unwrap();
    assert_eq!(store.load(&record(2).id).unwrap(), None);
}

#[test]
fn several_may_save_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("library.redb");
    std::thread::scope(|scope| {
        for seed in 0..6 {
            let store = TorrentStore::new(&path);
            scope.spawn(move || store.save(&[record(seed)]).unwrap());
        }
    });
    assert_eq!(TorrentStore::new(&path).load_all().unwrap().len(), 6);
}

#[test]
fn those_saved_longest_ago_are_forgotten_and_some_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = TorrentStore::new(folder.path().join("library.redb"));
    store.prune(20).unwrap();
    let saved = |seed: u8| SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - u64::from(seed));
    let all: Vec<ResumeRecord> =
        (0..25).map(|seed| ResumeRecord { saved: saved(seed), ..record(seed) }).collect();
    store.save(&all).unwrap();
    store.prune(25).unwrap();
    assert_eq!(store.load_all().unwrap().len(), 25);
    store.prune(20).unwrap();
    assert_eq!(store.load_all().unwrap(), all[..18]);
}

#[test]
fn a_file_held_by_another_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("library.redb");
    let held = Database::create(&path).unwrap();
    let store = TorrentStore::new(&path);
    assert_eq!(store.save(&[record(1)]).unwrap_err().kind, DiskErrorKind::Busy);
    assert_eq!(store.load_all().unwrap_err().kind, DiskErrorKind::Busy);
    drop(held);
    store.save(&[record(1)]).unwrap();
}

#[test]
fn a_file_cut_anywhere_or_bent_is_set_aside_and_never_lost() {
    // In memory, if possible: each of many cases makes its files durable.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = folder.path().join("library.redb");
    TorrentStore::new(&path).save(&[record(1)]).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let cuts = (1..700).step_by(37).chain((700..whole.len()).step_by(whole.len() / 100));
    for cut in cuts {
        let case = tempfile::tempdir_in(folder.path()).unwrap();
        let store = TorrentStore::new(case.path().join("l"));
        std::fs::write(store.path(), &whole[..cut]).unwrap();
        let loaded = store.load_all().unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        let aside = case.path().join("l.bad");
        if loaded.is_empty() {
            assert_eq!(std::fs::metadata(&aside).unwrap().len(), cut as u64, "cut at {cut}");
        } else {
            assert_eq!(loaded, [record(1)]);
        }
        store.save(&[record(2)]).unwrap();
        assert!(store.load(&record(2).id).unwrap().is_some());
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
    touch(saved + GRACE + Duration::from_secs(5));
    assert_eq!(trusted_pieces(&storage, &record).unwrap().count(), 2);
    touch(saved - Duration::from_secs(500));
    assert_eq!(trusted_pieces(&storage, &record).unwrap().count(), 2);
    std::fs::File::options().write(true).open(folder.path().join("a")).unwrap().set_len(3).unwrap();
    assert_eq!(trusted_pieces(&storage, &record).unwrap().count(), 0);
}
