//! The download of the info dictionary: which piece is asked of which peer, and which peer lied (BEP 9).
//!
//! Nothing proves a piece by itself: only the whole has a digest. So:
//!
//! - Pieces are gathered apart for each length that is claimed, from all who claim it: a *shared* attempt.
//! - When one is whole and wrong and one peer alone gave it, it is that peer's fault. If several did, somebody among
//!   them lied, and from then on each peer of that length makes a attempt *alone*. One that is wrong accuses
//!   its maker, and an honest peer's is right.
//! - A bit may flip on any way, so whoever is accused rests, works alone and is asked behind others; it is convicted only
//!   when it was wrong several times.
//! - Drafts take memory up to a bound, whatever is claimed, and no byte of it before a byte has come. Those
//!   who let us wait less often, and then the smaller ones, come first, and take the room of those who come
//!   behind them; one that takes too long makes room for those who wait and has more time when its turn comes
//!   again. So nobody can keep an honest peer from its turn for ever.

mod attempts;
pub mod early;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

pub use self::attempts::Attempt;
use self::attempts::{Place, Work};
use crate::base::Moment;
use crate::proto::extended::{MAX_METADATA, metadata_piece_len};
use crate::swarm::event::PeerKey;

/// Pieces a peer may owe us.
const AT_ONCE: usize = 32;
/// A dictionary of at most this many pieces is asked of two peers at once.
const SMALL: u32 = 8;
/// Pieces that a peer has owed for this long may be asked of another, too.
const SLOW: Duration = Duration::from_secs(1);
/// A peer from which nothing has come for this long does not answer.
const SILENT: Duration = Duration::from_secs(8);
/// A peer that did not answer or refused is asked again after this long, then twice as long, and so on.
const REST: Duration = Duration::from_secs(10);
/// How often that is doubled.
const MAX_DOUBLINGS: u32 = 5;
/// Lengths for which no shared attempt is made any more are remembered up to this many.
const MAX_SPOILED: usize = 4096;

/// A peer whose dictionary was wrong so often is believed no more.
const MAX_WRONG: u32 = 5;
/// The most addresses that are remembered for a wrong dictionary.
const MAX_ACCUSED: usize = 4096;

/// The outcome of a piece that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Got {
    /// Of use.
    Taken,
    /// Not asked for, or there already.
    Pointless,
    /// Impossible: it has another length than its place, or the sender says another length of the whole.
    Absurd,
    /// The last one that was missing. Say whether the whole is right: [`MetadataDownload::wrong`] if it is not.
    Whole(Attempt, Vec<u8>),
}

/// One peer that offers the info dictionary.
#[derive(Clone, Debug)]
struct Offer {
    size: u32,
    /// Pieces it owes, and those it owed when it was given up; they may still come.
    asked: BTreeSet<u32>,
    late: BTreeSet<u32>,
    /// When it last gave something or was first asked.
    heard: Moment,
    /// How often it did not answer, refused, or took too long.
    misses: u32,
    /// Its dictionary was wrong, so it works alone.
    alone: bool,
    /// It has let us wait for so long that others are asked for what it owes.
    slow: bool,
    /// The time at which it is asked again.
    rests: Option<Moment>,
    /// The most pieces it may owe us.
    most: usize,
}

/// See the head of this file.
#[derive(Clone, Debug, Default)]
pub struct MetadataDownload {
    /// The dictionary was found; it may be of no use.
    pub found: bool,
    /// Peers that claimed a longer dictionary than is taken from anybody.
    pub too_long: u32,
    offers: BTreeMap<PeerKey, Offer>,
    work: BTreeMap<Attempt, Work>,
    spoiled: BTreeSet<u32>,
    /// How often the dictionary of an address was wrong.
    accused: BTreeMap<SocketAddr, u32>,
}

impl MetadataDownload {
    /// The dictionary was found: nothing is asked for any more.
    pub fn end(&mut self) {
        *self = Self { found: true, too_long: self.too_long, ..Self::default() };
    }

