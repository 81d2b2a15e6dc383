//! Partial pieces: opened, and not yet verified, failed or abandoned.
//!
//! Each block of a partial piece is free, requested, received, or restored: received in an earlier run. In the end game a block may be requested
//! from several peers: its cell has the first one, `duplicates` the others. Of a long piece only the blocks in
//! the [`RequestWindow`] can be requested.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::base::{BLOCK_LEN, Block, Geometry, Moment, Piece};

use super::request_window::RequestWindow;
use crate::swarm::event::PeerKey;

/// The most peers that one block is requested from at a time.
pub const MAX_ASKERS: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cell {
    Free,
    Requested(PeerKey),
    Received(PeerKey),
    Restored,
}

/// A partial piece.
#[derive(Clone, Debug)]
pub struct PartialPiece {
    cells: Vec<Cell>,
    free: u32,
    received: u32,
    window: RequestWindow,
    /// The fast peer that downloads the whole piece, so that a wrong piece has one sender.
    pub owner: Option<PeerKey>,
    /// Whether the piece has failed before: while its owner sends, nobody else downloads it.
    pub strict: bool,
    /// The time of the last received block, or of opening.
    pub touched: Moment,
}

impl PartialPiece {
    /// The number of blocks in the window that are not requested from anyone.
    pub const fn free(&self) -> u32 {
        self.free
    }

    /// The window of blocks that can be requested.
    pub const fn window(&self) -> &RequestWindow {
        &self.window
    }

    /// The number of received blocks.
    pub const fn received(&self) -> u32 {
        self.received
    }

    /// The number of missing bytes, with the last block counted as a full one.
    pub fn missing(&self) -> u64 {
        (self.cells.len() as u64 - u64::from(self.received)) * u64::from(BLOCK_LEN)
    }

    /// Whether all blocks are received.
    pub fn is_whole(&self) -> bool {
        self.received as usize == self.cells.len()
    }

    fn in_window(&self) -> impl Iterator<Item = (u32, &Cell)> {
        self.window.range().filter_map(|index| Some((index, self.cells.get(index as usize)?)))
    }

    /// Returns the sender of each block of a complete piece; `None` if a block was restored, as its sender is
    /// unknown.
    pub fn senders(&self) -> Option<Vec<PeerKey>> {
        self.cells.iter().map(|c| if let Cell::Received(peer) = c { Some(*peer) } else { None }).collect()
    }

    /// The number of restored blocks.
    pub fn restored(&self) -> u32 {
        self.cells.iter().filter(|&cell| *cell == Cell::Restored).count() as u32
    }
}

/// The result of receiving a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// The block was missing. These other peers were asked for it, too, and need not send it.
    New(Vec<PeerKey>),
    /// The block was the last missing one of its piece. These other peers were asked for it, too.
    Last(Vec<PeerKey>),
    /// The block was received before, or is outside the window, and is dropped.
    Duplicate,
    /// The piece of the block is not open.
    Stray,
}

/// All partial pieces of a torrent.
#[derive(Clone, Debug, Default)]
pub struct PartialPieces {
    open: BTreeMap<Piece, PartialPiece>,
    /// Pieces with free blocks: those without an owner, and those with one.
    shared: BTreeSet<Piece>,
    owned: BTreeSet<Piece>,
    /// Pieces whose window can be extended.
    elastic: BTreeSet<Piece>,
    duplicates: BTreeMap<Block, Vec<PeerKey>>,
    bytes: u64,
}

impl PartialPieces {
    /// The memory that the partial pieces hold, in bytes: buffers set aside for them, filled or not.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether no piece is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Returns a partial piece.
    pub fn get(&self, piece: Piece) -> Option<&PartialPiece> {
        self.open.get(&piece)
    }

