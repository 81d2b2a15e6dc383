//! Which piece of the info dictionary is asked of whom, and who lied (BEP 9).
//!
//! Nothing proves a piece by itself: only the whole has a digest. So:
//!
//! - Pieces are gathered apart for each length that is claimed, from all who claim it: a *shared* draft.
//! - When one is whole and wrong and one peer alone gave it, that peer lied. If several did, somebody among
//!   them lied, and from then on each peer of that length makes a draft *alone*. One that is wrong convicts
//!   its maker, and an honest peer's is right.
//! - Drafts take memory up to [`MEMORY`], whatever is claimed, and no byte of it before a byte has come. Those
//!   who let us wait less often, and then the smaller ones, come first, and take the room of those who come
//!   behind them; one that takes too long makes room for those who wait and has more time when its turn comes
//!   again. So nobody can keep an honest peer from its turn for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::event::PeerKey;
use crate::base::Moment;
use crate::proto::extended::{MAX_METADATA, metadata_piece_len, metadata_pieces};

/// Bytes that all drafts may have together when they are whole: two of the longest.
const MEMORY: u64 = 2 * MAX_METADATA as u64;
/// Pieces a peer may owe us.
const AT_ONCE: usize = 32;
/// A dictionary of at most this many pieces is asked of two peers at once.
const SMALL: u32 = 8;
/// What one peer has owed for this long may be asked of another, too.
const SLOW: Duration = Duration::from_secs(1);
/// A peer from which nothing has come for this long does not answer.
const SILENT: Duration = Duration::from_secs(8);
/// A draft may take this long, and longer by its length at [`LEAST_RATE`], while others wait for room.
const TURN: Duration = Duration::from_secs(20);
/// Bytes per second.
const LEAST_RATE: u32 = 256 * 1024;
/// A peer that did not answer or refused is asked again after this long, then twice as long, and so on.
const REST: Duration = Duration::from_secs(10);
/// How often that is doubled.
const MOST_DOUBLINGS: u32 = 5;
/// Lengths for which no shared draft is made any more are remembered up to this many.
const MOST_SPOILED: usize = 4096;

/// Whose draft it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Draft {
    /// Of all who claim this length.
    Shared(u32),
    /// Of one peer alone.
    Alone(PeerKey),
}

/// What a piece that came was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Got {
    /// Of use.
    Taken,
    /// Not asked for, or there already.
    Pointless,
    /// Impossible: it has another length than its place, or the sender says another length of the whole.
    Absurd,
    /// The last one that was missing. Say whether the whole is right: [`Hunt::wrong`] if it is not.
    Whole(Draft, Vec<u8>),
}

/// What one peer offers.
#[derive(Clone, Debug)]
struct Offer {
    size: u32,
    /// What it owes, and what it owed when it was given up; it may still come.
    asked: BTreeSet<u32>,
    late: BTreeSet<u32>,
    /// When it last gave something or was first asked.
    heard: Moment,
    /// How often it did not answer, refused, or took too long.
    misses: u32,
    /// It is asked again then.
    rests: Option<Moment>,
    /// The most pieces it may owe us.
    most: usize,
}

/// One way to the whole.
#[derive(Clone, Debug)]
struct Work {
    size: u32,
    began: Moment,
    missing: u32,
    pieces: Vec<Place>,
}

/// The place of one piece.
#[derive(Clone, Debug, Default)]
struct Place {
    bytes: Option<(PeerKey, Box<[u8]>)>,
    askers: u32,
    since: Moment,
}

/// See the head of this file.
#[derive(Clone, Debug, Default)]
pub struct Hunt {
    offers: BTreeMap<PeerKey, Offer>,
    work: BTreeMap<Draft, Work>,
    spoiled: BTreeSet<u32>,
}

impl Hunt {
    /// A peer claims to have a dictionary of this length. Says whether one of that length is taken.
    pub fn offered(&mut self, now: Moment, peer: PeerKey, size: u32) -> bool {
        if size == 0 || size > MAX_METADATA {
            return false;
        }
        let (asked, late) = (BTreeSet::new(), BTreeSet::new());
        let offer = Offer { size, asked, late, heard: now, misses: 0, rests: None, most: AT_ONCE };
        self.offers.entry(peer).or_insert(offer);
        true
    }

