//! Execution of the state machine's outputs.

use std::net::SocketAddr;

use tokio::sync::oneshot;

use super::peer_hosts::{HostPort, resolve_host};
use super::{Driver, DriverEvent};
use crate::engine::dht::{Node, PeerLookup};
use crate::engine::event::Event;
use crate::net::{ToPeer, dial_hybrid};
use crate::proto::announce::{Announce, AnnounceEvent};
use crate::proto::handshake::Handshake;
use crate::swarm::event::{Input, Note, Output, PeerKey, Source, TrackerKey};

impl Driver {
    /// Executes the outputs in `out`. They cause no inputs by themselves, so there is no recursion.
    pub(super) fn execute_outputs(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        for order in out.drain(..) {
            match order {
                Output::Dial { addr } => self.dial(addr),
                Output::Send { peer, message } => self.send(peer, ToPeer::Send(message)),
                Output::Request { peer, blocks } => self.send(peer, ToPeer::Request(blocks)),
                Output::Cancel { peer, blocks } => self.send(peer, ToPeer::Cancel(blocks)),
                Output::Serve { peer, spans } => self.serve(peer, spans),
                Output::CancelServe { peer, spans } => self.cancel_serve(peer, spans),
                Output::Close { peer, .. } => {
                    self.send(peer, ToPeer::Close);
                    self.peers.remove(&peer);
                }
                Output::Open { piece, in_runs } => self.open_piece(piece, in_runs),
                Output::Accept { blocks } => self.accept(blocks),
                Output::Verify { piece, digests } => self.verify(piece, digests),
                Output::Discard { piece } => self.discard(piece),
                Output::Announce { tracker, announce } => self.announce(tracker, announce),
                Output::Scrape { tracker } => self.scrape(tracker),
                Output::Lookup { announce, seed } => self.look_up(announce, seed),
                Output::AddDhtNode { addr } => self.add_node(addr),
                Output::Metadata(metadata) => self.metadata_received(metadata),
                Output::Note(note) => self.note(note),
            }
        }
        self.out = out;
    }

    fn send(&self, peer: PeerKey, order: ToPeer) {
        if let Some(link) = self.peers.get(&peer) {
            link.send(order);
        }
    }

    fn dial(&self, addr: SocketAddr) {
        let (events, bind, ours) = (self.to.events.clone(), self.shared.network.bind, self.handshake());
        let (other, timeouts) = (self.info_hashes.wire_names().nth(1), self.shared.network.timeouts);
        tokio::spawn(async move {
            let result = dial_hybrid(addr, bind, &ours, other, timeouts).await;
            let _ = events.send(DriverEvent::Dialled { addr, result });
        });
    }

    /// Resolves the host names of peers.
    pub(super) fn look_up_names(&self, names: Vec<HostPort>) {
        if names.is_empty() {
            return;
        }
        let (to_driver, events, id) = (self.to.events.clone(), self.shared.events.clone(), self.id);
        let found = move |addrs| {
            let _ = to_driver.send(DriverEvent::Input(Input::PeersFound { source: Source::User, addrs }));
        };
        let note = move |text| {
            let _ = events.send(Event::Note { id, text });
        };
        tokio::spawn(self.peer_hosts.clone().resolve_all(names, resolve_host, found, note));
    }

    fn announce(&mut self, tracker: TrackerKey, announce: Announce) {
        let Some(url) = self.urls.get(tracker.0).cloned() else { return };
        let (events, shared) = (self.to.events.clone(), self.shared.clone());
        // When the torrent leaves, it waits for the announces in flight.
        self.announcing += 1;
        let last = announce.event == AnnounceEvent::Stopped;
        // The order is fixed here: tasks need not start in the order in which they are spawned.
        let (over, next) = oneshot::channel::<()>();
        let before = self.last_announces.insert(tracker, next);
        tokio::spawn(async move {
            if let Some(before) = before {
                // The channel only ever ends by being dropped.
                let _ = before.await;
            }
            let answer = shared.network.announce(&url, &announce).await;
            if !last {
                tracing::debug!(url, ok = answer.is_ok(), "announced");
            }
            drop(over);
            let _ = events.send(DriverEvent::Input(Input::Announced { tracker, answer }));
        });
    }

    fn look_up(&mut self, announce: bool, seed: bool) {
        let Some(node) = self.dht() else { return };
        let (events, port) = (self.to.events.clone(), self.shared.network.port().filter(|_| announce));
        let report = move |input| {
            let _ = events.send(DriverEvent::Input(input));
        };
        self.dht_lookup = Some(PeerLookup::begin(node, self.info_hashes, port, seed, report));
    }

    fn add_node(&self, addr: SocketAddr) {
        if let Some(node) = self.dht() {
            node.add_nodes(&[addr]);
        }
    }

    /// Adds the DHT nodes named in the torrent file (BEP 5).
    pub(super) fn add_torrent_nodes(&self) {
        let Some(metainfo) = &self.metainfo else { return };
        let nodes = &metainfo.extras().nodes;
        if let Some(node) = self.dht().filter(|_| !nodes.is_empty()) {
            node.add_names(nodes.iter().map(|(host, port)| format!("{}:{port}", host.raw())).collect());
        }
    }

    /// The DHT node, if this torrent may use it.
    fn dht(&self) -> Option<&Node> {
        self.shared.network.dht_for(self.torrent.is_private())
    }

    fn handshake(&self) -> Handshake {
        self.shared.network.handshake(self.info_hashes, self.torrent.is_private())
    }

    fn scrape(&self, tracker: TrackerKey) {
        let Some(url) = self.urls.get(tracker.0).cloned() else { return };
        let (events, shared, torrent) = (self.to.events.clone(), self.shared.clone(), self.info_hashes);
        tokio::spawn(async move {
            let answer = shared.network.trackers.scrape(&url, torrent).await;
            let _ = events.send(DriverEvent::Input(Input::Scraped { tracker, answer }));
        });
    }

    fn note(&mut self, note: Note) {
        let text = match note {
            Note::Finished => return self.confirm_files(),
            Note::HashFailed(piece) => {
                format!("piece {} came out wrong and is fetched again", piece.index())
            }
            Note::WrongMetadata(addr) => format!("{addr} sent a wrong file list and is asked again later"),
            Note::Banned(addr) if self.torrent.is_open() => format!("{addr} sent wrong bytes and is banned"),
            Note::Banned(addr) => format!("{addr} sent a wrong file list again and again and is banned"),
            Note::TrackerWarning(_, text) => format!("a tracker warns: {}", text.fit(200)),
        };
        let _ = self.shared.events.send(Event::Note { id: self.id, text });
    }
}
