//! The download of the info dictionary (BEP 9): which piece to request from which peer, and which peer lied.
//!
//! Only the whole dictionary has a hash, so a single piece cannot be verified. Therefore:
//!
//! - Pieces are collected separately for each claimed length, from all peers that claim it: a *shared*
//!   attempt.
//! - If the dictionary is complete and wrong, and all of it came from one peer, that peer is at fault. If it
//!   came from several, one of them lied; from then on each peer of that length gets an attempt *alone*. A
//!   wrong one accuses its peer, and an honest peer's is right.
//! - A bit may be damaged on the way, so an accused peer rests, works alone and is asked after others; it is
//!   convicted only after several wrong dictionaries.
//! - The memory of all attempts is bounded, whatever lengths are claimed, and is used only as bytes arrive.
//!   Attempts whose peers were least often slow come first, then smaller ones; they take the memory of those
//!   behind them. An attempt that takes too long gives way to those that wait, and gets more time on its next
//!   turn. So nobody can keep an honest peer waiting for ever.

mod attempts;
pub mod early;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

pub use self::attempts::Attempt;
use self::attempts::{AttemptState, PieceSlot};
use crate::base::Moment;
use crate::proto::extended::{MAX_METADATA, metadata_piece_len};
use crate::swarm::event::PeerKey;

/// The most pieces that are requested from a peer at a time.
const AT_ONCE: usize = 32;
/// The longest dictionary of which each piece is requested from two peers at once, in pieces.
const SMALL: u32 = 8;
/// The time after which a requested piece may be requested from another peer, too.
const SLOW: Duration = Duration::from_secs(1);
/// The time without any piece after which a peer counts as silent.
const SILENT: Duration = Duration::from_secs(8);
/// The time for which a peer rests after it was silent or refused; doubled each time.
const REST: Duration = Duration::from_secs(10);
/// The most doublings of [`REST`].
const MAX_DOUBLINGS: u32 = 5;
/// The most lengths that are remembered as having no shared attempt any more.
const MAX_UNSHARED: usize = 4096;

/// The number of wrong dictionaries from one address after which it is banned.
const MAX_WRONG: u32 = 5;
/// The most addresses of wrong dictionaries that are remembered.
const MAX_ACCUSED: usize = 4096;

/// The result of receiving a piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PieceResult {
    /// The piece is useful.
    Accepted,
    /// The piece was not requested, or is present already.
    Unneeded,
    /// The piece has an impossible length, or its sender now claims another total length.
    Invalid,
    /// The last missing piece arrived. The caller verifies the dictionary, and calls
    /// [`MetadataDownload::reject_attempt`] if it is wrong.
    Complete(Attempt, Vec<u8>),
}

/// A peer that offers the info dictionary.
#[derive(Clone, Debug)]
struct Offer {
    size: u32,
    /// The requested pieces, and those requested before the peer was given up, which may still arrive.
    asked: BTreeSet<u32>,
    late: BTreeSet<u32>,
    /// The time of the last piece, or of the first request.
    heard: Moment,
    /// The number of times that the peer was silent, refused or took too long.
    misses: u32,
    /// Whether the peer has an attempt of its own, after a wrong dictionary.
    alone: bool,
    /// Whether the peer is slow, so that its pieces are requested from others, too.
    slow: bool,
    /// The time until which nothing is requested from the peer.
    rests: Option<Moment>,
    /// The most pieces to request at a time.
    most: usize,
}

/// The download of an info dictionary from all peers that offer it.
#[derive(Clone, Debug, Default)]
pub struct MetadataDownload {
    /// Whether the dictionary is complete and has the right hash; it may still be unusable.
    pub found: bool,
    /// The number of peers that claimed a longer dictionary than [`MAX_METADATA`].
    pub too_long: u32,
    offers: BTreeMap<PeerKey, Offer>,
    work: BTreeMap<Attempt, AttemptState>,
    unshared: BTreeSet<u32>,
    /// The number of wrong dictionaries per address.
    accused: BTreeMap<SocketAddr, u32>,
}

