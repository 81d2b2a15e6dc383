//! The summary of a torrent: everything a face needs to say what it does and why.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::{Moment, Untrusted};

use super::Torrent;
use super::content::Content;
use super::peer::Peer;
use super::phase::Phase;
use crate::swarm::event::{PeerKey, Source, TrackerFailure, TrackerKey};
use crate::swarm::parts::announcer::Tracker;
pub use crate::swarm::parts::dials::Dials;
use crate::swarm::parts::lookups::Lookups;
pub use crate::swarm::parts::lookups::Searched;

/// A torrent at one moment.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing that is so or is not")]
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Summary {
    /// How the search for the info dictionary goes, until the content is open.
    pub metadata: Option<MetadataSummary>,
    /// Bytes that are wanted; padding is not counted here or below.
    pub wanted: u64,
    /// Wanted bytes that are verified and written.
    pub done: u64,
    /// All bytes that are verified and written.
    pub have: u64,
    /// Pieces of the torrent.
    pub pieces: u32,
    /// Pieces that are verified and written.
    pub have_pieces: u32,
    /// Pieces that are wanted and lacking.
    pub lacking_pieces: u32,
    /// Lacking pieces that no connected peer has.
    pub nobody_has: u32,
    /// Bytes of open pieces, and how many are allowed.
    pub open: u64,
    /// See `open`.
    pub budget: u64,
    /// Peers wait because no more pieces may be open: the disk is slower than the network.
    pub short_of_memory: bool,
    /// Every wanted block is asked for.
    pub end_game: bool,
    /// Every wanted piece is there.
    pub finished: bool,
    /// Paused by the user.
    pub paused: bool,
    /// Payload per second downwards.
    pub down: f64,
    /// Payload per second upwards.
    pub up: f64,
    /// Payload received that was of use.
    pub received: u64,
    /// Payload received that was of no use.
    pub wasted: u64,
    /// Payload sent.
    pub sent: u64,
    /// Connected peers.
    pub peers: u32,
    /// Connected peers that have everything.
    pub seeds: u32,
    /// Connected peers that have something we want and lack.
    pub interesting: u32,
    /// Of those, how many choke us.
    pub choking_us: u32,
    /// Of those, how many owe us for too long.
    pub snubbing_us: u32,
    /// Peers that send to us now.
    pub sending: u32,
    /// Peers that want something of us.
    pub wanting: u32,
    /// Peers we do not choke and that want something of us.
    pub served: u32,
    /// The share the best connected peer has, from 0 to 1.
    pub best_share: f64,
    /// PeerCompletions of the torrent among connected peers and ourselves: whole ones, and the share of pieces
    /// that have one more.
    pub availability: f64,
    /// Connected peers that were incomplete when they came and have become complete.
    pub copies: u32,
    /// Addresses known.
    pub known: u32,
    /// Of those, how many have neither failed nor are connected.
    pub fresh: u32,
    /// Dials under way.
    pub dialling: u32,
    /// How dials ended.
    pub dials: Dials,
    /// Trackers of the torrent.
    pub trackers: u32,
    /// Trackers that answered when last asked.
    pub trackers_working: u32,
    /// Trackers that did not.
    pub trackers_failed: u32,
    /// Of those, how many refused us.
    pub trackers_refused: u32,
    /// The reason that one of them gave.
    pub refused: Option<Untrusted>,
    /// Of those that failed, how many could not be asked, or gave an answer that could not be read. A tracker that
    /// says nothing is not among them.
    pub trackers_broken: u32,
    /// Why, of one of them.
    pub failure: Option<Untrusted>,
    /// The results of searches in the DHT; nothing if it is not used.
    pub dht: Option<Searched>,
    /// Seeds in the swarm, as the tracker says that knows most.
    pub swarm_seeds: Option<u32>,
    /// Leechers in the swarm, as the tracker says that knows most.
    pub swarm_leechers: Option<u32>,
}

/// The search for the info dictionary at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MetadataSummary {
    /// Whether it was found, of use or not.
    pub found: bool,
    /// Connected peers that offer it.
    pub offering: u32,
    /// Those of them that did not give it when they were asked.
    pub refusing: u32,
    /// Peers that claimed a longer dictionary than is taken from anybody.
    pub too_long: u32,
    /// Bytes of it that are there, of the attempt that has most, and its length.
    pub progress: Option<(u64, u32)>,
}

/// One connection at one moment.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing that is so or is not")]
#[derive(Clone, PartialEq, Debug)]
pub struct PeerSummary {
    /// Its key.
    pub key: PeerKey,
    /// The address at the other end.
    pub addr: SocketAddr,
    /// The name of its client.
    pub client: Untrusted,
    /// Whether it connected to us.
    pub incoming: bool,
    /// The source of its address, if it is known.
    pub source: Option<Source>,
    /// How long it has been connected.
    pub age: Duration,
    /// The share it has, from 0 to 1.
    pub progress: f64,
    /// Payload per second from it.
    pub down: f64,
    /// Payload per second to it.
    pub up: f64,
    /// Payload from it.
    pub received: u64,
    /// Payload to it.
    pub sent: u64,
    /// We want something it has.
    pub interested: bool,
    /// Whether it answers our requests.
    pub unchoked_us: bool,
    /// Whether it wants something we have.
    pub wants: bool,
    /// We answer its requests.
    pub unchoked_by_us: bool,
    /// Whether it has owed us blocks for too long.
    pub snubs_us: bool,
    /// Blocks it owes us.
    pub owes: u32,
    /// Blocks it should owe us.
    pub depth: u32,
}

/// One tracker at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct TrackerSummary {
    /// Its key.
    pub key: TrackerKey,
    /// Its tier, counted from 0.
    pub tier: usize,
    /// An announce is under way.
    pub asking: bool,
    /// Whether it answered when last asked; unknown before the first answer.
    pub working: Option<bool>,
    /// Failures in a row.
    pub failures: u32,
    /// The last failure or warning it sent.
    pub said: Option<Untrusted>,
    /// Whether it refused rather than being out of reach.
    pub refused: bool,
    /// Until the next announce.
    pub next: Option<Duration>,
    /// Seeds it knows.
    pub seeds: Option<u32>,
    /// Leechers it knows.
    pub leechers: Option<u32>,
    /// Addresses it gave when last asked.
    pub peers: usize,
}

impl Torrent {
    /// The torrent as it is now. It costs a walk over pieces and peers: for snapshots, not for loops.
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
            dht: swarm.lookups.as_ref().map(Lookups::searched),
            ..Summary::default()
        };
        summary.tell_trackers(swarm.announcer.trackers());
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
                summary.tell_content(content);
                let best = swarm.peers.values().map(|peer| peer.has.count()).max().unwrap_or(0);
                summary.best_share = f64::from(best) / f64::from(summary.pieces);
                summary.short_of_memory = !content.partial.is_empty()
                    && content.partial.bytes() + content.least_room(swarm) > swarm.config.budget
                    && swarm.peers.values().any(|peer| peer.dry);
                summary.end_game = !swarm.finished && content.in_end_game();
            }
        }
        summary
    }

    /// Every connection as it is now.
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
            owes: peer.pipeline.owed().len() as u32,
            depth: peer.pipeline.depth(),
        })
    }

    /// Every tracker as it is now, in the order of keys.
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
    fn tell_trackers(&mut self, trackers: &[Tracker]) {
        let failed = || trackers.iter().filter(|tracker| tracker.working == Some(false));
        // Who says nothing fails in no other way than by its silence.
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

    fn tell_content(&mut self, content: &Content) {
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
