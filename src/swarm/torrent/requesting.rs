//! Requests: which blocks to request from which peer.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use crate::base::{Block, Moment, Piece};

use super::connections::Connections;
use super::content::Content;
use super::swarm::Swarm;
use crate::swarm::event::{Order, Output, PeerKey};
use crate::swarm::parts::partial_pieces::PartialPiece;
use crate::swarm::parts::picker::Offer;
use crate::swarm::parts::request_window::{self, RequestWindow};

/// The time in seconds within which a peer must be able to send a whole piece to get it for itself. Then a
/// wrong piece has one sender, and no slow peer can hold it up.
const WHOLE_PIECE: f64 = 20.0;
/// The time in seconds within which the only sender of a suspect piece has to send it.
const RESERVED: f64 = 60.0;
/// The part of the memory that one long piece may hold while others can be opened: one in this many. A
/// quarter of the usual memory is as much as the fastest peer has pending.
const STRETCHED: u64 = 4;
/// The time after which a piece that no peer can continue is abandoned when memory is short.
const STALLED: Duration = Duration::from_secs(30);
/// The gain in time that is expected of a duplicate request.
pub(super) const DUPLICATE_GAIN: Duration = Duration::from_secs(1);
/// The number of partial pieces below which duplicate requests are looked for each time; else once a second
/// per peer.
const FEW_OPEN: usize = 32;
/// The most partial pieces that are searched for duplicate requests.
const MAX_LOOKED_AT: usize = 256;
/// The most peers that are looked at again whenever blocks or memory become free.
const AWAKENED: usize = 32;
/// The most duplicate requests in one order.
const MAX_DUPLICATES: usize = 16;

impl Content {
    /// Requests blocks from all peers that have room in their pipeline.
    pub(super) fn request_blocks(&mut self, swarm: &mut Swarm, now: Moment, out: &mut Vec<Output>) {
        if swarm.finished || swarm.paused {
            self.wants_requests.clear();
            self.reconsider = false;
            return;
        }
        // The fastest peers choose first; the others are looked at in the next pulse.
        if std::mem::take(&mut self.reconsider) {
            let starved = swarm.peers.iter().filter(|(_, peer)| peer.starved && peer.may_be_asked());
            let mut starved: Vec<PeerKey> = starved.map(|(&key, _)| key).collect();
            if starved.len() > AWAKENED {
                starved = fastest_first(swarm, now, starved);
            }
            self.wants_requests.extend(starved.into_iter().take(AWAKENED));
        }
        let wants_requests: Vec<_> = std::mem::take(&mut self.wants_requests).into_iter().collect();
        for key in fastest_first(swarm, now, wants_requests) {
            self.request_from(swarm, now, key, out);
        }
    }

    fn request_from(&mut self, swarm: &mut Swarm, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let Some(peer) = swarm.peers.get(&key).filter(|peer| peer.may_be_asked()) else { return };
        let room = peer.pipeline.room();
        if room == 0 {
            return;
        }
        let mut blocks: Vec<Block> = Vec::with_capacity(room);
        let geometry = self.geometry.clone();
        blocks.extend(self.choose_ahead_duplicates(swarm, now, key, room.min(MAX_DUPLICATES)));
        while blocks.len() < room {
            let ahead = self.choose_ahead(swarm, now, key, out);
            let next = ahead.or_else(|| self.choose(swarm, now, key, out));
            let Some(piece) = next else { break };
            let taken = self.partial.take(&geometry, piece, key, room - blocks.len());
            if taken.is_empty() {
                break;
            }
            blocks.extend(taken);
        }
        let starved = blocks.len() < room;
        if blocks.is_empty() {
            blocks = self.choose_duplicates(swarm, now, key, room.min(MAX_DUPLICATES));
        }
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        peer.starved = starved;
        if !blocks.is_empty() {
            peer.pipeline.record_requests(now, &blocks);
            out.push(Output::Request { peer: key, blocks });
        }
    }

