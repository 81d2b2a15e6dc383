//! Peer exchange (BEP 11): one peer's address is enough to find the whole swarm.

use super::peer::Peer;
use super::swarm::{Swarm, Timer};
use crate::base::Moment;
use crate::proto::extended::pex::{PexFlags, PexMessage};
use crate::proto::message::Message;
use crate::swarm::event::{Output, PeerKey};
use crate::swarm::parts::pex::{Contact, GATHER, Recipient, next_messages};

impl Swarm {
    /// Whether addresses are exchanged with peers; never for a private torrent (BEP 27).
    pub const fn exchanges(&self) -> bool {
        self.config.pex && !self.config.private
    }

    /// Plans a round of messages after a change of the connected peers or their addresses.
    pub fn plan_exchange(&mut self, now: Moment) {
        let soon = now + GATHER;
        if self.exchanges() && self.timers.get(Timer::Exchange).is_none_or(|at| at > soon) {
            self.timers.set(Timer::Exchange, soon);
        }
    }

    /// Sends each peer the changes that it may get now.
    pub fn exchange(&mut self, now: Moment, out: &mut Vec<Output>) {
        if !self.exchanges() {
            return;
        }
        let contacts: Vec<Contact> = self.peers.values().filter_map(contact).collect();
        let recipients = self.peers.iter_mut().filter_map(|(&key, peer)| {
            let to = Recipient::new(peer.addr, peer.listens, wants_nothing(peer));
            Some(((key, peer.pex_id?), to, &mut peer.exchange))
        });
        let (messages, next) = next_messages(now, &contacts, recipients, &mut self.rng);
        for ((key, id), message) in messages {
            self.send(now, key, Message::Extended { id, body: message.encode() }, out);
        }
        if let Some(next) = next {
            self.timers.set(Timer::Exchange, next);
        }
    }

    /// Takes the addresses in a message of a peer. Returns whether the message was acceptable.
    pub fn handle_pex(&mut self, now: Moment, key: PeerKey, message: PexMessage) -> bool {
        let exchanges = self.exchanges();
        let Some(peer) = self.peers.get_mut(&key).filter(|_| exchanges) else { return false };
        let addr = peer.addr;
        let Some(contacts) = peer.exchange.accept(now, addr.ip(), message) else { return false };
        for contact in contacts {
            self.candidates.add_from_peer(now, addr, contact.addr, contact.flags.has(PexFlags::SEED));
        }
        self.redial = true;
        true
    }
}

/// Returns a peer's entry in messages to others; `None` while its listening address is unknown.
fn contact(peer: &Peer) -> Option<Contact> {
    let flags = PexFlags::default()
        .with(PexFlags::SEED, wants_nothing(peer))
        .with(PexFlags::OUTGOING, !peer.incoming);
    peer.listens.map(|addr| Contact::new(addr, flags))
}

const fn wants_nothing(peer: &Peer) -> bool {
    peer.is_seed() || peer.upload_only
}
