//! Peer exchange with one peer (BEP 11): which addresses to send, and which to accept.
//!
//! Only changes are sent, up to fifty a minute. The addresses that a peer sends count against its share of
//! the candidates, and no peer on the Internet can send us addresses of our own network.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::{Moment, Rng, means_the_same};
use crate::proto::extended::pex::{PexFlags, PexMessage};

/// The shortest time between two messages to a peer.
const EVERY: Duration = Duration::from_secs(60);
/// The shortest time between two messages of a peer, with some grace for its clock and the network.
const MIN_INTERVAL: Duration = Duration::from_secs(50);
/// The most added peers, and the most dropped ones, in one message.
const MAX_PEERS: usize = 50;
/// The time for which changes are collected, so that peers that connect together are sent together.
pub const GATHER: Duration = Duration::from_secs(2);

/// A connected peer whose address can be sent to others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contact {
    /// The peer's listening address.
    pub addr: SocketAddr,
    /// The known flags of the peer.
    pub flags: PexFlags,
}

/// A peer that addresses are sent to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recipient {
    /// The remote IP address.
    pub ip: IpAddr,
    /// The peer's own listening address, if known.
    pub listens: Option<SocketAddr>,
    /// Whether the peer is a seed, or wants no more pieces, so that other seeds are of no use to it.
    pub seed: bool,
}

/// Returns the messages that can be sent now, and the time of the next ones; `None` if every peer was sent
/// all it can get.
pub fn next_messages<'a, K>(
    now: Moment,
    contacts: &[Contact],
    recipients: impl IntoIterator<Item = (K, Recipient, &'a mut Exchange)>,
    rng: &mut Rng,
) -> (Vec<(K, PexMessage)>, Option<Moment>) {
    let mut messages = Vec::new();
    let mut next: Option<Moment> = None;
    for (key, to, exchange) in recipients {
        messages.extend(exchange.next_message(now, to, contacts, rng).map(|message| (key, message)));
        let due = exchange.due();
        if due > now {
            next = Some(next.map_or(due, |next| next.min(due)));
        }
    }
    (messages, next)
}

/// The state of the peer exchange with one peer.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    sent: BTreeSet<SocketAddr>,
    sent_at: Option<Moment>,
    received_at: Option<Moment>,
}

impl Exchange {
    /// The time at which the next message may be sent.
    pub fn due(&self) -> Moment {
        self.sent_at.map_or(Moment::START, |at| at + EVERY)
    }

    /// Returns the message to send now, where `contacts` are all connected peers, and counts it as sent.
    /// `None` if nothing has changed, or the last message is too recent.
    pub fn next_message(
        &mut self,
        now: Moment,
        to: Recipient,
        contacts: &[Contact],
        rng: &mut Rng,
    ) -> Option<PexMessage> {
        if now < self.due() {
            return None;
        }
        let there: BTreeSet<SocketAddr> = contacts.iter().map(|contact| contact.addr).collect();
        let dropped: Vec<_> = self.sent.difference(&there).copied().take(MAX_PEERS).collect();
        let new = |contact: &&Contact| !self.sent.contains(&contact.addr) && to.is_served_by(contact);
        let mut added: Vec<_> =
            contacts.iter().filter(new).map(|contact| (contact.addr, contact.flags)).collect();
        if added.len() > MAX_PEERS {
            // The selection is random, so that not all peers get the same addresses.
            rng.shuffle(&mut added);
            added.truncate(MAX_PEERS);
        }
        let message = PexMessage { added, dropped };
        if message.is_empty() {
            return None;
        }
        self.sent.extend(message.added.iter().map(|(addr, _)| addr));
        for gone in &message.dropped {
            self.sent.remove(gone);
        }
        self.sent_at = Some(now);
        Some(message)
    }

    /// Takes a message of a peer, and returns the added addresses that are plausible. `None` if it came too
    /// early, which counts as a strike.
    pub fn accept(&mut self, now: Moment, from: IpAddr, message: PexMessage) -> Option<Vec<Contact>> {
        if self.received_at.is_some_and(|at| now.since(at) < MIN_INTERVAL) {
            return None;
        }
        self.received_at = Some(now);
        let added = message.added.into_iter().map(|(addr, flags)| Contact { addr, flags });
        Some(added.filter(|contact| means_the_same(contact.addr.ip(), from)).collect())
    }
}

impl Contact {
    /// Makes a contact for a listening address.
    pub const fn new(listens: SocketAddr, flags: PexFlags) -> Self {
        Self { addr: SocketAddr::new(listens.ip().to_canonical(), listens.port()), flags }
    }
}

impl Recipient {
    /// Makes a listener for the remote address of a connection.
    pub fn new(addr: SocketAddr, listens: Option<SocketAddr>, seed: bool) -> Self {
        let canonical = |addr: SocketAddr| SocketAddr::new(addr.ip().to_canonical(), addr.port());
        Self { ip: addr.ip(), listens: listens.map(canonical), seed }
    }

