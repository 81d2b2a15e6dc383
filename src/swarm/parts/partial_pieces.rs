//! The open pieces: begun, and not yet verified, spoiled or given up.
//!
//! A block of an open piece is free, asked of somebody, or landed; every method keeps exactly one of
//! the three. In the end game a block may be asked of several: the first of them is in its cell, the
//! others are its twins. Of a long piece only what is in [`RequestWindow`] is free to be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::base::{BLOCK_LEN, Block, Geometry, Moment, Piece};

use super::request_window::RequestWindow;
use crate::swarm::event::PeerKey;

/// The most peers of which one block is asked at a time.
pub const MAX_ASKERS: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cell {
    Free,
    Asked(PeerKey),
    Landed(PeerKey),
}

/// One open piece.
#[derive(Clone, Debug)]
pub struct PartialPiece {
    cells: Vec<Cell>,
    free: u32,
    landed: u32,
    window: RequestWindow,
    /// The fast peer that fetches the whole of it, so that a wrong piece has one sender.
    pub owner: Option<PeerKey>,
    /// Whether it was wrong before: nobody but the owner fetches it while the owner sends.
    pub strict: bool,
    /// When a block last landed, or when it was opened.
    pub touched: Moment,
}

impl PartialPiece {
    /// Blocks in reach that nobody is asked for.
    pub const fn free(&self) -> u32 {
        self.free
    }

    /// How far it is in reach.
    pub const fn window(&self) -> &RequestWindow {
        &self.window
    }

    /// Blocks that are in.
    pub const fn landed(&self) -> u32 {
        self.landed
    }

    /// Bytes that are not in yet, the last block taken for a full one.
    pub fn missing(&self) -> u64 {
        (self.cells.len() as u64 - u64::from(self.landed)) * u64::from(BLOCK_LEN)
    }

    /// Whether every block is in.
    pub fn is_whole(&self) -> bool {
        self.landed as usize == self.cells.len()
    }

    fn in_window(&self) -> impl Iterator<Item = (u32, &Cell)> {
        self.window.range().filter_map(|index| Some((index, self.cells.get(index as usize)?)))
    }

    /// The sender of each block, once the piece is whole.
    pub fn senders(&self) -> Vec<PeerKey> {
        self.cells
            .iter()
            .filter_map(|c| if let Cell::Landed(peer) = c { Some(*peer) } else { None })
            .collect()
    }
}

/// The meaning of a block's arrival.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// The block was missing; these others were asked for it too and need not send it.
    New(Vec<PeerKey>),
    /// The block was the last one missing of its piece.
    Last(Vec<PeerKey>),
    /// The block was in already, or is out of reach and not taken in.
    Twin,
    /// The piece of the block is not open.
    Stray,
}

/// All open pieces.
#[derive(Clone, Debug, Default)]
pub struct PartialPieces {
    open: BTreeMap<Piece, PartialPiece>,
    /// Pieces with free blocks: those that are anybody's, and those that have an owner.
    shared: BTreeSet<Piece>,
    owned: BTreeSet<Piece>,
    /// Pieces of which more can be got into reach.
    elastic: BTreeSet<Piece>,
    twins: BTreeMap<Block, Vec<PeerKey>>,
    bytes: u64,
}

impl PartialPieces {
    /// Bytes that the open pieces hold: of buffers set aside for them, filled or not.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether nothing is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// One open piece.
    pub fn get(&self, piece: Piece) -> Option<&PartialPiece> {
        self.open.get(&piece)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Piece, &PartialPiece)> {
        self.open.iter().map(|(&piece, open)| (piece, open))
    }

    /// Open pieces with blocks nobody is asked for.
    pub fn with_free(&self) -> impl Iterator<Item = (Piece, &PartialPiece)> {
        self.shared().chain(self.owned())
    }

