//! How connections begin and end.

use std::net::SocketAddr;
use std::time::Duration;

use super::contact::Contact;
use super::{Seeker, Timer};
use crate::base::{Moment, is_near};
use crate::proto::extended::{ExtendedHandshake, Extension, HANDSHAKE_ID};
use crate::proto::message::Message;
use crate::swarm::candidates::Dialler;
use crate::swarm::event::{Departure, DialFailure, Hello, Note, Output, PeerKey, Source};
use crate::swarm::lending::size_of;
use crate::swarm::peer::MOST_REQUESTS;

/// A peer that could not help for this long may make room for another.
const PROBATION: Duration = Duration::from_secs(10);
/// The most callers of one address on the Internet.
const MOST_OF_ONE: usize = 4;
/// A peer that calls again after it has been silent for this long has lost the first connection.
const STALE: Duration = Duration::from_secs(30);

impl Seeker {
    pub(super) fn heard_of(&mut self, now: Moment, source: Source, addrs: &[SocketAddr]) {
        if self.config.private && !source.is_open() {
            return;
        }
        for &addr in addrs {
            self.candidates.add(now, source, addr);
        }
        self.redial = true;
    }

    /// Dials whom it may, and sets the deadline for the next.
    pub(super) fn dial(&mut self, now: Moment, out: &mut Vec<Output>) {
        self.redial = false;
        self.timers.stop(Timer::Dial);
        if self.paused {
            return;
        }
        let dialler = if self.contacts.is_empty() { Dialler::Alone } else { Dialler::InCompany };
        while self.contacts.len() + self.candidates.dialling() < self.config.max_peers {
            let Some(addr) = self.candidates.next(now, dialler, &mut self.rng) else {
                if let Some(due) = self.candidates.due(now, dialler) {
                    self.timers.set(Timer::Dial, due.max(now + Duration::from_millis(1)));
                }
                return;
            };
            out.push(Output::Dial { addr });
        }
    }

    pub(super) fn dial_failed(&mut self, now: Moment, addr: SocketAddr, why: DialFailure) {
        self.candidates.failed(now, addr, why);
        self.redial = true;
    }

    pub(super) fn connected(
        &mut self,
        now: Moment,
        key: PeerKey,
        addr: SocketAddr,
        incoming: bool,
        hello: Hello,
        out: &mut Vec<Output>,
    ) {
        self.redial = true;
        if !incoming {
            self.candidates.answered(addr);
        }
        if let Some(why) = self.unwelcome(now, addr, incoming, hello, out) {
            if why == Departure::Ourselves && !incoming {
                self.candidates.is_us(addr);
            } else if !incoming && !self.contacts.values().any(|contact| contact.listens == Some(addr)) {
                self.candidates.left(now, addr, false, false);
            }
            out.push(Output::Close { peer: key, why });
            return;
        }
        let contact = Contact::new(now, addr, incoming, hello);
        if let Some(listens) = contact.listens {
            self.candidates.connected(listens);
        }
        self.contacts.insert(key, contact);
        self.news(now);
        // We have nothing, and without the fast extension that is said by saying nothing.
        if hello.reserved.fast() {
            self.say(now, key, Message::HaveNone, out);
        }
        self.say_handshake(now, key, out);
        if hello.reserved.dht() && self.lookups.is_some() && self.config.port != 0 {
            self.say(now, key, Message::Port(self.config.port), out);
        }
    }

    /// Why a connection that has just come about is not wanted, if it is not.
    fn unwelcome(
        &mut self,
        now: Moment,
        addr: SocketAddr,
        incoming: bool,
        hello: Hello,
        out: &mut Vec<Output>,
    ) -> Option<Departure> {
        if self.paused {
            return Some(Departure::Stopping);
        }
        if hello.id == self.config.id {
            return Some(Departure::Ourselves);
        }
        if self.candidates.is_banned(addr) {
            return Some(Departure::Lied);
        }
        if self.config.private && !incoming && !self.candidates.source_of(addr).is_some_and(Source::is_open) {
            // It was dialled before the torrent proved private (BEP 27).
            return Some(Departure::Useless);
        }
        let serves = |contact: &Contact| contact.gave > 0 || now.since(contact.came) < PROBATION;
        let same = |contact: &Contact| {
            contact.hello.id == hello.id
                && (contact.addr.ip() == addr.ip() || (!incoming && !contact.incoming && serves(contact)))
        };
        let twin = self.contacts.iter().find(|(_, contact)| same(contact));
        let twin = twin.map(|(&key, c)| (key, c.incoming, now.since(c.heard_at) >= STALE));
        if let Some((twin, twin_incoming, stale)) = twin {
            // Both ends keep the connection that was made by the one with the greater id.
            let keep_incoming = hello.id > self.config.id;
            let second = if twin_incoming == incoming { !stale } else { incoming != keep_incoming };
            if !second {
                self.close(now, twin, Departure::Duplicate, out);
                return None;
            }
            if let Some(kept) = self.contacts.get_mut(&twin).filter(|c| !incoming && c.listens.is_none()) {
                kept.listens = Some(addr);
                self.candidates.connected(addr);
            }
            return Some(Departure::Duplicate);
        }
        let neighbours = self.contacts.values().filter(|contact| contact.addr.ip() == addr.ip()).count();
        if incoming && !is_near(addr.ip()) && neighbours >= MOST_OF_ONE {
            return Some(Departure::Replaced);
        }
        if self.contacts.len() < self.config.max_peers {
            return None;
        }
        match self.worst(now) {
            Some(worst) => {
                self.close(now, worst, Departure::Replaced, out);
                None
            }
            None => Some(Departure::Replaced),
        }
    }

