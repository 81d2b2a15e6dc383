//! The view that a driver publishes of its torrent.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::content::Content;
use super::resume_record::ContentTarget;
use super::{Driver, TorrentView};
use crate::base::{Moment, TorrentId, Untrusted};
use crate::engine::command::{Add, After};
use crate::engine::event::FaultKind;
use crate::engine::view::{Detail, PeerRow, Reason, Row, State, TrackerRow};
use crate::engine::why::metadata::{self, MetadataSearch};
use crate::engine::why::{Circumstances, why};
use crate::net::route;
use crate::swarm::{Summary, TrackerSummary};

/// Time after the start in which a slow torrent needs no explanation.
const YOUNG: Duration = Duration::from_secs(5);
/// Window of the average rate for the estimated time to completion.
const ETA_WINDOW: Duration = Duration::from_secs(20);
/// Rate in bytes per second below which no time to completion is estimated.
const SLOWEST: f64 = 1024.0;

/// The publisher of a torrent's row and details.
pub(super) struct ViewPublisher {
    publish: watch::Sender<Option<TorrentView>>,
    /// The last row. The session adds the info-hashes that the metadata named.
    row: Row,
    /// Whether to publish details.
    pub show_detail: bool,
    /// The torrent has reached its goal and left the swarm.
    pub done: bool,
    started: Option<Moment>,
    average: Option<Average>,
}

/// The average rate over [`ETA_WINDOW`], counted from the first transfer.
struct Average {
    began: Moment,
    last: Moment,
    sum: f64,
    weight: f64,
}

impl Average {
    /// Adds the rate of this moment; returns the average in bytes per second.
    fn add(&mut self, now: Moment, rate: f64) -> f64 {
        let keep = (-now.since(self.last).as_secs_f64() / ETA_WINDOW.as_secs_f64()).exp();
        self.last = now;
        self.sum = self.sum * keep + rate * (1.0 - keep);
        self.weight = self.weight * keep + (1.0 - keep);
        if self.weight > 0.0 { self.sum / self.weight } else { rate }
    }
}

impl ViewPublisher {
    pub(super) fn new(publish: watch::Sender<Option<TorrentView>>, id: TorrentId, add: &Add) -> Self {
        let row = Row::new(id, add.info_hashes(), add.name(), metadata::why(&MetadataSearch::default()));
        Self { publish, row, show_detail: false, done: false, started: None, average: None }
    }

    /// Sets the name from the metadata.
    pub(super) fn name(&mut self, name: Untrusted) {
        self.row.name = name;
    }

    /// Resets the row for the wanted content.
    pub(super) fn content(&mut self, ContentTarget { metainfo, options }: &ContentTarget) {
        let unseen = why(&Circumstances { unseen: true, ..Circumstances::default() });
        self.row = self.row.of_content(metainfo, options, unseen);
        self.row.path = options.folder.join(metainfo.top_name());
        self.started = None;
    }

    /// The state during a recheck, with its progress and estimated time.
    fn checking(&mut self, (since, bytes, of): (Instant, u64, u64)) -> (State, Reason) {
        let took = since.elapsed();
        self.row.checked = bytes.min(of);
        self.row.to_check = of;
        // The first second says little about the rest.
        let rate = bytes as f64 / took.as_secs_f64().max(0.001);
        let is_known = took >= Duration::from_secs(1) && rate >= SLOWEST;
        let left = of.saturating_sub(bytes) as f64 / rate.max(1.0);
        let check_left = is_known.then(|| Duration::from_secs_f64(left.clamp(1.0, 1e9)));
        let circumstances = Circumstances { checking: true, check_left, ..Circumstances::default() };
        self.row.eta = check_left;
        why(&circumstances)
    }

    /// Copies the transfer figures to the row.
    fn moved(&mut self, now: Moment, summary: &Summary, sent_before: u64) {
        let eta = self.eta(now, summary.wanted.saturating_sub(summary.done), summary.down);
        self.active(now);
        let row = &mut self.row;
        row.wanted = summary.wanted;
        row.done = summary.done;
        row.down = summary.down;
        row.up = summary.up;
        row.received = summary.received;
        row.wasted = summary.wasted;
        row.sent = summary.sent;
        row.sent_ever = sent_before.saturating_add(summary.sent);
        row.seeds = summary.seeds;
        row.copies = summary.copies;
        row.eta = eta;
    }

