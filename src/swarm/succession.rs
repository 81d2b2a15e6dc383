//! How a torrent goes on with what the search for its metadata has gathered: connections, addresses, and what
//! trackers know of us.

use std::net::SocketAddr;

use crate::base::{Moment, Piece};
use crate::proto::message::Message;

use super::announcer::Announcer;
use super::candidates::Candidates;
use super::event::{Departure, Hello, Output, PeerKey, Source, TrackerKey};
use super::lender::Lender;
use super::lookups::Lookups;
use super::peer::Peer;
use super::pex::Exchange;
use super::torrent::Torrent;

/// Pieces that are told one by one to a peer that has heard before that we have none. Where we have more,
/// a new connection, which begins with all of them at once, is cheaper.
const MOST_HAVES: u32 = 20_000;

/// What a [`Seeker`](super::seeker::Seeker) leaves.
#[derive(Clone, Debug)]
pub struct Heritage {
    pub(super) peers: Vec<Heir>,
    pub(super) candidates: Candidates,
    pub(super) announcer: Announcer,
    pub(super) lookups: Option<Lookups>,
}

/// A connection that goes on.
#[derive(Clone, Debug)]
pub(super) struct Heir {
    pub(super) key: PeerKey,
    pub(super) addr: SocketAddr,
    pub(super) listens: Option<SocketAddr>,
    pub(super) incoming: bool,
    pub(super) hello: Hello,
    /// What it has said.
    pub(super) said: Vec<Message>,
    /// It has heard that we are interested.
    pub(super) interested: bool,
    /// What it has asked for of the info dictionary.
    pub(super) lender: Lender,
    /// What passed between us and it about other peers.
    pub(super) exchange: Exchange,
}

impl Torrent {
    /// Takes over before anything else has happened. `same` tells for each of our trackers which one of the
    /// seeker's it is, if any.
    ///
    /// Every peer has heard from us the handshakes and that we have nothing: `HaveNone`, or no word where it
    /// does not speak the fast extension. So a bitfield would come too late; what we have is told piece by
    /// piece. Only then is what it has said heard again.
    pub fn take_over(
        &mut self,
        now: Moment,
        heritage: Heritage,
        same: &[Option<TrackerKey>],
        out: &mut Vec<Output>,
    ) {
        let Heritage { peers, candidates, announcer, lookups } = heritage;
        self.candidates = candidates;
        self.announcer.adopt(&announcer, same);
        if let (Some(ours), Some(theirs)) = (&mut self.lookups, lookups) {
            *ours = theirs;
            if ours.searched().searching {
                // That one ended with the seeker.
                ours.stop();
                ours.resume(now);
            }
        }
        if self.finished {
            self.announcer.hurry(now);
            if let Some(lookups) = &mut self.lookups {
                lookups.completed(now);
            }
        }
        let stranger = |heir: &Heir, candidates: &Candidates| {
            let source = heir.listens.and_then(|addr| candidates.source_of(addr));
            if heir.incoming {
                source.is_some_and(|s| !s.is_open())
            } else {
                !source.is_some_and(Source::is_open)
            }
        };
        for heir in peers {
            let key = heir.key;
            let mut why = None;
            if self.config.private && stranger(&heir, &self.candidates) {
                why = Some(Departure::Useless);
            } else if self.peers.len() >= self.config.max_peers {
                why = Some(Departure::Replaced);
            } else if self.progress.have().count() > MOST_HAVES {
                why = Some(Departure::Stopping);
            }
            let said = self.inherit(now, heir);
            match why {
                Some(why) => self.close(now, key, why, out),
                None => self.meet_again(now, key, said, out),
            }
        }
        if self.config.private {
            self.candidates.keep_open();
        }
        self.redial = true;
        self.expire(now, out);
        self.feed(now, out);
        self.plan(now);
    }

    fn inherit(&mut self, now: Moment, heir: Heir) -> Vec<Message> {
        let pieces = self.geometry.piece_count();
        let mut peer = Peer::new(now, heir.addr, heir.incoming, heir.hello.id, heir.hello.reserved, pieces);
        peer.listens = heir.listens;
        peer.interested = heir.interested;
        peer.exchange = heir.exchange;
        peer.lender = heir.lender;
        self.senders.insert(heir.key, peer.who());
        self.peers.insert(heir.key, peer);
        heir.said
    }

    /// Tells a peer what has changed since the seeker greeted it, and hears what it has said so far.
    fn meet_again(&mut self, now: Moment, key: PeerKey, said: Vec<Message>, out: &mut Vec<Output>) {
        let have: Vec<u32> = self.progress.have().iter().map(Piece::index).collect();
        for piece in have {
            self.say(now, key, Message::Have(piece), out);
        }
        self.say_handshake(now, key, out);
        for message in said {
            self.heard(now, key, message, out);
        }
        // What we have ourselves may be all that it has.
        self.show_interest(now, key, out);
        self.lend(now, key, out);
    }
}

impl Announcer {
    /// Goes on where another left off that announced the same torrent from here. `same` tells for each of
    /// our trackers which one of the other's it is, if any.
    fn adopt(&mut self, other: &Self, same: &[Option<TrackerKey>]) {
        for (at, known) in same.iter().enumerate() {
            let known = known.and_then(|key| Some((key, other.trackers().get(key.0)?)));
            if let Some((key, known)) = known {
                self.adopt_one(TrackerKey(at), known, other.is_resting(key));
            }
        }
    }
}
