//! Beginning and end of connections.

use std::net::SocketAddr;
use std::time::Duration;

use super::Torrent;
use super::connections::Connections;
use super::peer::{MAX_REQUESTS, Peer};
use super::phase::Phase;
use super::swarm::Swarm;
use crate::base::{Moment, is_near};
use crate::proto::extended::{ExtendedHandshake, Extension, HANDSHAKE_ID};
use crate::proto::message::Message;
use crate::swarm::event::{DialFailure, DisconnectReason, Output, PeerHandshake, PeerKey, Source};

/// The time of silence after which a new connection of the same peer replaces the old one.
const STALE: Duration = Duration::from_secs(30);
/// The most extension handshakes that a peer may send without a strike for each.
const HANDSHAKES: u32 = 4;
/// The most incoming connections from one Internet address.
const MAX_CALLERS_OF_ONE: usize = 4;

impl Swarm {
    /// Adds addresses of possible peers.
    pub fn found(&mut self, now: Moment, source: Source, addrs: &[SocketAddr]) {
        if self.config.private && !source.is_open() {
            return;
        }
        for &addr in addrs {
            self.candidates.add(now, source, addr);
        }
        self.redial = true;
    }

    /// Records a failed dial.
    pub fn dial_failed(&mut self, now: Moment, addr: SocketAddr, why: DialFailure) {
        self.candidates.failed(now, addr, why);
        self.redial = true;
    }

    /// Records the listening port of a peer that connected to us.
    fn learn_address(&mut self, now: Moment, key: PeerKey, port: u16) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.incoming && peer.listens.is_none() {
            let addr = SocketAddr::new(peer.addr.ip(), port);
            peer.listens = Some(addr);
            self.candidates.add(now, Source::Incoming, addr);
            self.candidates.connected(addr);
        }
    }
}

impl Torrent {
    /// Handles a new connection.
    pub(super) fn connected(
        &mut self,
        now: Moment,
        key: PeerKey,
        addr: SocketAddr,
        incoming: bool,
        hello: PeerHandshake,
        out: &mut Vec<Output>,
    ) {
        self.swarm.redial = true;
        if !incoming {
            self.swarm.candidates.dial_connected(addr);
        }
        if let Some(why) = self.unwelcome(now, addr, incoming, hello, out) {
            if why == DisconnectReason::Ourselves && !incoming {
                self.swarm.candidates.mark_ours(addr);
            } else if !incoming && !self.swarm.peers.values().any(|peer| peer.listens == Some(addr)) {
                self.swarm.candidates.disconnected(now, addr, false, false);
            }
            out.push(Output::Close { peer: key, why });
            return;
        }
        let mut peer = Peer::new(now, addr, incoming, hello.id, hello.reserved);
        if let Some(content) = self.phase.content() {
            peer.size(content.geometry.piece_count());
        }
        if let Some(listens) = peer.listens {
            self.swarm.candidates.connected(listens);
        }
        self.swarm.peers.insert(key, peer);
        self.swarm.plan_exchange(now);
        if let Phase::Content(content) = &mut self.phase {
            content.peer_joined(&self.swarm, key);
        }
        self.greet(now, key, hello, out);
    }

    /// Returns the reason why a new connection is refused, if it is.
    fn unwelcome(
        &mut self,
        now: Moment,
        addr: SocketAddr,
        incoming: bool,
        hello: PeerHandshake,
        out: &mut Vec<Output>,
    ) -> Option<DisconnectReason> {
        let swarm = &mut self.swarm;
        if swarm.paused {
            return Some(DisconnectReason::Stopping);
        }
        if hello.id == swarm.config.id {
            return Some(DisconnectReason::Ourselves);
        }
        if swarm.candidates.is_banned(addr) {
            return Some(DisconnectReason::Lied);
        }
        let is_open = swarm.candidates.source_of(addr).is_some_and(Source::is_open);
        if swarm.config.private && !incoming && !is_open {
            // It was dialled before the torrent proved private (BEP 27).
            return Some(DisconnectReason::Useless);
        }
        // A peer id proves nothing, so it counts only together with the address; otherwise one peer could
        // keep others away. But one id at two addresses that we dialled counts as one peer, as long as the
        // first connection is useful or new.
        let same = |peer: &Peer| {
            let is_kept = || peer.is_of_use() || now.since(peer.came) < STALE;
            peer.id == hello.id && (peer.addr.ip() == addr.ip() || (!incoming && !peer.incoming && is_kept()))
        };
        let other = swarm.peers.iter().find(|(_, peer)| same(peer));
        let other = other.map(|(&key, peer)| (key, peer.incoming, now.since(peer.heard_at) >= STALE));
        if let Some((other, other_incoming, stale)) = other {
            // Both ends keep the connection made by the peer with the greater id.
            let keep_incoming = hello.id > swarm.config.id;
            let second = if other_incoming == incoming { !stale } else { incoming != keep_incoming };
            if !second {
                self.phase.close(swarm, now, other, DisconnectReason::Duplicate, out);
                return None;
            }
            let kept = swarm.peers.get_mut(&other).filter(|peer| !incoming && peer.listens.is_none());
            if let Some(kept) = kept {
                // The peer that is kept can be dialled at this address, so there is no need to.
                kept.listens = Some(addr);
                swarm.candidates.connected(addr);
            }
            return Some(DisconnectReason::Duplicate);
        }
        let neighbours = swarm.peers.values().filter(|peer| peer.addr.ip() == addr.ip()).count();
        if incoming && !is_near(addr.ip()) && neighbours >= MAX_CALLERS_OF_ONE {
            return Some(DisconnectReason::Replaced);
        }
        if swarm.peers.len() < swarm.config.max_peers {
            return None;
        }
        let Some(spare) = self.phase.spare(swarm, now, Some(addr)) else {
            return Some(DisconnectReason::Replaced);
        };
        self.phase.close(swarm, now, spare, DisconnectReason::Replaced, out);
        None
    }

