//! One piece while its blocks come in.
//!
//! A piece is held whole until it is verified, or, where memory is too dear for that, in runs: as soon as
//! the blocks at its front make a run, they leave for the disk threads together with the [`Front`], which
//! hash them and write them early. The front goes out by ownership and comes back, so there is one run of
//! a piece on its way at a time and they are hashed in order.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::pool::Buf;
use crate::base::{Block, Geometry, Piece, RUN_BLOCKS, Sha1Digest};
use crate::hash::Stream;

/// The blocks of one piece that have landed so far.
#[derive(Debug)]
pub struct Assembly {
    piece: Piece,
    total: u32,
    missing: u32,
    /// Blocks that have left in runs; those held follow them.
    left: u32,
    /// The blocks from the first that has not left to the last that has landed.
    blocks: VecDeque<Option<Buf>>,
    runs: Option<Box<Runs>>,
}

#[derive(Debug)]
struct Runs {
    /// Away while a run is being hashed.
    front: Option<Front>,
    life: Arc<()>,
}

/// How far a piece in runs is hashed, and the digests of its blocks so far.
#[derive(Debug)]
pub struct Front {
    piece: Piece,
    pub(super) stream: Stream,
    pub(super) digests: Vec<Sha1Digest>,
    life: Weak<()>,
}

/// Blocks that follow one another and leave a piece.
#[derive(Debug)]
pub struct Run {
    /// What was hashed before them.
    pub(super) front: Front,
    /// The first of them.
    pub(super) first: u32,
    pub(super) bufs: Vec<Buf>,
    /// Whether they are the last of the piece, and then whether the digests of its blocks are wanted even
    /// if it is right.
    pub(super) last: Option<bool>,
}

impl Front {
    /// The piece.
    pub fn piece(&self) -> Piece {
        self.piece
    }

    /// How many blocks of it are hashed.
    pub fn blocks(&self) -> u32 {
        self.digests.len() as u32
    }

    /// Whether the assembly it belongs to is there no more. What it would write might overwrite what came
    /// later.
    pub fn is_stale(&self) -> bool {
        self.life.strong_count() == 0
    }
}

impl Run {
    /// The piece it is of.
    pub fn piece(&self) -> Piece {
        self.front.piece
    }

    /// The front it takes with it.
    pub fn front(&self) -> &Front {
        &self.front
    }

    /// Gives the front back without having done anything; the blocks are gone.
    pub fn into_front(self) -> Front {
        self.front
    }
}

impl Assembly {
    /// An assembly of this piece without any block, to be held whole.
    pub fn new(geometry: &Geometry, piece: Piece) -> Self {
        let total = geometry.blocks_in(piece);
        let blocks = VecDeque::with_capacity(total as usize);
        Self { piece, total, missing: total, left: 0, blocks, runs: None }
    }

    /// An assembly of this piece without any block, whose blocks leave in runs.
    pub fn in_runs(geometry: &Geometry, piece: Piece) -> Self {
        let total = geometry.blocks_in(piece);
        let life = Arc::new(());
        let front =
            Front { piece, stream: Stream::default(), digests: Vec::new(), life: Arc::downgrade(&life) };
        let runs = Some(Box::new(Runs { front: Some(front), life }));
        Self { piece, total, missing: total, left: 0, blocks: VecDeque::new(), runs }
    }

    /// The piece.
    pub fn piece(&self) -> Piece {
        self.piece
    }

    /// Whether its blocks leave in runs.
    pub fn is_in_runs(&self) -> bool {
        self.runs.is_some()
    }

    /// Takes a block; says whether it was new. One of another piece, of the wrong length, or one that
    /// was there already (a twin of the end game) is dropped.
    pub fn land(&mut self, block: Block, buf: Buf) -> bool {
        if block.piece() != self.piece || buf.len() != block.len() as usize || block.index() >= self.total {
            return false;
        }
        let Some(at) = block.index().checked_sub(self.left) else { return false };
        let at = at as usize;
        if at >= self.blocks.len() {
            self.blocks.resize_with(at + 1, || None);
        }
        let new = self.blocks[at].is_none();
        if new {
            self.blocks[at] = Some(buf);
            self.missing -= 1;
        }
        new
    }

    /// Whether this block has landed.
    pub fn has(&self, block: Block) -> bool {
        block.piece() == self.piece
            && block.index().checked_sub(self.left).is_none_or(|at| self.holds(at as usize))
    }

    fn holds(&self, at: usize) -> bool {
        self.blocks.get(at).is_some_and(Option::is_some)
    }

    /// Whether every block has landed.
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// The memory the landed blocks hold, in bytes of payload.
    pub fn bytes(&self) -> u64 {
        self.blocks.iter().flatten().map(|buf| buf.len() as u64).sum()
    }

    /// The next run, if its blocks have landed and no other is away; the last one only if `verify` is
    /// given, and that says whether the digests of all blocks are wanted even if the piece is right.
    pub fn next_run(&mut self, verify: Option<bool>) -> Option<Run> {
        let count = RUN_BLOCKS.min(self.total - self.left);
        let is_last = self.left + count == self.total;
        let ready =
            count > 0 && (!is_last || verify.is_some()) && (0..count as usize).all(|at| self.holds(at));
        let front = self.runs.as_mut().filter(|_| ready)?.front.take()?;
        let bufs = self.blocks.drain(..count as usize).flatten().collect();
        let first = self.left;
        self.left += count;
        Some(Run { front, first, bufs, last: verify.filter(|_| is_last) })
    }

