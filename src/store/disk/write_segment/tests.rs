//! Segments of long pieces, from blocks in any order to files.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::base::{Block, FileIndex, RUN_BLOCKS, Rng};
use crate::store::testing::{IO_MODES, Sample};
use crate::store::{BUF_LEN, Buf, Disk, DiskIo, PieceBuffer, Pool};

const TIMEOUT: Duration = Duration::from_secs(20);
const MIB: u64 = 1 << 20;

/// A long piece and its storage, with a buffer pool of little more than a segment.
struct LongPiece<'a> {
    sample: &'a Sample,
    storage: Storage,
    disk: Disk,
    pool: Pool,
    buffer: PieceBuffer,
    outcomes: Receiver<SegmentOutcome>,
    send: mpsc::Sender<SegmentOutcome>,
}

impl<'a> LongPiece<'a> {
    fn new(sample: &'a Sample, root: &std::path::Path, io: DiskIo, wanted: &[bool]) -> Self {
        let (send, outcomes) = mpsc::channel();
        Self {
            sample,
            storage: sample.storage(root, io, wanted),
            disk: Disk::start(2, Pool::new(MIB as usize)),
            pool: Pool::new((RUN_BLOCKS as usize + 9) * BUF_LEN),
            buffer: PieceBuffer::segmented(sample.geometry(), sample.piece(0)),
            outcomes,
            send,
        }
    }

    fn buf(&self, block: Block) -> Buf {
        let mut buf = self.pool.try_take().expect("what is in reach has a buffer");
        let begin = block.begin() as usize;
        buf.fill(&self.sample.line[begin..begin + block.len() as usize]);
        buf
    }

    fn write_next(&mut self, verify: Option<bool>) -> bool {
        let Some(segment) = self.buffer.next_segment(verify) else { return false };
        let send = self.send.clone();
        self.disk.write_segment(&self.storage, segment, move |outcome| send.send(outcome).unwrap());
        true
    }

    fn wait_for_outcome(&self) -> SegmentOutcome {
        self.outcomes.recv_timeout(TIMEOUT).expect("the disk answers")
    }

    /// Delivers the blocks in random order within the request window, corrupts those that `spoils` names, and
    /// returns the result of the piece.
    fn download(&mut self, seed: u64, spoils: impl Fn(Block) -> bool) -> PieceOutcome {
        let mut rng = Rng::new(seed);
        let piece = self.sample.piece(0);
        let mut waiting: Vec<_> = self.sample.geometry().blocks(piece).collect();
        let mut hashed = 0;
        loop {
            while !waiting.is_empty() {
                let reach =
                    waiting.iter().take_while(|block| block.index() < hashed + RUN_BLOCKS + 9).count();
                let Some(at) = rng.index(reach) else { break };
                let block = waiting.remove(at);
                let mut buf = self.buf(block);
                buf.whole_mut()[1] ^= u8::from(spoils(block));
                assert!(self.buffer.insert(block, buf));
            }
            assert!(self.write_next(waiting.is_empty().then_some(true)), "the front can always go on");
            match self.wait_for_outcome() {
                SegmentOutcome::Written(back) => {
                    hashed = back.blocks();
                    assert!(self.buffer.restore_hash_state(back));
                }
                SegmentOutcome::Ended(_, outcome) => return outcome,
                SegmentOutcome::Stale(_) => panic!("its buffer is still there"),
            }
        }
    }
}

impl Drop for LongPiece<'_> {
    fn drop(&mut self) {
        self.disk.shutdown();
    }
}

/// Two files with padding between them, and a third, in one piece whose length is no multiple of a segment.
fn sample() -> Sample {
    let lens = [(MIB + 5, false), (70_001, true), (MIB / 2, false), (300_003, false)];
    Sample::new(4 * MIB, &lens)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_long_piece_arrives_with_few_buffers_in_whatever_order(seed in any::<u64>(), long in 0_usize..2) {
        let sample = sample();
        let folder = tempfile::tempdir().unwrap();
        let mut long = LongPiece::new(&sample, folder.path(), IO_MODES[long], &[]);
        let PieceOutcome::Verified { piece, digests } = long.download(seed, |_| false) else { panic!("it is right") };
        prop_assert_eq!(piece, sample.piece(0));
        let expected: Vec<_> = sample.line.chunks(BUF_LEN).map(hash::sha1).collect();
        prop_assert_eq!(digests, expected);
        prop_assert_eq!(long.pool.counters().in_use, 0);
        for at in [0, 2, 3] {
            let path = folder.path().join(&sample.layout.files[at].path);
            prop_assert!(std::fs::read(path).unwrap() == sample.file(at));
        }
    }
}

#[test]
fn a_long_piece_that_proves_wrong_tells_which_block_was() {
    let sample = sample();
    let folder = tempfile::tempdir().unwrap();
    let mut long = LongPiece::new(&sample, folder.path(), IO_MODES[1], &[]);
    let PieceOutcome::HashFailed { digests, .. } = long.download(3, |block| block.index() == 70) else {
        panic!("it is wrong")
    };
    let expected: Vec<_> = sample.line.chunks(BUF_LEN).map(hash::sha1).collect();
    let wrong: Vec<_> = (0..expected.len()).filter(|&at| digests[at] != expected[at]).collect();
    assert_eq!((digests.len(), wrong), (expected.len(), vec![70]));
    assert_eq!(long.pool.counters().in_use, 0);
}

