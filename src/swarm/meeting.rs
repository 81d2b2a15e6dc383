//! How connections begin and end.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::Moment;
use crate::proto::extended::{ExtendedHandshake, Extension, HANDSHAKE_ID};
use crate::proto::message::Message;

use super::allowed_fast::{ALLOWED, allowed_fast};
use super::candidates::Dialler;
use super::event::{Departure, DialFailure, Hello, Note, Output, PeerKey, Source};
use super::lending::{offered, size_of};
use super::peer::{Counted, MOST_REQUESTS, Peer};
use super::torrent::{Timer, Torrent};

/// A connection that brought nothing for this long may make room for another.
const PROBATION: Duration = Duration::from_secs(180);
/// A peer that calls again after it has been silent for this long has lost the first connection.
const STALE: Duration = Duration::from_secs(30);
/// Extension handshakes a peer may send before each counts as a strike.
const HANDSHAKES: u32 = 4;
/// Senders that have left are remembered until there are this many.
const MOST_SENDERS: usize = 4096;

impl Torrent {
    pub(super) fn found(&mut self, now: Moment, source: Source, addrs: &[SocketAddr]) {
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
        let dialler = self.dialler();
        while self.peers.len() + self.candidates.dialling() < self.config.max_peers {
            let Some(addr) = self.candidates.next(now, dialler, &mut self.rng) else {
                if let Some(due) = self.candidates.due(now, dialler) {
                    self.timers.set(Timer::Dial, due.max(now + Duration::from_millis(1)));
                }
                return;
            };
            out.push(Output::Dial { addr });
        }
    }

