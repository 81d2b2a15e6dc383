//! The summary of a torrent: everything that a face needs to show its state.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::{Moment, Untrusted};

use super::Torrent;
use super::content::Content;
use super::peer::Peer;
use super::phase::Phase;
use crate::swarm::event::{PeerKey, Source, TrackerFailure, TrackerKey};
use crate::swarm::parts::announcer::Tracker;
pub use crate::swarm::parts::dht_schedule::DhtResults;
use crate::swarm::parts::dht_schedule::DhtSchedule;
pub use crate::swarm::parts::dials::Dials;

/// The state of a torrent at one moment.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing that is so or is not")]
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Summary {
    /// The download of the info dictionary, until the content is open.
    pub metadata: Option<MetadataSummary>,
    /// The wanted bytes; padding does not count here or below.
    pub wanted: u64,
    /// The wanted bytes that are verified and written.
    pub done: u64,
    /// All bytes that are verified and written.
    pub have: u64,
    /// The number of pieces.
    pub pieces: u32,
    /// The number of pieces that are verified and written.
    pub have_pieces: u32,
    /// The number of wanted pieces that are missing.
    pub lacking_pieces: u32,
    /// The number of missing pieces that no connected peer has.
    pub nobody_has: u32,
    /// The bytes of memory held by partial pieces.
    pub open: u64,
    /// The most bytes that partial pieces may hold.
    pub budget: u64,
    /// Whether peers wait because memory is full of partial pieces: the disk is slower than the network.
    pub short_of_memory: bool,
    /// Whether every missing block is requested at least once.
    pub end_game: bool,
    /// Whether all wanted pieces are verified and written.
    pub finished: bool,
    /// Whether the user paused the torrent.
    pub paused: bool,
    /// The payload download rate, in bytes per second.
    pub down: f64,
    /// The payload upload rate, in bytes per second.
    pub up: f64,
    /// The useful payload received, in bytes.
    pub received: u64,
    /// The useless payload received, in bytes.
    pub wasted: u64,
    /// The payload sent, in bytes.
    pub sent: u64,
    /// The number of connected peers.
    pub peers: u32,
    /// The number of connected peers that have all pieces.
    pub seeds: u32,
    /// The number of connected peers that have a piece we want and lack.
    pub interesting: u32,
    /// The number of those that choke us.
    pub choking_us: u32,
    /// The number of those that are snubbed: they have not sent requested blocks for too long.
    pub snubbing_us: u32,
    /// The number of peers that send payload now.
    pub sending: u32,
    /// The number of peers that are interested in us.
    pub wanting: u32,
    /// The number of interested peers that we do not choke.
    pub served: u32,
    /// The largest share of the pieces that a connected peer has, from 0 to 1.
    pub best_share: f64,
    /// The availability: the number of whole copies among connected peers and ourselves, plus the share of
    /// pieces with one copy more.
    pub availability: f64,
    /// The number of connected peers that completed the download with our help.
    pub copies: u32,
    /// The number of candidates.
    pub known: u32,
    /// The number of candidates that are not connected and have not failed.
    pub fresh: u32,
    /// The number of dials in progress.
    pub dialling: u32,
    /// The results of all dials.
    pub dials: Dials,
    /// The number of trackers.
    pub trackers: u32,
    /// The number of trackers whose last announce succeeded.
    pub trackers_working: u32,
    /// The number of trackers whose last announce failed.
    pub trackers_failed: u32,
    /// The number of those that refused it.
    pub trackers_refused: u32,
    /// The reason that one of them gave.
    pub refused: Option<Untrusted>,
    /// The number of failed trackers that were unreachable or sent an unreadable answer. Those that did not
    /// answer in time are not counted.
    pub trackers_broken: u32,
    /// The failure of one of them.
    pub failure: Option<Untrusted>,
    /// The results of DHT searches; `None` if the DHT is not used.
    pub dht: Option<DhtResults>,
    /// The number of seeds in the swarm, the highest that a tracker reports.
    pub swarm_seeds: Option<u32>,
    /// The number of leechers in the swarm, the highest that a tracker reports.
    pub swarm_leechers: Option<u32>,
}

