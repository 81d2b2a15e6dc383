//! What peers say.

use std::net::SocketAddr;

use crate::base::{Bitfield, Moment, Piece};
use crate::proto::extended::{Extension, HANDSHAKE_ID, decode_dont_have};
use crate::proto::message::Message;

use super::event::{Departure, Output, PeerKey};
use super::peer::{Counted, Peer};
use super::torrent::Torrent;

impl Torrent {
    pub(super) fn heard(&mut self, now: Moment, key: PeerKey, message: Message, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.heard_at = now;
        let fast = peer.fast();
        match message {
            Message::KeepAlive => {}
            Message::Choke => self.choked(key),
            Message::Unchoke => self.unchoked(key),
            Message::Interested => self.wanted(now, key, true, out),
            Message::NotInterested => self.wanted(now, key, false, out),
            Message::Have(index) => self.has(now, key, index, out),
            Message::Bitfield(bytes) => match Bitfield::from_bytes(&bytes, self.geometry.piece_count()) {
                Some(bits) if peer.told => self.told_again(now, key, &bits, out),
                Some(bits) => self.told(now, key, bits, out),
                None => self.close(now, key, Departure::Protocol, out),
            },
            Message::HaveAll if fast && !peer.told => {
                self.told(now, key, Bitfield::all(self.geometry.piece_count()), out);
            }
            Message::HaveNone if fast && !peer.told => {
                self.told(now, key, Bitfield::none(self.geometry.piece_count()), out);
            }
            Message::Request(wanted) => self.requested(now, key, wanted, out),
            Message::Cancel(wanted) => self.cancelled(now, key, wanted, out),
            Message::Reject(wanted) if fast => {
                match self.geometry.block_at(wanted.piece, wanted.begin, wanted.len) {
                    Some(block) => self.rejected(now, key, block, out),
                    None => self.close(now, key, Departure::Protocol, out),
                }
            }
            Message::Suggest(index) if fast => self.hinted(now, key, index, |peer| &mut peer.suggested, out),
            Message::AllowedFast(index) if fast => {
                self.hinted(now, key, index, |peer| &mut peer.allowed_us, out);
            }
            Message::Extended { id: HANDSHAKE_ID, body } => self.shake(now, key, &body, out),
            Message::Extended { id, body } => self.extended(now, key, id, &body, out),
            Message::Port(port) => self.told_port(now, key, port, out),
            Message::Unknown(_) => self.strike(now, key, out),
            Message::HaveAll
            | Message::HaveNone
            | Message::Reject(_)
            | Message::Suggest(_)
            | Message::AllowedFast(_) => self.close(now, key, Departure::Protocol, out),
        }
    }

    /// It told where its node of the DHT is (BEP 5). Once is enough, and no use where the DHT is not used.
    fn told_port(&mut self, now: Moment, key: PeerKey, port: u16, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if self.lookups.is_none() || port == 0 || std::mem::replace(&mut peer.told_port, true) {
            return self.strike(now, key, out);
        }
        out.push(Output::Node { addr: SocketAddr::new(peer.addr.ip(), port) });
    }

    /// It told which pieces it has, all at once.
    fn told(&mut self, now: Moment, key: PeerKey, bits: Bitfield, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.told = true;
        if peer.has.is_empty() && bits.is_full() {
            self.rarity.seed_came();
            peer.counted = Counted::Seed;
        } else {
            // Some clients say `have` first and tell the rest afterwards.
            for piece in bits.iter().filter(|&piece| !peer.has.has(piece)) {
                self.rarity.up(piece, &mut self.rng);
            }
            for piece in peer.has.iter().filter(|&piece| !bits.has(piece)) {
                self.rarity.down(piece, &mut self.rng);
            }
        }
        peer.has = bits;
        peer.was_incomplete = !peer.has.is_full();
        peer.interesting = self.progress.interesting(&peer.has);
        self.show_interest(now, key, out);
        self.allow_fast(now, key, out);
        self.close_if_useless(now, key, out);
    }

