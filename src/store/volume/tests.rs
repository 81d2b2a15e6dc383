use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;
use crate::base::Bitfield;
use crate::store::testing::{Sample, WAYS};
use crate::store::{DiskIo, Pool};

fn read_back(sample: &Sample, volume: &Volume) {
    for piece in sample.geometry().pieces() {
        let mut bytes = vec![9; sample.geometry().len_of(piece) as usize];
        let (front, back) = bytes.split_at_mut(sample.geometry().len_of(piece) as usize / 3);
        volume.read(sample.geometry().piece_range(piece).start, &mut [front, back]).unwrap();
        assert!(bytes == sample.bytes(piece), "piece {}", piece.index());
    }
}

#[test]
fn pieces_become_files() {
    let lens = [(700_000, false), (0, false), (3, false), (348_573, true), (1_000_001, false), (0, false)];
    let sample = Sample::new(1 << 20, &lens);
    let pool = Pool::new(8 << 20);
    for io in WAYS {
        for alloc in [Alloc::None, Alloc::Sparse, Alloc::Full] {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("not/yet");
            let options = VolumeOptions { io, alloc, overwrite: false, follow: false };
            let volume = Volume::new(&root, sample.layout.clone(), options, &[], &Handles::new(4)).unwrap();
            assert!(volume.survey().unwrap().iter().all(|fact| fact.found == Found::Missing));
            volume.prepare().unwrap();
            for piece in sample.geometry().pieces().rev() {
                volume.write(piece, &sample.bufs(piece, &pool)).unwrap();
            }
            volume.flush().unwrap();
            read_back(&sample, &volume);
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
    for io in WAYS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(&sample.layout.files[0].path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, vec![1; 100_001]).unwrap();
        let volume = sample.volume(folder.path(), io, &[]);
        let first = sample.piece(0);
        assert_eq!(volume.write(first, &[sample.bytes(first)]).unwrap_err().kind, DiskErrorKind::Foreign);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 100_001);
        let survey = volume.survey().unwrap();
        assert_eq!(volume.foreign(&survey, &Bitfield::all(7)), std::slice::from_ref(&path));
        let options = VolumeOptions { io, overwrite: true, ..VolumeOptions::default() };
        let handles = Handles::new(4);
        let volume = Volume::new(folder.path(), sample.layout.clone(), options, &[], &handles).unwrap();
        volume.write(first, &[sample.bytes(first)]).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 100_000);
    }
}

#[test]
fn a_file_in_which_nothing_matches_is_foreign() {
    let sample = Sample::new(16_384, &[(30_000, false), (100_000, false), (0, false)]);
    let folder = tempfile::tempdir().unwrap();
    let volume = sample.volume(folder.path(), DiskIo::Auto, &[]);
    for spec in sample.layout.files.iter() {
        let path = folder.path().join(&spec.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, vec![0; spec.len as usize]).unwrap();
    }
    let survey = volume.survey().unwrap();
    assert_eq!(volume.foreign(&survey, &Bitfield::none(8)).len(), 2);
    let mut have = Bitfield::none(8);
    have.insert(sample.piece(1));
    assert!(volume.foreign(&survey, &have).is_empty(), "both files have a share in piece 1");
    have = Bitfield::none(8);
    have.insert(sample.piece(7));
    let first = folder.path().join(&sample.layout.files[0].path);
    assert_eq!(volume.foreign(&survey, &have), [first]);
}

#[test]
fn skipped_files_are_not_created_until_they_are_wanted() {
    let sample = Sample::new(16_384, &[(20_000, false), (5_000, false), (60_000, false)]);
    for io in WAYS {
        let folder = tempfile::tempdir().unwrap();
        let volume = sample.volume(folder.path(), io, &[true, false, true]);
        let pieces: Vec<_> = sample.geometry().pieces().collect();
        for &piece in &pieces {
            volume.write(piece, &[sample.bytes(piece)]).unwrap();
        }
        read_back(&sample, &volume);
        let skipped = folder.path().join(&sample.layout.files[1].path);
        let part = folder.path().join(volume.part_name());
        assert!(part.exists() && !skipped.exists());
        assert_eq!(part.file_name().unwrap(), ".top.ababab.part");
        volume.flush().unwrap();
        let stamps = volume.stamps().unwrap();
        assert!(stamps.part.is_some() && stamps.files[1].is_none());
        let have = Bitfield::all(sample.geometry().piece_count());
        assert!(volume.unchanged(&have, &stamps, |old, new| old == new).unwrap().is_full());
        // In another run everything is found again.
        drop(volume);
        let volume = sample.volume(folder.path(), io, &[true, false, true]);
        read_back(&sample, &volume);
        volume.set_wanted(&[], &have).unwrap();
        assert!(std::fs::read(&skipped).unwrap() == sample.file(1));
        assert!(!part.exists());
        read_back(&sample, &volume);
    }
}