impl MetadataDownload {
    /// Ends the download: the dictionary was found.
    pub fn finish(&mut self) {
        *self = Self { found: true, too_long: self.too_long, ..Self::default() };
    }

    /// Records that a peer offers a dictionary of this length in bytes. Returns whether the length is
    /// acceptable.
    pub fn add_offer(&mut self, now: Moment, peer: PeerKey, size: u32) -> bool {
        if size == 0 || size > MAX_METADATA {
            return false;
        }
        let (asked, late) = (BTreeSet::new(), BTreeSet::new());
        let offer = Offer {
            size,
            asked,
            late,
            heard: now,
            misses: 0,
            alone: false,
            slow: false,
            rests: None,
            most: AT_ONCE,
        };
        self.offers.entry(peer).or_insert(offer);
        true
    }

    /// Limits the peer to one requested piece at a time.
    pub fn limit_to_one(&mut self, peer: PeerKey) {
        if let Some(offer) = self.offers.get_mut(&peer) {
            offer.most = 1;
        }
    }

    /// Returns the length that the peer claims and the number of its misses; `None` if it offers nothing.
    pub fn claim(&self, peer: PeerKey) -> Option<(u32, u32)> {
        self.offers.get(&peer).map(|offer| (offer.size, offer.misses))
    }

    /// The number of peers that offer the dictionary.
    pub fn offers(&self) -> usize {
        self.offers.len()
    }

    /// The number of peers that offer the dictionary but were silent or refused.
    pub fn refusing(&self) -> usize {
        self.offers.values().filter(|offer| offer.misses > 0).count()
    }

    /// The bytes received of the most advanced attempt, and its length.
    pub fn progress(&self) -> Option<(u64, u32)> {
        let done = |work: &AttemptState| {
            work.pieces.iter().flat_map(|p| &p.bytes).map(|(_, b)| b.len() as u64).sum()
        };
        self.work.values().map(|work| (done(work), work.size)).max()
    }

    /// The memory used by received pieces, in bytes.
    #[cfg(test)]
    pub fn held(&self) -> u64 {
        let places = self.work.values().flat_map(|work| &work.pieces);
        places.flat_map(|slot| &slot.bytes).map(|(_, bytes)| bytes.len() as u64).sum()
    }

    /// Removes a peer that has left.
    pub fn remove_peer(&mut self, peer: PeerKey) {
        self.release(peer);
        self.offers.remove(&peer);
        self.work.remove(&Attempt::Alone(peer));
        self.drop_idle();
    }

    /// Chooses the pieces to request now, from all peers.
    pub fn choose_requests(&mut self, now: Moment) -> Vec<(PeerKey, Vec<u32>)> {
        self.give_up(now);
        let mut order: Vec<(u32, u32, PeerKey)> = self
            .offers
            .iter()
            .filter(|(_, offer)| offer.rests.is_none_or(|until| until <= now))
            .map(|(&peer, offer)| (offer.misses, offer.size, peer))
            .collect();
        order.sort_unstable();
        let all = order.into_iter().map(|(_, _, peer)| (peer, self.choose_requests_from(now, peer)));
        let mut all: Vec<_> = all.collect();
        all.retain(|(_, pieces)| !pieces.is_empty());
        all
    }