    /// For whom addresses are sought now.
    fn dialler(&self) -> Dialler {
        match (self.finished, self.peers.is_empty()) {
            (true, _) => Dialler::Complete,
            (false, true) => Dialler::Alone,
            (false, false) => Dialler::InCompany,
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
            } else if !incoming && !self.peers.values().any(|peer| peer.listens == Some(addr)) {
                self.candidates.left(now, addr, false, false);
            }
            out.push(Output::Close { peer: key, why });
            return;
        }
        let pieces = self.geometry.piece_count();
        let peer = Peer::new(now, addr, incoming, hello.id, hello.reserved, pieces);
        if let Some(listens) = peer.listens {
            self.candidates.connected(listens);
        }
        self.senders.insert(key, peer.who());
        self.peers.insert(key, peer);
        self.news(now);
        while self.senders.len() > MOST_SENDERS {
            let gone = self.senders.keys().find(|key| !self.peers.contains_key(key)).copied();
            let Some(gone) = gone else { break };
            self.senders.remove(&gone);
        }
        self.greet(now, key, hello, out);
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
        // An id proves nothing: it counts only together with the address, else one could keep others away. But who
        // answers under one id at two addresses that we dialled is taken for one, as long as the first is of use or
        // new.
        let serves =
            |peer: &Peer| peer.down.total() > 0 || peer.up.total() > 0 || now.since(peer.came) < STALE;
        let same = |peer: &Peer| {
            peer.id == hello.id
                && (peer.addr.ip() == addr.ip() || (!incoming && !peer.incoming && serves(peer)))
        };
        let twin = self.peers.iter().find(|(_, peer)| same(peer));
        let twin = twin.map(|(&key, peer)| (key, peer.incoming, now.since(peer.heard_at) >= STALE));
        if let Some((twin, twin_incoming, stale)) = twin {
            // Both ends keep the connection that was made by the one with the greater id.
            let keep_incoming = hello.id > self.config.id;
            let second = if twin_incoming == incoming { !stale } else { incoming != keep_incoming };
            if second {
                if let Some(peer) =
                    self.peers.get_mut(&twin).filter(|peer| !incoming && peer.listens.is_none())
                {
                    // The one that is kept can be dialled there, so it need not be.
                    peer.listens = Some(addr);
                    self.candidates.connected(addr);
                }
                return Some(Departure::Duplicate);
            }
            self.close(now, twin, Departure::Duplicate, out);
            return None;
        }
        let full = self.peers.len() >= self.config.max_peers;
        (full && !self.replace(now, addr, out)).then_some(Departure::Replaced)
    }

    /// Tells a new peer what we have and can do.
    fn greet(&mut self, now: Moment, key: PeerKey, hello: Hello, out: &mut Vec<Output>) {
        let have = self.progress.have();
        let bits = match hello.reserved.fast() {
            true if have.is_full() => Some(Message::HaveAll),
            true if have.is_empty() => Some(Message::HaveNone),
            false if have.is_empty() => None,
            _ => Some(Message::Bitfield(have.as_bytes().to_vec())),
        };
        if let Some(bits) = bits {
            self.say(now, key, bits, out);
        }
        if hello.reserved.extended() {
            self.say_handshake(now, key, out);
        }
        if hello.reserved.dht() && self.lookups.is_some() && self.config.port != 0 {
            self.say(now, key, Message::Port(self.config.port), out);
        }
    }

    /// Sends our extension handshake (BEP 10), the first or one that tells what has changed.
    pub(super) fn say_handshake(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get(&key).filter(|peer| peer.reserved.extended()) else { return };
        let mut ours = offered(&self.config.info);
        if self.exchanges() {
            ours.push(Extension::Pex);
        }
        let handshake = ExtendedHandshake {
            ids: ours.into_iter().map(|extension| (extension, extension.our_id())).collect(),
            metadata_size: size_of(&self.config.info),
            port: Some(self.config.port).filter(|&port| port != 0),
            reqq: Some(MOST_REQUESTS as u32),
            upload_only: Some(self.finished),
            client: Some(self.config.client.as_str().into()),
            your_ip: Some(peer.addr.ip().to_canonical()),
        };
        self.say(now, key, Message::Extended { id: HANDSHAKE_ID, body: handshake.encode() }, out);
    }

    /// An extension handshake came.
    pub(super) fn shake(&mut self, now: Moment, key: PeerKey, body: &[u8], out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.handshakes += 1;
        let Ok(hand) = ExtendedHandshake::decode(body) else { return self.strike(now, key, out) };
        if let Some(&(_, id)) = hand.ids.iter().find(|(extension, _)| *extension == Extension::DontHave) {
            peer.dont_have_id = Some(id).filter(|&id| id != 0);
        }
        if let Some(&(_, id)) = hand.ids.iter().find(|(extension, _)| *extension == Extension::Pex) {
            peer.pex_id = Some(id).filter(|&id| id != 0);
        }
        if let Some(&(_, id)) = hand.ids.iter().find(|(extension, _)| *extension == Extension::Metadata) {
            peer.metadata_id = Some(id).filter(|&id| id != 0);
        }
        if let Some(reqq) = hand.reqq {
            peer.pipeline.limit(reqq);
        }
        if let Some(upload_only) = hand.upload_only {
            peer.upload_only = upload_only;
        }
        if let Some(client) = hand.client {
            peer.client = client;
        }
        if let (Some(port), true) = (hand.port, peer.incoming && peer.listens.is_none()) {
            let addr = SocketAddr::new(peer.addr.ip(), port);
            peer.listens = Some(addr);
            self.candidates.add(now, Source::Incoming, addr);
            self.candidates.connected(addr);
        }
        let repeated = self.peers.get(&key).is_some_and(|peer| peer.handshakes > HANDSHAKES);
        if repeated {
            self.strike(now, key, out);
        }
        self.news(now);
        self.close_if_useless(now, key, out);
    }

    /// Allows a peer that has little the pieces of BEP 6 that we have.
    pub(super) fn allow_fast(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if !peer.fast() || peer.has.count() as usize >= ALLOWED || !peer.allowed.is_empty() {
            return;
        }
        let mut set = allowed_fast(peer.addr.ip(), self.config.info_hash.wire(), &self.geometry, ALLOWED);
        set.retain(|&piece| self.progress.have().has(piece) && !peer.has.has(piece));
        peer.allowed = set.iter().map(|&piece| (piece, 0)).collect();
        for piece in set {
            self.say(now, key, Message::AllowedFast(piece.index()), out);
        }
    }

    pub(super) fn left(&mut self, now: Moment, key: PeerKey, why: Departure, out: &mut Vec<Output>) {
        if self.peers.contains_key(&key) {
            self.part(now, key, why);
            self.fill_slots(now, out);
        }
    }

    /// Ends a connection.
    pub(super) fn close(&mut self, now: Moment, key: PeerKey, why: Departure, out: &mut Vec<Output>) {
        if self.peers.contains_key(&key) {
            out.push(Output::Close { peer: key, why });
            self.part(now, key, why);
        }
    }

    /// Forgets a peer: what it owed is free, what it had is counted no longer.
    fn part(&mut self, now: Moment, key: PeerKey, why: Departure) {
        let Some(mut peer) = self.peers.remove(&key) else { return };
        for block in peer.pipeline.clear() {
            self.started.release(block, key);
        }
        self.started.disown(key);
        match peer.counted {
            Counted::Seed => self.rarity.seed_left(),
            Counted::Each => {
                for piece in peer.has.iter() {
                    self.rarity.down(piece, &mut self.rng);
                }
            }
        }
        self.hungry.remove(&key);
        self.freed = true;
        self.redial = true;
        self.news(now);
        if let Some(addr) = peer.listens {
            let useful = peer.down.total() > 0 || peer.up.total() > 0 || why == Departure::Stopping;
            self.candidates.left(now, addr, useful && why != Departure::Protocol, peer.is_seed());
        }
    }

    /// Never talks to this address again.
    pub(super) fn ban(&mut self, now: Moment, who: SocketAddr, out: &mut Vec<Output>) {
        self.candidates.ban(who);
        let mut known = who;
        for key in self.keys() {
            let Some(peer) = self.peers.get(&key).filter(|peer| peer.who() == who) else { continue };
            known = peer.addr;
            if let Some(listens) = peer.listens {
                self.candidates.ban(listens);
            }
            self.close(now, key, Departure::Lied, out);
        }
        out.push(Output::Note(Note::Banned(known)));
    }

    /// Counts a pointless or impossible message; too many end the connection.
    pub(super) fn strike(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        if self.peers.get_mut(&key).is_some_and(Peer::strike) {
            self.close(now, key, Departure::Protocol, out);
        }
    }

    /// Leaves a peer if neither side can ever have anything for the other.
    pub(super) fn close_if_useless(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get(&key) else { return };
        let wants_nothing = peer.is_seed() || (peer.upload_only && !peer.wants);
        if self.finished && wants_nothing {
            self.close(now, key, Departure::Useless, out);
        }
    }

    /// Where all places are taken and others wait, lets go of the one that brought least.
    pub(super) fn make_room(&mut self, now: Moment, out: &mut Vec<Output>) {
        if self.peers.len() >= self.config.max_peers
            && self.candidates.due(now, self.dialler()).is_some_and(|at| at <= now)
            && let Some(worst) = self.worst(now)
        {
            self.close(now, worst, Departure::Replaced, out);
        }
    }

    /// Lets go of a peer in favour of one that has just called, if there is a worse one.
    fn replace(&mut self, now: Moment, caller: SocketAddr, out: &mut Vec<Output>) -> bool {
        let Some(worst) = self.worst(now) else { return false };
        let rank = self.peers.get(&worst).map_or(0, |peer| self.candidates.rank(peer.addr));
        let better = self.candidates.rank(caller) > rank;
        if better {
            self.close(now, worst, Departure::Replaced, out);
        }
        better
    }

    /// The peer that could best be spared: of those that have been here for a while and move nothing
    /// either way, the one of the lowest canonical priority (BEP 40).
    fn worst(&self, now: Moment) -> Option<PeerKey> {
        let spare = self.peers.iter().filter(|(_, peer)| {
            let idle = peer.down.rate(now) < 1.0 && peer.up.rate(now) < 1.0;
            now.since(peer.came) >= PROBATION && idle
        });
        spare
            .min_by_key(|(_, peer)| (peer.interested || peer.wants, self.candidates.rank(peer.addr)))
            .map(|(&k, _)| k)
    }
}
