//! Read-ahead: pieces that a reader needs next are downloaded first, and no slow peer holds them up.

use std::time::Duration;

use crate::base::{Block, Moment, Piece};

use super::content::Content;
use super::requesting::DUPLICATE_GAIN;
use super::swarm::Swarm;
use crate::swarm::event::{Output, PeerKey};

impl Content {
    /// Chooses the next read-ahead piece to request from a peer: the first partial one, or else the first
    /// that can be opened.
    pub(super) fn choose_ahead(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        out: &mut Vec<Output>,
    ) -> Option<Piece> {
        if self.ahead.is_empty() {
            return None;
        }
        let peer = swarm.peers.get(&key)?;
        let begun = self.partial.with_free().filter(|(piece, open)| {
            self.ahead.contains(&piece.index())
                && peer.may_give(*piece)
                && !self.smart_ban.is_suspect(*piece, peer.address_owner())
                && (open.owner == Some(key) || !swarm.is_reserved(now, open))
        });
        let begun = begun.map(|(piece, _)| piece).min();
        begun.or_else(|| self.open_piece(swarm, now, key, Some(self.ahead.clone()), out))
    }

    /// Chooses blocks of the piece that the reader needs next to request from this peer, too: all are
    /// requested from others, but this peer would send them sooner.
    pub(super) fn choose_ahead_duplicates(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        most: usize,
    ) -> Vec<Block> {
        let Some(piece) = self.waited_for(swarm, now, key) else { return Vec::new() };
        let Some(peer) = swarm.peers.get_mut(&key) else { return Vec::new() };
        peer.next_duplicates = now + Duration::from_secs(1);
        let limit = peer.pipeline.eta(now, peer.down.rate(now)) + DUPLICATE_GAIN;
        let late = |first: &PeerKey| {
            swarm.peers.get(first).is_none_or(|peer| peer.pipeline.eta(now, peer.down.rate(now)) > limit)
        };
        let owed = self.partial.duplicate_candidates(&self.geometry, piece, key);
        let blocks: Vec<Block> =
            owed.filter(|(_, first, _)| late(first)).map(|(block, ..)| block).take(most).collect();
        for &block in &blocks {
            self.partial.add_duplicate(block, key);
        }
        blocks
    }

    /// Returns the first missing read-ahead piece, if this peer could help with it now.
    fn waited_for(&self, swarm: &Swarm, now: Moment, key: PeerKey) -> Option<Piece> {
        let peer = swarm.peers.get(&key).filter(|_| !self.ahead.is_empty())?;
        if now < peer.next_duplicates || peer.pipeline.is_snubbed() {
            return None;
        }
        let lacking = self.progress.lacking();
        let mut ahead = self.ahead.clone().filter_map(|index| self.geometry.piece(index));
        let piece = ahead.find(|&piece| lacking.has(piece)).filter(|&piece| peer.may_give(piece))?;
        let open = self.partial.get(piece)?;
        (open.free() == 0 && !open.is_whole() && !swarm.is_reserved(now, open)).then_some(piece)
    }
}
