//! Peers tell one another of peers (BEP 11), also while nobody here has the dictionary: one address in a link is
//! enough to meet the whole swarm.

use super::{Seeker, Timer};
use crate::base::Moment;
use crate::proto::extended::pex::PexFlags;
use crate::proto::message::Message;
use crate::swarm::event::{Output, PeerKey};
use crate::swarm::pex::{Contact, GATHER, Listener, tell_all};

impl Seeker {
    /// Whether addresses are exchanged with peers: not any more once the torrent has proved private (BEP 27).
    pub(super) const fn exchanges(&self) -> bool {
        self.config.pex && !self.config.private
    }

    /// Somebody came, went, or said where it listens: others are to hear of it.
    pub(super) fn news(&mut self, now: Moment) {
        let soon = now + GATHER;
        if self.exchanges() && self.timers.get(Timer::Exchange).is_none_or(|at| at > soon) {
            self.timers.set(Timer::Exchange, soon);
        }
    }

    /// Tells everybody what is new to them and may be told now.
    pub(super) fn exchange(&mut self, now: Moment, out: &mut Vec<Output>) {
        if !self.exchanges() {
            return;
        }
        let contacts: Vec<Contact> = self.contacts.values().filter_map(contact).collect();
        let listeners = self.contacts.iter_mut().filter_map(|(&key, contact)| {
            // Who is complete is not known before the dictionary is there.
            let to = Listener::new(contact.addr, contact.listens, false);
            Some(((key, contact.pex_id()?), to, &mut contact.exchange))
        });
        let (messages, next) = tell_all(now, &contacts, listeners, &mut self.rng);
        for ((key, id), message) in messages {
            self.say(now, key, Message::Extended { id, body: message.encode() }, out);
        }
        if let Some(next) = next {
            self.timers.set(Timer::Exchange, next);
        }
    }

    /// A peer tells of others.
    pub(super) fn told_of(&mut self, now: Moment, key: PeerKey, body: &[u8], out: &mut Vec<Output>) {
        let Some(contact) = self.contacts.get_mut(&key) else { return };
        let addr = contact.addr;
        let Some(told) = contact.exchange.hear(now, addr.ip(), body) else {
            return self.strike(now, key, out);
        };
        for contact in told {
            self.candidates.told(now, addr, contact.addr, contact.flags.has(PexFlags::SEED));
        }
        self.redial = true;
    }
}

/// What others may be told of a peer; nothing while it is unknown where it listens.
fn contact(contact: &super::Contact) -> Option<Contact> {
    let flags = PexFlags::default().with(PexFlags::OUTGOING, !contact.incoming);
    contact.listens.map(|addr| Contact::new(addr, flags))
}
