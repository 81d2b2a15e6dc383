//! What is known of one peer of a torrent whose metadata is looked for.

use std::net::SocketAddr;

use super::hearsay::Hearsay;
use crate::base::{Moment, who};
use crate::proto::extended::Extension;
use crate::swarm::event::Hello;
use crate::swarm::lender::Lender;
use crate::swarm::pex::Exchange;

/// Strikes after which a peer is left: messages that are pointless, or that cannot be.
const MOST_STRIKES: u32 = 300;

/// One connected peer.
#[derive(Clone, Debug)]
pub struct Contact {
    /// The address at the other end.
    pub addr: SocketAddr,
    /// Where it can be dialled, if known.
    pub listens: Option<SocketAddr>,
    /// Whether it made the connection.
    pub incoming: bool,
    /// What its handshake said.
    pub hello: Hello,
    /// When it came.
    pub came: Moment,
    /// When it last said anything.
    pub heard_at: Moment,
    /// When we last said anything to it.
    pub said_at: Moment,
    /// What it said.
    pub hearsay: Hearsay,
    /// Extension handshakes it sent.
    pub handshakes: u32,
    /// It told where its node of the DHT is.
    pub told_port: bool,
    /// What it asks for of the info dictionary.
    pub lender: Lender,
    /// It has heard that we are interested in its pieces.
    pub interested: bool,
    /// Bytes of the info dictionary that it gave.
    pub gave: u64,
    /// What we told it of other peers, and it us.
    pub exchange: Exchange,
    strikes: u32,
}

/// How the peer ids of rTorrent begin: by the letters of its library.
const RTORRENT: &[u8] = b"-lt";

impl Contact {
    /// A peer that has just come.
    pub fn new(now: Moment, addr: SocketAddr, incoming: bool, hello: Hello) -> Self {
        Self {
            addr,
            listens: (!incoming).then_some(addr),
            incoming,
            hello,
            came: now,
            heard_at: now,
            said_at: now,
            hearsay: Hearsay::default(),
            handshakes: 0,
            told_port: false,
            lender: Lender::new(now),
            interested: false,
            gave: 0,
            exchange: Exchange::default(),
            strikes: 0,
        }
    }

    /// The number it gave `ut_metadata`.
    pub fn metadata_id(&self) -> Option<u8> {
        self.hearsay.hand().and_then(|hand| hand.id_of(Extension::Metadata))
    }

    /// The number it gave `ut_pex`.
    pub fn pex_id(&self) -> Option<u8> {
        self.hearsay.hand().and_then(|hand| hand.id_of(Extension::Pex))
    }

    /// By what it is blamed and banned.
    pub fn who(&self) -> SocketAddr {
        who(self.addr)
    }

    /// Whether it stops to hear us when it is asked for a piece of the info dictionary while it owes another, as
    /// rTorrent 0.9 does.
    pub fn answers_one_at_a_time(&self) -> bool {
        self.hello.id.0.starts_with(RTORRENT)
    }

    /// Counts a pointless or impossible message; says whether there were too many.
    pub const fn strike(&mut self) -> bool {
        self.strikes += 1;
        self.strikes > MOST_STRIKES
    }

    /// Forgives some strikes.
    pub const fn forgive(&mut self, strikes: u32) {
        self.strikes = self.strikes.saturating_sub(strikes);
    }
}