    /// Returns all partial pieces, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Piece, &PartialPiece)> {
        self.open.iter().map(|(&piece, open)| (piece, open))
    }

    /// Returns the pieces with free blocks.
    pub fn with_free(&self) -> impl Iterator<Item = (Piece, &PartialPiece)> {
        self.shared().chain(self.owned())
    }

    /// Returns the pieces with free blocks and without an owner.
    pub fn shared(&self) -> impl Iterator<Item = (Piece, &PartialPiece)> {
        self.shared.iter().filter_map(|&piece| Some((piece, self.open.get(&piece)?)))
    }

    /// Returns the pieces with free blocks and an owner.
    pub fn owned(&self) -> impl Iterator<Item = (Piece, &PartialPiece)> {
        self.owned.iter().filter_map(|&piece| Some((piece, self.open.get(&piece)?)))
    }

    /// Returns the pieces whose window can be extended.
    pub fn elastic(&self) -> impl Iterator<Item = (Piece, &PartialPiece)> {
        self.elastic.iter().filter_map(|&piece| Some((piece, self.open.get(&piece)?)))
    }

    /// Puts a piece on the list where it belongs.
    fn list(&mut self, piece: Piece) {
        self.shared.remove(&piece);
        self.owned.remove(&piece);
        if let Some(open) = self.open.get(&piece).filter(|open| open.free > 0) {
            let list = if open.owner.is_some() { &mut self.owned } else { &mut self.shared };
            list.insert(piece);
        }
    }

    /// Opens a piece; all blocks in its window are free.
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
        let open = PartialPiece { cells, free, received: 0, window, owner, strict, touched: now };
        if self.open.insert(piece, open).is_none() {
            self.bytes += held;
        }
        self.list(piece);
    }

    /// Marks blocks of a piece that was just opened as restored: those that have left memory, and these. Returns
    /// whether the piece is complete.
    pub fn restore(&mut self, piece: Piece, blocks: &[Block]) -> bool {
        let Some(open) = self.open.get_mut(&piece) else { return false };
        let range = open.window.range();
        let mine = blocks.iter().map(|block| block.index()).filter(|index| range.contains(index));
        for index in (0..range.start).chain(mine) {
            let Some(cell) = open.cells.get_mut(index as usize).filter(|cell| **cell == Cell::Free) else {
                continue;
            };
            *cell = Cell::Restored;
            open.received += 1;
            open.free -= u32::from(range.contains(&index));
        }
        let whole = open.is_whole();
        self.list(piece);
        whole
    }

    /// Extends the window of a piece by one run of free blocks.
    pub fn extend(&mut self, piece: Piece) {
        self.move_window(piece, RequestWindow::extend);
    }

    /// Moves the window of a piece after its first `blocks` blocks have left memory.
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

    /// Closes a piece, whatever the state of its blocks.
    pub fn close(&mut self, piece: Piece) -> Option<PartialPiece> {
        let open = self.open.remove(&piece)?;
        self.bytes -= open.window.held();
        self.elastic.remove(&piece);
        self.list(piece);
        Some(open)
    }

    /// Assigns up to `most` free blocks of a piece to a peer, the first ones first.
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
                *cell = Cell::Requested(peer);
                open.free -= 1;
                taken.push(block);
            }
        }
        if open.free == 0 {
            self.list(piece);
        }
        taken
    }

    /// Returns the blocks of a piece that can be requested from one more peer: requested already, from fewer
    /// than [`MAX_ASKERS`] peers, and not from `peer`. Each comes with the first peer it was requested from,
    /// and with the number of peers.
    pub fn duplicate_candidates<'a>(
        &'a self,
        geometry: &'a Geometry,
        piece: Piece,
        peer: PeerKey,
    ) -> impl Iterator<Item = (Block, PeerKey, usize)> + 'a {
        let cells = self.open.get(&piece).into_iter().flat_map(PartialPiece::in_window);
        cells.filter_map(move |(index, cell)| {
            let Cell::Requested(first) = *cell else { return None };
            let block = geometry.block(piece, index)?;
            let duplicates = self.duplicates.get(&block).map_or(&[][..], Vec::as_slice);
            let askers = 1 + duplicates.len();
            (first != peer && !duplicates.contains(&peer) && askers < MAX_ASKERS)
                .then_some((block, first, askers))
        })
    }

    /// Records that a requested block is requested from another peer, too.
    pub fn add_duplicate(&mut self, block: Block, peer: PeerKey) {
        self.duplicates.entry(block).or_default().push(peer);
    }

    /// Records a block received from a peer, requested or not.
    pub fn receive(&mut self, now: Moment, block: Block, peer: PeerKey) -> Arrival {
        let Some(open) = self.open.get_mut(&block.piece()) else { return Arrival::Stray };
        let Some(cell) = open.cells.get_mut(block.index() as usize) else { return Arrival::Stray };
        if !open.window.range().contains(&block.index()) {
            // The block was requested before the piece was closed and opened again.
            return Arrival::Duplicate;
        }
        let mut losers = Vec::new();
        match *cell {
            Cell::Received(_) | Cell::Restored => return Arrival::Duplicate,
            Cell::Free => open.free -= 1,
            Cell::Requested(first) => {
                if first != peer {
                    losers.push(first);
                }
                if !self.duplicates.is_empty()
                    && let Some(duplicates) = self.duplicates.remove(&block)
                {
                    losers.extend(duplicates.into_iter().filter(|&duplicate| duplicate != peer));
                }
            }
        }
        *cell = Cell::Received(peer);
        open.received += 1;
        open.touched = now;
        let (whole, all_taken) = (open.is_whole(), open.free == 0);
        if all_taken {
            self.list(block.piece());
        }
        if whole { Arrival::Last(losers) } else { Arrival::New(losers) }
    }

    /// Records that a peer will not send a block. Returns whether the block is free now.
    pub fn release(&mut self, block: Block, peer: PeerKey) -> bool {
        let Some(open) = self.open.get_mut(&block.piece()) else { return false };
        let Some(cell) = open.cells.get_mut(block.index() as usize) else { return false };
        let Cell::Requested(first) = *cell else { return false };
        let duplicates = self.duplicates.get_mut(&block);
        if first != peer {
            if let Some(duplicates) = duplicates {
                duplicates.retain(|&duplicate| duplicate != peer);
                if duplicates.is_empty() {
                    self.duplicates.remove(&block);
                }
            }
            return false;
        }
        if let Some(duplicates) = duplicates {
            *cell = Cell::Requested(duplicates.remove(0));
            if duplicates.is_empty() {
                self.duplicates.remove(&block);
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

    /// Returns all requested blocks of a piece, each with every peer it is requested from.
    pub fn requested(&self, geometry: &Geometry, piece: Piece) -> Vec<(Block, PeerKey)> {
        let mut requested = Vec::new();
        for (index, cell) in self.open.get(&piece).into_iter().flat_map(PartialPiece::in_window) {
            if let (Cell::Requested(first), Some(block)) = (cell, geometry.block(piece, index)) {
                requested.push((block, *first));
                requested.extend(
                    self.duplicates.get(&block).into_iter().flatten().map(|&duplicate| (block, duplicate)),
                );
            }
        }
        requested
    }

    /// Gives up the ownership of all pieces that this peer owns.
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
