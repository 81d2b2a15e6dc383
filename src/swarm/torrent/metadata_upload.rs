//! The upload of the info dictionary to peers (BEP 9), in every phase.

use super::swarm::Swarm;
use crate::base::Moment;
use crate::proto::extended::{METADATA_PIECE, MetadataMessage};
use crate::proto::message::Message;
use crate::swarm::event::{Output, PeerKey};

impl Swarm {
    /// Handles a request for a piece of the info dictionary. Returns whether it is granted.
    pub fn metadata_requested(
        &mut self,
        now: Moment,
        key: PeerKey,
        piece: u32,
        out: &mut Vec<Output>,
    ) -> bool {
        let len = self.config.info.len() as u32;
        let Some(peer) = self.peers.get_mut(&key) else { return true };
        let Some(id) = peer.metadata_id else { return false };
        let granted = peer.metadata_quota.asked(now, len, piece);
        if granted {
            self.send_metadata(now, key, out);
        } else {
            let body = MetadataMessage::Reject(piece).encode();
            self.send(now, key, Message::Extended { id, body }, out);
        }
        granted
    }

    /// Sends more pieces after everything sent to a peer was written to the socket.
    pub fn drained(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.metadata_quota.drained();
            self.send_metadata(now, key, out);
        }
    }

    /// Sends the pieces that a peer waits for, as many as the quota allows at a time.
    pub fn send_metadata(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let info = self.config.info.clone();
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let Some(id) = peer.metadata_id else { return };
        for piece in peer.metadata_quota.next() {
            let bytes = info.chunks(METADATA_PIECE as usize).nth(piece as usize).unwrap_or_default().to_vec();
            let body = MetadataMessage::Data { piece, total: Some(info.len() as u32), bytes }.encode();
            self.send(now, key, Message::Extended { id, body }, out);
        }
    }
}
