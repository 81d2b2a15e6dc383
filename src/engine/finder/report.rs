//! What a search shows of itself.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

use super::{Driver, Find, Published};
use crate::base::{Bitfield, Moment, Untrusted};
use crate::engine::driver::tracker_status;
use crate::engine::view::{Detail, PeerRow, Reason, Row, State, TrackerRow};
use crate::engine::why::search::{Search, why};
use crate::net::route;
use crate::swarm::seeker::SeekerSummary;

/// Keeps the row and publishes it.
pub(super) struct Reporter {
    publish: watch::Sender<Option<Published>>,
    row: Row,
    /// Whether somebody looks at the detail.
    pub look: bool,
    started: Option<Moment>,
}

/// The row of a torrent of which only this is known.
pub(in crate::engine) fn row(find: &Find) -> Row {
    let (state, reason) = why(&Search::default());
    Row {
        id: find.info_hash,
        name: find.name.clone().unwrap_or_else(|| Untrusted::new(find.info_hash.to_string())),
        state,
        reason,
        wanted: 0,
        done: 0,
        checked: 0,
        to_check: 0,
        files: 0,
        down: 0.0,
        up: 0.0,
        received: 0,
        wasted: 0,
        sent: 0,
        sent_ever: 0,
        peers: 0,
        seeds: 0,
        swarm_seeds: None,
        swarm_leechers: None,
        copies: 0,
        eta: None,
        active: Duration::ZERO,
        path: PathBuf::new(),
    }
}

impl Reporter {
    pub(super) fn new(publish: watch::Sender<Option<Published>>, find: &Find) -> Self {
        Self { publish, row: row(find), look: false, started: None }
    }

    /// What it is called is known now.
    pub(super) fn name(&mut self, name: Untrusted) {
        self.row.name = name;
    }

    /// It has left the swarm.
    pub(super) fn left(&mut self) {
        self.row.state = State::Done;
        self.row.reason = Reason { word: "not_seeding", text: "stopped before it began".into() };
        self.row.peers = 0;
        self.show(None);
    }

    fn show(&self, detail: Option<Detail>) {
        self.publish.send_replace(Some(Published { row: self.row.clone(), detail }));
    }
}

impl Driver {
    pub(super) fn publish(&mut self) {
        let now = self.now();
        let s = self.seeker.summary();
        let search = Search {
            fault: self.fault.as_ref().map(|fault| fault.message.clone()),
            paused: self.paused,
            found: s.found,
            progress: s.progress,
            peers: s.peers,
            offering: s.offering,
            too_long: s.too_long,
            known: s.known,
            trying: s.fresh.saturating_add(s.dialling),
            trackers: s.trackers,
            named: self.names.open(),
            unknown_names: self.names.unknown(),
            trackers_working: s.trackers_working,
            trackers_refused: s.trackers_refused,
            refusal: s.refusal.as_ref().map(|text| text.fit(200)),
            trackers_failed: s.trackers_failed,
            failure: s.failure.as_ref().map(|text| text.fit(200)),
            trackers_off: !self.find.use_trackers,
            dht: s.dht.map(|dht| dht.answered.saturating_add(self.answering(dht.searching))),
            dht_searched: s.dht.is_some_and(|dht| dht.searches > 0),
            offline: self.is_offline(&s),
        };
        let detail = self.reporter.look.then(|| self.detail(now));
        let reporter = &mut self.reporter;
        let started = *reporter.started.get_or_insert(now);
        let row = &mut reporter.row;
        (row.state, row.reason) = why(&search);
        // Drafts come and go with those who lie; what a new one has to make up for was no progress.
        row.received = row.received.max(s.progress.map_or(0, |(have, _)| have));
        row.peers = s.peers;
        row.swarm_seeds = s.swarm_seeds;
        row.swarm_leechers = s.swarm_leechers;
        row.active = now.since(started);
        reporter.show(detail);
    }

    /// Nodes of the DHT that have answered in the search that is under way.
    fn answering(&self, searching: bool) -> u32 {
        self.search.as_ref().filter(|_| searching).map_or(0, super::Search::answered)
    }

    /// Whether nobody can be reached from here. Whoever chose an address may have no more than a part of the
    /// network in mind.
    fn is_offline(&self, s: &SeekerSummary) -> bool {
        let nothing = s.peers == 0 && s.trackers_working == 0;
        nothing && self.shared.ours.is_empty() && !route::leads_out()
    }

    fn detail(&self, now: Moment) -> Detail {
        let peers = self.seeker.peers(now).map(|peer| PeerRow {
            addr: peer.addr,
            client: peer.client,
            incoming: peer.incoming,
            source: peer.source,
            progress: peer.progress,
            down: peer.down,
            up: peer.up,
            interested: peer.interested,
            unchoked_us: peer.unchoked_us,
            wants: peer.wants,
            unchoked_by_us: peer.unchoked_by_us,
        });
        let trackers = self.seeker.trackers(now).map(|tracker| TrackerRow {
            url: Untrusted::new(self.urls.get(tracker.key.0).cloned().unwrap_or_default()),
            tier: tracker.tier,
            status: tracker_status(&tracker),
            working: tracker.working,
            next: tracker.next,
            seeds: tracker.seeds,
            leechers: tracker.leechers,
        });
        Detail {
            id: self.find.info_hash,
            have: Bitfield::none(0),
            peers: peers.collect(),
            trackers: trackers.collect(),
        }
    }
}