    /// Chooses the next piece to request from a peer: partial pieces first, then a new one if memory allows,
    /// then pieces that other peers own. The windows of long partial pieces are extended, up to a share of
    /// the memory before a new piece is opened, and up to all of it afterwards.
    fn choose(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        out: &mut Vec<Output>,
    ) -> Option<Piece> {
        let peer = swarm.peers.get(&key)?;
        let in_order = self.order == Order::InOrder;
        let own = peer.own.and_then(|piece| Some((piece, self.partial.get(piece)?)));
        if let Some((piece, _)) = own.filter(|(_, open)| open.owner == Some(key) && open.free() > 0)
            && peer.may_give(piece)
        {
            return Some(piece);
        }
        let share = (swarm.config.budget / STRETCHED).max(2 * request_window::STEP);
        if let Some(piece) = self.extend(swarm, now, key, share, |open| open.owner == Some(key)) {
            return Some(piece);
        }
        let peer = swarm.peers.get(&key)?;
        let usable = self.partial.shared().filter(|(piece, _)| peer.may_give(*piece));
        let begun = usable.min_by_key(|(piece, open)| {
            let suspect = self.smart_ban.is_suspect(*piece, peer.address_owner());
            (suspect, if in_order { 0 } else { open.free() }, *piece)
        });
        if let Some((piece, _)) = begun {
            return Some(piece);
        }
        let begun = self.extend(swarm, now, key, share, |open| open.owner.is_none());
        let begun = begun.or_else(|| self.open_piece(swarm, now, key, None, out));
        begun.or_else(|| self.choose_owned(swarm, now, key)).or_else(|| {
            let budget = swarm.config.budget;
            self.extend(swarm, now, key, budget, |_| true)
        })
    }

    /// Chooses a piece that another peer owns.
    fn choose_owned(&self, swarm: &Swarm, now: Moment, key: PeerKey) -> Option<Piece> {
        let peer = swarm.peers.get(&key)?;
        let others = self.partial.owned().filter(|(piece, _)| peer.may_give(*piece));
        let open = others.filter(|(_, open)| !swarm.is_kept_from(now, key, open));
        open.max_by_key(|(_, open)| open.free()).map(|(piece, _)| piece)
    }

    /// Extends the window of a long partial piece that `fits`, if memory allows and the piece then holds at
    /// most `most` bytes.
    fn extend(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        most: u64,
        fits: impl Fn(&PartialPiece) -> bool,
    ) -> Option<Piece> {
        if self.partial.bytes().saturating_add(request_window::STEP) > swarm.config.budget {
            return None;
        }
        let peer = swarm.peers.get(&key)?;
        let short =
            |open: &PartialPiece| open.free() == 0 && open.window().held() + request_window::STEP <= most;
        let usable = self.partial.elastic().filter(|(piece, open)| {
            short(open) && fits(open) && peer.may_give(*piece) && !swarm.is_kept_from(now, key, open)
        });
        let (piece, _) = usable.min_by_key(|(piece, open)| {
            (self.smart_ban.is_suspect(*piece, peer.address_owner()), open.missing(), *piece)
        })?;
        self.partial.extend(piece);
        Some(piece)
    }

    /// The bytes of memory that a new piece needs.
    pub(super) fn least_room(&self, swarm: &Swarm) -> u64 {
        request_window::at_first(self.geometry.piece_len(), swarm.config.budget)
    }

    /// Opens a new piece for a peer if memory allows, or the first one of the range `ahead` if given.
    pub(super) fn open_piece(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        ahead: Option<Range<u32>>,
        out: &mut Vec<Output>,
    ) -> Option<Piece> {
        let peer = swarm.peers.get(&key)?;
        let fits = |len: u64| {
            self.partial.is_empty() || self.partial.bytes().saturating_add(len) <= swarm.config.budget
        };
        if self.rarity.free().is_empty() || !fits(self.least_room(swarm)) {
            return None;
        }
        let is_ahead = ahead.is_some();
        let piece = if peer.chokes_us {
            let mut allowed = peer.allowed_us.iter().copied();
            let near = |piece: &Piece| ahead.as_ref().is_none_or(|ahead| ahead.contains(&piece.index()));
            allowed.find(|p| near(p) && self.rarity.free().has(*p) && peer.has.has(*p))?
        } else if let Some(ahead) = ahead {
            self.picker.first_of(&self.rarity, &self.geometry, ahead, &peer.has)?
        } else {
            let offer = Offer { has: &peer.has, interesting: peer.interesting, suggested: &peer.suggested };
            let ours = self.progress.have().count();
            self.picker.pick(&self.rarity, &self.geometry, self.order, ours, offer, &mut swarm.rng)?
        };
        let len = self.geometry.len_of(piece);
        let fast = peer.down.rate(now) * WHOLE_PIECE >= f64::from(len);
        let strict = self.smart_ban.has_record(piece);
        // Read-ahead pieces are downloaded from all peers that have them.
        let owner = ((fast && !is_ahead) || strict).then_some(key);
        self.rarity.take(piece);
        let window = RequestWindow::new(self.geometry.blocks_in(piece), swarm.config.budget);
        out.push(Output::Open { piece, in_runs: window.is_in_runs() });
        self.partial.open(now, &self.geometry, piece, window, owner, strict);
        if let Some(peer) = swarm.peers.get_mut(&key).filter(|_| owner.is_some()) {
            peer.own = Some(piece);
        }
        Some(piece)
    }