    /// Chooses the pieces to request now from one peer.
    pub fn choose_requests_from(&mut self, now: Moment, peer: PeerKey) -> Vec<u32> {
        let Some(attempt) = self.attempt_of(peer) else { return Vec::new() };
        if !self.start_attempt(now, attempt, peer) {
            return Vec::new();
        }
        let (Some(offer), Some(work)) = (self.offers.get_mut(&peer), self.work.get_mut(&attempt)) else {
            return Vec::new();
        };
        let rests = offer.rests.is_some_and(|until| until > now);
        if rests || offer.slow || offer.asked.len() > offer.most / 2 {
            return Vec::new();
        }
        let small = work.pieces.len() as u32 <= SMALL;
        // Each slow peer of a piece allows one more peer to be asked for it, so the number doubles every
        // second: silent peers delay an honest one by a few seconds only, however many they are.
        let free = |slot: &PieceSlot| slot.askers <= slot.slow;
        let duplicate =
            |slot: &PieceSlot| slot.askers == slot.slow + 1 && (small || now.since(slot.since) >= SLOW);
        let mut chosen = Vec::new();
        let may: [&dyn Fn(&PieceSlot) -> bool; 2] = [&free, &duplicate];
        for may in may {
            if !chosen.is_empty() {
                break;
            }
            let room = offer.most - offer.asked.len();
            let open = work.pieces.iter().enumerate().filter(|(_, slot)| slot.bytes.is_none() && may(slot));
            let open = open.map(|(piece, _)| piece as u32).filter(|piece| !offer.asked.contains(piece));
            chosen = open.take(room).collect();
        }
        if offer.asked.is_empty() && !chosen.is_empty() {
            offer.heard = now;
        }
        for &piece in &chosen {
            offer.asked.insert(piece);
            let slot = &mut work.pieces[piece as usize];
            slot.askers += 1;
            slot.since = now;
        }
        chosen
    }

    /// Records a received piece.
    pub fn receive_piece(
        &mut self,
        now: Moment,
        peer: PeerKey,
        piece: u32,
        total: Option<u32>,
        bytes: Vec<u8>,
    ) -> PieceResult {
        let attempt = self.attempt_of(peer);
        let (Some(attempt), Some(offer)) = (attempt, self.offers.get_mut(&peer)) else {
            return PieceResult::Unneeded;
        };
        let len = metadata_piece_len(offer.size, piece);
        if total.is_some_and(|total| total != offer.size) || len as usize != bytes.len() {
            return PieceResult::Invalid;
        }
        let owed = offer.asked.remove(&piece);
        if !owed && !offer.late.remove(&piece) {
            return PieceResult::Unneeded;
        }
        let was_slow = std::mem::take(&mut offer.slow);
        (offer.heard, offer.rests) = (now, None);
        let Some(work) = self.work.get_mut(&attempt) else { return PieceResult::Unneeded };
        if was_slow {
            for &other in &offer.asked {
                work.pieces[other as usize].askers += 1;
            }
        }
        let Some(slot) = work.pieces.get_mut(piece as usize) else { return PieceResult::Unneeded };
        slot.askers -= u32::from(owed && !was_slow);
        if slot.bytes.is_some() {
            return PieceResult::Unneeded;
        }
        slot.bytes = Some((peer, bytes.into()));
        work.missing -= 1;
        if work.missing > 0 {
            return PieceResult::Accepted;
        }
        let places = work.pieces.iter().flat_map(|slot| &slot.bytes);
        let whole = places.fold(Vec::with_capacity(work.size as usize), |mut whole, (_, bytes)| {
            whole.extend_from_slice(bytes);
            whole
        });
        PieceResult::Complete(attempt, whole)
    }

    /// Drops a complete attempt that has the wrong hash. Returns the peer that lied, if that is certain.
    pub fn reject_attempt(&mut self, attempt: Attempt) -> Option<PeerKey> {
        let contributors: Vec<PeerKey> = self.contributors(attempt).collect();
        let work = self.work.remove(&attempt)?;
        self.forget_asked(&contributors);
        let givers: BTreeSet<PeerKey> =
            work.pieces.iter().flat_map(|slot| &slot.bytes).map(|&(giver, _)| giver).collect();
        if givers.len() == 1 {
            return givers.first().copied();
        }
        if self.unshared.len() < MAX_UNSHARED {
            self.unshared.insert(work.size);
        }
        None
    }

