//! The upload of the info dictionary to one peer (BEP 9), and its limit.
//!
//! Pieces are sent a few at a time, the next ones once those are written to the socket: a dictionary can be
//! longer than the send queue of a slow peer. Each peer may download it a few times; further requests are
//! rejected.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::Moment;
use crate::proto::extended::metadata_pieces;

/// The most pieces that are in the send queue at a time.
const AT_ONCE: usize = 16;
/// The most waiting requests of a peer.
const MAX_WAITING: usize = 1024;
/// The number of times that a peer may download the whole dictionary.
const COPIES: u32 = 3;
/// The smallest quota in pieces, for dictionaries of few pieces.
const MIN_PIECES: u32 = 16;
/// The time after which a peer may download the dictionary once more.
const REFILL: Duration = Duration::from_secs(120);

/// The requests of one peer for the info dictionary.
#[derive(Clone, Debug)]
pub struct MetadataQuota {
    waiting: VecDeque<u32>,
    under_way: bool,
    given: u32,
    since: Moment,
}

impl MetadataQuota {
    /// Makes a full quota.
    pub const fn new(now: Moment) -> Self {
        Self { waiting: VecDeque::new(), under_way: false, given: 0, since: now }
    }

    /// Takes a request for a piece of a dictionary of `len` bytes. Returns whether it is granted.
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

    /// Returns the pieces to send now. No more are sent before [`Self::drained`].
    pub fn next(&mut self) -> Vec<u32> {
        if self.under_way || self.waiting.is_empty() {
            return Vec::new();
        }
        self.under_way = true;
        self.waiting.drain(..self.waiting.len().min(AT_ONCE)).collect()
    }

    /// Records that all pieces were written to the socket.
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