/// The download of the info dictionary at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MetadataSummary {
    /// Whether the dictionary is complete and has the right hash, usable or not.
    pub found: bool,
    /// The number of connected peers that offer the dictionary.
    pub offering: u32,
    /// The number of those that were silent or refused.
    pub refusing: u32,
    /// The number of peers that claimed a longer dictionary than is allowed.
    pub too_long: u32,
    /// The bytes received of the most advanced attempt, and its length.
    pub progress: Option<(u64, u32)>,
}

/// A connection at one moment.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing that is so or is not")]
#[derive(Clone, PartialEq, Debug)]
pub struct PeerSummary {
    /// The key of the connection.
    pub key: PeerKey,
    /// The remote address.
    pub addr: SocketAddr,
    /// The peer's client name.
    pub client: Untrusted,
    /// Whether the peer connected to us.
    pub incoming: bool,
    /// The source of the address, if known.
    pub source: Option<Source>,
    /// The time since the peer connected.
    pub age: Duration,
    /// The share of the pieces that the peer has, from 0 to 1.
    pub progress: f64,
    /// The payload rate from the peer, in bytes per second.
    pub down: f64,
    /// The payload rate to the peer, in bytes per second.
    pub up: f64,
    /// The payload received from the peer, in bytes.
    pub received: u64,
    /// The payload sent to the peer, in bytes.
    pub sent: u64,
    /// Whether we are interested in the peer.
    pub interested: bool,
    /// Whether the peer has unchoked us.
    pub unchoked_us: bool,
    /// Whether the peer is interested in us.
    pub wants: bool,
    /// Whether we have unchoked the peer.
    pub unchoked_by_us: bool,
    /// Whether the peer is snubbed: it has not sent requested blocks for too long.
    pub snubs_us: bool,
    /// The number of blocks pending at the peer.
    pub owes: u32,
    /// The number of blocks that should be pending.
    pub depth: u32,
}

/// A tracker at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct TrackerSummary {
    /// The key of the tracker.
    pub key: TrackerKey,
    /// The tracker's tier, counted from 0.
    pub tier: usize,
    /// Whether an announce is in progress.
    pub asking: bool,
    /// Whether the last announce succeeded; unknown before the first answer.
    pub working: Option<bool>,
    /// The number of consecutive failures.
    pub failures: u32,
    /// The last failure or warning.
    pub said: Option<Untrusted>,
    /// Whether the last failure was a refusal, not a network error.
    pub refused: bool,
    /// The time until the next announce.
    pub next: Option<Duration>,
    /// The number of seeds, as the tracker reported it.
    pub seeds: Option<u32>,
    /// The number of leechers, as the tracker reported it.
    pub leechers: Option<u32>,
    /// The number of peers in the last answer.
    pub peers: usize,
}

impl Torrent {
    /// Summarises the torrent. The call walks over all pieces and peers: for snapshots, not for loops.
    pub fn summary(&self, now: Moment) -> Summary {
        let swarm = &self.swarm;
        let count = |f: &dyn Fn(&Peer) -> bool| swarm.peers.values().filter(|p| f(p)).count() as u32;
        let mut summary = Summary {
            budget: swarm.config.budget,
            finished: swarm.finished,
            paused: swarm.paused,
            down: swarm.counters.down.rate(now),
            up: swarm.counters.up.rate(now),
            received: swarm.counters.down.total(),
            wasted: swarm.counters.wasted,
            sent: swarm.counters.up.total(),
            peers: swarm.peers.len() as u32,
            seeds: count(&Peer::is_seed),
            interesting: count(&|p| p.interesting > 0),
            choking_us: count(&|p| p.interesting > 0 && p.chokes_us),
            snubbing_us: count(&|p| p.interesting > 0 && p.pipeline.is_snubbed()),
            sending: count(&|p| p.down.rate(now) >= 1.0),
            wanting: count(&|p| p.wants),
            served: count(&|p| p.wants && !p.choked),
            known: swarm.candidates.len() as u32,
            fresh: swarm.candidates.fresh() as u32,
            dialling: swarm.candidates.dialling() as u32,
            dials: swarm.candidates.dials(),
            dht: swarm.dht_schedule.as_ref().map(DhtSchedule::results),
            ..Summary::default()
        };
        summary.set_trackers(swarm.announcer.trackers());
        match &self.phase {
            Phase::Metadata(download) => {
                summary.metadata = Some(MetadataSummary {
                    found: download.found,
                    offering: download.offers() as u32,
                    refusing: download.refusing() as u32,
                    too_long: download.too_long,
                    progress: download.progress(),
                });
            }
            Phase::Content(content) => {
                summary.set_content(content);
                let best = swarm.peers.values().map(|peer| peer.has.count()).max().unwrap_or(0);
                summary.best_share = f64::from(best) / f64::from(summary.pieces);
                summary.short_of_memory = !content.partial.is_empty()
                    && content.partial.bytes() + content.least_room(swarm) > swarm.config.budget
                    && swarm.peers.values().any(|peer| peer.starved);
                summary.end_game = !swarm.finished && content.in_end_game();
            }
        }
        summary
    }

