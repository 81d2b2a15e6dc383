mod changes;

use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;
use crate::base::Bitfield;
use crate::store::testing::{IO_MODES, Sample};
use crate::store::{Alloc, DiskIo, Pool};

fn read_back(sample: &Sample, storage: &Storage) {
    for piece in sample.geometry().pieces() {
        let mut bytes = vec![9; sample.geometry().len_of(piece) as usize];
        let (front, back) = bytes.split_at_mut(sample.geometry().len_of(piece) as usize / 3);
        storage.read(sample.geometry().piece_range(piece).start, &mut [front, back]).unwrap();
        assert!(bytes == sample.bytes(piece), "piece {}", piece.index());
    }
}

#[test]
fn pieces_become_files() {
    let lens = [(700_000, false), (0, false), (3, false), (348_573, true), (1_000_001, false), (0, false)];
    let sample = Sample::new(1 << 20, &lens);
    let pool = Pool::new(8 << 20);
    for io in IO_MODES {
        for alloc in [Alloc::None, Alloc::Sparse, Alloc::Full] {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("not/yet");
            let options = StorageOptions { io, alloc, overwrite: false, follow: false };
            let storage =
                Storage::new(&root, sample.layout.clone(), options, &[], &FilePool::new(4)).unwrap();
            assert!(storage.survey().unwrap().iter().all(|surveyed| surveyed.status == FileStatus::Missing));
            storage.prepare().unwrap();
            for piece in sample.geometry().pieces().rev() {
                storage.write(piece, &sample.bufs(piece, &pool)).unwrap();
            }
            storage.flush().unwrap();
            read_back(&sample, &storage);
            for (at, spec) in sample.layout.files.iter().enumerate() {
                let path = root.join(&spec.path);
                assert_eq!(path.exists(), !spec.pad);
                if !spec.pad {
                    assert!(std::fs::read(&path).unwrap() == sample.file(at), "{}", path.display());
                    let mode = std::fs::metadata(path).unwrap().permissions().mode();
                    assert_eq!(mode & 0o100 != 0, spec.executable);
                }
            }
        }
    }
}

#[test]
fn a_longer_file_is_never_cut_in_silence() {
    let sample = Sample::new(16_384, &[(100_000, false)]);
    for io in IO_MODES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(&sample.layout.files[0].path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, vec![1; 100_001]).unwrap();
        let storage = sample.storage(folder.path(), io, &[]);
        let first = sample.piece(0);
        assert_eq!(storage.write(first, &[sample.bytes(first)]).unwrap_err().kind, DiskErrorKind::Foreign);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 100_001);
        let survey = storage.survey().unwrap();
        assert_eq!(storage.foreign_files(&survey, &Bitfield::all(7)), std::slice::from_ref(&path));
        let options = StorageOptions { io, overwrite: true, ..StorageOptions::default() };
        let file_pool = FilePool::new(4);
        let storage = Storage::new(folder.path(), sample.layout.clone(), options, &[], &file_pool).unwrap();
        storage.write(first, &[sample.bytes(first)]).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 100_000);
    }
}

#[test]
fn a_file_in_which_nothing_matches_is_foreign() {
    let sample = Sample::new(16_384, &[(30_000, false), (100_000, false), (0, false)]);
    let folder = tempfile::tempdir().unwrap();
    let storage = sample.storage(folder.path(), DiskIo::Auto, &[]);
    for spec in sample.layout.files.iter() {
        let path = folder.path().join(&spec.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, vec![0; spec.len as usize]).unwrap();
    }
    let survey = storage.survey().unwrap();
    assert_eq!(storage.foreign_files(&survey, &Bitfield::none(8)).len(), 2);
    let mut have = Bitfield::none(8);
    have.insert(sample.piece(1));
    assert!(storage.foreign_files(&survey, &have).is_empty(), "both files have a share in piece 1");
    have = Bitfield::none(8);
    have.insert(sample.piece(7));
    let first = folder.path().join(&sample.layout.files[0].path);
    assert_eq!(storage.foreign_files(&survey, &have), [first]);
}

