//! The orders of the state machine, carried out: one line per order.

use std::net::SocketAddr;

use tokio::sync::oneshot;

use super::pieces::Work;
use super::{Driver, Fact};
use crate::base::{Piece, Span};
use crate::engine::dht::{Node, Search};
use crate::engine::event::Event;
use crate::net::{ToPeer, dial};
use crate::proto::announce::{Announce, AnnounceEvent};
use crate::proto::handshake::Handshake;
use crate::swarm::event::{Input, Note, Output, PeerKey, TrackerKey};

impl Driver {
    /// Carries out what lies in `out`. Orders cause no facts by themselves, so there is no recursion.
    pub(super) fn carry_out(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        for order in out.drain(..) {
            match order {
                Output::Dial { addr } => self.dial(addr),
                Output::Say { peer, message } => self.send(peer, ToPeer::Say(message)),
                Output::Ask { peer, blocks } => self.send(peer, ToPeer::Ask(blocks)),
                Output::Cancel { peer, blocks } => self.send(peer, ToPeer::Cancel(blocks)),
                Output::Serve { peer, spans } => self.serve(peer, spans),
                Output::Unserve { peer, spans } => self.unserve(peer, spans),
                Output::Close { peer, .. } => {
                    self.send(peer, ToPeer::Close);
                    self.peers.remove(&peer);
                }
                Output::Verify { piece, digests } => self.verify(piece, digests),
                Output::Discard { piece } => self.pieces.discard(piece),
                Output::Announce { tracker, announce } => self.announce(tracker, announce),
                Output::Scrape { tracker } => self.scrape(tracker),
                Output::Lookup { announce, seed } => self.look_up(announce, seed),
                Output::Node { addr } => self.add_node(addr),
                // A torrent that is driven has its metadata.
                Output::Metadata(_) => {}
                Output::Note(note) => self.note(note),
            }
        }
        self.out = out;
    }

    fn send(&self, peer: PeerKey, order: ToPeer) {
        if let Some(link) = self.peers.get(&peer) {
            link.say(order);
        }
    }

    fn dial(&self, addr: SocketAddr) {
        let (facts, bind, ours) = (self.facts.clone(), self.shared.bind, self.handshake());
        let patience = self.shared.patience;
        tokio::spawn(async move {
            let result = dial(addr, bind, &ours, patience).await;
            let _ = facts.send(Fact::Dialled { addr, result });
        });
    }

    fn serve(&mut self, peer: PeerKey, spans: Vec<Span>) {
        if let Some(link) = self.peers.get_mut(&peer) {
            link.reads.add(spans);
            self.read_on(peer);
        }
    }

    /// Has the disk read the next burst for a peer, unless it is at one.
    pub(super) fn read_on(&mut self, peer: PeerKey) {
        if let Some(burst) = self.peers.get_mut(&peer).and_then(|link| link.reads.start()) {
            self.fetch(peer, burst);
        }
    }

    /// Has the disk read a burst once more that it could not read before.
    pub(super) fn read_again(&mut self, peer: PeerKey) {
        match self.peers.get_mut(&peer).map(|link| link.reads.again()) {
            Some(burst) if burst.is_empty() => self.read_on(peer),
            Some(burst) => self.fetch(peer, burst),
            None => {}
        }
    }

    pub(super) fn fetch(&mut self, peer: PeerKey, burst: Vec<Span>) {
        if self.puts_off_read(peer, &burst) {
            return;
        }
        let facts = self.facts.clone();
        self.shared.disk.fetch(&self.volume, burst, move |result| {
            let _ = facts.send(Fact::Fetched { peer, result });
        });
    }

    fn unserve(&mut self, peer: PeerKey, spans: Vec<Span>) {
        let Some(link) = self.peers.get_mut(&peer) else { return };
        link.reads.call_off(&spans);
        link.say(ToPeer::Unserve(spans));
    }

