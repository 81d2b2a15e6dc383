//! What peers say, and the dictionary as it comes.

use std::net::SocketAddr;

use super::metadata::Got;
use super::{Seeker, Timer};
use crate::base::{InfoHash, Moment};
use crate::hash::{sha1, sha256};
use crate::proto::extended::{ExtendedHandshake, Extension, HANDSHAKE_ID, MetadataMessage, decode_dont_have};
use crate::proto::message::Message;
use crate::proto::metainfo::Metainfo;
use crate::swarm::event::{Departure, Output, PeerKey, Source};
use crate::swarm::lending::piece_of;

/// Extension handshakes a peer may send before each counts as a strike.
const HANDSHAKES: u32 = 4;

impl Seeker {
    pub(super) fn heard(&mut self, now: Moment, key: PeerKey, message: Message, out: &mut Vec<Output>) {
        let Some(contact) = self.contacts.get_mut(&key) else { return };
        contact.heard_at = now;
        let fast = contact.hello.reserved.fast();
        match message {
            Message::KeepAlive => return,
            Message::Have(_) | Message::Bitfield(_) | Message::HaveAll | Message::HaveNone => {}
            Message::Extended { id: HANDSHAKE_ID, body } => return self.shake(now, key, &body, out),
            Message::Extended { id, body } => return self.extended(now, key, id, &body, out),
            Message::Request(wanted) => {
                if fast {
                    self.say(now, key, Message::Reject(wanted), out);
                }
                return self.strike(now, key, out);
            }
            Message::Port(port) => {
                if port != 0 && self.lookups.is_some() && !std::mem::replace(&mut contact.told_port, true) {
                    out.push(Output::Node { addr: SocketAddr::new(contact.addr.ip(), port) });
                    return;
                }
                return self.strike(now, key, out);
            }
            _ => {
                // They cost little, and are never needed often.
                if contact.strike() {
                    return self.close(now, key, Departure::Protocol, out);
                }
            }
        }
        let Some(contact) = self.contacts.get_mut(&key) else { return };
        match contact.hearsay.heard(message, fast) {
            Ok(true) => self.show_interest(now, key, out),
            Ok(false) => self.strike(now, key, out),
            Err(_) => self.close(now, key, Departure::Protocol, out),
        }
    }

    /// Tells a peer that has pieces that we want some, if we do. Until it lets us in, the dictionary may be here.
    fn show_interest(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let eager = self.config.eager;
        let Some(contact) = self.contacts.get_mut(&key) else { return };
        if eager && !contact.interested && contact.hearsay.has_any() {
            contact.interested = true;
            self.say(now, key, Message::Interested, out);
        }
    }

    /// An extension handshake came.
    fn shake(&mut self, now: Moment, key: PeerKey, body: &[u8], out: &mut Vec<Output>) {
        let Some(contact) = self.contacts.get_mut(&key) else { return };
        contact.handshakes += 1;
        let repeated = contact.handshakes > HANDSHAKES;
        let Ok(hand) = ExtendedHandshake::decode(body) else { return self.strike(now, key, out) };
        if let (Some(port), true) = (hand.port, contact.incoming && contact.listens.is_none()) {
            let addr = SocketAddr::new(contact.addr.ip(), port);
            contact.listens = Some(addr);
            self.candidates.add(now, Source::Incoming, addr);
            self.candidates.connected(addr);
        }
        contact.hearsay.shook(hand);
        let one_by_one = contact.answers_one_at_a_time();
        let size = contact.hearsay.hand().and_then(|hand| hand.metadata_size).filter(|&size| size > 0);
        if let (Some(size), true, false) = (size, contact.metadata_id().is_some(), self.found) {
            if !self.hunt.offered(now, key, size) {
                // It lies, or the dictionary is longer than we take from anybody.
                self.too_long = self.too_long.saturating_add(1);
                return self.close(now, key, Departure::Useless, out);
            }
            if one_by_one {
                self.hunt.one_by_one(key);
            }
            self.ask(now, out);
        }
        // It may have said where it listens, or that it takes part in the exchange.
        self.news(now);
        if repeated {
            self.strike(now, key, out);
        }
    }