    /// Chooses duplicate requests: blocks pending at other peers that this peer would send sooner. In the end
    /// game these can be any blocks; before, only blocks of pieces that hold memory which a new piece needs.
    fn choose_duplicates(&mut self, swarm: &mut Swarm, now: Moment, key: PeerKey, most: usize) -> Vec<Block> {
        let end_game = self.in_end_game();
        let Some(peer) = swarm.peers.get_mut(&key) else { return Vec::new() };
        let few = end_game && self.partial.iter().take(FEW_OPEN).count() < FEW_OPEN;
        if peer.pipeline.is_snubbed() || (now < peer.next_duplicates && !few) {
            return Vec::new();
        }
        peer.next_duplicates = now + Duration::from_secs(1);
        let Some(peer) = swarm.peers.get(&key) else { return Vec::new() };
        let mine = peer.pipeline.eta(now, peer.down.rate(now));
        let limit = if end_game { mine + DUPLICATE_GAIN } else { mine + DUPLICATE_GAIN * 10 };
        let mut etas: BTreeMap<PeerKey, Duration> = BTreeMap::new();
        let mut found: Vec<(usize, std::cmp::Reverse<Duration>, Block)> = Vec::new();
        let open = self.partial.iter().filter(|(piece, open)| {
            !open.is_whole() && peer.may_give(*piece) && !swarm.is_reserved(now, open)
        });
        for (piece, _) in open.take(MAX_LOOKED_AT) {
            for (block, first, askers) in self.partial.duplicate_candidates(&self.geometry, piece, key) {
                let of = |first: &PeerKey| {
                    swarm.peers.get(first).map_or(Duration::ZERO, |p| p.pipeline.eta(now, p.down.rate(now)))
                };
                let eta = *etas.entry(first).or_insert_with_key(of);
                if eta > limit {
                    found.push((askers, std::cmp::Reverse(eta), block));
                }
            }
        }
        found.sort_unstable();
        found.truncate(most);
        let blocks: Vec<Block> = found.into_iter().map(|(_, _, block)| block).collect();
        for &block in &blocks {
            self.partial.add_duplicate(block, key);
        }
        blocks
    }

    /// Handles a choke.
    pub(super) fn choked(&mut self, swarm: &mut Swarm, key: PeerKey) {
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        peer.chokes_us = true;
        // With the fast extension each request is served or rejected (BEP 6); without it, all are void.
        if !peer.fast() {
            for block in peer.pipeline.clear() {
                self.partial.release(block, key);
            }
            self.reconsider = true;
        }
        self.partial.disown(key);
    }

    /// Handles an unchoke.
    pub(super) fn unchoked(&mut self, swarm: &mut Swarm, key: PeerKey) {
        if let Some(peer) = swarm.peers.get_mut(&key) {
            peer.chokes_us = false;
            self.wants_requests.insert(key);
        }
    }

    /// Handles a rejected request (BEP 6).
    pub(super) fn rejected(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        block: Block,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        if !peer.pipeline.forget(block) {
            return self.strike(swarm, now, key, out);
        }
        // A piece that is rejected while we are choked is not allowed after all; otherwise we would ask for
        // ever.
        if peer.chokes_us {
            peer.allowed_us.retain(|&piece| piece != block.piece());
        }
        let angry = !peer.chokes_us && peer.strike();
        peer.starved = true;
        let choked = peer.chokes_us;
        // If it were requested at once it would be rejected at once, so it waits for the next pulse.
        self.reconsider |= self.partial.release(block, key) && choked;
        if angry {
            self.close(swarm, now, key, crate::swarm::event::DisconnectReason::Protocol, out);
        }
    }

