use std::sync::Arc;

use super::*;
use crate::base::Geometry;
use crate::proto::metainfo::PieceHashes;
use crate::store::{FilePool, FileSpec, FileStamp, Layout, StorageOptions};

pub(super) fn entry(seed: u8) -> Entry {
    let mut have = Bitfield::none(19);
    have.insert(Geometry::single(1, 19).unwrap().piece(u32::from(seed) % 19).unwrap());
    let stamp = FileStamp { size: 5, mtime_ns: -3, ctime_ns: -2, inode: u64::MAX };
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    Entry {
        id: InfoHashes::from_v1([seed; 20]),
        folder: PathBuf::from("/home/x/\u{1f600}"),
        stamps: FileStamps { files: vec![Some(stamp), None], part: Some(stamp) },
        have,
        uploaded: u64::MAX,
        downloaded: 3,
        added: at(1),
        finished: None,
        saved: at(2_000_000_000),
        running: true,
        partial: false,
        extra: b"more".to_vec(),
    }
}

#[test]
fn what_was_saved_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::new(folder.path().join("state/library.redb"));
    assert_eq!(library.load_all().unwrap(), []);
    library.save(&[entry(2), entry(1)]).unwrap();
    let newer = Entry { running: false, ..entry(1) };
    library.save(std::slice::from_ref(&newer)).unwrap();
    assert_eq!(library.load(&entry(2).id).unwrap(), Some(entry(2)));
    assert_eq!(library.load(&entry(3).id).unwrap(), None);
    assert_eq!(library.load_all().unwrap(), [newer, entry(2)]);
    library.remove(&entry(2).id).unwrap();
    assert_eq!(library.load(&entry(2).id).unwrap(), None);
}

#[test]
fn several_may_save_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("library.redb");
    std::thread::scope(|scope| {
        for seed in 0..6 {
            let library = Library::new(&path);
            scope.spawn(move || library.save(&[entry(seed)]).unwrap());
        }
    });
    assert_eq!(Library::new(&path).load_all().unwrap().len(), 6);
}

#[test]
fn those_saved_longest_ago_are_forgotten_and_some_more() {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::new(folder.path().join("library.redb"));
    library.prune(20).unwrap();
    let saved = |seed: u8| SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - u64::from(seed));
    let all: Vec<Entry> = (0..25).map(|seed| Entry { saved: saved(seed), ..entry(seed) }).collect();
    library.save(&all).unwrap();
    library.prune(25).unwrap();
    assert_eq!(library.load_all().unwrap().len(), 25);
    library.prune(20).unwrap();
    assert_eq!(library.load_all().unwrap(), all[..18]);
}

#[test]
fn a_file_held_by_another_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("library.redb");
    let held = Database::create(&path).unwrap();
    let library = Library::new(&path);
    assert_eq!(library.save(&[entry(1)]).unwrap_err().kind, DiskErrorKind::Busy);
    assert_eq!(library.load_all().unwrap_err().kind, DiskErrorKind::Busy);
    drop(held);
    library.save(&[entry(1)]).unwrap();
}

#[test]
fn a_file_cut_anywhere_or_bent_is_set_aside_and_never_lost() {
    // In memory, if possible: each of many cases makes its files durable.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = folder.path().join("library.redb");
    Library::new(&path).save(&[entry(1)]).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let cuts = (1..700).step_by(37).chain((700..whole.len()).step_by(whole.len() / 100));
    for cut in cuts {
        let case = tempfile::tempdir_in(folder.path()).unwrap();
        let library = Library::new(case.path().join("l"));
        std::fs::write(library.path(), &whole[..cut]).unwrap();
        let loaded = library.load_all().unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        let aside = case.path().join("l.bad");
        if loaded.is_empty() {
            assert_eq!(std::fs::metadata(&aside).unwrap().len(), cut as u64, "cut at {cut}");
        } else {
            assert_eq!(loaded, [entry(1)]);
        }
        library.save(&[entry(2)]).unwrap();
        assert!(library.load(&entry(2).id).unwrap().is_some());
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
    let mut entry = Entry {
        id,
        stamps: storage.file_stamps().unwrap(),
        have: Bitfield::all(5),
        saved,
        running: false,
        ..entry(1)
    };
    assert!(trusted(&storage, &entry).unwrap().is_full());
    let touch = |time| {
        let file = std::fs::File::options().write(true).open(folder.path().join("b")).unwrap();
        file.set_modified(time).unwrap();
    };
    touch(saved + Duration::from_secs(5));
    let left: Vec<_> = trusted(&storage, &entry).unwrap().iter().map(crate::base::Piece::index).collect();
    assert_eq!(left, [0, 1]);
    entry.running = true;
    assert!(trusted(&storage, &entry).unwrap().is_full());
    touch(saved + GRACE + Duration::from_secs(5));
    assert_eq!(trusted(&storage, &entry).unwrap().count(), 2);
    touch(saved - Duration::from_secs(500));
    assert_eq!(trusted(&storage, &entry).unwrap().count(), 2);
    std::fs::File::options().write(true).open(folder.path().join("a")).unwrap().set_len(3).unwrap();
    assert_eq!(trusted(&storage, &entry).unwrap().count(), 0);
}
