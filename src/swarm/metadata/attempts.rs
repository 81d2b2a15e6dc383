//! Drafts: which there are, how much room they have, and whose turn it is.

use std::time::Duration;

use super::{MAX_DOUBLINGS, MetadataDownload, Offer, SILENT, SLOW};
use crate::base::Moment;
use crate::proto::extended::{MAX_METADATA, metadata_pieces};
use crate::swarm::event::PeerKey;

/// Bytes that all attempts may have together when they are whole: two of the longest.
pub(super) const MEMORY: u64 = 2 * MAX_METADATA as u64;
/// A attempt may take this long, and longer by its length at [`MIN_RATE`], while others wait for room.
const TURN: Duration = Duration::from_secs(20);
/// Bytes per second.
const MIN_RATE: u32 = 256 * 1024;

/// Whose attempt it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Attempt {
    /// Of all who claim this length.
    Shared(u32),
    /// Of one peer alone.
    Alone(PeerKey),
}

/// One way to the whole.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) size: u32,
    pub(super) began: Moment,
    pub(super) missing: u32,
    pub(super) pieces: Vec<Place>,
}

/// The place of one piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) bytes: Option<(PeerKey, Box<[u8]>)>,
    /// Peers that owe it, without those that let us wait.
    pub(super) askers: u32,
    /// How many have let us wait for it.
    pub(super) slow: u32,
    pub(super) since: Moment,
}

impl MetadataDownload {
    /// The attempt that this peer works on.
    pub(super) fn attempt_of(&self, peer: PeerKey) -> Option<Attempt> {
        let &Offer { size, alone, .. } = self.offers.get(&peer)?;
        Some(if alone || self.spoiled.contains(&size) { Attempt::Alone(peer) } else { Attempt::Shared(size) })
    }

    /// Whether this peer could give and its attempt has no room.
    pub(super) fn waits(&self, peer: PeerKey) -> bool {
        self.attempt_of(peer).is_some_and(|attempt| !self.work.contains_key(&attempt))
    }

    /// Whether a attempt has room, which it is given if there is some.
    pub(super) fn begin(&mut self, now: Moment, attempt: Attempt, peer: PeerKey) -> bool {
        if self.work.contains_key(&attempt) {
            return true;
        }
        let Some(offer) = self.offers.get(&peer) else { return false };
        let (misses, size) = (offer.misses, offer.size);
        let taken: u64 = self.work.values().map(|work| u64::from(work.size)).sum();
        let mut missing = (taken + u64::from(size)).saturating_sub(MEMORY);
        if missing > 0 {
            let mut behind: Vec<(u32, u32, Attempt)> = self
                .work
                .iter()
                .map(|(&attempt, work)| (self.least_misses(attempt), work.size, attempt))
                .filter(|&(its_misses, its_size, _)| (its_misses, its_size) > (misses, size))
                .collect();
            behind.sort_unstable();
            if behind.iter().map(|&(_, size, _)| u64::from(size)).sum::<u64>() < missing {
                return false;
            }
            while missing > 0
                && let Some((_, size, attempt)) = behind.pop()
            {
                self.drop_attempt(attempt);
                missing = missing.saturating_sub(u64::from(size));
            }
        }
        let missing = metadata_pieces(size);
        let pieces = vec![Place::default(); missing as usize];
        self.work.insert(attempt, Work { size, began: now, missing, pieces });
        true
    }

    /// How often the best of those who work on a attempt let us wait.
    pub(super) fn least_misses(&self, attempt: Attempt) -> u32 {
        self.makers(attempt).filter_map(|peer| self.claim(peer)).map(|(_, misses)| misses).min().unwrap_or(0)
    }

    /// A attempt loses its room; says who worked on it.
    pub(super) fn drop_attempt(&mut self, attempt: Attempt) -> Vec<PeerKey> {
        let makers: Vec<PeerKey> = self.makers(attempt).collect();
        self.work.remove(&attempt);
        self.forget_asked(&makers);
        makers
    }

    /// Gives up those who do not answer, and attempts that take too long while others wait for room.
    pub(super) fn give_up(&mut self, now: Moment) {
        let silent = self
            .offers
            .iter()
            .filter(|(_, offer)| !offer.asked.is_empty() && now.since(offer.heard) >= SILENT);
        let silent: Vec<PeerKey> = silent.map(|(&peer, _)| peer).collect();
        for peer in silent {
            self.release(peer);
            self.miss(now, peer);
        }
        let late = |offer: &Offer| !offer.slow && !offer.asked.is_empty() && now.since(offer.heard) >= SLOW;
        let late: Vec<PeerKey> =
            self.offers.iter().filter(|(_, offer)| late(offer)).map(|(&peer, _)| peer).collect();
        for peer in late {
            self.slow_down(peer);
        }
        self.drop_idle();
        let ready = |offer: &Offer| offer.rests.is_none_or(|until| until <= now);
        let waits = self.offers.iter().any(|(&peer, offer)| ready(offer) && self.waits(peer));
        if !waits {
            return;
        }
        let rests =
            |attempt: Attempt| self.makers(attempt).all(|peer| !self.offers.get(&peer).is_some_and(ready));
        let resting: Vec<Attempt> = self.work.keys().copied().filter(|&attempt| rests(attempt)).collect();
        for attempt in resting {
            self.drop_attempt(attempt);
        }
        let late = self.work.iter().filter(|&(&attempt, work)| {
            let turn = TURN + Duration::from_secs(u64::from(work.size / MIN_RATE));
            now.since(work.began) >= turn * (1 << self.least_misses(attempt).min(MAX_DOUBLINGS))
        });
        let late: Vec<Attempt> = late.map(|(&attempt, _)| attempt).collect();
        for attempt in late {
            for peer in self.drop_attempt(attempt) {
                if let Some(offer) = self.offers.get_mut(&peer) {
                    // It goes behind those who wait, and need not rest when there is room again.
                    offer.misses += 1;
                }
            }
        }
    }

    /// The peers that work on an attempt.
    pub(super) fn makers(&self, attempt: Attempt) -> impl Iterator<Item = PeerKey> + '_ {
        self.offers.keys().copied().filter(move |&peer| self.attempt_of(peer) == Some(attempt))
    }

    /// Drafts on which nobody works any more are dropped.
    pub(super) fn drop_idle(&mut self) {
        let idle: Vec<Attempt> =
            self.work.keys().copied().filter(|&attempt| self.makers(attempt).next().is_none()).collect();
        for attempt in idle {
            self.work.remove(&attempt);
        }
    }
}
