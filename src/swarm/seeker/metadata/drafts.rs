//! Drafts: which there are, how much room they have, and whose turn it is.

use std::time::Duration;

use super::{Hunt, MOST_DOUBLINGS, Offer, SILENT};
use crate::base::Moment;
use crate::proto::extended::{MAX_METADATA, metadata_pieces};
use crate::swarm::event::PeerKey;

/// Bytes that all drafts may have together when they are whole: two of the longest.
pub(super) const MEMORY: u64 = 2 * MAX_METADATA as u64;
/// A draft may take this long, and longer by its length at [`LEAST_RATE`], while others wait for room.
const TURN: Duration = Duration::from_secs(20);
/// Bytes per second.
const LEAST_RATE: u32 = 256 * 1024;

/// Whose draft it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Draft {
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
    pub(super) askers: u32,
    pub(super) since: Moment,
}

impl Hunt {
    /// Which draft this peer works on.
    pub(super) fn draft_of(&self, peer: PeerKey) -> Option<Draft> {
        let size = self.offers.get(&peer)?.size;
        Some(if self.spoiled.contains(&size) { Draft::Alone(peer) } else { Draft::Shared(size) })
    }

    /// Whether this peer could give and its draft has no room.
    pub(super) fn waits(&self, peer: PeerKey) -> bool {
        self.draft_of(peer).is_some_and(|draft| !self.work.contains_key(&draft))
    }

    /// Whether a draft has room, which it is given if there is some.
    pub(super) fn begin(&mut self, now: Moment, draft: Draft, peer: PeerKey) -> bool {
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
    pub(super) fn least_misses(&self, draft: Draft) -> u32 {
        self.makers(draft).filter_map(|peer| self.claim(peer)).map(|(_, misses)| misses).min().unwrap_or(0)
    }

    /// A draft loses its room; says who worked on it.
    pub(super) fn drop_draft(&mut self, draft: Draft) -> Vec<PeerKey> {
        let makers: Vec<PeerKey> = self.makers(draft).collect();
        self.work.remove(&draft);
        self.forget_asked(&makers);
        makers
    }

    /// Gives up those who do not answer, and drafts that take too long while others wait for room.
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
    pub(super) fn makers(&self, draft: Draft) -> impl Iterator<Item = PeerKey> + '_ {
        self.offers.keys().copied().filter(move |&peer| self.draft_of(peer) == Some(draft))
    }

    /// Drafts on which nobody works any more are dropped.
    pub(super) fn drop_idle(&mut self) {
        let idle: Vec<Draft> =
            self.work.keys().copied().filter(|&draft| self.makers(draft).next().is_none()).collect();
        for draft in idle {
            self.work.remove(&draft);
        }
    }
}
