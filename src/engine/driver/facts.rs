//! What peers, disk and trackers report, put into the words of the state machine.

use tokio::sync::mpsc;

use super::reads::{Next, Reads};
use super::{Driver, Fact, Link};
use crate::base::Piece;
use crate::engine::event::Fault;
use crate::net::{FromPeer, Terms, ToPeer, peer};
use crate::proto::message::Message;
use crate::store::{Buf, DiskError, Kept, Settled};
use crate::swarm::event::{Hello, Input, PeerKey, TrackerKey};

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

    /// What comes back from an order.
    pub(super) fn fact(&mut self, fact: Fact) {
        match fact {
            Fact::Dialled { addr, result: Ok((stream, hello)) } => self.connected(stream, addr, false, hello),
            Fact::Dialled { addr, result: Err(why) } => self.tell(Input::DialFailed { addr, why }),
            Fact::Answered { url, answer } => {
                if let Some(at) = self.urls.iter().position(|known| *known == url) {
                    self.tell(Input::Announced { tracker: TrackerKey(at), answer: *answer });
                }
            }
            Fact::Ready(ready) => self.ready(ready),
            Fact::Kept(kept) => self.kept(kept),
            Fact::Settled(settled) => self.settled(settled),
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

    pub(super) fn connected(
        &mut self,
        stream: tokio::net::TcpStream,
        addr: std::net::SocketAddr,
        incoming: bool,
        hello: Hello,
    ) {
        let Some(member) = self.shared.join() else {
            if !incoming {
                self.tell(Input::DialFailed { addr, why: crate::swarm::event::DialFailure::Local });
            }
            return;
        };
        let key = self.shared.next_peer();
        let (orders, inbox) = mpsc::unbounded_channel();
        let terms = Terms {
            key,
            fast: hello.reserved.fast(),
            pieces: Some(self.geometry.piece_count()),
            pool: self.shared.pool.clone(),
            limits: [self.shared.limits.clone(), self.limits.clone()],
        };
        tokio::spawn(peer::run(stream, terms, inbox, self.reports.clone()));
        self.peers.insert(key, Link { orders, reads: Reads::default(), _member: member });
        self.tell(Input::Connected { peer: key, addr, incoming, hello });
    }

    fn landed(&mut self, peer: PeerKey, blocks: Vec<(crate::base::Block, Buf)>) {
        let names = blocks.iter().map(|(block, _)| *block).collect();
        let mut in_runs: Vec<Piece> = Vec::new();
        for (block, buf) in blocks {
            if !self.torrent.takes(block) {
                continue;
            }
            let piece = block.piece();
            let runs = self.torrent.is_in_runs(piece);
            if runs && in_runs.last() != Some(&piece) {
                in_runs.push(piece);
            }
            self.pieces.land(&self.geometry, block, buf, runs);
        }
        self.tell(Input::Landed { peer, blocks: names });
        for piece in in_runs {
            self.go_on_with(piece);
        }
    }

    /// A run of a long piece is hashed and written, or could not be.
    fn settled(&mut self, settled: Settled) {
        let front = match settled {
            Settled::On(front) => front,
            Settled::Stale(front) => {
                self.keeping = self.keeping.saturating_sub(1);
                let piece = front.piece();
                self.pieces.back(front);
                return self.go_on_with(piece);
            }
            Settled::Ended(front, kept) => {
                let piece = front.piece();
                if self.pieces.back(front).is_some() {
                    self.pieces.discard(piece);
                }
                self.kept(kept);
                return self.go_on_with(piece);
            }
        };
        self.keeping = self.keeping.saturating_sub(1);
        // The file is younger now than the last record says.
        self.saver.dirty = true;
        let piece = front.piece();
        if let Some(blocks) = self.pieces.back(front) {
            self.tell(Input::Settled { piece, blocks });
        }
        self.go_on_with(piece);
    }

    fn kept(&mut self, kept: Kept) {
        self.keeping = self.keeping.saturating_sub(1);
        match kept {
            Kept::Written { piece, digests } => {
                self.saver.dirty = true;
                self.tell(Input::Verified { piece, digests });
                self.more_is_verified();
            }
            Kept::Spoiled { piece, digests } => self.tell(Input::Spoiled { piece, digests }),
            Kept::Failed { piece, error } => {
                self.tell(Input::Unwritten { piece });
                self.fault.get_or_insert_with(|| Fault::from_disk(&error));
            }
        }
    }

    fn fetched(&mut self, peer: PeerKey, result: Result<Vec<Buf>, DiskError>) {
        let Some(link) = self.peers.get_mut(&peer) else { return };
        match result {
            Ok(bufs) => {
                let ready = link.reads.end(bufs);
                link.say(ToPeer::Serve(ready));
                self.read_on(peer);
            }
            // The disk is well, only too busy: that is no fault of the torrent.
            Err(error) if error.kind.is_passing() => match link.reads.failed() {
                Next::Again(after) => {
                    tracing::debug!(%error, ?after, "a read is tried again");
                    let facts = self.facts.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(after).await;
                        let _ = facts.send(Fact::ReadAgain { peer });
                    });
                }
                Next::GiveUp(spans) => {
                    tracing::debug!(%error, "requests are turned down");
                    self.tell(Input::Unserved { peer, spans });
                    self.read_on(peer);
                }
            },
            Err(error) => {
                self.fault.get_or_insert_with(|| Fault::from_disk(&error));
            }
        }
    }
}

impl Link {
    /// Orders; a task that has just ended reports that itself.
    pub(super) fn say(&self, order: ToPeer) {
        let _ = self.orders.send(order);
    }
}
