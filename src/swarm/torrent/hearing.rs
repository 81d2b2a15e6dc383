//! Handling of peer messages.

use std::net::SocketAddr;

use super::Torrent;
use super::connections::Connections;
use super::content::Content;
use super::peer::{Counted, Peer};
use super::phase::Phase;
use super::swarm::Swarm;
use crate::base::{Bitfield, Moment, Piece};
use crate::proto::extended::{Extended, MetadataMessage};
use crate::proto::message::Message;
use crate::swarm::event::{DisconnectReason, Output, PeerKey};

impl Torrent {
    /// Handles a message of a peer.
    pub(super) fn handle_message(
        &mut self,
        now: Moment,
        key: PeerKey,
        message: Message,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = self.swarm.peers.get_mut(&key) else { return };
        peer.heard_at = now;
        match message {
            Message::KeepAlive => {}
            Message::Port(port) => self.handle_port(now, key, port, out),
            Message::Unknown(_) => self.phase.strike(&mut self.swarm, now, key, out),
            Message::Extended { id, body } => self.handle_extended(now, key, id, &body, out),
            message => match &mut self.phase {
                Phase::Metadata(download) => download.handle_message(&mut self.swarm, now, key, message, out),
                Phase::Content(content) => content.handle_message(&mut self.swarm, now, key, message, out),
            },
        }
    }

    /// Handles a port message, the address of the peer's DHT node (BEP 5). A second one, or one that we
    /// cannot use, counts as a strike.
    fn handle_port(&mut self, now: Moment, key: PeerKey, port: u16, out: &mut Vec<Output>) {
        let Some(peer) = self.swarm.peers.get_mut(&key) else { return };
        if self.swarm.dht_schedule.is_none() || port == 0 || std::mem::replace(&mut peer.sent_port, true) {
            return self.phase.strike(&mut self.swarm, now, key, out);
        }
        out.push(Output::AddDhtNode { addr: SocketAddr::new(peer.addr.ip(), port) });
    }

    /// Handles an extended message (BEP 10).
    fn handle_extended(&mut self, now: Moment, key: PeerKey, id: u8, body: &[u8], out: &mut Vec<Output>) {
        let swarm = &mut self.swarm;
        if !swarm.peers.get(&key).is_some_and(|peer| peer.reserved.extended()) {
            // The peer's handshake did not offer the extension protocol, so it gets no reply in it.
            return self.phase.strike(swarm, now, key, out);
        }
        let is_fair = match Extended::decode(id, body) {
            Ok(Extended::Handshake(hand)) => return self.handle_handshake(now, key, *hand, out),
            Ok(Extended::Pex(message)) => swarm.handle_pex(now, key, message),
            Ok(Extended::Metadata(MetadataMessage::Request(piece))) => {
                swarm.metadata_requested(now, key, piece, out)
            }
            Ok(Extended::UploadOnly(upload_only)) => {
                if let Some(peer) = swarm.peers.get_mut(&key) {
                    peer.upload_only = upload_only;
                }
                self.phase.strike(swarm, now, key, out);
                if let Phase::Content(content) = &mut self.phase {
                    content.close_if_useless(swarm, now, key, out);
                }
                return;
            }
            Ok(message) => match &mut self.phase {
                Phase::Metadata(download) => return download.handle_extended(swarm, now, key, message, out),
                Phase::Content(content) => return content.handle_extended(swarm, now, key, &message, out),
            },
            Err(_) => false,
        };
        if !is_fair {
            self.phase.strike(swarm, now, key, out);
        }
    }
}

impl Content {
    /// Handles a message about pieces.
    pub(super) fn handle_message(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        message: Message,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        let fast = peer.fast();
        match message {
            Message::Choke => self.choked(swarm, key),
            Message::Unchoke => self.unchoked(swarm, key),
            Message::Interested => self.wanted(swarm, now, key, true, out),
            Message::NotInterested => self.wanted(swarm, now, key, false, out),
            Message::Have(index) => self.add_piece(swarm, now, key, index, out),
            Message::Bitfield(bytes) => match Bitfield::from_bytes(&bytes, self.geometry.piece_count()) {
                Some(bits) if peer.sent_pieces => self.add_pieces(swarm, now, key, &bits, out),
                Some(bits) => self.set_pieces(swarm, now, key, bits, out),
                None => self.close(swarm, now, key, DisconnectReason::Protocol, out),
            },
            Message::HaveAll if fast && !peer.sent_pieces => {
                self.set_pieces(swarm, now, key, Bitfield::all(self.geometry.piece_count()), out);
            }
            Message::HaveNone if fast && !peer.sent_pieces => {
                self.set_pieces(swarm, now, key, Bitfield::none(self.geometry.piece_count()), out);
            }
            Message::Request(wanted) => self.requested(swarm, now, key, wanted, out),
            Message::Cancel(wanted) => self.cancelled(swarm, now, key, wanted, out),
            Message::Reject(wanted) if fast => {
                match self.geometry.block_at(wanted.piece, wanted.begin, wanted.len) {
                    Some(block) => self.rejected(swarm, now, key, block, out),
                    None => self.close(swarm, now, key, DisconnectReason::Protocol, out),
                }
            }
            Message::Suggest(index) if fast => {
                self.add_hint(swarm, now, key, index, |peer| &mut peer.suggested, out);
            }
            Message::AllowedFast(index) if fast => {
                self.add_hint(swarm, now, key, index, |peer| &mut peer.allowed_us, out);
            }
            // These were handled before, whatever the phase.
            Message::KeepAlive | Message::Port(_) | Message::Unknown(_) | Message::Extended { .. } => {}
            Message::HaveAll
            | Message::HaveNone
            | Message::Reject(_)
            | Message::Suggest(_)
            | Message::AllowedFast(_) => self.close(swarm, now, key, DisconnectReason::Protocol, out),
        }
    }

