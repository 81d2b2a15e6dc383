//! A torrent of which only the info-hash is known, as a state machine: it looks for peers and asks them
//! for the info dictionary (BEP 9). Once that is there it gives it to others, until a [`Torrent`] takes
//! over what it has gathered.
//!
//! It speaks the language of a torrent ([`Input`], [`Output`]) as far as that makes sense without pieces: it
//! has none, wants none, and chokes everybody. Its parts: [`metadata`] decides which piece of the dictionary
//! is asked of whom, `hearsay` keeps what peers say meanwhile, `contact` is a peer.
//!
//! [`Torrent`]: super::Torrent

mod contact;
mod exchanging;
mod hearing;
mod hearsay;
mod meeting;
pub mod metadata;
#[cfg(test)]
mod scenarios;
mod steering;
mod summary;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::contact::Contact;
use self::metadata::Hunt;
pub use self::summary::SeekerSummary;
use super::announcer::Announcer;
use super::candidates::Candidates;
use super::event::{Input, Output, PeerKey};
use super::lookups::Lookups;
use super::succession::{Heir, Heritage};
use super::torrent::Config;
use crate::base::{Moment, Rng, Timers};

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Timer {
    /// An announce or a scrape is due.
    Announce,
    /// An address may be dialled.
    Dial,
    /// Pieces of the dictionary may be asked of others.
    Ask,
    /// A search in the DHT is due.
    Lookup,
    /// Peers are told of other peers.
    Exchange,
    /// Silence is noticed, while anyone is connected.
    Round,
}

/// One torrent without metadata: give it facts with [`Seeker::handle`], and `Tick` when
/// [`Seeker::deadline`] is reached.
#[derive(Clone, Debug)]
pub struct Seeker {
    config: Config,
    rng: Rng,
    contacts: BTreeMap<PeerKey, Contact>,
    candidates: Candidates,
    announcer: Announcer,
    hunt: Hunt,
    timers: Timers<Timer>,
    /// The dictionary, once it is found, if others may have it of us; empty before.
    info: Arc<[u8]>,
    /// It was found; it may be of no use.
    found: bool,
    /// Searches in the DHT, if it is used.
    lookups: Option<Lookups>,
    /// Bytes of the dictionary that came, right or wrong.
    received: u64,
    /// Peers that claimed a longer dictionary than is taken.
    too_long: u32,
    /// What can be dialled when has changed.
    redial: bool,
    paused: bool,
    stopped: bool,
}

impl Seeker {
    /// A torrent of this info-hash. Of the config what concerns pieces means nothing; `private` is not known
    /// yet and is taken to be no. The first announce is due at once. The same seed and facts give the same
    /// orders.
    pub fn new(now: Moment, mut config: Config, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        config.max_peers = config.max_peers.max(1);
        config.private = false;
        config.info = Arc::default();
        let announcer = Announcer::new(now, &config.trackers, &mut rng);
        let mut seeker = Self {
            candidates: Candidates::new(now, config.ours.clone()),
            announcer,
            rng,
            contacts: BTreeMap::new(),
            hunt: Hunt::default(),
            timers: Timers::new(),
            info: Arc::default(),
            found: false,
            lookups: config.dht.then(|| Lookups::new(now, false)),
            received: 0,
            too_long: 0,
            redial: false,
            paused: false,
            stopped: false,
            config,
        };
        seeker.plan(now);
        seeker
    }

    /// When the next `Tick` is wanted.
    pub fn deadline(&self) -> Option<Moment> {
        self.timers.next().map(|(at, _)| at)
    }

    /// Whether the dictionary was found, of use or not.
    pub const fn is_found(&self) -> bool {
        self.found
    }

    /// Takes a fact that became known at `now`, and pushes what is to be done about it. Facts about pieces
    /// mean nothing.
    pub fn handle(&mut self, now: Moment, input: Input, out: &mut Vec<Output>) {
        if self.stopped {
            return;
        }
        match input {
            Input::Found { source, addrs } => self.heard_of(now, source, &addrs),
            Input::Connected { peer, addr, incoming, hello } => {
                self.connected(now, peer, addr, incoming, hello, out);
            }
            Input::DialFailed { addr, why } => self.dial_failed(now, addr, why),
            Input::Heard { peer, message } => self.heard(now, peer, message, out),
            Input::Wasted { peer, .. } => self.strike(now, peer, out),
            Input::Drained { peer } => self.drained(now, peer, out),
            Input::Left { peer, why } => self.left(now, peer, why, out),
            Input::Announced { tracker, answer } => self.announced(now, tracker, answer, out),
            Input::Scraped { tracker, answer } => self.scraped(now, tracker, &answer),
            Input::LookedUp { answered, peers } => self.looked_up(now, answered, peers, out),
            Input::Wish(wish) => self.wish(now, &wish, out),
            _ => {}
        }
        self.expire(now, out);
        self.plan(now);
    }

    /// Leaves everything to a torrent: its connections go on.
    pub fn leave(self) -> Heritage {
        let heir = |(key, contact): (PeerKey, Contact)| Heir {
            key,
            addr: contact.addr,
            listens: contact.listens,
            incoming: contact.incoming,
            hello: contact.hello,
            said: contact.hearsay.again(),
            interested: contact.interested,
            lender: contact.lender,
            exchange: contact.exchange,
        };
        Heritage {
            peers: self.contacts.into_iter().map(heir).collect(),
            candidates: self.candidates,
            announcer: self.announcer,
            lookups: self.lookups,
        }
    }
}
