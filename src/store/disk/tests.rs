use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::base::{Block, Piece};
use crate::proto::metainfo::PieceHashes;
use crate::store::BUF_LEN;
use crate::store::testing::{IO_MODES, Sample};

const TIMEOUT: Duration = Duration::from_secs(20);

fn assembled(sample: &Sample, index: u32, pool: &Pool) -> PieceBuffer {
    let piece = sample.piece(index);
    let mut buffer = PieceBuffer::new(sample.geometry(), piece);
    for (block, buf) in sample.geometry().blocks(piece).zip(sample.bufs(piece, pool)) {
        assert!(buffer.insert(block, buf));
    }
    buffer
}

#[test]
fn pieces_are_kept_checked_and_fetched() {
    let sample = Sample::new(40_000, &[(1_000_000, false), (7, false), (300_000, false)]);
    let pool = Pool::new(16 << 20);
    let count = sample.geometry().piece_count();
    for io in IO_MODES {
        let folder = tempfile::tempdir().unwrap();
        let storage = sample.storage(folder.path(), io, &[]);
        let disk = Disk::start(2, Pool::new(6 * BUF_LEN));
        let (send, outcomes) = mpsc::channel();
        for index in 0..count {
            let send = send.clone();
            let buffer = assembled(&sample, index, &pool);
            disk.verify_and_write(&storage, buffer, index % 2 == 0, move |outcome| {
                send.send(outcome).unwrap();
            });
        }
        for _ in 0..count {
            match outcomes.recv_timeout(TIMEOUT).unwrap() {
                PieceOutcome::Verified { piece, digests } => {
                    let blocks = sample.geometry().blocks_in(piece) as usize;
                    assert_eq!(digests.len(), if piece.index() % 2 == 0 { blocks } else { 0 });
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(pool.counters().in_use, 0);
        let (send, flushed) = mpsc::channel();
        disk.flush(&storage, move |result| send.send(result).unwrap());
        flushed.recv_timeout(TIMEOUT).unwrap().unwrap();

        let (send, checked) = mpsc::channel();
        let progress = Progress::new();
        disk.check(&storage, &Bitfield::all(count), progress.clone(), move |result| {
            send.send(result).unwrap();
        });
        assert!(checked.recv_timeout(TIMEOUT).unwrap().unwrap().good.is_full());
        assert_eq!((progress.done(), progress.good()), (count, count));

        // Four reads of three buffers each out of a pool of six.
        let (send, fetched) = mpsc::channel();
        for index in 0..4 {
            let geometry = sample.geometry();
            let spans: Vec<_> = geometry.blocks(sample.piece(index)).map(Block::span).collect();
            let send = send.clone();
            disk.read_spans(&storage, spans, move |result| send.send((index, result.unwrap())).unwrap());
        }
        for _ in 0..4 {
            let (index, bufs) = fetched.recv_timeout(TIMEOUT).unwrap();
            let bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.to_vec()).collect();
            assert!(bytes == sample.bytes(sample.piece(index)));
        }
        let spans = vec![sample.geometry().span_at(0, 1, 5).unwrap(); 7];
        let (send, refused) = mpsc::channel();
        disk.read_spans(&storage, spans, move |result| send.send(result).unwrap());
        assert_eq!(refused.recv_timeout(TIMEOUT).unwrap().unwrap_err().kind, DiskErrorKind::Busy);
        disk.shutdown();
    }
}

#[test]
fn a_spoiled_piece_does_not_reach_the_files() {
    let sample = Sample::new(40_000, &[(90_000, false)]);
    let folder = tempfile::tempdir().unwrap();
    let storage = sample.storage(folder.path(), IO_MODES[0], &[]);
    let pool = Pool::new(1 << 20);
    let disk = Disk::start(1, Pool::new(1 << 20));
    let piece = sample.piece(1);
    let mut buffer = PieceBuffer::new(sample.geometry(), piece);
    for (block, mut buf) in sample.geometry().blocks(piece).zip(sample.bufs(piece, &pool)) {
        buf.whole_mut()[3] ^= u8::from(block.index() == 1);
        buffer.insert(block, buf);
    }
    let (send, outcomes) = mpsc::channel();
    disk.verify_and_write(&storage, buffer, false, move |outcome| send.send(outcome).unwrap());
    let expected: Vec<_> = sample.bytes(piece).chunks(BUF_LEN).map(hash::sha1).collect();
    match outcomes.recv_timeout(TIMEOUT).unwrap() {
        PieceOutcome::HashFailed { piece: spoiled, digests } => {
            assert_eq!(spoiled, piece);
            assert_ne!(digests[1], expected[1]);
            assert_eq!((digests[0], digests[2]), (expected[0], expected[2]));
        }
        other => panic!("{other:?}"),
    }
    assert!(!folder.path().join("top").exists());
    disk.shutdown();
}

#[test]
fn a_check_knows_missing_short_and_empty_files_and_can_be_called_off() {
    let sample = Sample::new(16_384, &[(50_000, false), (50_000, false), (50_000, false)]);
    let folder = tempfile::tempdir().unwrap();
    let storage = sample.storage(folder.path(), IO_MODES[1], &[]);
    let disk = Disk::start(2, Pool::new(1 << 20));
    let check = |progress: Progress| {
        let (send, outcomes) = mpsc::channel();
        disk.check(&storage, &Bitfield::all(10), progress, move |result| send.send(result).unwrap());
        outcomes.recv_timeout(TIMEOUT).unwrap()
    };
    assert!(check(Progress::new()).unwrap().good.is_empty());
    for index in [1, 4, 9] {
        let piece = sample.piece(index);
        storage.write(piece, &[sample.bytes(piece)]).unwrap();
    }
    let good: Vec<_> = check(Progress::new()).unwrap().good.iter().map(Piece::index).collect();
    assert_eq!(good, [1, 4, 9]);
    let last = folder.path().join(&sample.layout.files[2].path);
    std::fs::File::options().write(true).open(last).unwrap().set_len(49_999).unwrap();
    assert_eq!(check(Progress::new()).unwrap().good.count(), 2);
    let progress = Progress::new();
    progress.cancel();
    assert_eq!(check(progress).unwrap_err().kind, DiskErrorKind::Cancelled);
    let (send, outcomes) = mpsc::channel();
    disk.check(&storage, &Bitfield::none(10), Progress::new(), move |result| send.send(result).unwrap());
    assert!(outcomes.recv_timeout(TIMEOUT).unwrap().unwrap().good.is_empty());
    disk.shutdown();
}

#[test]
fn zeros_that_were_never_written_are_still_zeros() {
    let mut sample = Sample::new(16_384, &[(50_000, true), (50_000, false)]);
    let zeros = vec![[0; 16_384]; 3];
    let mut digests = sample.layout.hashes.v1().unwrap().to_vec();
    digests[4] = hash::sha1(&zeros[0]);
    sample.layout.hashes = PieceHashes::from_v1(digests);
    let folder = tempfile::tempdir().unwrap();
    let storage = sample.storage(folder.path(), IO_MODES[1], &[]);
    let last = sample.piece(6);
    storage.write(last, &[sample.bytes(last)]).unwrap();
    let disk = Disk::start(1, Pool::new(1 << 20));
    let (send, outcomes) = mpsc::channel();
    disk.check(&storage, &Bitfield::all(7), Progress::new(), move |result| send.send(result).unwrap());
    let good: Vec<_> =
        outcomes.recv_timeout(TIMEOUT).unwrap().unwrap().good.iter().map(Piece::index).collect();
    assert_eq!(good, [0, 1, 2, 4, 6]);
    disk.shutdown();
}

#[test]
fn the_end_finishes_writes_and_drops_reads() {
    let sample = Sample::new(16_384, &[(500_000, false)]);
    let pool = Pool::new(1 << 20);
    let folder = tempfile::tempdir().unwrap();
    let storage = sample.storage(folder.path(), IO_MODES[0], &[]);
    let disk = Disk::start(1, pool.clone());
    let (send, outcomes) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let (tell_begun, begun) = mpsc::channel();
    disk.run(move || {
        tell_begun.send(()).unwrap();
        gate.recv_timeout(TIMEOUT).unwrap();
    });
    begun.recv_timeout(TIMEOUT).unwrap();
    for index in 0..5 {
        let send = send.clone();
        let buffer = assembled(&sample, index, &pool);
        disk.verify_and_write(&storage, buffer, false, move |outcome| {
            send.send(matches!(outcome, PieceOutcome::Verified { .. })).unwrap();
        });
    }
    let span = sample.geometry().span_at(0, 0, 5).unwrap();
    let (tell_read, read) = mpsc::channel();
    disk.read_spans(&storage, vec![span], move |result| tell_read.send(result.map(drop)).unwrap());
    std::thread::scope(|scope| {
        let end = scope.spawn(|| disk.shutdown());
        assert_eq!(read.recv_timeout(TIMEOUT).unwrap().unwrap_err().kind, DiskErrorKind::Cancelled);
        open.send(()).unwrap();
        end.join().unwrap();
    });
    assert_eq!(outcomes.try_iter().collect::<Vec<_>>(), [true; 5]);
    disk.verify_and_write(&storage, assembled(&sample, 6, &pool), false, move |outcome| {
        send.send(matches!(outcome, PieceOutcome::WriteFailed { .. })).unwrap();
    });
    assert!(outcomes.recv_timeout(TIMEOUT).unwrap());
}

#[test]
fn a_job_that_panics_does_not_end_the_thread() {
    let disk = Disk::start(1, Pool::new(1 << 20));
    let (send, outcomes) = mpsc::channel();
    disk.run(|| panic!("as this test wishes"));
    disk.run(move || send.send(()).unwrap());
    outcomes.recv_timeout(TIMEOUT).unwrap();
    disk.shutdown();
}