    fn is_served_by(&self, contact: &Contact) -> bool {
        self.listens != Some(contact.addr)
            && !(self.seed && contact.flags.has(PexFlags::SEED))
            && means_the_same(contact.addr.ip(), self.ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Moment {
        Moment::START + Duration::from_secs(s)
    }

    fn contact(n: u32) -> Contact {
        let addr = (std::net::Ipv4Addr::from(0x0b00_0000 + n), 6881).into();
        Contact { addr, flags: PexFlags::default() }
    }

    const STRANGER: Recipient =
        Recipient { ip: IpAddr::V4(std::net::Ipv4Addr::new(8, 8, 8, 8)), listens: None, seed: false };

    fn tell(exchange: &mut Exchange, s: u64, contacts: impl IntoIterator<Item = u32>) -> Option<PexMessage> {
        let contacts: Vec<_> = contacts.into_iter().map(contact).collect();
        exchange.next_message(at(s), STRANGER, &contacts, &mut Rng::new(1))
    }

    fn addrs(numbers: impl IntoIterator<Item = u32>) -> Vec<SocketAddr> {
        numbers.into_iter().map(|n| contact(n).addr).collect()
    }

    fn added(message: &PexMessage) -> Vec<SocketAddr> {
        message.added.iter().map(|(addr, _)| *addr).collect()
    }

    #[test]
    fn each_is_told_once_and_taken_back_when_it_goes() {
        let mut exchange = Exchange::default();
        assert_eq!(tell(&mut exchange, 0, []), None, "nothing to say is not said");
        let first = tell(&mut exchange, 5, [1, 2]).unwrap();
        assert_eq!((added(&first), first.dropped), (addrs([1, 2]), vec![]));
        assert_eq!(tell(&mut exchange, 64, [1, 3]), None, "not within a minute");
        let next = tell(&mut exchange, 65, [1, 3]).unwrap();
        assert_eq!((added(&next), next.dropped), (addrs([3]), addrs([2])));
        assert_eq!(tell(&mut exchange, 200, [1, 3]), None);
        assert_eq!(exchange.due(), at(125), "silence costs no turn");
        let back = tell(&mut exchange, 200, [1, 2, 3]).unwrap();
        assert_eq!(added(&back), addrs([2]), "one that came back is sent again");
    }

    #[test]
    fn a_message_is_short_and_the_rest_comes_later() {
        let mut exchange = Exchange::default();
        let mut all = BTreeSet::new();
        for turn in 0..3 {
            let message = tell(&mut exchange, turn * 60, 0..120).unwrap();
            assert!(message.added.len() <= MAX_PEERS);
            all.extend(added(&message));
        }
        assert_eq!(all.len(), 120);
        assert_eq!(tell(&mut exchange, 180, 0..120), None);
        let gone = [180, 240, 300].map(|s| tell(&mut exchange, s, []).unwrap().dropped.len());
        assert_eq!(gone, [50, 50, 20]);
        assert_eq!(exchange.sent.len(), 0);
    }

    #[test]
    fn nobody_is_told_what_is_of_no_use_to_it() {
        let of = |text: &str| Contact { addr: text.parse().unwrap(), flags: PexFlags::default() };
        let seed = Contact { flags: PexFlags::SEED, ..contact(1) };
        let near = ["127.0.0.1:1", "192.168.1.2:2", "[fe80::1]:3", "[fd00::1]:4", "[::1]:5"].map(of);
        let contacts = [&[contact(2), seed][..], &near].concat();
        let sent = |ip: &str, listens, seed| {
            let to = Recipient { ip: ip.parse().unwrap(), listens, seed };
            let message = Exchange::default().next_message(at(0), to, &contacts, &mut Rng::new(1));
            message.map(|message| added(&message)).unwrap_or_default()
        };
        assert_eq!(sent("8.8.8.8", None, false), addrs([2, 1]));
        assert_eq!(sent("8.8.8.8", None, true), addrs([2]));
        assert_eq!(sent("8.8.8.8", Some(contact(2).addr), true), []);
        assert_eq!(sent("192.168.1.9", Some(contact(2).addr), true), [near[1].addr, near[3].addr]);
        let here = sent("127.0.0.1", Some(near[0].addr), true);
        assert_eq!(here, [contact(2).addr, near[1].addr, near[3].addr, near[4].addr]);
    }

    #[test]
    fn one_message_a_minute_counts_and_none_points_at_our_own_network() {
        let body = |texts: &[&str]| {
            let added = texts.iter().map(|text| (text.parse().unwrap(), PexFlags::SEED)).collect();
            PexMessage { added, dropped: vec![] }
        };
        let mut exchange = Exchange::default();
        let stranger: IpAddr = "8.8.8.8".parse().unwrap();
        let heard =
            exchange.accept(at(0), stranger, body(&["9.9.9.9:1", "10.0.0.1:22", "127.0.0.1:80"])).unwrap();
        assert_eq!(heard, [Contact { addr: "9.9.9.9:1".parse().unwrap(), flags: PexFlags::SEED }]);
        assert_eq!(exchange.accept(at(30), stranger, body(&["9.9.9.8:1"])), None);
        assert_eq!(exchange.accept(at(60), stranger, body(&["9.9.9.8:1"])).unwrap().len(), 1);
        let neighbour = Exchange::default().accept(
            at(0),
            "10.0.0.9".parse().unwrap(),
            body(&["10.0.0.1:22", "127.0.0.1:80"]),
        );
        assert_eq!(neighbour.unwrap().len(), 1);
    }
}