    fn extended(&mut self, now: Moment, key: PeerKey, id: u8, body: &[u8], out: &mut Vec<Output>) {
        match Extension::from_our_id(id) {
            Some(Extension::Metadata) => {}
            Some(Extension::Pex) if self.exchanges() => return self.told_of(now, key, body, out),
            Some(Extension::DontHave) => {
                let Some(contact) = self.contacts.get_mut(&key) else { return };
                let lost = decode_dont_have(body).map(|piece| contact.hearsay.has_not(piece));
                if lost.is_some_and(|kept| kept.is_err()) {
                    return self.close(now, key, Departure::Protocol, out);
                }
                return self.strike(now, key, out);
            }
            Some(Extension::UploadOnly) => {
                if let Some(contact) = self.contacts.get_mut(&key) {
                    contact.hearsay.upload_only(body);
                }
                return self.strike(now, key, out);
            }
            _ => return self.strike(now, key, out),
        }
        match MetadataMessage::decode(body) {
            Ok(MetadataMessage::Request(piece)) => self.wanted(now, key, piece, out),
            Ok(MetadataMessage::Data { piece, total, bytes }) => {
                self.received = self.received.saturating_add(bytes.len() as u64);
                if let Some(contact) = self.contacts.get_mut(&key) {
                    contact.gave = contact.gave.saturating_add(bytes.len() as u64);
                }
                match self.hunt.got(now, key, piece, total, bytes) {
                    Got::Taken => {
                        let asked = self.hunt.ask_one(now, key);
                        self.ask_of(now, key, asked, out);
                    }
                    // What two were asked for comes twice.
                    Got::Pointless => {
                        if !self.found {
                            let asked = self.hunt.ask_one(now, key);
                            self.ask_of(now, key, asked, out);
                        }
                        self.strike(now, key, out);
                    }
                    Got::Absurd => self.close(now, key, Departure::Protocol, out),
                    Got::Whole(draft, whole) if is_it(self.config.info_hash, &whole) => {
                        let _ = draft;
                        self.find(now, whole, out);
                    }
                    Got::Whole(draft, _) => {
                        if let Some(liar) = self.hunt.wrong(draft) {
                            self.ban(now, liar, out);
                        }
                        self.ask(now, out);
                    }
                }
            }
            Ok(MetadataMessage::Reject(piece)) => {
                if !self.hunt.refused(now, key, piece) {
                    self.strike(now, key, out);
                }
                self.ask(now, out);
            }
            Ok(MetadataMessage::Unknown) | Err(_) => self.strike(now, key, out),
        }
    }

    /// The dictionary is here.
    fn find(&mut self, now: Moment, whole: Vec<u8>, out: &mut Vec<Output>) {
        self.found = true;
        self.hunt = super::Hunt::default();
        self.timers.stop(Timer::Ask);
        let metainfo = Metainfo::from_info(&whole).and_then(Metainfo::downloadable);
        if metainfo.as_ref().is_ok_and(Metainfo::is_private) {
            // Whoever knows the name of a private torrent need not be one of those it is for.
            self.turn_private(now, out);
        } else {
            self.info = whole.into();
        }
        out.push(Output::Metadata(metainfo.map(Box::new)));
        for key in self.keys() {
            self.say_handshake(now, key, out);
        }
    }

    /// The torrent proves private: from now on peers may come from trackers and the user only (BEP 27).
    fn turn_private(&mut self, now: Moment, out: &mut Vec<Output>) {
        self.config.private = true;
        self.lookups = None;
        for key in self.keys() {
            let Some(contact) = self.contacts.get(&key) else { continue };
            let source = contact.listens.and_then(|addr| self.candidates.source_of(addr));
            let open = source.map_or(contact.incoming, Source::is_open);
            if !open {
                self.close(now, key, Departure::Useless, out);
            }
        }
        self.candidates.keep_open();
    }

    /// A peer lacks the dictionary itself.
    fn wanted(&mut self, now: Moment, key: PeerKey, piece: u32, out: &mut Vec<Output>) {
        let Some(contact) = self.contacts.get_mut(&key) else { return };
        let Some(id) = contact.metadata_id() else { return self.strike(now, key, out) };
        if contact.lender.asked(now, self.info.len() as u32, piece) {
            self.lend(now, key, out);
        } else {
            let body = MetadataMessage::Reject(piece).encode();
            self.say(now, key, Message::Extended { id, body }, out);
            self.strike(now, key, out);
        }
    }

    /// What was said to a peer is on its way: there is room for more.
    pub(super) fn drained(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        if let Some(contact) = self.contacts.get_mut(&key) {
            contact.lender.drained();
            self.lend(now, key, out);
        }
    }

    fn lend(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let info = self.info.clone();
        let Some(contact) = self.contacts.get_mut(&key) else { return };
        let Some(id) = contact.metadata_id() else { return };
        for piece in contact.lender.next() {
            self.say(now, key, piece_of(&info, piece, id), out);
        }
    }

    /// Asks whoever may be asked for pieces of the dictionary.
    pub(super) fn ask(&mut self, now: Moment, out: &mut Vec<Output>) {
        if self.found || self.paused {
            return;
        }
        for (key, pieces) in self.hunt.ask(now) {
            self.ask_of(now, key, pieces, out);
        }
    }

    fn ask_of(&mut self, now: Moment, key: PeerKey, pieces: Vec<u32>, out: &mut Vec<Output>) {
        let Some(id) = self.contacts.get(&key).and_then(super::Contact::metadata_id) else { return };
        for piece in pieces {
            let body = MetadataMessage::Request(piece).encode();
            self.say(now, key, Message::Extended { id, body }, out);
        }
    }
}

/// Whether these bytes are the dictionary of this torrent: every digest that is known must be right.
fn is_it(wanted: InfoHash, bytes: &[u8]) -> bool {
    wanted.sha1().is_none_or(|digest| sha1(bytes) == digest)
        && wanted.sha256().is_none_or(|digest| sha256(bytes) == digest)
}