    /// A peer claims to have a dictionary of this length. Says whether one of that length is taken.
    pub fn offered(&mut self, now: Moment, peer: PeerKey, size: u32) -> bool {
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

    /// From now on this peer is asked for a piece only when it has given the one before.
    pub fn one_by_one(&mut self, peer: PeerKey) {
        if let Some(offer) = self.offers.get_mut(&peer) {
            offer.most = 1;
        }
    }

    /// The length this peer claims, and how often it did not give what it offers; nothing if it offers nothing.
    pub fn claim(&self, peer: PeerKey) -> Option<(u32, u32)> {
        self.offers.get(&peer).map(|offer| (offer.size, offer.misses))
    }

    /// How many peers offer it.
    pub fn offers(&self) -> usize {
        self.offers.len()
    }

    /// How many of those that offer it did not give it when they were asked.
    pub fn refusing(&self) -> usize {
        self.offers.values().filter(|offer| offer.misses > 0).count()
    }

    /// Bytes that have come of the attempt that has most, and its length.
    pub fn progress(&self) -> Option<(u64, u32)> {
        let done = |work: &Work| work.pieces.iter().flat_map(|p| &p.bytes).map(|(_, b)| b.len() as u64).sum();
        self.work.values().map(|work| (done(work), work.size)).max()
    }

    /// Bytes of memory that hold pieces.
    #[cfg(test)]
    pub fn held(&self) -> u64 {
        let places = self.work.values().flat_map(|work| &work.pieces);
        places.flat_map(|place| &place.bytes).map(|(_, bytes)| bytes.len() as u64).sum()
    }

    /// A peer is gone.
    pub fn gone(&mut self, peer: PeerKey) {
        self.release(peer);
        self.offers.remove(&peer);
        self.work.remove(&Attempt::Alone(peer));
        self.drop_idle();
    }

    /// The pieces to ask of each peer now.
    pub fn ask(&mut self, now: Moment) -> Vec<(PeerKey, Vec<u32>)> {
        self.give_up(now);
        let mut order: Vec<(u32, u32, PeerKey)> = self
            .offers
            .iter()
            .filter(|(_, offer)| offer.rests.is_none_or(|until| until <= now))
            .map(|(&peer, offer)| (offer.misses, offer.size, peer))
            .collect();
        order.sort_unstable();
        let all = order.into_iter().map(|(_, _, peer)| (peer, self.ask_one(now, peer)));
        let mut all: Vec<_> = all.collect();
        all.retain(|(_, pieces)| !pieces.is_empty());
        all
    }

    /// The pieces to ask of this peer now.
    pub fn ask_one(&mut self, now: Moment, peer: PeerKey) -> Vec<u32> {
        let Some(attempt) = self.attempt_of(peer) else { return Vec::new() };
        if !self.begin(now, attempt, peer) {
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
        // Every peer that let us wait for a piece adds one to those who may be asked for it at once: each second twice
        // as many, so that silent peers keep an honest one from its turn for a few seconds, however many they are.
        let free = |place: &Place| place.askers <= place.slow;
        let twin =
            |place: &Place| place.askers == place.slow + 1 && (small || now.since(place.since) >= SLOW);
        let mut chosen = Vec::new();
        let may: [&dyn Fn(&Place) -> bool; 2] = [&free, &twin];
        for may in may {
            if !chosen.is_empty() {
                break;
            }
            let room = offer.most - offer.asked.len();
            let open =
                work.pieces.iter().enumerate().filter(|(_, place)| place.bytes.is_none() && may(place));
            let open = open.map(|(piece, _)| piece as u32).filter(|piece| !offer.asked.contains(piece));
            chosen = open.take(room).collect();
        }
        if offer.asked.is_empty() && !chosen.is_empty() {
            offer.heard = now;
        }
        for &piece in &chosen {
            offer.asked.insert(piece);
            let place = &mut work.pieces[piece as usize];
            place.askers += 1;
            place.since = now;
        }
        chosen
    }

    /// A piece came.
    pub fn got(&mut self, now: Moment, peer: PeerKey, piece: u32, total: Option<u32>, bytes: Vec<u8>) -> Got {
        let attempt = self.attempt_of(peer);
        let (Some(attempt), Some(offer)) = (attempt, self.offers.get_mut(&peer)) else {
            return Got::Pointless;
        };
        let len = metadata_piece_len(offer.size, piece);
        if total.is_some_and(|total| total != offer.size) || len as usize != bytes.len() {
            return Got::Absurd;
        }
        let owed = offer.asked.remove(&piece);
        if !owed && !offer.late.remove(&piece) {
            return Got::Pointless;
        }
        let was_slow = std::mem::take(&mut offer.slow);
        (offer.heard, offer.rests) = (now, None);
        let Some(work) = self.work.get_mut(&attempt) else { return Got::Pointless };
        if was_slow {
            for &other in &offer.asked {
                work.pieces[other as usize].askers += 1;
            }
        }
        let Some(place) = work.pieces.get_mut(piece as usize) else { return Got::Pointless };
        place.askers -= u32::from(owed && !was_slow);
        if place.bytes.is_some() {
            return Got::Pointless;
        }
        place.bytes = Some((peer, bytes.into()));
        work.missing -= 1;
        if work.missing > 0 {
            return Got::Taken;
        }
        let places = work.pieces.iter().flat_map(|place| &place.bytes);
        let whole = places.fold(Vec::with_capacity(work.size as usize), |mut whole, (_, bytes)| {
            whole.extend_from_slice(bytes);
            whole
        });
        Got::Whole(attempt, whole)
    }

    /// A attempt that was whole is not what it should be. Says who lied, if that is certain.
    pub fn wrong(&mut self, attempt: Attempt) -> Option<PeerKey> {
        let makers: Vec<PeerKey> = self.makers(attempt).collect();
        let work = self.work.remove(&attempt)?;
        self.forget_asked(&makers);
        let givers: BTreeSet<PeerKey> =
            work.pieces.iter().flat_map(|place| &place.bytes).map(|&(giver, _)| giver).collect();
        if givers.len() == 1 {
            return givers.first().copied();
        }
        if self.spoiled.len() < MAX_SPOILED {
            self.spoiled.insert(work.size);
        }
        None
    }

    /// The dictionary that a peer gave was wrong: says whether that was so too often. Else it rests.
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

    /// Lets a peer work alone if the dictionary that came from its address was wrong before.
    pub fn distrust_accused(&mut self, peer: PeerKey, who: SocketAddr) {
        if !self.accused.contains_key(&who) || self.offers.get(&peer).is_none_or(|offer| offer.alone) {
            return;
        }
        self.release(peer);
        if let Some(offer) = self.offers.get_mut(&peer) {
            offer.alone = true;
            // It gives nothing to the shared attempt any more.
            offer.late.clear();
        }
        self.drop_idle();
    }

    /// A peer will not send a piece.
    pub fn refused(&mut self, now: Moment, peer: PeerKey, piece: u32) -> bool {
        if !self.offers.get(&peer).is_some_and(|offer| offer.asked.contains(&piece)) {
            return false;
        }
        // What else it owes it will hardly send either.
        self.release(peer);
        self.miss(now, peer);
        true
    }

    /// When to look again whether somebody does not answer.
    pub fn deadline(&self, now: Moment) -> Option<Moment> {
        let owing = self.offers.values().filter(|offer| !offer.asked.is_empty());
        let silent = owing.clone().map(|offer| offer.heard + SILENT);
        let slow =
            owing.map(|offer| if offer.slow { now + SLOW } else { (offer.heard + SLOW).min(now + SLOW) });
        let rested = self.offers.values().filter_map(|offer| offer.rests).filter(|&until| until > now);
        let wait = self.offers.keys().any(|&peer| self.waits(peer)).then_some(now + SLOW);
        let next = silent.chain(slow).chain(rested).chain(wait).min()?;
        Some(next.max(now + Duration::from_millis(10)))
    }

    /// These peers owe nothing any more.
    fn forget_asked(&mut self, peers: &[PeerKey]) {
        for peer in peers {
            if let Some(offer) = self.offers.get_mut(peer) {
                offer.asked.clear();
                offer.late.clear();
                offer.slow = false;
            }
        }
    }

    /// Lets others be asked for the pieces that a peer owes.
    fn release(&mut self, peer: PeerKey) {
        let attempt = self.attempt_of(peer);
        let Some(offer) = self.offers.get_mut(&peer) else { return };
        let owed = std::mem::take(&mut offer.asked);
        let counted = !std::mem::take(&mut offer.slow);
        if let Some(work) = attempt.and_then(|attempt| self.work.get_mut(&attempt)) {
            for &piece in &owed {
                if let Some(place) = work.pieces.get_mut(piece as usize) {
                    place.askers = place.askers.saturating_sub(u32::from(counted));
                }
            }
        }
        offer.late.extend(owed);
    }

    /// Others may be asked for what a peer owes, too, while it still may send it.
    fn slow_down(&mut self, peer: PeerKey) {
        let attempt = self.attempt_of(peer);
        let (Some(attempt), Some(offer)) = (attempt, self.offers.get_mut(&peer)) else { return };
        offer.slow = true;
        if let Some(work) = self.work.get_mut(&attempt) {
            for &piece in &offer.asked {
                let place = &mut work.pieces[piece as usize];
                place.askers = place.askers.saturating_sub(1);
                place.slow += 1;
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