    /// Takes the front back; says whether it was its own. One of an earlier life of the piece is dropped.
    pub fn go_on(&mut self, front: Front) -> bool {
        match &mut self.runs {
            Some(runs) if std::ptr::eq(front.life.as_ptr(), Arc::as_ptr(&runs.life)) => {
                runs.front = Some(front);
                true
            }
            _ => false,
        }
    }

    /// The blocks in order, if all have landed and none has left; else the assembly as it was.
    pub fn into_bufs(self) -> Result<Vec<Buf>, Self> {
        if self.is_complete() && self.left == 0 {
            Ok(self.blocks.into_iter().flatten().collect())
        } else {
            Err(self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Pool;

    fn filled(pool: &Pool, block: Block) -> Buf {
        let mut buf = pool.try_take().unwrap();
        buf.set_len(block.len() as usize);
        buf.whole_mut()[0] = block.index() as u8;
        buf
    }

    #[test]
    fn blocks_land_in_any_order_and_twins_are_dropped() {
        let geometry = Geometry::single(40_000, 90_001).unwrap();
        let piece = geometry.piece(1).unwrap();
        let pool = Pool::new(1 << 20);
        let filled = |block: Block| filled(&pool, block);
        let blocks: Vec<_> = geometry.blocks(piece).collect();
        let mut assembly = Assembly::new(&geometry, piece);
        assert!(assembly.land(blocks[2], filled(blocks[2])));
        assert!(!assembly.land(blocks[2], filled(blocks[2])));
        assert!(!assembly.land(blocks[0], filled(blocks[2])), "of the wrong length");
        let stranger = geometry.block(geometry.piece(0).unwrap(), 0).unwrap();
        assert!(!assembly.land(stranger, filled(stranger)));
        assert!(assembly.land(blocks[1], filled(blocks[1])));
        let mut assembly = assembly.into_bufs().unwrap_err();
        assert!(!assembly.is_complete());
        assert!(assembly.land(blocks[0], filled(blocks[0])));
        assert!(assembly.next_run(Some(false)).is_none(), "it is held whole");
        let order: Vec<_> = assembly.into_bufs().unwrap().iter().map(|buf| buf[0]).collect();
        assert_eq!(order, [0, 1, 2]);
        assert_eq!(pool.counters().in_use, 0);
    }

    #[test]
    fn runs_leave_in_order_one_at_a_time_and_the_last_when_it_is_to_be_verified() {
        let geometry = Geometry::single(3 << 20, (2 << 20) + 5).unwrap();
        let piece = geometry.piece(0).unwrap();
        let pool = Pool::new(4 << 20);
        let blocks: Vec<_> = geometry.blocks(piece).collect();
        let mut assembly = Assembly::in_runs(&geometry, piece);
        for &block in blocks[1..].iter().rev() {
            assert!(assembly.land(block, filled(&pool, block)));
            assert!(assembly.next_run(Some(true)).is_none(), "there is a hole at the front");
        }
        assert!(assembly.land(blocks[0], filled(&pool, blocks[0])) && assembly.is_complete());
        let first = assembly.next_run(None).unwrap();
        assert_eq!((first.first, first.bufs.len(), first.last), (0, 64, None));
        assert!(assembly.next_run(None).is_none(), "one at a time");
        assert!(!assembly.land(blocks[3], filled(&pool, blocks[3])), "it has left already");
        assert!(assembly.has(blocks[3]));
        let mut front = first.front;
        front.digests = vec![[0; 20]; 64];
        assert_eq!(front.blocks(), 64);
        assert!(assembly.go_on(front));
        let second = assembly.next_run(None).unwrap();
        assert_eq!((second.first, second.bufs[5][0], second.last), (64, 69, None));
        assert!(assembly.go_on(second.front));
        assert!(assembly.next_run(None).is_none(), "nobody has said that it is to be verified");
        let last = assembly.next_run(Some(true)).unwrap();
        assert_eq!((last.first, last.bufs.len(), last.last), (128, 1, Some(true)));
        assert!(assembly.go_on(last.front));
        assert!(assembly.next_run(Some(true)).is_none() && assembly.into_bufs().is_err());
    }

    #[test]
    fn the_front_of_an_earlier_life_is_known() {
        let geometry = Geometry::single(2 << 20, 2 << 20).unwrap();
        let piece = geometry.piece(0).unwrap();
        let pool = Pool::new(4 << 20);
        let mut old = Assembly::in_runs(&geometry, piece);
        for block in geometry.blocks(piece) {
            old.land(block, filled(&pool, block));
        }
        let run = old.next_run(None).unwrap();
        assert!(!run.front.is_stale());
        drop(old);
        assert!(run.front.is_stale());
        let mut new = Assembly::in_runs(&geometry, piece);
        assert!(!new.go_on(run.front));
        assert!(!Assembly::new(&geometry, piece).go_on(new.runs.take().unwrap().front.unwrap()));
    }
}
