//! The part of the ledger about pieces that are on their way.

use torr::base::{Block, Piece};
use torr::swarm::event::PeerKey;

use super::{Ledger, Open};

impl Ledger {
    pub(super) fn unask(&mut self, peer: PeerKey, block: Block) {
        let Some(askers) = self.askers.get_mut(&block) else { return };
        let Some(at) = askers.iter().position(|&p| p == peer) else { return };
        askers.remove(at);
        if askers.is_empty() {
            self.askers.remove(&block);
        }
        if let Some(side) = self.peers.get_mut(&peer) {
            side.owes -= 1;
        }
        self.open(block.piece(), |open| open.asked -= 1);
    }

    pub(super) fn unask_all(&mut self, peer: PeerKey) {
        let of_peer = |(&block, askers): (&Block, &Vec<PeerKey>)| askers.contains(&peer).then_some(block);
        let blocks: Vec<_> = self.askers.iter().filter_map(of_peer).collect();
        for block in blocks {
            self.unask(peer, block);
        }
    }

    pub(super) fn open(&mut self, piece: Piece, change: impl FnOnce(&mut Open)) {
        let len = u64::from(self.geometry.len_of(piece));
        let was = self.open.contains_key(&piece);
        let open = self.open.entry(piece).or_default();
        change(open);
        let is = open.asked > 0 || !open.landed.is_empty() || open.verifying;
        if !is {
            self.open.remove(&piece);
        }
        match (was, is) {
            (false, true) => self.open_bytes += len,
            (true, false) => self.open_bytes -= len,
            _ => {}
        }
    }
}
