//! Partial pieces: opened, and not yet verified, failed or abandoned.
//!
//! Each block of a partial piece is free, requested or received. In the end game a block may be requested
//! from several peers: its cell has the first one, `twins` the others. Of a long piece only the blocks in the
//! [`RequestWindow`] can be requested.

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
    Asked(PeerKey),
    Landed(PeerKey),
}

/// A partial piece.
#[derive(Clone, Debug)]
pub struct PartialPiece {
    cells: Vec<Cell>,
    free: u32,
    landed: u32,
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
    pub const fn landed(&self) -> u32 {
        self.landed
    }

    /// The number of missing bytes, with the last block counted as a full one.
    pub fn missing(&self) -> u64 {
        (self.cells.len() as u64 - u64::from(self.landed)) * u64::from(BLOCK_LEN)
    }

    /// Whether all blocks are received.
    pub fn is_whole(&self) -> bool {
        self.landed as usize == self.cells.len()
    }

    fn in_window(&self) -> impl Iterator<Item = (u32, &Cell)> {
        self.window.range().filter_map(|index| Some((index, self.cells.get(index as usize)?)))
    }

    /// Returns the sender of each block, once the piece is complete.
    pub fn senders(&self) -> Vec<PeerKey> {
        self.cells
            .iter()
            .filter_map(|c| if let Cell::Landed(peer) = c { Some(*peer) } else { None })
            .collect()
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
    Twin,
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
    twins: BTreeMap<Block, Vec<PeerKey>>,
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
        let open = PartialPiece { cells, free, landed: 0, window, owner, strict, touched: now };
        if self.open.insert(piece, open).is_none() {
            self.bytes += held;
        }
        self.list(piece);
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

    /// Returns the blocks of a piece that can be requested from one more peer: requested already, from fewer
    /// than [`MAX_ASKERS`] peers, and not from `peer`. Each comes with the first peer it was requested from,
    /// and with the number of peers.
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

    /// Records that a requested block is requested from another peer, too.
    pub fn add_twin(&mut self, block: Block, peer: PeerKey) {
        self.twins.entry(block).or_default().push(peer);
    }

    /// Records a block received from a peer, requested or not.
    pub fn landed(&mut self, now: Moment, block: Block, peer: PeerKey) -> Arrival {
        let Some(open) = self.open.get_mut(&block.piece()) else { return Arrival::Stray };
        let Some(cell) = open.cells.get_mut(block.index() as usize) else { return Arrival::Stray };
        if !open.window.range().contains(&block.index()) {
            // The block was requested before the piece was closed and opened again.
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

    /// Records that a peer will not send a block. Returns whether the block is free now.
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

    /// Returns all requested blocks of a piece, each with every peer it is requested from.
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