    fn verify(&mut self, piece: Piece, digests: bool) {
        self.pieces.verify(piece, digests);
        self.go_on_with(piece);
    }

    /// Hands to the disk threads what is to be done for a piece now.
    pub(super) fn go_on_with(&mut self, piece: Piece) {
        if self.puts_off(piece) {
            return;
        }
        let Some(work) = self.pieces.next(piece) else { return };
        self.keeping += 1;
        let facts = self.facts.clone();
        match work {
            Work::Keep(assembly, digests) => {
                self.shared.disk.keep(&self.volume, assembly, digests, move |kept| {
                    let _ = facts.send(Fact::Kept(kept));
                });
            }
            Work::Settle(run) => self.shared.disk.settle(&self.volume, run, move |settled| {
                let _ = facts.send(Fact::Settled(settled));
            }),
        }
    }

    fn announce(&mut self, tracker: TrackerKey, announce: Announce) {
        let Some(url) = self.urls.get(tracker.0).cloned() else { return };
        let (facts, shared) = (self.facts.clone(), self.shared.clone());
        // Only farewells are waited for when the torrent leaves.
        self.announcing += 1;
        let last = announce.event == AnnounceEvent::Stopped;
        // The turns are given out here: tasks need not start in the order in which they are spawned.
        let (over, next) = oneshot::channel::<()>();
        let before = self.speaking.insert(tracker, next);
        tokio::spawn(async move {
            if let Some(before) = before {
                // It only ever ends by being dropped.
                let _ = before.await;
            }
            let answer = shared.trackers.announce(&url, &announce).await;
            if !last {
                tracing::debug!(url, ok = answer.is_ok(), "announced");
            }
            drop(over);
            let _ = facts.send(Fact::Heard(Input::Announced { tracker, answer }));
        });
    }

    fn look_up(&mut self, announce: bool, seed: bool) {
        let Some(node) = self.dht() else { return };
        let (facts, port) = (self.facts.clone(), self.shared.port().filter(|_| announce));
        let tell = move |input| {
            let _ = facts.send(Fact::Heard(input));
        };
        self.search = Some(Search::begin(node, self.id, port, seed, tell));
    }

    fn add_node(&self, addr: SocketAddr) {
        if let Some(node) = self.dht() {
            node.add_nodes(&[addr]);
        }
    }

    /// The torrent names nodes to begin with (BEP 5).
    pub(super) fn name_nodes(&self) {
        let nodes = &self.add.metainfo.extras().nodes;
        if let Some(node) = self.dht().filter(|_| !nodes.is_empty()) {
            node.add_names(nodes.iter().map(|(host, port)| format!("{}:{port}", host.raw())).collect());
        }
    }

    /// The node of the DHT, if this torrent may use it.
    fn dht(&self) -> Option<&Node> {
        self.shared.dht_for(self.add.metainfo.is_private())
    }

    fn handshake(&self) -> Handshake {
        self.shared.handshake(self.id, self.add.metainfo.is_private())
    }

    fn scrape(&self, tracker: TrackerKey) {
        let Some(url) = self.urls.get(tracker.0).cloned() else { return };
        let (facts, shared, id) = (self.facts.clone(), self.shared.clone(), self.id);
        tokio::spawn(async move {
            let answer = shared.trackers.scrape(&url, id).await;
            let _ = facts.send(Fact::Heard(Input::Scraped { tracker, answer }));
        });
    }

    fn note(&mut self, note: Note) {
        let text = match note {
            Note::Finished => return self.finished(),
            Note::SpoiledPiece(piece) => {
                format!("piece {} came out wrong and is fetched again", piece.index())
            }
            Note::Banned(addr) => format!("{addr} sent wrong bytes and is banned"),
            Note::TrackerWarning(_, text) => format!("a tracker warns: {}", text.fit(200)),
        };
        let _ = self.shared.events.send(Event::Note { id: self.id, text });
    }
}