    /// Records a wrong dictionary of a peer. Returns whether its address has sent too many; otherwise the
    /// peer rests.
    pub fn accuse(&mut self, now: Moment, peer: PeerKey, who: SocketAddr) -> bool {
        if self.accused.len() < MAX_ACCUSED || self.accused.contains_key(&who) {
            let times = self.accused.entry(who).or_default();
            *times += 1;
            if *times >= MAX_WRONG {
                return true;
            }
        }
        self.distrust_accused(peer, who);
        self.miss(now, peer);
        false
    }

    /// Gives a peer an attempt of its own if its address has sent a wrong dictionary before.
    pub fn distrust_accused(&mut self, peer: PeerKey, who: SocketAddr) {
        if !self.accused.contains_key(&who) || self.offers.get(&peer).is_none_or(|offer| offer.alone) {
            return;
        }
        self.release(peer);
        if let Some(offer) = self.offers.get_mut(&peer) {
            offer.alone = true;
            // The peer no longer contributes to the shared attempt.
            offer.late.clear();
        }
        self.drop_idle();
    }

    /// Records that a peer refused a piece. Returns whether the piece was requested from it.
    pub fn record_reject(&mut self, now: Moment, peer: PeerKey, piece: u32) -> bool {
        if !self.offers.get(&peer).is_some_and(|offer| offer.asked.contains(&piece)) {
            return false;
        }
        // The peer will hardly send its other pieces, either.
        self.release(peer);
        self.miss(now, peer);
        true
    }

    /// The time at which to look for slow and silent peers again.
    pub fn deadline(&self, now: Moment) -> Option<Moment> {
        let owing = self.offers.values().filter(|offer| !offer.asked.is_empty());
        let silent = owing.clone().map(|offer| offer.heard + SILENT);
        let slow =
            owing.map(|offer| if offer.slow { now + SLOW } else { (offer.heard + SLOW).min(now + SLOW) });
        let rested = self.offers.values().filter_map(|offer| offer.rests).filter(|&until| until > now);
        let wait = self.offers.keys().any(|&peer| self.waits_for_memory(peer)).then_some(now + SLOW);
        let next = silent.chain(slow).chain(rested).chain(wait).min()?;
        Some(next.max(now + Duration::from_millis(10)))
    }

    /// Forgets the requests to these peers.
    fn forget_asked(&mut self, peers: &[PeerKey]) {
        for peer in peers {
            if let Some(offer) = self.offers.get_mut(peer) {
                offer.asked.clear();
                offer.late.clear();
                offer.slow = false;
            }
        }
    }

    /// Allows the pieces requested from a peer to be requested from others.
    fn release(&mut self, peer: PeerKey) {
        let attempt = self.attempt_of(peer);
        let Some(offer) = self.offers.get_mut(&peer) else { return };
        let owed = std::mem::take(&mut offer.asked);
        let counted = !std::mem::take(&mut offer.slow);
        if let Some(work) = attempt.and_then(|attempt| self.work.get_mut(&attempt)) {
            for &piece in &owed {
                if let Some(slot) = work.pieces.get_mut(piece as usize) {
                    slot.askers = slot.askers.saturating_sub(u32::from(counted));
                }
            }
        }
        offer.late.extend(owed);
    }

    /// Marks a peer as slow: its pieces may be requested from others, too, while it may still send them.
    fn slow_down(&mut self, peer: PeerKey) {
        let attempt = self.attempt_of(peer);
        let (Some(attempt), Some(offer)) = (attempt, self.offers.get_mut(&peer)) else { return };
        offer.slow = true;
        if let Some(work) = self.work.get_mut(&attempt) {
            for &piece in &offer.asked {
                let slot = &mut work.pieces[piece as usize];
                slot.askers = slot.askers.saturating_sub(1);
                slot.slow += 1;
            }
        }
    }

    fn miss(&mut self, now: Moment, peer: PeerKey) {
        if let Some(offer) = self.offers.get_mut(&peer) {
            offer.rests = Some(now + REST * (1 << offer.misses.min(MAX_DOUBLINGS)));
            offer.misses += 1;
        }
    }
}