    /// Counts the active time.
    fn active(&mut self, now: Moment) {
        self.row.active = now.since(*self.started.get_or_insert(now));
    }

    /// The estimated time to completion at the average rate; `None` at first and at very low rates.
    fn eta(&mut self, now: Moment, left: u64, down: f64) -> Option<Duration> {
        if self.average.is_none() && down < SLOWEST {
            return None;
        }
        let average = self.average.get_or_insert(Average { began: now, last: now, sum: 0.0, weight: 0.0 });
        let rate = average.add(now, down);
        if left == 0 || now.since(average.began) < YOUNG || rate < SLOWEST {
            return None;
        }
        Some(Duration::from_secs_f64((left as f64 / rate).min(1e9)))
    }
}

impl Driver {
    /// Publishes the present view of the torrent; `last` marks the last one.
    pub(super) fn publish(&mut self, now: Moment, summary: &Summary, last: bool) {
        let state = match (&self.content, &self.opening, &self.fault) {
            (Some(content), ..) => {
                let state = why(&self.circumstances(content, now, summary));
                self.view_publisher.moved(now, summary, content.resume_writer.sent_before());
                state
            }
            (None, _, Some(fault)) if fault.kind == FaultKind::BadMagnet => {
                (State::Metadata, Reason { word: "bad_magnet", text: fault.message.clone() })
            }
            (None, _, Some(fault)) => {
                let fault = Some((fault.kind.reason(), fault.message.clone()));
                why(&Circumstances { fault, ..Circumstances::default() })
            }
            (None, ..) if last => {
                (State::Done, Reason { word: "not_seeding", text: "stopped before it began".into() })
            }
            (None, Some(opening), None) => match opening.checked() {
                Some(checked) => self.view_publisher.checking(checked),
                // The session has published this state already.
                None => return,
            },
            (None, None, None) => {
                let state = metadata::why(&self.metadata_search(summary));
                self.view_publisher.row.received = self.metadata_progress.received;
                self.view_publisher.active(now);
                state
            }
        };
        let detail = self.view_publisher.show_detail.then(|| self.detail(now));
        let ViewPublisher { row, publish, .. } = &mut self.view_publisher;
        (row.state, row.reason) = state;
        row.peers = summary.peers;
        row.swarm_seeds = summary.swarm_seeds;
        row.swarm_leechers = summary.swarm_leechers;
        publish.send_replace(Some(TorrentView { row: row.clone(), detail, last }));
    }

    /// The circumstances of the metadata search.
    pub(super) fn metadata_search(&self, s: &Summary) -> MetadataSearch {
        let metadata = s.metadata.unwrap_or_default();
        // DHT nodes that replied to the lookup in flight.
        let answering = |searching: bool| {
            self.dht_lookup.as_ref().filter(|_| searching).map_or(0, crate::engine::dht::PeerLookup::answered)
        };
        MetadataSearch {
            paused: self.paused,
            found: metadata.found,
            progress: metadata.progress,
            peers: s.peers,
            offering: metadata.offering,
            refusing: metadata.refusing,
            too_long: metadata.too_long,
            known: s.known,
            trying: s.fresh.saturating_add(s.dialling),
            trackers: s.trackers,
            named: self.peer_hosts.pending(),
            unknown_names: self.peer_hosts.unknown(),
            trackers_working: s.trackers_working,
            trackers_refused: s.trackers_refused,
            refusal: s.refused.as_ref().map(|text| text.fit(200)),
            trackers_failed: s.trackers_broken,
            failure: s.failure.as_ref().map(|text| text.fit(200)),
            trackers_off: !self.add.use_trackers,
            dht: s.dht.map(|dht| dht.answered.saturating_add(answering(dht.searching))),
            dht_searched: s.dht.is_some_and(|dht| dht.searches > 0),
            offline: self.is_offline(s),
        }
    }

