//! Attempts at assembling the info dictionary: their memory, and the order in which they get it.

use std::time::Duration;

use super::{MAX_DOUBLINGS, MetadataDownload, Offer, SILENT, SLOW};
use crate::base::Moment;
use crate::proto::extended::{MAX_METADATA, metadata_pieces};
use crate::swarm::event::PeerKey;

/// The memory of all attempts together when complete, in bytes: two of the longest dictionaries.
pub(super) const MEMORY: u64 = 2 * MAX_METADATA as u64;
/// The time that an attempt may take while others wait for memory, plus the time its length takes at
/// [`MIN_RATE`].
const TURN: Duration = Duration::from_secs(20);
/// The slowest rate that an attempt is allowed, in bytes per second.
const MIN_RATE: u32 = 256 * 1024;

/// The key of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Attempt {
    /// The attempt of all peers that claim this length, in bytes.
    Shared(u32),
    /// The attempt of one peer alone.
    Alone(PeerKey),
}

/// The state of an attempt.
#[derive(Clone, Debug)]
pub(super) struct AttemptState {
    pub(super) size: u32,
    pub(super) began: Moment,
    pub(super) missing: u32,
    pub(super) pieces: Vec<PieceSlot>,
}

/// The state of a piece of an attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct PieceSlot {
    pub(super) bytes: Option<(PeerKey, Box<[u8]>)>,
    /// The peers that were asked for the piece, without slow ones.
    pub(super) askers: u32,
    /// The number of peers that were asked for it and were slow.
    pub(super) slow: u32,
    pub(super) since: Moment,
}

impl MetadataDownload {
    /// Returns the attempt that a peer contributes to.
    pub(super) fn attempt_of(&self, peer: PeerKey) -> Option<Attempt> {
        let &Offer { size, alone, .. } = self.offers.get(&peer)?;
        Some(if alone || self.unshared.contains(&size) {
            Attempt::Alone(peer)
        } else {
            Attempt::Shared(size)
        })
    }

    /// Whether the peer could contribute but its attempt has no memory.
    pub(super) fn waits_for_memory(&self, peer: PeerKey) -> bool {
        self.attempt_of(peer).is_some_and(|attempt| !self.work.contains_key(&attempt))
    }

    /// Starts an attempt if there is memory for it. Returns whether it is running.
    pub(super) fn start_attempt(&mut self, now: Moment, attempt: Attempt, peer: PeerKey) -> bool {
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
        let pieces = vec![PieceSlot::default(); missing as usize];
        self.work.insert(attempt, AttemptState { size, began: now, missing, pieces });
        true
    }

    /// Returns the smallest number of misses among the peers of an attempt.
    pub(super) fn least_misses(&self, attempt: Attempt) -> u32 {
        self.contributors(attempt)
            .filter_map(|peer| self.claim(peer))
            .map(|(_, misses)| misses)
            .min()
            .unwrap_or(0)
    }

    /// Drops an attempt to free its memory. Returns the peers that contributed.
    pub(super) fn drop_attempt(&mut self, attempt: Attempt) -> Vec<PeerKey> {
        let contributors: Vec<PeerKey> = self.contributors(attempt).collect();
        self.work.remove(&attempt);
        self.forget_asked(&contributors);
        contributors
    }

    /// Gives up on silent peers, and on attempts that take too long while others wait for memory.
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
        let waits = self.offers.iter().any(|(&peer, offer)| ready(offer) && self.waits_for_memory(peer));
        if !waits {
            return;
        }
        let rests = |attempt: Attempt| {
            self.contributors(attempt).all(|peer| !self.offers.get(&peer).is_some_and(ready))
        };
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
                    // The peer goes behind those that wait, but is asked again as soon as there is memory.
                    offer.misses += 1;
                }
            }
        }
    }

    /// Returns the peers that contribute to an attempt.
    pub(super) fn contributors(&self, attempt: Attempt) -> impl Iterator<Item = PeerKey> + '_ {
        self.offers.keys().copied().filter(move |&peer| self.attempt_of(peer) == Some(attempt))
    }

    /// Drops attempts that no peer contributes to.
    pub(super) fn drop_idle(&mut self) {
        let idle: Vec<Attempt> = self
            .work
            .keys()
            .copied()
            .filter(|&attempt| self.contributors(attempt).next().is_none())
            .collect();
        for attempt in idle {
            self.work.remove(&attempt);
        }
    }
}
