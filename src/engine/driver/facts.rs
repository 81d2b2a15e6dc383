//! Reports of peers, disk and trackers, translated into inputs of the state machine.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::reads::Reads;
use super::{Driver, Fact, Link};
use crate::net::{FromPeer, Terms, ToPeer, peer};
use crate::proto::message::Message;
use crate::swarm::event::{DialFailure, Hello, Input, PeerKey};

impl Driver {
    /// A report of a peer's task.
    pub(super) fn reported(&mut self, (peer, report): (PeerKey, FromPeer)) {
        if !self.peers.contains_key(&peer) {
            return;
        }
        match report {
            FromPeer::Heard(message) => {
                let choked = message == Message::Choke;
                self.tell(Input::Heard { peer, message });
                if choked && let Some(link) = self.peers.get(&peer) {
                    link.say(ToPeer::ChokeSeen);
                }
            }
            FromPeer::Landed(blocks) => self.landed(peer, blocks),
            FromPeer::Wasted(bytes) => self.tell(Input::Wasted { peer, bytes }),
            FromPeer::Sent(spans) => self.tell(Input::Sent { peer, spans }),
            FromPeer::Drained => self.tell(Input::Drained { peer }),
            FromPeer::Left(why) => {
                self.peers.remove(&peer);
                self.tell(Input::Left { peer, why });
            }
        }
    }

    /// Takes in what comes back from an order.
    pub(super) fn handle_event(&mut self, event: Fact) {
        match event {
            Fact::Dialled { addr, result: Ok((stream, hello)) } => self.connected(stream, addr, false, hello),
            Fact::Dialled { addr, result: Err(why) } => self.tell(Input::DialFailed { addr, why }),
            Fact::Checking(bytes) => self.checking(bytes),
            Fact::Opened(opened) => self.opened(*opened),
            Fact::Ready(ready) => self.ready(ready),
            Fact::Piece(kept) => self.piece_done(kept),
            Fact::Segment(settled) => self.segment_done(settled),
            Fact::Confirmed(confirmed) => self.confirmed(confirmed),
            Fact::Fetched { peer, result } => self.fetched(peer, result),
            Fact::Heard(input) => {
                if matches!(input, Input::Announced { .. }) {
                    self.announcing = self.announcing.saturating_sub(1);
                }
                self.tell(input);
            }
            Fact::ReadAgain { peer } => self.read_again(peer),
            Fact::ReadTo(at) => self.read_to(at),
            Fact::Saved { synced, error } => self.saved(synced, error),
        }
    }

    pub(super) fn connected(&mut self, stream: TcpStream, addr: SocketAddr, incoming: bool, hello: Hello) {
        let Some(member) = self.shared.join() else {
            if !incoming {
                self.tell(Input::DialFailed { addr, why: DialFailure::Local });
            }
            return;
        };
        let key = self.shared.next_peer();
        let (orders, inbox) = mpsc::unbounded_channel();
        let terms = Terms {
            key,
            fast: hello.reserved.fast(),
            pieces: self.metainfo.as_ref().map(|metainfo| metainfo.geometry().piece_count()),
            pool: self.shared.pool.clone(),
            limits: [self.shared.limits.clone(), self.limits.clone()],
        };
        tokio::spawn(peer::run(stream, terms, inbox, self.to.reports.clone()));
        self.peers.insert(key, Link { orders, reads: Reads::default(), _member: member });
        self.tell(Input::Connected { peer: key, addr, incoming, hello });
    }
}

impl Link {
    /// Orders; a task that has just ended reports that itself.
    pub(super) fn say(&self, order: ToPeer) {
        let _ = self.orders.send(order);
    }
}