    /// Snubs a peer that has not sent requested blocks for too long: they are requested from others.
    pub(super) fn snub(&mut self, swarm: &mut Swarm, key: PeerKey, out: &mut Vec<Output>) {
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        let owed: Vec<Block> = peer.pipeline.pending().iter().copied().collect();
        // The peer is asked again in the next pulse. If it were asked for the same block at once, its reject
        // of the cancelled request (BEP 6) would be taken for a reject of the new one.
        peer.starved = false;
        self.partial.disown(key);
        self.cancel_requests(swarm, key, &owed, out);
        self.wants_requests.remove(&key);
    }

    /// Cancels requests to a peer.
    pub(super) fn cancel_requests(
        &mut self,
        swarm: &mut Swarm,
        key: PeerKey,
        blocks: &[Block],
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        let gone: Vec<Block> = blocks.iter().copied().filter(|&block| peer.pipeline.forget(block)).collect();
        for &block in &gone {
            self.reconsider |= self.partial.release(block, key);
        }
        if !gone.is_empty() {
            self.wants_requests.insert(key);
            out.push(Output::Cancel { peer: key, blocks: gone });
        }
    }

    /// Abandons a partial piece: its received blocks are discarded and its requests cancelled.
    pub(super) fn abandon(&mut self, swarm: &mut Swarm, piece: Piece, out: &mut Vec<Output>) {
        let mut askers: BTreeMap<PeerKey, Vec<Block>> = BTreeMap::new();
        for (block, key) in self.partial.requested(&self.geometry, piece) {
            askers.entry(key).or_default().push(block);
        }
        for (key, blocks) in askers {
            self.cancel_requests(swarm, key, &blocks, out);
        }
        if self.partial.close(piece).is_some() {
            out.push(Output::Discard { piece });
            self.make_available(swarm, piece);
        }
    }

    /// Makes a piece available to be opened again, if it is still wanted.
    pub(super) fn make_available(&mut self, swarm: &mut Swarm, piece: Piece) {
        if self.progress.lacking().has(piece) {
            self.rarity.put(piece, self.progress.priority(piece), &mut swarm.rng);
        }
        self.reconsider = true;
    }

    /// Abandons a partial piece that no peer can continue, the one with the fewest blocks, if memory is used
    /// up and peers wait for requests.
    pub(super) fn drop_stalled(&mut self, swarm: &mut Swarm, now: Moment, out: &mut Vec<Output>) {
        let full = self.partial.bytes() + self.least_room(swarm) > swarm.config.budget;
        let waits = swarm
            .peers
            .values()
            .any(|peer| peer.starved && peer.may_be_asked() && !peer.pipeline.is_snubbed());
        if !full || !waits || self.rarity.free().is_empty() {
            return;
        }
        let stalled = self.partial.with_free().filter(|(piece, open)| {
            let stuck = now.since(open.touched) >= STALLED;
            stuck && !swarm.peers.values().any(|peer| peer.may_give(*piece) && !peer.pipeline.is_snubbed())
        });
        if let Some((_, piece)) = stalled.map(|(piece, open)| (open.received(), piece)).min() {
            self.abandon(swarm, piece, out);
        }
    }
}

impl Swarm {
    /// Whether a piece that has failed before is reserved for its owner: as long as a block was received just
    /// now, or the owner can send the rest within a minute.
    pub fn is_reserved(&self, now: Moment, open: &PartialPiece) -> bool {
        let owner = open.owner.and_then(|key| self.peers.get(&key));
        let recent = now.since(open.touched) < DUPLICATE_GAIN * 10;
        let soon = |rate: f64| rate * RESERVED >= open.missing() as f64;
        open.strict && owner.is_some_and(|owner| recent || soon(owner.down.rate(now)))
    }

    /// Whether a piece is reserved for another peer.
    fn is_kept_from(&self, now: Moment, key: PeerKey, open: &PartialPiece) -> bool {
        open.owner != Some(key) && self.is_reserved(now, open)
    }
}

/// Sorts peers by their rate, fastest first; those that cannot be asked come last.
fn fastest_first(swarm: &Swarm, now: Moment, keys: Vec<PeerKey>) -> Vec<PeerKey> {
    if keys.len() <= 1 {
        return keys;
    }
    // A rate is costly to compute, and many peers have no room for a request.
    let rate = |key: &PeerKey| {
        let able = swarm.peers.get(key).filter(|peer| peer.may_be_asked() && peer.pipeline.room() > 0);
        able.map_or(-1.0, |peer| peer.down.rate(now))
    };
    let mut rated: Vec<_> = keys.into_iter().map(|key| (rate(&key), key)).collect();
    rated.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    rated.into_iter().map(|(_, key)| key).collect()
}