    /// Handles a bitfield, have-all or have-none message.
    fn set_pieces(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        bits: Bitfield,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        peer.sent_pieces = true;
        if peer.has.is_empty() && bits.is_full() {
            self.rarity.seed_came();
            peer.counted = Counted::Seed;
        } else {
            // Some clients send have messages first, and the bitfield afterwards.
            for piece in bits.iter().filter(|&piece| !peer.has.has(piece)) {
                self.rarity.up(piece, &mut swarm.rng);
            }
            for piece in peer.has.iter().filter(|&piece| !bits.has(piece)) {
                self.rarity.down(piece, &mut swarm.rng);
            }
        }
        peer.has = bits;
        peer.was_incomplete = !peer.has.is_full();
        peer.interesting = self.progress.interesting(&peer.has);
        self.show_interest(swarm, now, key, out);
        self.allow_fast(swarm, now, key, out);
        self.close_if_useless(swarm, now, key, out);
    }

    /// Handles a further bitfield. aria2 sends one in place of many have messages if it is shorter.
    fn add_pieces(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        bits: &Bitfield,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = swarm.peers.get(&key) else { return };
        let new: Vec<Piece> = bits.iter().filter(|&piece| !peer.has.has(piece)).collect();
        if new.is_empty() {
            return self.strike(swarm, now, key, out);
        }
        for piece in new {
            self.add_piece(swarm, now, key, piece.index(), out);
        }
    }

    /// Handles a have message.
    fn add_piece(&mut self, swarm: &mut Swarm, now: Moment, key: PeerKey, index: u32, out: &mut Vec<Output>) {
        let Some(piece) = self.geometry.piece(index) else {
            return self.close(swarm, now, key, DisconnectReason::Protocol, out);
        };
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        if !peer.has.insert(piece) {
            return self.strike(swarm, now, key, out);
        }
        if peer.counted == Counted::Each {
            self.rarity.up(piece, &mut swarm.rng);
        }
        if peer.has.is_full() && peer.was_incomplete {
            peer.was_incomplete = false;
            // Peers that downloaded nothing from us do not count: anyone can claim to be complete, or connect
            // twice.
            if peer.up.total() > 0 {
                self.completions.record(peer.id);
            }
        }
        if self.progress.lacking().has(piece) {
            peer.interesting += 1;
            self.wants_requests.insert(key);
            self.show_interest(swarm, now, key, out);
        }
        self.close_if_useless(swarm, now, key, out);
    }

    /// Records that a peer has lost a piece (BEP 54).
    fn remove_piece(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        piece: Piece,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        if peer.has.has(piece) {
            if peer.counted == Counted::Seed {
                // The peer is not a seed any more: from now on its pieces are counted one by one.
                self.rarity.seed_left();
                peer.counted = Counted::Each;
                for held in peer.has.iter() {
                    self.rarity.up(held, &mut swarm.rng);
                }
            }
            peer.has.remove(piece);
            self.rarity.down(piece, &mut swarm.rng);
            let owed: Vec<_> =
                peer.pipeline.pending().iter().filter(|b| b.piece() == piece).copied().collect();
            if self.progress.lacking().has(piece) {
                peer.interesting -= 1;
            }
            self.cancel_requests(swarm, key, &owed, out);
            self.show_interest(swarm, now, key, out);
        }
        // Losing and regaining pieces costs us work, so each loss counts as a strike.
        self.strike(swarm, now, key, out);
    }

    fn add_hint(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        index: u32,
        hints: fn(&mut Peer) -> &mut Vec<Piece>,
        out: &mut Vec<Output>,
    ) {
        let Some(piece) = self.geometry.piece(index) else {
            return self.close(swarm, now, key, DisconnectReason::Protocol, out);
        };
        if let Some(peer) = swarm.peers.get_mut(&key) {
            Peer::hint(hints(peer), piece);
            self.wants_requests.insert(key);
            self.strike(swarm, now, key, out);
        }
    }

    /// Handles an extended message about pieces, or one that is no longer useful.
    fn handle_extended(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        message: &Extended,
        out: &mut Vec<Output>,
    ) {
        match message {
            &Extended::DontHave(index) => self.handle_dont_have(swarm, now, key, index, out),
            // Duplicate metadata pieces may arrive after the download of the info dictionary has ended.
            _ => self.strike(swarm, now, key, out),
        }
    }

    /// Handles an `lt_donthave` message, unless the piece does not exist (BEP 54).
    pub(super) fn handle_dont_have(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        index: u32,
        out: &mut Vec<Output>,
    ) {
        match self.geometry.piece(index) {
            Some(piece) => self.remove_piece(swarm, now, key, piece, out),
            None => self.strike(swarm, now, key, out),
        }
    }

    /// Sends interested or not interested, if that has changed.
    pub(super) fn show_interest(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        let interested = peer.interesting > 0;
        if interested == peer.interested {
            return;
        }
        peer.interested = interested;
        peer.interest_at = now;
        if interested {
            self.wants_requests.insert(key);
        }
        let message = if interested { Message::Interested } else { Message::NotInterested };
        swarm.send(now, key, message, out);
    }
}
