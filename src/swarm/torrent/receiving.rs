//! Received blocks and complete pieces.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::base::{BLOCK_LEN, Block, Moment, Piece, Sha1Digest};
use crate::proto::extended::encode_dont_have;
use crate::proto::message::Message;

use super::connections::Connections;
use super::content::Content;
use super::swarm::Swarm;
use crate::swarm::event::{Note, Output, PeerKey};
use crate::swarm::parts::partial_pieces::{Arrival, PartialPiece};

impl Content {
    pub(super) fn blocks_received(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        blocks: &[Block],
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        peer.heard_at = now;
        let mut losers: BTreeMap<PeerKey, Vec<Block>> = BTreeMap::new();
        let mut accepted = Vec::with_capacity(blocks.len());
        let mut whole = Vec::new();
        for &block in blocks {
            let bytes = u64::from(block.len());
            if let Some(peer) = swarm.peers.get_mut(&key) {
                peer.pipeline.receive(now, block);
                peer.down.add(now, bytes);
            }
            let (others, last) = match self.partial.receive(now, block, key) {
                Arrival::New(others) => (others, false),
                Arrival::Last(others) => (others, true),
                Arrival::Duplicate | Arrival::Stray => {
                    swarm.counters.wasted += bytes;
                    continue;
                }
            };
            swarm.counters.down.add(now, bytes);
            for other in others {
                losers.entry(other).or_default().push(block);
            }
            accepted.push(block);
            whole.extend(last.then(|| block.piece()));
        }
        if !accepted.is_empty() {
            out.push(Output::Accept { blocks: accepted });
        }
        for piece in whole {
            out.push(Output::Verify { piece, digests: self.smart_ban.has_record(piece) });
        }
        for (loser, blocks) in losers {
            self.cancel_requests(swarm, loser, &blocks, out);
        }
        self.wants_requests.insert(key);
    }

    pub(super) fn verified(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        piece: Piece,
        digests: &[Sha1Digest],
        out: &mut Vec<Output>,
    ) {
        if self.close_whole(piece).is_none() {
            return;
        }
        let geometry = self.geometry.clone();
        let lacking = self.progress.lacking().has(piece);
        if !self.progress.gain(&geometry, piece) {
            return;
        }
        for liar in self.smart_ban.verified(piece, digests) {
            self.ban(swarm, now, liar, out);
        }
        for key in swarm.keys() {
            let Some(peer) = swarm.peers.get_mut(&key) else { continue };
            let has = peer.has.has(piece);
            if has {
                peer.interesting -= u32::from(lacking);
            }
            // Peers that have the piece get the message, too: seeds need it to count complete copies.
            swarm.send(now, key, Message::Have(piece.index()), out);
            if has {
                self.show_interest(swarm, now, key, out);
            }
        }
        self.reconsider = true;
        self.finish(swarm, now, out);
    }

    /// Closes a piece that was being verified. A result for any other piece belongs to an earlier opening of
    /// it.
    fn close_whole(&mut self, piece: Piece) -> Option<PartialPiece> {
        self.partial.get(piece).filter(|open| open.is_whole())?;
        self.partial.close(piece)
    }

    /// Finishes the download once no wanted piece is missing.
    pub(super) fn finish(&mut self, swarm: &mut Swarm, now: Moment, out: &mut Vec<Output>) {
        if swarm.finished || !self.progress.lacking().is_empty() {
            return;
        }
        swarm.finished = true;
        out.push(Output::Note(Note::Finished));
        let left = self.left();
        swarm.look_up_complete(now);
        swarm.look_up(now, left, out);
        if self.progress.have().is_full() {
            for (tracker, event) in swarm.announcer.completed() {
                swarm.announce(tracker, event, left, out);
            }
        }
        for key in swarm.keys() {
            swarm.send_handshake(now, key, false, out);
            self.close_if_useless(swarm, now, key, out);
        }
        self.rechoke(swarm, now, out);
    }

    pub(super) fn hash_failed(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        piece: Piece,
        digests: &[Sha1Digest],
        out: &mut Vec<Output>,
    ) {
        let Some(open) = self.close_whole(piece) else { return };
        let restored = u64::from(open.restored()) * u64::from(BLOCK_LEN);
        swarm.counters.wasted += u64::from(self.geometry.len_of(piece)).saturating_sub(restored);
        out.push(Output::Note(Note::HashFailed(piece)));
        let addresses = |keys: Vec<PeerKey>| keys.iter().map(|key| self.senders.get(key).copied()).collect();
        let senders: Option<Vec<SocketAddr>> = open.senders().and_then(addresses);
        // If a sender was forgotten or a block was restored, there is nothing to compare.
        for liar in self.smart_ban.piece_failed(piece, &senders.unwrap_or_default(), digests) {
            self.ban(swarm, now, liar, out);
        }
        self.make_available(swarm, piece);
    }

    /// Handles written runs at the front of a long piece.
    pub(super) fn segment_written(&mut self, piece: Piece, blocks: u32) {
        self.partial.flush(piece, blocks);
        self.reconsider = true;
    }

    pub(super) fn write_failed(&mut self, swarm: &mut Swarm, piece: Piece, out: &mut Vec<Output>) {
        if self.close_whole(piece).is_some() {
            self.make_available(swarm, piece);
        } else if self.is_in_runs(piece) {
            self.abandon(swarm, piece, out);
        }
    }

    pub(super) fn piece_lost(&mut self, swarm: &mut Swarm, now: Moment, piece: Piece, out: &mut Vec<Output>) {
        let geometry = self.geometry.clone();
        if !self.progress.lose(&geometry, piece) {
            return;
        }
        self.make_available(swarm, piece);
        swarm.finished = self.progress.lacking().is_empty();
        let left = self.left();
        swarm.reopen(now, left, out);
        for key in swarm.keys() {
            swarm.withdraw(now, key, piece, out);
            let Some(peer) = swarm.peers.get_mut(&key) else { continue };
            if self.progress.lacking().has(piece) && peer.has.has(piece) {
                peer.interesting += 1;
            }
            if let Some(id) = peer.dont_have_id {
                swarm.send(now, key, Message::Extended { id, body: encode_dont_have(piece.index()) }, out);
            }
            self.show_interest(swarm, now, key, out);
        }
    }
}

impl Swarm {
    pub fn wasted(&mut self, now: Moment, key: PeerKey, bytes: u64) {
        self.counters.wasted += bytes;
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.heard_at = now;
        }
    }
}
