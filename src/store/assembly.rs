//! One piece while its blocks come in.

use super::pool::Buf;
use crate::base::{Block, Geometry, Piece};

/// The blocks of one piece that have landed so far.
#[derive(Debug)]
pub struct Assembly {
    piece: Piece,
    blocks: Vec<Option<Buf>>,
    missing: u32,
}

impl Assembly {
    /// An assembly of this piece without any block.
    pub fn new(geometry: &Geometry, piece: Piece) -> Self {
        let count = geometry.blocks_in(piece);
        Self { piece, blocks: std::iter::repeat_with(|| None).take(count as usize).collect(), missing: count }
    }

    /// The piece.
    pub fn piece(&self) -> Piece {
        self.piece
    }

    /// Takes a block; says whether it was new. One of another piece, of the wrong length, or one that
    /// was there already (a twin of the end game) is dropped.
    pub fn land(&mut self, block: Block, buf: Buf) -> bool {
        if block.piece() != self.piece || buf.len() != block.len() as usize {
            return false;
        }
        match self.blocks.get_mut(block.index() as usize) {
            Some(slot @ None) => {
                *slot = Some(buf);
                self.missing -= 1;
                true
            }
            _ => false,
        }
    }

    /// Whether this block has landed.
    pub fn has(&self, block: Block) -> bool {
        block.piece() == self.piece && self.blocks.get(block.index() as usize).is_some_and(Option::is_some)
    }

    /// Whether every block has landed.
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// The memory the landed blocks hold, in bytes of payload.
    pub fn bytes(&self) -> u64 {
        self.blocks.iter().flatten().map(|buf| buf.len() as u64).sum()
    }

    /// The blocks in order, if all have landed; else the assembly as it was.
    pub fn into_bufs(self) -> Result<Vec<Buf>, Self> {
        if self.is_complete() { Ok(self.blocks.into_iter().flatten().collect()) } else { Err(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Pool;

    #[test]
    fn blocks_land_in_any_order_and_twins_are_dropped() {
        let geometry = Geometry::single(40_000, 90_001).unwrap();
        let piece = geometry.piece(1).unwrap();
        let pool = Pool::new(1 << 20);
        let filled = |block: Block| {
            let mut buf = pool.try_take().unwrap();
            buf.set_len(block.len() as usize);
            buf.whole_mut()[0] = block.index() as u8;
            buf
        };
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
        let order: Vec<_> = assembly.into_bufs().unwrap().iter().map(|buf| buf[0]).collect();
        assert_eq!(order, [0, 1, 2]);
        assert_eq!(pool.counters().in_use, 0);
    }
}