    /// Sends our extension handshake (BEP 10), the first or one that tells that the dictionary is here.
    pub(super) fn say_handshake(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let Some(contact) = self.contacts.get(&key).filter(|c| c.hello.reserved.extended()) else { return };
        let ours = [Extension::DontHave, Extension::UploadOnly, Extension::Metadata];
        let mut ids = ours.map(|extension| (extension, extension.our_id())).to_vec();
        if self.config.pex {
            // Of one that has proved private it is taken back.
            ids.push((Extension::Pex, if self.exchanges() { Extension::Pex.our_id() } else { 0 }));
        }
        let handshake = ExtendedHandshake {
            ids,
            metadata_size: size_of(&self.info),
            port: Some(self.config.port).filter(|&port| port != 0),
            reqq: Some(MOST_REQUESTS as u32),
            client: Some(self.config.client.as_str().into()),
            your_ip: Some(contact.addr.ip().to_canonical()),
            ..ExtendedHandshake::default()
        };
        self.say(now, key, Message::Extended { id: HANDSHAKE_ID, body: handshake.encode() }, out);
    }

    pub(super) fn left(&mut self, now: Moment, key: PeerKey, why: Departure, out: &mut Vec<Output>) {
        self.part(now, key, why);
        self.ask(now, out);
    }

    /// Ends a connection.
    pub(super) fn close(&mut self, now: Moment, key: PeerKey, why: Departure, out: &mut Vec<Output>) {
        if self.contacts.contains_key(&key) {
            out.push(Output::Close { peer: key, why });
            self.part(now, key, why);
        }
    }

    fn part(&mut self, now: Moment, key: PeerKey, why: Departure) {
        let Some(contact) = self.contacts.remove(&key) else { return };
        let helpful = self.hunt.claim(key).is_some_and(|(_, misses)| misses == 0) || self.found;
        self.hunt.gone(key);
        self.redial = true;
        self.news(now);
        if let Some(addr) = contact.listens {
            let useful = helpful && !matches!(why, Departure::Protocol | Departure::Lied);
            self.candidates.left(now, addr, useful || why == Departure::Stopping, false);
        }
    }

    /// Never talks to a peer that lied again.
    pub(super) fn ban(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let Some(liar) = self.contacts.get(&key) else { return };
        let (addr, who) = (liar.addr, liar.who());
        self.candidates.ban(who);
        let same = self.contacts.iter().filter(|(_, contact)| contact.who() == who);
        for (key, listens) in same.map(|(&key, c)| (key, c.listens)).collect::<Vec<_>>() {
            if let Some(listens) = listens {
                self.candidates.ban(listens);
            }
            self.close(now, key, Departure::Lied, out);
        }
        out.push(Output::Note(Note::Banned(addr)));
    }

    /// Counts a pointless or impossible message; too many end the connection.
    pub(super) fn strike(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        if self.contacts.get_mut(&key).is_some_and(Contact::strike) {
            self.close(now, key, Departure::Protocol, out);
        }
    }

    /// Where all places are taken and others wait, lets go of the one that helped least.
    pub(super) fn make_room(&mut self, now: Moment, out: &mut Vec<Output>) {
        let full = self.contacts.len() >= self.config.max_peers;
        if full
            && self.candidates.due(now, Dialler::InCompany).is_some_and(|at| at <= now)
            && let Some(worst) = self.worst(now)
        {
            self.close(now, worst, Departure::Replaced, out);
        }
    }

    /// The peer that could best be spared, of those that have been here for a while: one that offers nothing; else one
    /// that has given nothing, the longest claim first; else the one that let us wait most often. Who gives and never
    /// let us wait stays.
    fn worst(&self, now: Moment) -> Option<PeerKey> {
        let old = self.contacts.iter().filter(|(_, contact)| now.since(contact.came) >= PROBATION);
        let worth = |key: PeerKey, contact: &Contact| match self.hunt.claim(key) {
            None => Some((0, 0)),
            Some((size, _)) if contact.gave == 0 => Some((1, u32::MAX - size)),
            Some((_, 0)) => None,
            Some((_, misses)) => Some((2, u32::MAX - misses)),
        };
        let spare = old.filter_map(|(&key, c)| Some((worth(key, c)?, self.candidates.rank(c.addr), key)));
        spare.min().map(|(.., key)| key)
    }

    /// Orders a message to be sent.
    pub(super) fn say(&mut self, now: Moment, peer: PeerKey, message: Message, out: &mut Vec<Output>) {
        if let Some(contact) = self.contacts.get_mut(&peer) {
            contact.said_at = now;
            out.push(Output::Say { peer, message });
        }
    }

    /// Every connection, so that each can be changed while walking through them.
    pub(super) fn keys(&self) -> Vec<PeerKey> {
        self.contacts.keys().copied().collect()
    }
}
