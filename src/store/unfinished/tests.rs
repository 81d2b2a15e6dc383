use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::base::Block;
use crate::store::testing::{IO_MODES, Sample};
use crate::store::torrent_store::tests::record;
use crate::store::{Disk, DiskIo, PieceOutcome, SegmentOutcome};

const MIB: u64 = 1 << 20;

/// A run that receives some blocks, saves them and ends. Returns its record.
fn receive(
    sample: &Sample,
    root: &Path,
    io: DiskIo,
    wanted: &[bool],
    piece: u32,
    receives: impl Fn(Block) -> bool,
) -> ResumeRecord {
    let storage = sample.storage(root, io, &[false; 4][..sample.layout.files.len()]);
    storage.set_wanted(wanted, &Bitfield::none(sample.geometry().piece_count())).unwrap();
    let (piece, pool) = (sample.piece(piece), Pool::new(8 << 20));
    let mut buffer = PieceBuffer::new(sample.geometry(), piece);
    for (block, buf) in sample.geometry().blocks(piece).zip(sample.bufs(piece, &pool)) {
        if receives(block) {
            buffer.insert(block, buf);
        }
    }
    let lent = buffer.lend_unsaved().unwrap();
    lent.save(&storage).unwrap();
    assert!(buffer.take_back(lent, true));
    let unfinished = [(piece.index(), buffer.saved_blocks())].into();
    let stamps = storage.file_stamps().unwrap();
    ResumeRecord { stamps, unfinished, running: false, ..record(1) }
}

/// The pieces that a later run reads back, with buffers for `budget` bytes.
fn restore(
    storage: &Storage,
    record: &ResumeRecord,
    wanted: &[bool],
    pool: &Pool,
    budget: u64,
    segmented: bool,
) -> Vec<PieceBuffer> {
    let have = Bitfield::none(storage.layout().geometry.piece_count());
    let memory = RestoreMemory { pool, budget, is_segmented: &|_| segmented };
    restore_unfinished(storage, record, &have, wanted, &memory, || false).unwrap()
}

#[test]
fn blocks_are_saved_and_read_back_and_no_other_file_is_touched_before_they_are_verified() {
    // One piece that covers a skipped file that is missing, a wanted one, padding and a skipped one that is there.
    let sample = Sample::new(128 << 10, &[(20_000, false), (60_000, false), (11_072, true), (40_000, false)]);
    let wanted = [false, true, true, false];
    for io in IO_MODES {
        let folder = tempfile::tempdir().unwrap();
        let path = |at: usize| folder.path().join(&sample.layout.files[at].path);
        std::fs::create_dir_all(path(3).parent().unwrap()).unwrap();
        std::fs::write(path(3), b"mine").unwrap();
        let record = receive(&sample, folder.path(), io, &wanted, 0, |block| block.index() != 2);
        assert!(!path(0).exists() && std::fs::read(path(3)).unwrap() == b"mine");

        let storage = sample.storage(folder.path(), io, &[false; 4]);
        let pool = Pool::new(8 << 20);
        let mut restored = restore(&storage, &record, &wanted, &pool, 8 << 20, false);
        assert_eq!(restored.len(), 1);
        let mut buffer = restored.pop().unwrap();
        storage.set_wanted(&wanted, &Bitfield::none(1)).unwrap();
        assert_eq!(buffer.received().collect::<Vec<_>>(), [0, 1, 3, 4, 5, 6, 7]);
        assert!(buffer.lend_unsaved().is_none(), "they are on the disk");
        // What waits in the part file is there for a third run, too.
        let again = restore(&storage, &record, &wanted, &pool, 8 << 20, false);
        assert_eq!(again[0].received().count(), 7);
        drop(again);
        let (block, buf) = sample
            .geometry()
            .blocks(sample.piece(0))
            .zip(sample.bufs(sample.piece(0), &pool))
            .nth(2)
            .unwrap();
        buffer.insert(block, buf);
        let bufs = buffer.into_bufs().unwrap();
        assert!(bufs.iter().flat_map(|buf| buf.iter()).eq(&sample.line));
        storage.write(sample.piece(0), &bufs).unwrap();
        assert!(std::fs::read(path(1)).unwrap() == sample.file(1));
        assert!(std::fs::read(path(3)).unwrap() == sample.file(3));
        let mut read = vec![0; sample.line.len()];
        storage.read(0, &mut [&mut read]).unwrap();
        assert!(read == sample.line);
        drop(bufs);
        assert_eq!(pool.counters().in_use, 0);
    }
}

#[test]
fn the_part_file_goes_with_the_last_piece_that_waits_in_it() {
    let sample = Sample::new(128 << 10, &[(90_000, false), (40_000, false)]);
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join(&sample.layout.files[1].path);
    std::fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    std::fs::write(&theirs, b"mine").unwrap();
    receive(&sample, folder.path(), IO_MODES[0], &[true, false], 0, |_| true);
    let storage = sample.storage(folder.path(), IO_MODES[0], &[true, false]);
    let part = folder.path().join(storage.part_file_name());
    assert!(part.exists());
    storage.write_unverified(sample.piece(0), 90_000, &[[1; 100]]).unwrap();
    storage.write(sample.piece(0), &[&sample.line]).unwrap();
    assert!(!part.exists() && std::fs::read(theirs).unwrap() == sample.file(1));
}

