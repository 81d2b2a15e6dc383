//! Changes that other programs make to the files of a torrent.

use super::*;

#[test]
fn a_file_that_goes_away_is_noticed() {
    let sample = Sample::new(1 << 20, &[(3 << 20, false)]);
    let whole = sample.piece(1);
    for io in IO_MODES {
        let folder = tempfile::tempdir().unwrap();
        let storage = sample.storage(folder.path(), io, &[]);
        let path = folder.path().join(&sample.layout.files[0].path);
        storage.write(whole, &[sample.bytes(whole)]).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(1 << 20).unwrap();
        let mut bytes = vec![0; 100];
        let start = sample.geometry().piece_range(whole).start;
        assert_eq!(storage.read(start, &mut [&mut bytes]).unwrap_err().kind, DiskErrorKind::Changed);
        let written = storage.write(whole, &[sample.bytes(whole)]);
        if io == DiskIo::Mmap {
            assert_eq!(written.unwrap_err().kind, DiskErrorKind::Changed);
        } else {
            assert_eq!(storage.flush().unwrap_err().kind, DiskErrorKind::Changed);
        }
        let again = storage.write(whole, &[sample.bytes(whole)]);
        assert_eq!(again.unwrap_err().kind, DiskErrorKind::Changed, "it is not made whole in silence");
        storage.close();
        let storage = sample.storage(folder.path(), io, &[]);
        storage.write(whole, &[sample.bytes(whole)]).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(storage.flush().unwrap_err().kind, DiskErrorKind::Changed);
        assert_eq!(storage.survey().unwrap()[0].status, FileStatus::Missing);
    }
}

/// A storage of two files with all of the first and the beginning of the second written.
fn half_written(sample: &Sample, root: &Path, io: DiskIo) -> Storage {
    let storage = sample.storage(root, io, &[]);
    for piece in sample.geometry().pieces().take(5) {
        storage.write(piece, &[sample.bytes(piece)]).unwrap();
    }
    storage
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
    for io in IO_MODES {
        for (at, (change, goes_on)) in changes.iter().enumerate() {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("root");
            let storage = half_written(&sample, &root, io);
            change(&root, &root.join(&sample.layout.files[1].path));
            let rest = sample.geometry().pieces().skip(5);
            let mut written =
                rest.map(|piece| storage.write(piece, &[sample.bytes(piece)]).map_err(|error| error.kind));
            let first = written.next().unwrap();
            assert_eq!(first, if *goes_on { Ok(()) } else { Err(DiskErrorKind::Changed) }, "change {at}");
            if *goes_on {
                assert!(written.all(|written| written.is_ok()));
                let confirmed = storage.confirm_files().map_err(|error| error.kind);
                let right = if at == 0 { Ok(()) } else { Err(DiskErrorKind::Changed) };
                assert_eq!(confirmed, right, "change {at}");
            }
        }
    }
}

#[test]
fn what_others_do_to_files_in_use_is_noticed() {
    type Change = fn(&Path, &Path);

    let sample = Sample::new(1 << 20, &[(2 << 20, false), (6 << 20, false)]);
    let edit = |file: &Path| {
        let file = std::fs::File::options().write(true).open(file).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"x", 7).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    };
    let changes: [(Change, bool); 6] = [
        (|_, _| {}, true),
        (|_, file| std::fs::hard_link(file, file.with_extension("link")).unwrap(), true),
        (|_, file| std::fs::remove_file(file).unwrap(), false),
        (|_, file| std::fs::rename(file, file.with_extension("moved")).unwrap(), false),
        (|root, _| std::fs::rename(root, root.with_extension("moved")).unwrap(), false),
        (
            |root, file| {
                std::fs::copy(file, root.join("copy")).unwrap();
                std::fs::rename(root.join("copy"), file).unwrap();
            },
            false,
        ),
    ];
    let kind = |result: Result<(), DiskError>| result.map_err(|error| error.kind);
    for (at, (change, fine)) in changes.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        let storage = half_written(&sample, &root, DiskIo::Auto);
        change(&root, &root.join(&sample.layout.files[1].path));
        let right = if fine { Ok(()) } else { Err(DiskErrorKind::Changed) };
        assert_eq!(kind(storage.confirm_open_files()), right, "change {at}");
    }
    let folder = tempfile::tempdir().unwrap();
    let storage = half_written(&sample, folder.path(), DiskIo::Auto);
    storage.close();
    storage.seal(storage.file_stamps().unwrap());
    let read = || kind(storage.read(0, &mut [&mut [0; 1000]]));
    assert_eq!((read(), kind(storage.confirm_open_files())), (Ok(()), Ok(())));
    edit(&folder.path().join(&sample.layout.files[0].path));
    assert_eq!((read(), kind(storage.confirm_open_files())), (Ok(()), Err(DiskErrorKind::Changed)));
    storage.close();
    assert_eq!(read(), Err(DiskErrorKind::Changed), "it was checked when it was opened again");
    // A file of which torr knows no stamp may be anything.
    let stamps = vec![Some(FileStamp::FOREIGN); 2];
    storage.seal(FileStamps { files: stamps, part: None });
    assert_eq!((read(), kind(storage.confirm_open_files())), (Ok(()), Ok(())));
}

#[test]
fn no_two_write_to_one_file() {
    let sample = Sample::new(1 << 20, &[(2 << 20, false)]);
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = [0, 1].map(|_| sample.storage(folder.path(), DiskIo::Auto, &[]));
    let write = |storage: &Storage, piece: u32| {
        let piece = sample.piece(piece);
        storage.write(piece, &[sample.bytes(piece)]).map_err(|error| error.kind)
    };
    write(&one, 0).unwrap();
    let survey = other.survey().unwrap();
    assert_eq!(other.refuse_locked(&survey).unwrap_err().kind, DiskErrorKind::InUse);
    assert_eq!(write(&other, 1), Err(DiskErrorKind::InUse));
    // Whoever is idle releases it.
    one.close();
    other.refuse_locked(&survey).unwrap();
    write(&other, 1).unwrap();
    assert_eq!(write(&one, 0), Err(DiskErrorKind::InUse));
    read_back(&sample, &one);
}