#[test]
fn a_file_that_was_removed_is_not_looked_for_in_the_part_file() {
    let sample = Sample::new(16_384, &[(20_000, false), (5_000, false), (60_000, false)]);
    for io in WAYS {
        let folder = tempfile::tempdir().unwrap();
        let volume = sample.volume(folder.path(), io, &[true, false, true]);
        for piece in sample.geometry().pieces() {
            volume.write(piece, &[sample.bytes(piece)]).unwrap();
        }
        volume.flush().unwrap();
        let stamps = volume.stamps().unwrap();
        let have = Bitfield::all(sample.geometry().piece_count());
        let kept = || {
            let volume = sample.volume(folder.path(), io, &[false; 3]);
            let kept = volume.unchanged(&have, &stamps, |old, new| old == new).unwrap();
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
    for io in WAYS {
        let folder = tempfile::tempdir().unwrap();
        let volume = sample.volume(folder.path(), io, &[]);
        for piece in sample.geometry().pieces() {
            volume.write(piece, &[sample.bytes(piece)]).unwrap();
        }
        let unflushed = || volume.inner.ledger().dirty.iter().copied().collect::<Vec<_>>();
        assert_eq!(unflushed(), [(0, 0), (0, 1), (0, 2), (1, 0)]);
        let cancelled = volume.flush_unless(&std::sync::atomic::AtomicBool::new(true));
        assert_eq!(cancelled.unwrap_err().kind, DiskErrorKind::Cancelled);
        assert_eq!(unflushed().len(), 4);
        volume.flush().unwrap();
        assert_eq!(unflushed(), []);
        read_back(&sample, &volume);
    }
}

#[test]
fn what_another_run_wrote_is_flushed_and_read_from_the_disk() {
    let sample = Sample::new(16_384, &[(20_000, false), (5_000, false), (60_000, false)]);
    let folder = tempfile::tempdir().unwrap();
    let wanted = [true, false, true];
    let volume = sample.volume(folder.path(), DiskIo::Auto, &wanted);
    for piece in sample.geometry().pieces() {
        volume.write(piece, &[sample.bytes(piece)]).unwrap();
    }
    drop(volume);
    let volume = sample.volume(folder.path(), DiskIo::Auto, &wanted);
    let all = Bitfield::all(sample.geometry().piece_count());
    volume.forget_cached(&all).unwrap();
    read_back(&sample, &volume);
    volume.mark_unflushed(&all);
    assert_eq!(volume.inner.ledger().dirty.iter().copied().collect::<Vec<_>>(), [(0, 0), (2, 0), (PART, 0)]);
    volume.flush().unwrap();
    // What is not there is nothing to flush or forget.
    for file in [0, 2] {
        std::fs::remove_file(folder.path().join(&sample.layout.files[file].path)).unwrap();
    }
    let volume = sample.volume(folder.path(), DiskIo::Auto, &wanted);
    volume.forget_cached(&all).unwrap();
}

#[test]
fn a_file_that_goes_away_is_noticed() {
    let sample = Sample::new(1 << 20, &[(3 << 20, false)]);
    let whole = sample.piece(1);
    for io in WAYS {
        let folder = tempfile::tempdir().unwrap();
        let volume = sample.volume(folder.path(), io, &[]);
        let path = folder.path().join(&sample.layout.files[0].path);
        volume.write(whole, &[sample.bytes(whole)]).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(1 << 20).unwrap();
        let mut bytes = vec![0; 100];
        let start = sample.geometry().piece_range(whole).start;
        assert_eq!(volume.read(start, &mut [&mut bytes]).unwrap_err().kind, DiskErrorKind::Changed);
        let written = volume.write(whole, &[sample.bytes(whole)]);
        if io == DiskIo::Mmap {
            assert_eq!(written.unwrap_err().kind, DiskErrorKind::Changed);
        } else {
            assert_eq!(volume.flush().unwrap_err().kind, DiskErrorKind::Changed);
        }
        volume.write(whole, &[sample.bytes(whole)]).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(volume.flush().unwrap_err().kind, DiskErrorKind::Changed);
        assert_eq!(volume.survey().unwrap()[0].found, Found::Missing);
    }
}

#[test]
fn a_full_disk_is_an_error_before_and_while_writing() {
    let place = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
        .arg(place.path())
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        // Only root can make a small disk.
        return;
    }
    let sample = Sample::new(1 << 20, &[(9 << 20, false)]);
    for io in WAYS {
        let volume = sample.volume(place.path(), io, &[]);
        let error = volume.prepare().unwrap_err();
        assert_eq!(error.kind, DiskErrorKind::NoSpace);
        assert!(error.to_string().ends_with("no space left (needs 9 MiB, 6 MiB free)"), "{error}");
        let mut written = 0;
        let error = loop {
            let piece = sample.piece(written);
            match volume.write(piece, &[sample.bytes(piece)]) {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind, DiskErrorKind::NoSpace);
        assert!((4..=6).contains(&written), "{written}");
        for piece in sample.geometry().pieces().take(written as usize) {
            let mut bytes = vec![0; 1 << 20];
            volume.read(sample.geometry().piece_range(piece).start, &mut [&mut bytes]).unwrap();
            assert!(bytes == sample.bytes(piece));
        }
        drop(volume);
        std::fs::remove_dir_all(place.path().join("top")).unwrap();
    }
    std::process::Command::new("umount").arg(place.path()).status().unwrap();
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
        let volume = sample.volume(folder.path(), io, wanted);
        let mut pieces: Vec<_> = sample.geometry().pieces().collect();
        pieces.sort_by_key(|piece| (u64::from(piece.index()) + 1).wrapping_mul(order | 1).rotate_left(17));
        // Only pieces of wanted files come.
        let is_wanted = |piece| sample.geometry().parts_of(piece).any(|p| !p.pad && wanted[p.file.0 as usize]);
        pieces.retain(|&piece| is_wanted(piece));
        let mut have = Bitfield::none(sample.geometry().piece_count());
        for &piece in &pieces {
            volume.write(piece, &[sample.bytes(piece)]).unwrap();
            have.insert(piece);
        }
        volume.prepare().unwrap();
        for (at, spec) in sample.layout.files.iter().enumerate() {
            let path = folder.path().join(&spec.path);
            prop_assert_eq!(path.exists(), wanted[at] && !spec.pad);
            if path.exists() {
                prop_assert!(std::fs::read(path).unwrap() == sample.file(at));
            }
        }
        volume.set_wanted(&[], &have).unwrap();
        volume.flush().unwrap();
        prop_assert!(!folder.path().join(volume.part_name()).exists());
        for piece in sample.geometry().pieces().filter(|&piece| !have.has(piece)) {
            volume.write(piece, &[sample.bytes(piece)]).unwrap();
        }
        volume.prepare().unwrap();
        read_back(&sample, &volume);
    }
}

/// A volume of two files in a folder of its own, with all of the first and the beginning of the second.
fn half_written(sample: &Sample, root: &Path, io: DiskIo) -> Volume {
    let volume = sample.volume(root, io, &[]);
    for piece in sample.geometry().pieces().take(5) {
        volume.write(piece, &[sample.bytes(piece)]).unwrap();
    }
    volume
}

#[test]
fn files_that_somebody_took_away_are_missed() {
    type Change = fn(&Path, &Path);

    let sample = Sample::new(1 << 20, &[(2 << 20, false), (6 << 20, false)]);
    let changes: [(Change, bool); 7] = [
        (|_, _| {}, true),
        (|_, file| std::fs::remove_file(file).unwrap(), false),
        (|_, file| std::fs::File::options().write(true).open(file).unwrap().set_len(3 << 20).unwrap(), false),
        (|root, _| std::fs::remove_dir_all(root).unwrap(), false),
        // These are missed in the end.
        (|_, file| std::fs::rename(file, file.with_extension("moved")).unwrap(), true),
        (|root, _| std::fs::rename(root, root.with_extension("moved")).unwrap(), true),
        (
            |root, file| {
                std::fs::rename(file, root.join("ours")).unwrap();
                std::fs::write(file, vec![0; 6 << 20]).unwrap();
            },
            true,
        ),
    ];
    for io in WAYS {
        for (at, (change, goes_on)) in changes.iter().enumerate() {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("root");
            let volume = half_written(&sample, &root, io);
            change(&root, &root.join(&sample.layout.files[1].path));
            let rest = sample.geometry().pieces().skip(5);
            let mut written =
                rest.map(|piece| volume.write(piece, &[sample.bytes(piece)]).map_err(|error| error.kind));
            let first = written.next().unwrap();
            assert_eq!(first, if *goes_on { Ok(()) } else { Err(DiskErrorKind::Changed) }, "change {at}");
            if *goes_on {
                assert!(written.all(|written| written.is_ok()));
                let confirmed = volume.confirm().map_err(|error| error.kind);
                let right = if at == 0 { Ok(()) } else { Err(DiskErrorKind::Changed) };
                assert_eq!(confirmed, right, "change {at}");
            }
        }
    }
}