    /// Sends a new peer our bitfield, extension handshake and DHT port.
    fn greet(&mut self, now: Moment, key: PeerKey, hello: PeerHandshake, out: &mut Vec<Output>) {
        let have = self.have();
        let bits = match hello.reserved.fast() {
            true if have.is_empty() => Some(Message::HaveNone),
            true if have.is_full() => Some(Message::HaveAll),
            false if have.is_empty() => None,
            _ => Some(Message::Bitfield(have.as_bytes().to_vec())),
        };
        if let Some(bits) = bits {
            self.swarm.send(now, key, bits, out);
        }
        self.phase.send_handshake(&mut self.swarm, now, key, out);
        let port = self.swarm.config.port;
        if hello.reserved.dht() && self.swarm.dht_schedule.is_some() && port != 0 {
            self.swarm.send(now, key, Message::Port(port), out);
        }
    }

    /// Handles an extension handshake (BEP 10).
    pub(super) fn handle_handshake(
        &mut self,
        now: Moment,
        key: PeerKey,
        hand: ExtendedHandshake,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = self.swarm.peers.get_mut(&key) else { return };
        peer.handshakes += 1;
        let repeated = peer.handshakes > HANDSHAKES;
        for (extension, id) in hand.ids {
            let place = match extension {
                Extension::DontHave => &mut peer.dont_have_id,
                Extension::Pex => &mut peer.pex_id,
                Extension::Metadata => &mut peer.metadata_id,
                Extension::UploadOnly => continue,
            };
            *place = Some(id).filter(|&id| id != 0);
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
        peer.metadata_size = hand.metadata_size.filter(|&size| size > 0).or(peer.metadata_size);
        if let Some(port) = hand.port {
            self.swarm.learn_address(now, key, port);
        }
        if repeated {
            self.phase.strike(&mut self.swarm, now, key, out);
        }
        // The handshake may contain the peer's port or support for peer exchange.
        self.swarm.plan_exchange(now);
        match &mut self.phase {
            Phase::Metadata(download) => download.handle_offer(&mut self.swarm, now, key, out),
            Phase::Content(content) => content.close_if_useless(&mut self.swarm, now, key, out),
        }
    }

    /// Handles the end of a connection that we did not close.
    pub(super) fn disconnected(
        &mut self,
        now: Moment,
        key: PeerKey,
        why: DisconnectReason,
        out: &mut Vec<Output>,
    ) {
        if !self.phase.forget(&mut self.swarm, now, key, why) {
            return;
        }
        match &mut self.phase {
            Phase::Metadata(download) => download.request(&mut self.swarm, now, out),
            Phase::Content(_) => self.swarm.fill_slots(now, out),
        }
    }

    /// Closes the least useful connection if all are in use and candidates wait.
    pub(super) fn make_room(&mut self, now: Moment, out: &mut Vec<Output>) {
        let swarm = &mut self.swarm;
        if swarm.peers.len() >= swarm.config.max_peers
            && swarm.candidates.due(now, swarm.dial_mode()).is_some_and(|at| at <= now)
            && let Some(spare) = self.phase.spare(swarm, now, None)
        {
            self.phase.close(swarm, now, spare, DisconnectReason::Replaced, out);
        }
    }
}

impl Phase {
    /// Sends our extension handshake (BEP 10), the first or an update.
    pub(super) fn send_handshake(&self, swarm: &mut Swarm, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        swarm.send_handshake(now, key, matches!(self, Self::Metadata(_)), out);
    }
}

impl Swarm {
    /// Sends our extension handshake (BEP 10). Support for `ut_metadata` (BEP 9) is included if we have the
    /// metadata to upload, or lack it.
    pub fn send_handshake(&mut self, now: Moment, key: PeerKey, lacks_metadata: bool, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get(&key).filter(|peer| peer.reserved.extended()) else { return };
        let mut ids = vec![Extension::DontHave, Extension::UploadOnly];
        if lacks_metadata || !self.config.info.is_empty() {
            ids.push(Extension::Metadata);
        }
        let mut ids: Vec<_> = ids.into_iter().map(|extension| (extension, extension.our_id())).collect();
        if self.config.pex {
            // An id of 0 withdraws support after the torrent has proved private.
            ids.push((Extension::Pex, if self.exchanges() { Extension::Pex.our_id() } else { 0 }));
        }
        let handshake = ExtendedHandshake {
            ids,
            metadata_size: u32::try_from(self.config.info.len()).ok().filter(|&len| len > 0),
            port: Some(self.config.port).filter(|&port| port != 0),
            reqq: Some(MAX_REQUESTS as u32),
            upload_only: Some(self.finished),
            client: Some(self.config.client.as_str().into()),
            your_ip: Some(peer.addr.ip().to_canonical()),
        };
        self.send(now, key, Message::Extended { id: HANDSHAKE_ID, body: handshake.encode() }, out);
    }
}
