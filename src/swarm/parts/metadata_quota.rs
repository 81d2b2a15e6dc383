//! The upload of the info dictionary to one peer (BEP 9), and its bound.
//!
//! Pieces go out a few at a time, the next ones when those are on their way: a dictionary may be longer than
//! all that may wait for a peer that reads slowly. Each peer may have it a few times over; one that asks
//! on and on is turned down.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::Moment;
use crate::proto::extended::metadata_pieces;

/// Pieces that are sent and may not be out yet.
const AT_ONCE: usize = 16;
/// Requests of a peer that wait.
const MAX_WAITING: usize = 1024;
/// So many times over a peer may have the whole.
const COPIES: u32 = 3;
/// Pieces that a peer may have in any case, for dictionaries of few pieces.
const MIN_PIECES: u32 = 16;
/// After this long it may have it once more.
const REFILL: Duration = Duration::from_secs(120);

/// Requests of one peer for the info dictionary; see the head of this file.
#[derive(Clone, Debug)]
pub struct MetadataQuota {
    waiting: VecDeque<u32>,
    under_way: bool,
    given: u32,
    since: Moment,
}

impl MetadataQuota {
    /// A peer that has not asked for anything.
    pub const fn new(now: Moment) -> Self {
        Self { waiting: VecDeque::new(), under_way: false, given: 0, since: now }
    }

    /// Takes a request for a piece of a dictionary of `len` bytes. Says whether it is granted.
    pub fn asked(&mut self, now: Moment, len: u32, piece: u32) -> bool {
        let pieces = metadata_pieces(len);
        if now.since(self.since) >= REFILL {
            self.since = now;
            self.given = self.given.saturating_sub(pieces.max(MIN_PIECES));
        }
        let allowed = (pieces * COPIES).max(MIN_PIECES);
        if piece >= pieces || self.given >= allowed || self.waiting.len() >= MAX_WAITING {
            return false;
        }
        if !self.waiting.contains(&piece) {
            self.given += 1;
            self.waiting.push_back(piece);
        }
        true
    }

    /// The pieces to send now. Nothing more is sent before [`Self::drained`].
    pub fn next(&mut self) -> Vec<u32> {
        if self.under_way || self.waiting.is_empty() {
            return Vec::new();
        }
        self.under_way = true;
        self.waiting.drain(..self.waiting.len().min(AT_ONCE)).collect()
    }

    /// All pieces that were sent are out.
    pub const fn drained(&mut self) {
        self.under_way = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::START;

    #[test]
    fn pieces_go_out_a_few_at_a_time() {
        let mut quota = MetadataQuota::new(START);
        assert!((0..40).all(|piece| quota.asked(START, 40 * 16_384, piece)));
        assert_eq!(quota.next(), (0..16).collect::<Vec<_>>());
        assert_eq!(quota.next(), [0_u32; 0]);
        quota.drained();
        assert_eq!(quota.next(), (16..32).collect::<Vec<_>>());
        quota.drained();
        assert_eq!(quota.next().len(), 8);
    }

    #[test]
    fn nobody_gets_it_over_and_over() {
        let mut quota = MetadataQuota::new(START);
        let mut get = |now, piece| {
            let given = quota.asked(now, 100_000, piece);
            quota.next();
            quota.drained();
            given
        };
        let given = (0..1000).filter(|n| get(START, n % 7)).count();
        assert_eq!(given, 21, "three times seven pieces");
        assert!(get(START + REFILL, 0) && !get(START + REFILL, 7), "there is no eighth piece");
    }
}