    /// From now on this peer is asked for a piece only when it has given the one before.
    pub fn one_by_one(&mut self, peer: PeerKey) {
        if let Some(offer) = self.offers.get_mut(&peer) {
            offer.most = 1;
        }
    }

    /// Whether this peer offers it.
    pub fn is_offered_by(&self, peer: PeerKey) -> bool {
        self.offers.contains_key(&peer)
    }

    /// How often this peer did not give what it offers; nothing if it offers nothing.
    pub fn misses(&self, peer: PeerKey) -> Option<u32> {
        self.offers.get(&peer).map(|offer| offer.misses)
    }

    /// How many peers offer it.
    pub fn offers(&self) -> usize {
        self.offers.len()
    }

    /// Bytes that have come of the draft that has most, and its length.
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
        self.work.remove(&Draft::Alone(peer));
        self.drop_idle();
    }

    /// What to ask of whom now.
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

    /// What to ask of this peer now.
    pub fn ask_one(&mut self, now: Moment, peer: PeerKey) -> Vec<u32> {
        let Some(draft) = self.draft_of(peer) else { return Vec::new() };
        if !self.begin(now, draft, peer) {
            return Vec::new();
        }
        let (Some(offer), Some(work)) = (self.offers.get_mut(&peer), self.work.get_mut(&draft)) else {
            return Vec::new();
        };
        if offer.rests.is_some_and(|until| until > now) || offer.asked.len() > offer.most / 2 {
            return Vec::new();
        }
        let small = work.pieces.len() as u32 <= SMALL;
        let free = |place: &Place| place.askers == 0;
        let twin = |place: &Place| place.askers == 1 && (small || now.since(place.since) >= SLOW);
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
        let draft = self.draft_of(peer);
        let (Some(draft), Some(offer)) = (draft, self.offers.get_mut(&peer)) else { return Got::Pointless };
        let len = metadata_piece_len(offer.size, piece);
        if total.is_some_and(|total| total != offer.size) || len as usize != bytes.len() {
            return Got::Absurd;
        }
        let owed = offer.asked.remove(&piece);
        if !owed && !offer.late.remove(&piece) {
            return Got::Pointless;
        }
        (offer.heard, offer.rests) = (now, None);
        let Some(work) = self.work.get_mut(&draft) else { return Got::Pointless };
        let Some(place) = work.pieces.get_mut(piece as usize) else { return Got::Pointless };
        place.askers -= u32::from(owed);
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
        Got::Whole(draft, whole)
    }

    /// A draft that was whole is not what it should be. Says who lied, if that is certain.
    pub fn wrong(&mut self, draft: Draft) -> Option<PeerKey> {
        let makers: Vec<PeerKey> = self.makers(draft).collect();
        let work = self.work.remove(&draft)?;
        self.forget_asked(&makers);
        let givers: BTreeSet<PeerKey> =
            work.pieces.iter().flat_map(|place| &place.bytes).map(|&(giver, _)| giver).collect();
        if givers.len() == 1 {
            return givers.first().copied();
        }
        if self.spoiled.len() < MOST_SPOILED {
            self.spoiled.insert(work.size);
        }
        None
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
        let slow = owing.map(|_| now + SLOW);
        let rested = self.offers.values().filter_map(|offer| offer.rests);
        let wait = self.offers.keys().any(|&peer| self.waits(peer)).then_some(now + SLOW);
        let next = silent.chain(slow).chain(rested).chain(wait).min()?;
        Some(next.max(now + Duration::from_millis(10)))
    }

    /// Which draft this peer works on.
    fn draft_of(&self, peer: PeerKey) -> Option<Draft> {
        let size = self.offers.get(&peer)?.size;
        Some(if self.spoiled.contains(&size) { Draft::Alone(peer) } else { Draft::Shared(size) })
    }

    /// Whether this peer could give and its draft has no room.
    fn waits(&self, peer: PeerKey) -> bool {
        self.draft_of(peer).is_some_and(|draft| !self.work.contains_key(&draft))
    }

    /// Whether a draft has room, which it is given if there is some.
    fn begin(&mut self, now: Moment, draft: Draft, peer: PeerKey) -> bool {
        if self.work.contains_key(&draft) {
            return true;
        }
        let Some(offer) = self.offers.get(&peer) else { return false };
        let (misses, size) = (offer.misses, offer.size);
        let taken: u64 = self.work.values().map(|work| u64::from(work.size)).sum();
        let mut missing = (taken + u64::from(size)).saturating_sub(MEMORY);
        if missing > 0 {
            let mut behind: Vec<(u32, u32, Draft)> = self
                .work
                .iter()
                .map(|(&draft, work)| (self.least_misses(draft), work.size, draft))
                .filter(|&(its_misses, its_size, _)| (its_misses, its_size) > (misses, size))
                .collect();
            behind.sort_unstable();
            if behind.iter().map(|&(_, size, _)| u64::from(size)).sum::<u64>() < missing {
                return false;
            }
            while missing > 0
                && let Some((_, size, draft)) = behind.pop()
            {
                self.drop_draft(draft);
                missing = missing.saturating_sub(u64::from(size));
            }
        }
        let missing = metadata_pieces(size);
        let pieces = vec![Place::default(); missing as usize];
        self.work.insert(draft, Work { size, began: now, missing, pieces });
        true
    }

    /// How often the best of those who work on a draft let us wait.
    fn least_misses(&self, draft: Draft) -> u32 {
        self.makers(draft).filter_map(|peer| self.misses(peer)).min().unwrap_or(0)
    }

    /// A draft loses its room; says who worked on it.
    fn drop_draft(&mut self, draft: Draft) -> Vec<PeerKey> {
        let makers: Vec<PeerKey> = self.makers(draft).collect();
        self.work.remove(&draft);
        self.forget_asked(&makers);
        makers
    }

    /// Gives up those who do not answer, and drafts that take too long while others wait for room.
    fn give_up(&mut self, now: Moment) {
        let silent = self
            .offers
            .iter()
            .filter(|(_, offer)| !offer.asked.is_empty() && now.since(offer.heard) >= SILENT);
        let silent: Vec<PeerKey> = silent.map(|(&peer, _)| peer).collect();
        for peer in silent {
            self.release(peer);
            self.miss(now, peer);
        }
        self.drop_idle();
        let ready = |offer: &Offer| offer.rests.is_none_or(|until| until <= now);
        let waits = self.offers.iter().any(|(&peer, offer)| ready(offer) && self.waits(peer));
        if !waits {
            return;
        }
        let rests = |draft: Draft| self.makers(draft).all(|peer| !self.offers.get(&peer).is_some_and(ready));
        let resting: Vec<Draft> = self.work.keys().copied().filter(|&draft| rests(draft)).collect();
        for draft in resting {
            self.drop_draft(draft);
        }
        let late = self.work.iter().filter(|&(&draft, work)| {
            let turn = TURN + Duration::from_secs(u64::from(work.size / LEAST_RATE));
            now.since(work.began) >= turn * (1 << self.least_misses(draft).min(MOST_DOUBLINGS))
        });
        let late: Vec<Draft> = late.map(|(&draft, _)| draft).collect();
        for draft in late {
            for peer in self.drop_draft(draft) {
                if let Some(offer) = self.offers.get_mut(&peer) {
                    // It goes behind those who wait, and need not rest when there is room again.
                    offer.misses += 1;
                }
            }
        }
    }

    /// Who works on a draft.
    fn makers(&self, draft: Draft) -> impl Iterator<Item = PeerKey> + '_ {
        self.offers.keys().copied().filter(move |&peer| self.draft_of(peer) == Some(draft))
    }

    /// These peers owe nothing any more.
    fn forget_asked(&mut self, peers: &[PeerKey]) {
        for peer in peers {
            if let Some(offer) = self.offers.get_mut(peer) {
                offer.asked.clear();
                offer.late.clear();
            }
        }
    }

    /// What a peer owes may be asked of others.
    fn release(&mut self, peer: PeerKey) {
        let draft = self.draft_of(peer);
        let Some(offer) = self.offers.get_mut(&peer) else { return };
        let owed = std::mem::take(&mut offer.asked);
        if let Some(work) = draft.and_then(|draft| self.work.get_mut(&draft)) {
            for &piece in &owed {
                if let Some(place) = work.pieces.get_mut(piece as usize) {
                    place.askers = place.askers.saturating_sub(1);
                }
            }
        }
        offer.late.extend(owed);
    }

    fn miss(&mut self, now: Moment, peer: PeerKey) {
        if let Some(offer) = self.offers.get_mut(&peer) {
            offer.rests = Some(now + REST * (1 << offer.misses.min(MOST_DOUBLINGS)));
            offer.misses += 1;
        }
    }

    /// Drafts on which nobody works any more are dropped.
    fn drop_idle(&mut self) {
        let idle: Vec<Draft> =
            self.work.keys().copied().filter(|&draft| self.makers(draft).next().is_none()).collect();
        for draft in idle {
            self.work.remove(&draft);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u32 = 40_000;

    fn at(ms: u64) -> Moment {
        Moment::START + Duration::from_millis(ms)
    }

    fn peer(n: u64) -> PeerKey {
        PeerKey(n)
    }

    /// Has a peer send a piece, right or wrong.
    fn send(hunt: &mut Hunt, now: Moment, from: PeerKey, piece: u32, byte: u8) -> Got {
        let len = metadata_piece_len(SIZE, piece) as usize;
        hunt.got(now, from, piece, Some(SIZE), vec![byte; len])
    }

    #[test]
    fn small_dictionaries_are_asked_whole_of_the_first_two() {
        let mut hunt = Hunt::default();
        for n in 0..3 {
            assert!(hunt.offered(at(0), peer(n), SIZE));
        }
        assert_eq!(hunt.ask(at(0)), [(peer(0), vec![0, 1, 2]), (peer(1), vec![0, 1, 2])]);
        assert_eq!(send(&mut hunt, at(1), peer(0), 1, 7), Got::Taken);
        assert_eq!(send(&mut hunt, at(2), peer(1), 1, 8), Got::Pointless);
        assert_eq!(send(&mut hunt, at(2), peer(1), 0, 7), Got::Taken);
        let Got::Whole(draft, whole) = send(&mut hunt, at(3), peer(0), 2, 7) else { panic!("it is whole") };
        assert_eq!((draft, whole), (Draft::Shared(SIZE), vec![7; SIZE as usize]));
    }

    #[test]
    fn who_takes_one_question_at_a_time_is_asked_so() {
        let mut hunt = Hunt::default();
        assert!(hunt.offered(at(0), peer(0), SIZE));
        hunt.one_by_one(peer(0));
        assert_eq!(hunt.ask(at(0)), [(peer(0), vec![0])]);
        assert!(hunt.ask(at(1)).is_empty());
        for piece in 0..2 {
            assert_eq!(send(&mut hunt, at(2), peer(0), piece, 7), Got::Taken);
            assert_eq!(hunt.ask_one(at(2), peer(0)), [piece + 1]);
        }
        assert!(matches!(send(&mut hunt, at(3), peer(0), 2, 7), Got::Whole(..)));
    }

    #[test]
    fn long_ones_are_divided() {
        let mut hunt = Hunt::default();
        let size = 100 * 16_384;
        (0..2).for_each(|n| assert!(hunt.offered(at(0), peer(n), size)));
        let asked = hunt.ask(at(0));
        assert_eq!(asked, [(peer(0), (0..32).collect::<Vec<_>>()), (peer(1), (32..64).collect())]);
        assert!(hunt.ask(at(500)).is_empty());
        // The second is silent: what it owes is asked of the first, when that has nothing else to do.
        for piece in 0..32 {
            hunt.got(at(600), peer(0), piece, Some(size), vec![0; 16_384]);
        }
        assert_eq!(hunt.ask_one(at(600), peer(0)), (64..96).collect::<Vec<_>>());
        for piece in 64..96 {
            hunt.got(at(1600), peer(0), piece, Some(size), vec![0; 16_384]);
        }
        assert_eq!(hunt.ask_one(at(1600), peer(0)), (96..100).collect::<Vec<_>>());
        for piece in 96..100 {
            hunt.got(at(1700), peer(0), piece, Some(size), vec![0; 16_384]);
        }
        assert_eq!(hunt.ask_one(at(1700), peer(0)), (32..64).collect::<Vec<_>>());
    }

    #[test]
    fn one_that_gave_all_of_a_wrong_one_lied() {
        let mut hunt = Hunt::default();
        assert!(hunt.offered(at(0), peer(0), SIZE));
        hunt.ask(at(0));
        send(&mut hunt, at(1), peer(0), 0, 6);
        send(&mut hunt, at(1), peer(0), 1, 6);
        let Got::Whole(draft, _) = send(&mut hunt, at(1), peer(0), 2, 6) else { panic!("it is whole") };
        assert_eq!(hunt.wrong(draft), Some(peer(0)));
    }

    #[test]
    fn of_several_each_has_to_show_its_own() {
        let mut hunt = Hunt::default();
        (0..2).for_each(|n| assert!(hunt.offered(at(0), peer(n), SIZE)));
        hunt.ask(at(0));
        send(&mut hunt, at(1), peer(0), 0, 7);
        send(&mut hunt, at(1), peer(1), 1, 6);
        let Got::Whole(draft, _) = send(&mut hunt, at(1), peer(0), 2, 7) else { panic!("it is whole") };
        assert_eq!(hunt.wrong(draft), None);
        assert_eq!(hunt.ask(at(2)), [(peer(0), vec![0, 1, 2]), (peer(1), vec![0, 1, 2])]);
        for (from, byte) in [(0, 7), (1, 6)] {
            send(&mut hunt, at(3), peer(from), 0, byte);
            send(&mut hunt, at(3), peer(from), 1, byte);
        }
        let Got::Whole(draft, _) = send(&mut hunt, at(3), peer(1), 2, 6) else { panic!("it is whole") };
        assert_eq!(hunt.wrong(draft), Some(peer(1)));
        hunt.gone(peer(1));
        let Got::Whole(draft, whole) = send(&mut hunt, at(5), peer(0), 2, 7) else { panic!("it is whole") };
        assert_eq!((draft, whole), (Draft::Alone(peer(0)), vec![7; SIZE as usize]));
    }

    #[test]
    fn what_cannot_be_is_told_apart() {
        let mut hunt = Hunt::default();
        assert!(!hunt.offered(at(0), peer(0), u32::MAX) && !hunt.offered(at(0), peer(0), 0));
        assert!(hunt.offered(at(0), peer(0), SIZE));
        hunt.ask(at(0));
        assert_eq!(hunt.got(at(0), peer(0), 2, None, vec![0; 16_384]), Got::Absurd);
        assert_eq!(hunt.got(at(0), peer(0), 0, Some(SIZE + 1), vec![0; 16_384]), Got::Absurd);
        assert_eq!(hunt.got(at(0), peer(9), 0, None, vec![0; 16_384]), Got::Pointless);
        assert_eq!(hunt.held(), 0);
    }

    #[test]
    fn large_claims_hold_no_memory_and_make_room() {
        let mut hunt = Hunt::default();
        (0..40).for_each(|n| assert!(hunt.offered(at(0), peer(n), MAX_METADATA - n as u32)));
        let first = hunt.ask(at(0));
        assert_eq!(first.len(), 2);
        assert_eq!(hunt.held(), 0);
        // An honest one comes late, and its turn comes at once, for it asks for less.
        assert!(hunt.offered(at(10), peer(99), SIZE));
        assert_eq!(hunt.ask(at(10)), [(peer(99), vec![0, 1, 2])]);
    }

    #[test]
    fn the_longest_one_has_its_turn_among_drippers_of_the_same_length() {
        let mut hunt = Hunt::default();
        let size = MAX_METADATA;
        (0..10).for_each(|n| assert!(hunt.offered(at(0), peer(n), size)));
        // Once a shared one was wrong, each makes its own.
        hunt.spoiled.insert(size);
        assert!(hunt.offered(at(0), peer(10), size));
        let mut owed: BTreeMap<PeerKey, Vec<u32>> = BTreeMap::new();
        for second in 0..3600 {
            let now = at(second * 1000);
            for (who, pieces) in hunt.ask(now) {
                owed.entry(who).or_default().extend(pieces);
            }
            for n in 0..11 {
                let many = if n == 10 { 1024 } else { usize::from(second % 5 == 0) };
                for _ in 0..many {
                    let Some(piece) = owed.get_mut(&peer(n)).and_then(Vec::pop) else { break };
                    let got = hunt.got(now, peer(n), piece, None, vec![0; 16_384]);
                    if matches!(got, Got::Whole(Draft::Alone(who), _) if who == peer(10)) {
                        return;
                    }
                    owed.entry(peer(n)).or_default().extend(hunt.ask_one(now, peer(n)));
                }
                assert!(hunt.held() <= MEMORY);
            }
        }
        panic!("it waits for ever");
    }
}
