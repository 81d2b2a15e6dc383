//! The orders of the search, carried out.

use std::net::SocketAddr;

use tokio::sync::oneshot;

use super::{Driver, Fact, names};
use crate::engine::dht::Search;
use crate::engine::event::{Event, Fault};
use crate::net::{ToPeer, dial};
use crate::proto::announce::{Announce, AnnounceEvent};
use crate::swarm::event::{Input, Note, Output, PeerKey, Source, TrackerKey, Wish};

impl Driver {
    /// Carries out what lies in `out`.
    pub(super) fn carry_out(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        let mut useless: Option<Fault> = None;
        for order in out.drain(..) {
            match order {
                Output::Dial { addr } => self.dial(addr),
                Output::Say { peer, message } => self.send(peer, ToPeer::Say(message)),
                Output::Close { peer, .. } => {
                    self.send(peer, ToPeer::Close);
                    self.links.remove(&peer);
                }
                Output::Announce { tracker, announce } => self.announce(tracker, announce),
                Output::Scrape { tracker } => self.scrape(tracker),
                Output::Metadata(result) => {
                    self.found(result);
                    useless.clone_from(&self.fault);
                }
                Output::Note(note) => self.note(&note),
                Output::Lookup { announce, seed } => self.look_up(announce, seed),
                Output::Node { addr } => {
                    if let Some(node) = self.shared.dht_for(self.private) {
                        node.add_nodes(&[addr]);
                    }
                }
                // Of pieces a search orders nothing.
                Output::Ask { .. }
                | Output::Cancel { .. }
                | Output::Serve { .. }
                | Output::Unserve { .. }
                | Output::Verify { .. }
                | Output::Discard { .. } => {}
            }
        }
        self.out = out;
        if useless.is_some() {
            // There is nothing more to look for.
            let now = self.now();
            self.seeker.handle(now, Input::Wish(Wish::Stop), &mut self.out);
            self.carry_out();
        }
    }

    fn send(&self, peer: PeerKey, order: ToPeer) {
        if let Some(link) = self.links.get(&peer) {
            let _ = link.orders.send(order);
        }
    }

    fn dial(&self, addr: SocketAddr) {
        let (facts, bind) = (self.facts.clone(), self.shared.bind);
        let (ours, patience) =
            (self.shared.handshake(self.find.info_hash, self.private), self.shared.patience);
        tokio::spawn(async move {
            let result = dial(addr, bind, &ours, patience).await;
            let _ = facts.send(Fact::Dialled { addr, result });
        });
    }

    /// Looks for the peers that the link knows by name.
    pub(super) fn resolve(&self) {
        let names = self.find.named_peers.clone();
        if names.is_empty() {
            return;
        }
        let (facts, events, id) = (self.facts.clone(), self.shared.events.clone(), self.find.info_hash);
        let found = move |addrs| {
            let _ = facts.send(Fact::Heard(Input::Found { source: Source::User, addrs }));
        };
        let note = move |text| {
            let _ = events.send(Event::Note { id, text });
        };
        tokio::spawn(self.names.clone().look_up(names, names::ask_system, found, note));
    }

    fn announce(&mut self, tracker: TrackerKey, announce: Announce) {
        let Some(url) = self.urls.get(tracker.0).cloned() else { return };
        let (facts, shared) = (self.facts.clone(), self.shared.clone());
        self.announcing += 1;
        let (over, next) = oneshot::channel::<()>();
        let before = self.speaking.insert(tracker, next);
        tokio::spawn(async move {
            if let Some(before) = before {
                // It only ever ends by being dropped.
                let _ = before.await;
            }
            let answer = shared.trackers.announce(&url, &announce).await;
            if announce.event != AnnounceEvent::Stopped {
                tracing::debug!(url, ok = answer.is_ok(), "announced");
            }
            drop(over);
            let _ = facts.send(Fact::Answered { url, answer: Box::new(answer) });
        });
    }

    fn look_up(&mut self, announce: bool, seed: bool) {
        let Some(node) = self.shared.dht_for(self.private) else { return };
        let (facts, port) = (self.facts.clone(), self.shared.port().filter(|_| announce));
        let tell = move |input| {
            let _ = facts.send(Fact::Heard(input));
        };
        self.search = Some(Search::begin(node, self.find.info_hash, port, seed, tell));
    }

    fn scrape(&self, tracker: TrackerKey) {
        let Some(url) = self.urls.get(tracker.0).cloned() else { return };
        let (facts, shared, id) = (self.facts.clone(), self.shared.clone(), self.find.info_hash);
        tokio::spawn(async move {
            let answer = shared.trackers.scrape(&url, id).await;
            let _ = facts.send(Fact::Heard(Input::Scraped { tracker, answer }));
        });
    }

    fn note(&self, note: &Note) {
        let text = match note {
            Note::Banned(addr) => format!("{addr} sent a wrong file list and is banned"),
            Note::TrackerWarning(_, text) => format!("a tracker warns: {}", text.fit(200)),
            Note::Finished | Note::SpoiledPiece(_) => return,
        };
        let _ = self.shared.events.send(Event::Note { id: self.find.info_hash, text });
    }
}
