//! The smart ban, which finds the peer that sent wrong blocks.
//!
//! A failed piece leaves a record of the digest of each block and its sender. When the piece finally
//! verifies, the peers that sent blocks with other digests lied, and no others did. A peer that sent a whole
//! wrong piece alone is found at once.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::base::{Piece, Sha1Digest};

/// The most pieces with records; those of the lowest pieces are dropped first.
const MAX_RECORDS: usize = 256;
/// The most failures of one piece that are recorded.
const MAX_FAILURES: usize = 8;

/// The sender of a block, and the block's digest.
type Sent = (SocketAddr, Sha1Digest);

/// The records of failed pieces.
#[derive(Clone, Debug, Default)]
pub struct SmartBan {
    records: BTreeMap<Piece, Vec<Vec<Sent>>>,
}

impl SmartBan {
    /// Whether the piece has failed before, so that its block digests are needed.
    pub fn has_record(&self, piece: Piece) -> bool {
        self.records.contains_key(&piece)
    }

    /// Whether this address sent a block of the piece when it failed.
    pub fn is_suspect(&self, piece: Piece, addr: SocketAddr) -> bool {
        self.records.get(&piece).is_some_and(|r| r.iter().flatten().any(|&(sender, _)| sender == addr))
    }

    /// Records a failed piece, with the sender and digest of each block. Returns the addresses that are known
    /// to have lied.
    pub fn piece_failed(
        &mut self,
        piece: Piece,
        senders: &[SocketAddr],
        digests: &[Sha1Digest],
    ) -> Vec<SocketAddr> {
        if let Some(&first) = senders.first()
            && senders.iter().all(|&sender| sender == first)
        {
            return vec![first];
        }
        if digests.len() == senders.len() {
            if self.records.len() >= MAX_RECORDS && !self.has_record(piece) {
                self.records.pop_first();
            }
            let failures = self.records.entry(piece).or_default();
            failures.truncate(MAX_FAILURES - 1);
            failures.push(senders.iter().copied().zip(digests.iter().copied()).collect());
        }
        Vec::new()
    }

    /// Compares a verified piece with its records. Returns the addresses that sent wrong blocks.
    pub fn verified(&mut self, piece: Piece, digests: &[Sha1Digest]) -> Vec<SocketAddr> {
        let mut liars: Vec<SocketAddr> = Vec::new();
        for failure in self.records.remove(&piece).unwrap_or_default() {
            if failure.len() == digests.len() {
                let wrong = failure.iter().zip(digests).filter(|((_, sent), right)| sent != *right);
                liars.extend(wrong.map(|((sender, _), _)| *sender));
            }
        }
        liars.sort_unstable();
        liars.dedup();
        liars
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Geometry;

    fn ip(n: u8) -> SocketAddr {
        ([10, 0, 0, n], 0).into()
    }

    #[test]
    fn exactly_those_who_sent_other_bytes_are_found() {
        let piece = Geometry::single(65_536, 65_536).unwrap().piece(0).unwrap();
        let mut ban = SmartBan::default();
        assert!(ban.piece_failed(piece, &[ip(1), ip(2), ip(3)], &[[1; 20], [0xbd; 20], [3; 20]]).is_empty());
        assert!(
            ban.is_suspect(piece, ip(1)) && ban.is_suspect(piece, ip(2)) && !ban.is_suspect(piece, ip(9))
        );
        assert_eq!(ban.verified(piece, &[[1; 20], [2; 20], [3; 20]]), [ip(2)]);
        assert!(!ban.has_record(piece));
    }

    #[test]
    fn who_sent_all_of_a_wrong_piece_is_found_at_once() {
        let piece = Geometry::single(65_536, 65_536).unwrap().piece(0).unwrap();
        let mut ban = SmartBan::default();
        assert_eq!(ban.piece_failed(piece, &[ip(1), ip(1)], &[[1; 20]; 2]), [ip(1)]);
        assert!(!ban.has_record(piece));
    }

    #[test]
    fn records_stay_bounded() {
        let geometry = Geometry::single(1, 1000).unwrap();
        let mut ban = SmartBan::default();
        for piece in geometry.pieces() {
            for _ in 0..20 {
                ban.piece_failed(piece, &[ip(1), ip(2)], &[[1; 20]; 2]);
            }
        }
        assert_eq!(ban.records.len(), MAX_RECORDS);
        assert!(ban.records.values().all(|failures| failures.len() <= MAX_FAILURES));
    }
}