#[test]
fn skipped_files_are_not_created_until_they_are_wanted() {
    let sample = Sample::new(16_384, &[(20_000, false), (5_000, false), (60_000, false)]);
    for io in IO_MODES {
        let folder = tempfile::tempdir().unwrap();
        let storage = sample.storage(folder.path(), io, &[true, false, true]);
        let pieces: Vec<_> = sample.geometry().pieces().collect();
        for &piece in &pieces {
            storage.write(piece, &[sample.bytes(piece)]).unwrap();
        }
        read_back(&sample, &storage);
        let skipped = folder.path().join(&sample.layout.files[1].path);
        let part = folder.path().join(storage.part_file_name());
        assert!(part.exists() && !skipped.exists());
        assert_eq!(part.file_name().unwrap(), ".top.ababab.part");
        storage.flush().unwrap();
        let stamps = storage.file_stamps().unwrap();
        assert!(stamps.part.is_some() && stamps.files[1].is_none());
        let have = Bitfield::all(sample.geometry().piece_count());
        assert!(storage.unchanged_pieces(&have, &stamps, |old, new| old == new).unwrap().is_full());
        // In another run everything is found again.
        drop(storage);
        let storage = sample.storage(folder.path(), io, &[true, false, true]);
        read_back(&sample, &storage);
        storage.set_wanted(&[], &have).unwrap();
        assert!(std::fs::read(&skipped).unwrap() == sample.file(1));
        assert!(!part.exists());
        read_back(&sample, &storage);
    }
}

#[test]
fn a_file_that_was_removed_is_not_looked_for_in_the_part_file() {
    let sample = Sample::new(16_384, &[(20_000, false), (5_000, false), (60_000, false)]);
    for io in IO_MODES {
        let folder = tempfile::tempdir().unwrap();
        let storage = sample.storage(folder.path(), io, &[true, false, true]);
        for piece in sample.geometry().pieces() {
            storage.write(piece, &[sample.bytes(piece)]).unwrap();
        }
        storage.flush().unwrap();
        let stamps = storage.file_stamps().unwrap();
        let have = Bitfield::all(sample.geometry().piece_count());
        let kept = || {
            let storage = sample.storage(folder.path(), io, &[false; 3]);
            let kept = storage.unchanged_pieces(&have, &stamps, |old, new| old == new).unwrap();
            kept.iter().map(crate::base::Piece::index).collect::<Vec<_>>()
        };
        assert_eq!(kept(), [0, 1, 2, 3, 4, 5], "what was wanted need not be known");
        std::fs::remove_file(folder.path().join(&sample.layout.files[0].path)).unwrap();
        assert_eq!(kept(), [2, 3, 4, 5]);
    }
}

#[test]
fn a_flush_that_is_called_off_leaves_all_to_the_next() {
    let sample = Sample::new(1 << 20, &[(40 << 20, false), (5, false)]);
    for io in IO_MODES {
        let folder = tempfile::tempdir().unwrap();
        let storage = sample.storage(folder.path(), io, &[]);
        for piece in sample.geometry().pieces() {
            storage.write(piece, &[sample.bytes(piece)]).unwrap();
        }
        let unflushed = || storage.inner.write_state().dirty.iter().copied().collect::<Vec<_>>();
        assert_eq!(unflushed(), [(0, 0), (0, 1), (0, 2), (1, 0)]);
        let cancelled = storage.flush_unless(&std::sync::atomic::AtomicBool::new(true));
        assert_eq!(cancelled.unwrap_err().kind, DiskErrorKind::Cancelled);
        assert_eq!(unflushed().len(), 4);
        storage.flush().unwrap();
        assert_eq!(unflushed(), []);
        read_back(&sample, &storage);
    }
}

#[test]
fn what_another_run_wrote_is_flushed_and_read_from_the_disk() {
    let sample = Sample::new(16_384, &[(20_000, false), (5_000, false), (60_000, false)]);
    let folder = tempfile::tempdir().unwrap();
    let wanted = [true, false, true];
    let storage = sample.storage(folder.path(), DiskIo::Auto, &wanted);
    for piece in sample.geometry().pieces() {
        storage.write(piece, &[sample.bytes(piece)]).unwrap();
    }
    drop(storage);
    let storage = sample.storage(folder.path(), DiskIo::Auto, &wanted);
    let all = Bitfield::all(sample.geometry().piece_count());
    storage.forget_cached(&all, || false).unwrap();
    read_back(&sample, &storage);
    storage.mark_unflushed(&all);
    assert_eq!(
        storage.inner.write_state().dirty.iter().copied().collect::<Vec<_>>(),
        [(0, 0), (2, 0), (PART_FILE, 0)]
    );
    storage.flush().unwrap();
    // What is not there is nothing to flush or forget.
    for file in [0, 2] {
        std::fs::remove_file(folder.path().join(&sample.layout.files[file].path)).unwrap();
    }
    let storage = sample.storage(folder.path(), DiskIo::Auto, &wanted);
    storage.forget_cached(&all, || false).unwrap();
}