    /// Of those, the ones that are anybody's.
    pub fn shared(&self) -> impl Iterator<Item = (Piece, &PartialPiece)> {
        self.shared.iter().filter_map(|&piece| Some((piece, self.open.get(&piece)?)))
    }

    /// Of those, the ones that have an owner.
    pub fn owned(&self) -> impl Iterator<Item = (Piece, &PartialPiece)> {
        self.owned.iter().filter_map(|&piece| Some((piece, self.open.get(&piece)?)))
    }

    /// Open pieces of which more can be got into reach.
    pub fn elastic(&self) -> impl Iterator<Item = (Piece, &PartialPiece)> {
        self.elastic.iter().filter_map(|&piece| Some((piece, self.open.get(&piece)?)))
    }

    /// Sets right on which list a piece is.
    fn list(&mut self, piece: Piece) {
        self.shared.remove(&piece);
        self.owned.remove(&piece);
        if let Some(open) = self.open.get(&piece).filter(|open| open.free > 0) {
            let list = if open.owner.is_some() { &mut self.owned } else { &mut self.shared };
            list.insert(piece);
        }
    }

    /// Opens a piece with every block free that is in reach.
    pub fn open(
        &mut self,
        now: Moment,
        geometry: &Geometry,
        piece: Piece,
        window: RequestWindow,
        owner: Option<PeerKey>,
        strict: bool,
    ) {
        let cells = vec![Cell::Free; geometry.blocks_in(piece) as usize];
        let free = window.range().len() as u32;
        if window.can_extend() {
            self.elastic.insert(piece);
        }
        let held = window.held();
        let open = PartialPiece { cells, free, landed: 0, window, owner, strict, touched: now };
        if self.open.insert(piece, open).is_none() {
            self.bytes += held;
        }
        self.list(piece);
    }

    /// Gets one run more of a piece into reach, all of it free.
    pub fn extend(&mut self, piece: Piece) {
        self.move_window(piece, RequestWindow::extend);
    }

    /// So many blocks of a piece have left memory, and its reach follows.
    pub fn flush(&mut self, piece: Piece, blocks: u32) {
        self.move_window(piece, |window| window.flush(blocks));
    }

    fn move_window(&mut self, piece: Piece, change: impl FnOnce(&mut RequestWindow) -> Range<u32>) {
        let Some(open) = self.open.get_mut(&piece) else { return };
        self.bytes -= open.window.held();
        open.free += change(&mut open.window).len() as u32;
        self.bytes += open.window.held();
        if !open.window.can_extend() {
            self.elastic.remove(&piece);
        }
        self.list(piece);
    }

    /// Closes a piece, whatever became of its blocks.
    pub fn close(&mut self, piece: Piece) -> Option<PartialPiece> {
        let open = self.open.remove(&piece)?;
        self.bytes -= open.window.held();
        self.elastic.remove(&piece);
        self.list(piece);
        Some(open)
    }

    /// Takes up to `most` free blocks of a piece for a peer, the first ones first.
    pub fn take(&mut self, geometry: &Geometry, piece: Piece, peer: PeerKey, most: usize) -> Vec<Block> {
        let Some(open) = self.open.get_mut(&piece) else { return Vec::new() };
        let mut taken = Vec::with_capacity(most.min(open.free as usize));
        for index in open.window.range() {
            if open.free == 0 || taken.len() >= most {
                break;
            }
            let cell = &mut open.cells[index as usize];
            if *cell == Cell::Free
                && let Some(block) = geometry.block(piece, index)
            {
                *cell = Cell::Asked(peer);
                open.free -= 1;
                taken.push(block);
            }
        }
        if open.free == 0 {
            self.list(piece);
        }
        taken
    }