    /// It told its pieces once more. aria2 does so instead of many `have`, where that is shorter.
    fn told_again(&mut self, now: Moment, key: PeerKey, bits: &Bitfield, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get(&key) else { return };
        let new: Vec<Piece> = bits.iter().filter(|&piece| !peer.has.has(piece)).collect();
        if new.is_empty() {
            return self.strike(now, key, out);
        }
        for piece in new {
            self.has(now, key, piece.index(), out);
        }
    }

    /// It has one more piece.
    fn has(&mut self, now: Moment, key: PeerKey, index: u32, out: &mut Vec<Output>) {
        let Some(piece) = self.geometry.piece(index) else {
            return self.close(now, key, Departure::Protocol, out);
        };
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if !peer.has.insert(piece) {
            return self.strike(now, key, out);
        }
        if peer.counted == Counted::Each {
            self.rarity.up(piece, &mut self.rng);
        }
        if peer.has.is_full() && peer.was_incomplete {
            peer.was_incomplete = false;
            // It may be connected twice, and anybody can say that it has all: who took nothing from us counts not.
            if peer.up.total() > 0 {
                self.copies.made(peer.id);
            }
        }
        if self.progress.lacking().has(piece) {
            peer.interesting += 1;
            self.hungry.insert(key);
            self.show_interest(now, key, out);
        }
        self.close_if_useless(now, key, out);
    }

    /// It lost a piece (BEP 54).
    fn has_not(&mut self, now: Moment, key: PeerKey, piece: Piece, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.has.has(piece) {
            if peer.counted == Counted::Seed {
                // It is no seed any more: from now on its pieces are counted one by one.
                self.rarity.seed_left();
                peer.counted = Counted::Each;
                for held in peer.has.iter() {
                    self.rarity.up(held, &mut self.rng);
                }
            }
            peer.has.remove(piece);
            self.rarity.down(piece, &mut self.rng);
            let owed: Vec<_> = peer.pipeline.owed().iter().filter(|b| b.piece() == piece).copied().collect();
            if self.progress.lacking().has(piece) {
                peer.interesting -= 1;
            }
            self.take_back(key, &owed, out);
            self.show_interest(now, key, out);
        }
        // Coming and going costs us work, so it cannot be had for nothing.
        self.strike(now, key, out);
    }

    fn hinted(
        &mut self,
        now: Moment,
        key: PeerKey,
        index: u32,
        hints: fn(&mut Peer) -> &mut Vec<Piece>,
        out: &mut Vec<Output>,
    ) {
        let Some(piece) = self.geometry.piece(index) else {
            return self.close(now, key, Departure::Protocol, out);
        };
        if let Some(peer) = self.peers.get_mut(&key) {
            Peer::hint(hints(peer), piece);
            self.hungry.insert(key);
            self.strike(now, key, out);
        }
    }

    fn extended(&mut self, now: Moment, key: PeerKey, id: u8, body: &[u8], out: &mut Vec<Output>) {
        match Extension::from_our_id(id) {
            Some(Extension::DontHave) => {
                match decode_dont_have(body).and_then(|index| self.geometry.piece(index)) {
                    Some(piece) => self.has_not(now, key, piece, out),
                    None => self.strike(now, key, out),
                }
            }
            Some(Extension::UploadOnly) => {
                if let Some(peer) = self.peers.get_mut(&key) {
                    peer.upload_only = body.first().is_some_and(|&byte| byte != 0);
                }
                self.strike(now, key, out);
                self.close_if_useless(now, key, out);
            }
            Some(Extension::Pex) if self.exchanges() => self.told_of(now, key, body, out),
            Some(Extension::Metadata) => self.metadata(now, key, body, out),
            _ => self.strike(now, key, out),
        }
    }

    /// Tells a peer whether we want something of it, if that has changed.
    pub(super) fn show_interest(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let interested = peer.interesting > 0;
        if interested == peer.interested {
            return;
        }
        peer.interested = interested;
        peer.interest_at = now;
        if interested {
            self.hungry.insert(key);
        }
        let message = if interested { Message::Interested } else { Message::NotInterested };
        self.say(now, key, message, out);
    }
}