#[test]
fn changed_files_and_a_lack_of_memory_cost_only_the_blocks() {
    let sample = Sample::new(128 << 10, &[(300_000, false), (93_216, false)]);
    let folder = tempfile::tempdir().unwrap();
    let record = receive(&sample, folder.path(), IO_MODES[0], &[], 1, |block| block.index() < 5);
    let storage = sample.storage(folder.path(), IO_MODES[0], &[]);
    let pool = Pool::new(8 << 20);
    let count = |record: &ResumeRecord, pool: &Pool, budget| {
        let restored = restore(&storage, record, &[], pool, budget, false);
        restored.iter().map(|buffer| buffer.received().count()).sum::<usize>()
    };
    assert_eq!(count(&record, &pool, 8 << 20), 5);
    assert_eq!(count(&record, &pool, 100_000), 0, "the whole piece has to fit");
    assert_eq!(count(&record, &Pool::new(3 * crate::store::BUF_LEN), 8 << 20), 3, "as many as buffers");
    let beyond = |piece, range| ResumeRecord { unfinished: [(piece, vec![range])].into(), ..record.clone() };
    assert_eq!(count(&beyond(3, 0..1), &pool, 8 << 20), 0, "there is no such piece");
    assert_eq!(count(&beyond(1, 0..9), &pool, 8 << 20), 0, "it has no such block");
    let memory = RestoreMemory { pool: &pool, budget: 8 << 20, is_segmented: &|_| false };
    let have = Bitfield::all(3);
    assert!(restore_unfinished(&storage, &record, &have, &[], &memory, || false).unwrap().is_empty());
    assert!(restore_unfinished(&storage, &record, &have, &[], &memory, || true).is_err());
    let skipped = restore(&storage, &record, &[false, false], &pool, 8 << 20, false);
    assert!(skipped.is_empty(), "nobody wants it");
    let file = std::fs::File::options().write(true).open(folder.path().join(&sample.layout.files[0].path));
    file.unwrap().set_modified(std::time::SystemTime::now() + Duration::from_secs(5)).unwrap();
    assert_eq!(count(&record, &pool, 8 << 20), 0, "the file has changed");
}

#[test]
fn a_long_piece_goes_on_where_it_was_left_unless_its_front_has_changed() {
    let sample = Sample::new(4 * MIB, &[(3 * MIB + 100_000, false), (300_000, false)]);
    for damaged in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut record = receive(&sample, folder.path(), IO_MODES[0], &[], 0, |block| block.index() < 150);
        let storage = sample.storage(folder.path(), IO_MODES[0], &[]);
        if damaged {
            storage.write_unverified(sample.piece(0), 70_000, &[b"something else"]).unwrap();
            record.stamps = storage.file_stamps().unwrap();
        }
        let pool = Pool::new(8 << 20);
        let mut buffer = restore(&storage, &record, &[], &pool, 2 * MIB, true).pop().unwrap();
        assert_eq!((buffer.taken(), buffer.received().count()), (128, 22));
        assert_eq!((&buffer.saved_blocks(), pool.counters().in_use), (&record.unfinished[&0], 22));
        for (block, buf) in sample.geometry().blocks(sample.piece(0)).zip(sample.bufs(sample.piece(0), &pool))
        {
            if block.index() >= 150 {
                assert!(buffer.insert(block, buf));
            }
        }
        let disk = Disk::start(1, Pool::new(MIB as usize));
        let outcome = loop {
            let segment = buffer.next_segment(Some(false)).expect("all blocks are there");
            let (send, outcomes) = mpsc::channel();
            disk.write_segment(&storage, segment, move |outcome| send.send(outcome).unwrap());
            match outcomes.recv_timeout(Duration::from_secs(20)).expect("the disk answers") {
                SegmentOutcome::Written(state) => assert!(buffer.restore_hash_state(state)),
                SegmentOutcome::Ended(_, outcome) => break outcome,
                SegmentOutcome::Stale(_) => panic!("its buffer is still there"),
            }
        };
        disk.shutdown();
        match outcome {
            PieceOutcome::HashFailed { digests, .. } => assert!(damaged && digests.len() == 217),
            PieceOutcome::Verified { .. } => {
                let mut read = vec![0; sample.line.len()];
                storage.read(0, &mut [&mut read]).unwrap();
                assert!(!damaged && read == sample.line);
            }
            PieceOutcome::WriteFailed { error, .. } => panic!("{error}"),
        }
    }
}

#[test]
fn blocks_of_a_piece_that_was_given_up_are_not_written() {
    let sample = Sample::new(128 << 10, &[(100_000, false)]);
    let folder = tempfile::tempdir().unwrap();
    let storage = sample.storage(folder.path(), IO_MODES[0], &[]);
    let (piece, pool) = (sample.piece(0), Pool::new(1 << 20));
    let mut buffer = PieceBuffer::new(sample.geometry(), piece);
    let block = sample.geometry().block(piece, 0).unwrap();
    buffer.insert(block, sample.bufs(piece, &pool).swap_remove(0));
    let lent = buffer.lend_unsaved().unwrap();
    drop(buffer);
    lent.save(&storage).unwrap();
    assert!(!folder.path().join("top").exists());
}