    /// The blocks of a piece that may be asked of one more peer: asked already, of fewer than
    /// [`MAX_ASKERS`], and not of `peer`; each with the first who was asked.
    pub fn twinnable<'a>(
        &'a self,
        geometry: &'a Geometry,
        piece: Piece,
        peer: PeerKey,
    ) -> impl Iterator<Item = (Block, PeerKey, usize)> + 'a {
        let cells = self.open.get(&piece).into_iter().flat_map(PartialPiece::in_window);
        cells.filter_map(move |(index, cell)| {
            let Cell::Asked(first) = *cell else { return None };
            let block = geometry.block(piece, index)?;
            let twins = self.twins.get(&block).map_or(&[][..], Vec::as_slice);
            let askers = 1 + twins.len();
            (first != peer && !twins.contains(&peer) && askers < MAX_ASKERS).then_some((block, first, askers))
        })
    }

    /// Notes that an asked block is asked of one more peer.
    pub fn add_twin(&mut self, block: Block, peer: PeerKey) {
        self.twins.entry(block).or_default().push(peer);
    }

    /// A block came in from a peer, asked for or not.
    pub fn landed(&mut self, now: Moment, block: Block, peer: PeerKey) -> Arrival {
        let Some(open) = self.open.get_mut(&block.piece()) else { return Arrival::Stray };
        let Some(cell) = open.cells.get_mut(block.index() as usize) else { return Arrival::Stray };
        if !open.window.range().contains(&block.index()) {
            // Asked for in an earlier life of the piece, and on its way already when that ended.
            return Arrival::Twin;
        }
        let mut losers = Vec::new();
        match *cell {
            Cell::Landed(_) => return Arrival::Twin,
            Cell::Free => open.free -= 1,
            Cell::Asked(first) => {
                if first != peer {
                    losers.push(first);
                }
                if !self.twins.is_empty()
                    && let Some(twins) = self.twins.remove(&block)
                {
                    losers.extend(twins.into_iter().filter(|&twin| twin != peer));
                }
            }
        }
        *cell = Cell::Landed(peer);
        open.landed += 1;
        open.touched = now;
        let (whole, all_taken) = (open.is_whole(), open.free == 0);
        if all_taken {
            self.list(block.piece());
        }
        if whole { Arrival::Last(losers) } else { Arrival::New(losers) }
    }

    /// A peer will not send a block after all. Says whether the block is free now.
    pub fn release(&mut self, block: Block, peer: PeerKey) -> bool {
        let Some(open) = self.open.get_mut(&block.piece()) else { return false };
        let Some(cell) = open.cells.get_mut(block.index() as usize) else { return false };
        let Cell::Asked(first) = *cell else { return false };
        let twins = self.twins.get_mut(&block);
        if first != peer {
            if let Some(twins) = twins {
                twins.retain(|&twin| twin != peer);
                if twins.is_empty() {
                    self.twins.remove(&block);
                }
            }
            return false;
        }
        if let Some(twins) = twins {
            *cell = Cell::Asked(twins.remove(0));
            if twins.is_empty() {
                self.twins.remove(&block);
            }
            return false;
        }
        *cell = Cell::Free;
        open.free += 1;
        if open.free == 1 {
            self.list(block.piece());
        }
        true
    }

    /// Everyone who is asked for a block of this piece, with the block.
    pub fn asked(&self, geometry: &Geometry, piece: Piece) -> Vec<(Block, PeerKey)> {
        let mut asked = Vec::new();
        for (index, cell) in self.open.get(&piece).into_iter().flat_map(PartialPiece::in_window) {
            if let (Cell::Asked(first), Some(block)) = (cell, geometry.block(piece, index)) {
                asked.push((block, *first));
                asked.extend(self.twins.get(&block).into_iter().flatten().map(|&twin| (block, twin)));
            }
        }
        asked
    }

    /// Pieces that this peer owns are anybody's again.
    pub fn disown(&mut self, peer: PeerKey) {
        for (&piece, open) in self.open.iter_mut().filter(|(_, open)| open.owner == Some(peer)) {
            (open.owner, open.strict) = (None, false);
            if self.owned.remove(&piece) {
                self.shared.insert(piece);
            }
        }
    }
}

#[cfg(test)]
mod tests;