    fn circumstances(&self, content: &Content, now: Moment, s: &Summary) -> Circumstances {
        let session = &self.shared.network.limits;
        // While addresses may still answer, the failed ones do not explain the state.
        let hopeless = if s.fresh == 0 && s.dialling == 0 { s.known } else { 0 };
        let failed = |count: u64| count.min(u64::from(hopeless)) as u32;
        let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Circumstances {
            fault: self.fault.as_ref().map(|fault| (fault.kind.reason(), fault.message.clone())),
            paused: self.paused,
            queued_behind: None,
            unseen: false,
            checking: false,
            check_left: None,
            finished: content.goal.is_finished(),
            done: self.view_publisher.done,
            gives_back: content.target.options.after != After::Stop,
            offline: self.is_offline(s),
            trackers_off: !self.add.use_trackers,
            young: now.since(self.view_publisher.started.unwrap_or(now)) < YOUNG,
            private: self.torrent.is_private(),
            trackers: s.trackers,
            trackers_working: s.trackers_working,
            trackers_failing: s.trackers_failed,
            failure: self.failure(now),
            refusal: s.refused.as_ref().map(|text| text.fit(200)),
            dht: s.dht.is_some(),
            dht_searched: s.dht.is_some_and(|dht| dht.searches > 0),
            dht_asked: s.dht.map_or(0, |dht| dht.answered),
            swarm_seeds: s.swarm_seeds,
            known: s.known,
            timed_out: failed(s.dials.timed_out),
            refused: failed(s.dials.refused + s.dials.unreachable + s.dials.bad_handshake),
            peers: s.peers,
            useful: s.interesting,
            choking: s.choking_us,
            wanting: s.wanting,
            missing: s.nobody_has,
            best_copy: s.availability.min(1.0),
            down: s.down,
            up: s.up,
            down_limit: least(session.down.get(), self.add.down),
            up_limit: least(session.up.get(), self.add.up),
            disk_behind: s.short_of_memory && content.writes_pending > 4,
            disk_rate: s.down,
        }
    }

    /// Whether the machine is offline. With a bind address the user may reach only a part of the network, so
    /// that counts as online.
    fn is_offline(&self, s: &Summary) -> bool {
        let nothing = s.peers == 0 && s.trackers_working == 0 && !self.is_finished();
        nothing && self.shared.network.ours.is_empty() && !route::leads_out()
    }

    /// The error of the first tracker that fails.
    fn failure(&self, now: Moment) -> Option<String> {
        let failing = self.torrent.trackers(now).find(|tracker| tracker.working == Some(false))?;
        failing.said.map(|text| text.fit(200))
    }

    fn detail(&self, now: Moment) -> Detail {
        let peers = self.torrent.peers(now).map(|peer| PeerRow {
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
        let trackers = self.torrent.trackers(now).map(|tracker| TrackerRow {
            url: Untrusted::new(self.urls.get(tracker.key.0).cloned().unwrap_or_default()),
            tier: tracker.tier,
            status: tracker_status(&tracker),
            working: tracker.working,
            next: tracker.next,
            seeds: tracker.seeds,
            leechers: tracker.leechers,
        });
        Detail {
            id: self.id,
            have: self.torrent.have().clone(),
            peers: peers.collect(),
            trackers: trackers.collect(),
        }
    }
}

/// The status of a tracker, as a sentence.
fn tracker_status(tracker: &TrackerSummary) -> String {
    let said = tracker.said.as_ref().map(|text| text.fit(200));
    match (tracker.asking, tracker.working) {
        (true, _) => "being asked".to_owned(),
        (false, None) => "not asked yet".to_owned(),
        (false, Some(true)) => match said {
            Some(warning) => format!("works, but warns: {warning}"),
            None => {
                format!("works, gave {}", crate::base::units::plural(tracker.peers as u64, "peer", "peers"))
            }
        },
        (false, Some(false)) if tracker.refused => format!("refuses: {}", said.unwrap_or_default()),
        (false, Some(false)) => said.unwrap_or_else(|| "does not answer".to_owned()),
    }
}