    /// Returns the state of each connection.
    pub fn peers(&self, now: Moment) -> impl Iterator<Item = PeerSummary> + '_ {
        self.swarm.peers.iter().map(move |(&key, peer)| PeerSummary {
            key,
            addr: peer.addr,
            client: peer.client.clone(),
            incoming: peer.incoming,
            source: if peer.incoming {
                Some(Source::Incoming)
            } else {
                self.swarm.candidates.source_of(peer.addr)
            },
            age: now.since(peer.came),
            progress: f64::from(peer.has.count()) / f64::from(peer.has.len().max(1)),
            down: peer.down.rate(now),
            up: peer.up.rate(now),
            received: peer.down.total(),
            sent: peer.up.total(),
            interested: peer.interested,
            unchoked_us: !peer.chokes_us,
            wants: peer.wants,
            unchoked_by_us: !peer.choked,
            snubs_us: peer.pipeline.is_snubbed(),
            owes: peer.pipeline.pending().len() as u32,
            depth: peer.pipeline.depth(),
        })
    }

    /// Returns the state of each tracker, in the order of keys.
    pub fn trackers(&self, now: Moment) -> impl Iterator<Item = TrackerSummary> + '_ {
        let announcer = &self.swarm.announcer;
        announcer.trackers().iter().enumerate().map(move |(at, known)| TrackerSummary {
            key: TrackerKey(at),
            tier: known.tier,
            asking: known.asking.is_some(),
            working: known.working,
            failures: known.failures,
            said: known.said.clone(),
            refused: known.refused,
            next: announcer.next_of(TrackerKey(at)).map(|next| next.since(now)),
            seeds: known.seeds,
            leechers: known.leechers,
            peers: known.peers,
        })
    }
}

impl Summary {
    fn set_trackers(&mut self, trackers: &[Tracker]) {
        let failed = || trackers.iter().filter(|tracker| tracker.working == Some(false));
        // A tracker that did not answer in time is not counted as unreachable.
        let is_silent = |said: &Untrusted| said.raw() == TrackerFailure::NO_ANSWER;
        let broken = || failed().filter(|t| !t.refused && !t.said.as_ref().is_some_and(is_silent));
        self.trackers = trackers.len() as u32;
        self.trackers_working = trackers.iter().filter(|t| t.working == Some(true)).count() as u32;
        self.trackers_failed = failed().count() as u32;
        self.trackers_refused = failed().filter(|t| t.refused).count() as u32;
        self.refused = failed().filter(|t| t.refused).find_map(|t| t.said.clone());
        self.trackers_broken = broken().count() as u32;
        self.failure = broken().find_map(|t| t.said.clone());
        self.swarm_seeds = trackers.iter().filter_map(|t| t.seeds).max();
        self.swarm_leechers = trackers.iter().filter_map(|t| t.leechers).max();
    }

    fn set_content(&mut self, content: &Content) {
        let (wanted, done, have) = content.progress.bytes();
        let (ours, lacking) = (content.progress.have(), content.progress.lacking());
        let pieces = content.geometry.piece_count();
        let copies = |piece| content.rarity.count(piece) + u32::from(ours.has(piece));
        let counts: Vec<u32> = content.geometry.pieces().map(copies).collect();
        let least = counts.iter().copied().min().unwrap_or(0);
        let more = counts.iter().filter(|&&c| c > least).count();
        (self.wanted, self.done, self.have) = (wanted, done, have);
        self.pieces = pieces;
        self.have_pieces = ours.count();
        self.lacking_pieces = lacking.count();
        self.nobody_has = lacking.iter().filter(|&piece| content.rarity.count(piece) == 0).count() as u32;
        self.open = content.partial.bytes();
        self.availability = f64::from(least) + more as f64 / f64::from(pieces);
        self.copies = content.completions.count();
    }
}