#[test]
fn a_full_disk_is_an_error_before_and_while_writing() {
    let location = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
        .arg(location.path())
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        // Only root can make a small disk.
        return;
    }
    let sample = Sample::new(1 << 20, &[(9 << 20, false)]);
    for io in IO_MODES {
        let storage = sample.storage(location.path(), io, &[]);
        let error = storage.prepare().unwrap_err();
        assert_eq!(error.kind, DiskErrorKind::NoSpace);
        assert!(error.to_string().ends_with("no space left (needs 9 MiB, 6 MiB free)"), "{error}");
        let mut written = 0;
        let error = loop {
            let piece = sample.piece(written);
            match storage.write(piece, &[sample.bytes(piece)]) {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind, DiskErrorKind::NoSpace);
        assert!((4..=6).contains(&written), "{written}");
        for piece in sample.geometry().pieces().take(written as usize) {
            let mut bytes = vec![0; 1 << 20];
            storage.read(sample.geometry().piece_range(piece).start, &mut [&mut bytes]).unwrap();
            assert!(bytes == sample.bytes(piece));
        }
        drop(storage);
        std::fs::remove_dir_all(location.path().join("top")).unwrap();
    }
    std::process::Command::new("umount").arg(location.path()).status().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_pieces_in_any_order_become_the_files(
        lens in prop::collection::vec((0_u64..60_000, prop::bool::weighted(0.15)), 1..9),
        piece_len in prop::sample::select(vec![5_000_u64, 16_384, 40_000, 70_000]),
        wanted in prop::collection::vec(any::<bool>(), 9),
        order in any::<u64>(),
        mmap in any::<bool>(),
    ) {
        prop_assume!(lens.iter().any(|&(len, pad)| len > 0 && !pad));
        let sample = Sample::new(piece_len, &lens);
        let folder = tempfile::tempdir().unwrap();
        let io = if mmap { DiskIo::Mmap } else { DiskIo::Pwrite };
        let wanted = &wanted[..lens.len()];
        let storage = sample.storage(folder.path(), io, wanted);
        let mut pieces: Vec<_> = sample.geometry().pieces().collect();
        pieces.sort_by_key(|piece| (u64::from(piece.index()) + 1).wrapping_mul(order | 1).rotate_left(17));
        // Only pieces of wanted files come.
        let is_wanted = |piece| sample.geometry().parts_of(piece).any(|p| !p.pad && wanted[p.file.0 as usize]);
        pieces.retain(|&piece| is_wanted(piece));
        let mut have = Bitfield::none(sample.geometry().piece_count());
        for &piece in &pieces {
            storage.write(piece, &[sample.bytes(piece)]).unwrap();
            have.insert(piece);
        }
        storage.prepare().unwrap();
        for (at, spec) in sample.layout.files.iter().enumerate() {
            let path = folder.path().join(&spec.path);
            prop_assert_eq!(path.exists(), wanted[at] && !spec.pad);
            if path.exists() {
                prop_assert!(std::fs::read(path).unwrap() == sample.file(at));
            }
        }
        storage.set_wanted(&[], &have).unwrap();
        storage.flush().unwrap();
        prop_assert!(!folder.path().join(storage.part_file_name()).exists());
        for piece in sample.geometry().pieces().filter(|&piece| !have.has(piece)) {
            storage.write(piece, &[sample.bytes(piece)]).unwrap();
        }
        storage.prepare().unwrap();
        read_back(&sample, &storage);
    }
}

#[test]
fn what_leaves_the_part_file_is_flushed_at_once() {
    let sample = Sample::new(1 << 20, &[(300_000, false), (200_000, false), (300_000, false)]);
    let folder = tempfile::tempdir().unwrap();
    let storage = sample.storage(folder.path(), DiskIo::Auto, &[true, false, false]);
    for piece in sample.geometry().pieces() {
        storage.write(piece, &[sample.bytes(piece)]).unwrap();
    }
    storage.flush().unwrap();
    let have = Bitfield::all(sample.geometry().piece_count());
    storage.set_wanted(&[true, true, false], &have).unwrap();
    assert!(folder.path().join(storage.part_file_name()).exists(), "the third file still needs it");
    assert!(storage.inner.write_state().dirty.is_empty(), "its piece counts as flushed");
    assert!(std::fs::read(folder.path().join(&sample.layout.files[1].path)).unwrap() == sample.file(1));
}