#[test]
fn what_is_shared_with_skipped_files_goes_where_partial_pieces_go() {
    let sample = sample();
    let folder = tempfile::tempdir().unwrap();
    let mut long = LongPiece::new(&sample, folder.path(), IO_MODES[0], &[false, true, true, false]);
    assert!(matches!(long.download(5, |_| false), PieceOutcome::Verified { .. }));
    for (at, there) in [(0, false), (2, true), (3, false)] {
        let path = folder.path().join(&sample.layout.files[at].path);
        assert_eq!(path.exists(), there, "{}", path.display());
    }
    let mut read = vec![0; sample.line.len()];
    long.storage.read(0, &mut [&mut read]).unwrap();
    assert!(read == sample.line);
}

#[test]
fn a_file_that_is_there_and_not_wanted_gets_nothing_but_what_is_right() {
    let sample = sample();
    // A file before the wanted one and one after it, of which one is of another length.
    let before = vec![0xa5; (MIB + 5) as usize];
    let after = vec![0x5a; 200_000];
    for io in IO_MODES {
        let folder = tempfile::tempdir().unwrap();
        let path = |at: usize| folder.path().join(&sample.layout.files[at].path);
        for (at, bytes) in [(0, &before), (3, &after)] {
            std::fs::create_dir_all(path(at).parent().unwrap()).unwrap();
            std::fs::write(path(at), bytes).unwrap();
        }
        let wanted = [false, true, true, false];
        let part = {
            let mut long = LongPiece::new(&sample, folder.path(), io, &wanted);
            assert!(matches!(long.download(4, |block| block.index() == 3), PieceOutcome::HashFailed { .. }));
            folder.path().join(long.storage.part_file_name())
        };
        assert!(std::fs::read(path(0)).unwrap() == before && std::fs::read(path(3)).unwrap() == after);
        let mut long = LongPiece::new(&sample, folder.path(), io, &wanted);
        assert!(matches!(long.download(6, |_| false), PieceOutcome::Verified { .. }));
        for at in [0, 2, 3] {
            assert!(std::fs::read(path(at)).unwrap() == sample.file(at), "{at}");
        }
        long.storage.flush().unwrap();
        assert!(!part.exists(), "nobody needs it any more");
        let mut read = vec![0; sample.line.len()];
        long.storage.read(0, &mut [&mut read]).unwrap();
        assert!(read == sample.line);
    }
}

#[test]
fn early_writes_stay_within_their_piece() {
    // The second piece begins in the middle of a file, and is held when the first is written early.
    let sample = Sample::new(2 * MIB, &[(MIB, false), (2 * MIB, false), (MIB, false)]);
    let folder = tempfile::tempdir().unwrap();
    let mut long = LongPiece::new(&sample, folder.path(), IO_MODES[0], &[true, false, true]);
    let second = sample.piece(1);
    long.storage.write(second, &[sample.bytes(second)]).unwrap();
    assert!(matches!(long.download(8, |_| true), PieceOutcome::HashFailed { .. }));
    let mut read = vec![0; 2 * MIB as usize];
    long.storage.read(2 * MIB, &mut [&mut read]).unwrap();
    assert!(read == sample.bytes(second), "a verified byte was overwritten");
    let range = sample.geometry().file_range(FileIndex(1));
    assert!(range.start < 2 * MIB && range.end > 2 * MIB, "the file in the middle has a share in both");
    let chunk = vec![0; 10];
    assert!(long.storage.write_unverified(sample.piece(0), 2 * MIB - 9, &[chunk]).is_err(), "beyond its end");
}

#[test]
fn a_run_of_a_piece_that_was_given_up_is_not_written() {
    let sample = sample();
    let folder = tempfile::tempdir().unwrap();
    let mut long = LongPiece::new(&sample, folder.path(), IO_MODES[1], &[]);
    for block in sample.geometry().blocks(sample.piece(0)).take(RUN_BLOCKS as usize) {
        let buf = long.buf(block);
        long.buffer.insert(block, buf);
    }
    let segment = long.buffer.next_segment(None).unwrap();
    long.buffer = PieceBuffer::segmented(sample.geometry(), sample.piece(0));
    let send = long.send.clone();
    long.disk.write_segment(&long.storage, segment, move |outcome| send.send(outcome).unwrap());
    assert!(matches!(long.wait_for_outcome(), SegmentOutcome::Stale(_)));
    assert!(!folder.path().join("top").exists());
    assert_eq!(long.pool.counters().in_use, 0);
}

#[test]
fn a_run_that_cannot_be_written_ends_its_piece() {
    let sample = sample();
    let folder = tempfile::tempdir().unwrap();
    // What stands where the first file belongs is no file.
    std::fs::create_dir_all(folder.path().join(&sample.layout.files[0].path)).unwrap();
    let mut long = LongPiece::new(&sample, folder.path(), IO_MODES[1], &[]);
    let PieceOutcome::WriteFailed { piece, .. } = long.download(1, |_| false) else {
        panic!("it is written nowhere")
    };
    assert_eq!(
        (piece, long.pool.counters().in_use),
        (sample.piece(0), long.buffer.bytes().div_ceil(BUF_LEN as u64) as usize)
    );
}
