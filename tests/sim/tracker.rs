//! Trackers: good ones, dead ones, rude ones and poisoned ones.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use torr::base::{Moment, Rng, Untrusted};
use torr::proto::announce::{Announce, AnnounceEvent, AnnounceReply, MIN_INTERVAL, clamp_interval};
use torr::swarm::event::TrackerFailure;

use super::plan::fake_address;

/// The knobs of a tracker.
#[derive(Clone, Debug)]
pub struct TrackerPlan {
    /// The interval it names, in seconds; it may name nonsense.
    pub interval: i64,
    /// The most peers it names at a time.
    pub most_peers: usize,
    /// Addresses of nobody it mixes in, at each announce others.
    pub fakes: u64,
    /// Whether it refuses everybody.
    pub refuses: bool,
    /// One announce in so many gets no answer; 0 for none.
    pub forgets: u64,
    /// The way to it and back.
    pub delay: Duration,
}

impl Default for TrackerPlan {
    fn default() -> Self {
        Self {
            interval: 300,
            most_peers: 50,
            fakes: 0,
            refuses: false,
            forgets: 0,
            delay: Duration::from_millis(80),
        }
    }
}

/// How long an announce waits for a tracker that does not answer.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Clone)]
pub struct Tracker {
    plan: TrackerPlan,
    /// The peers that are there, when each was last heard of, and whether it has everything.
    peers: BTreeMap<SocketAddr, (Moment, bool)>,
    /// When each was last answered in its turn.
    regular: BTreeMap<SocketAddr, Moment>,
    pub dead: bool,
    fakes: u64,
}

impl Tracker {
    pub fn new(plan: TrackerPlan) -> Self {
        Self { plan, peers: BTreeMap::new(), regular: BTreeMap::new(), dead: false, fakes: 0 }
    }

    /// Whether a regular announce comes within a minute of the last one that was answered. What a node
    /// says of its own accord, that it is complete or goes, is not counted.
    pub fn is_too_soon(&self, now: Moment, from: SocketAddr, announce: &Announce) -> bool {
        let regular = announce.event == AnnounceEvent::None;
        let last = self.regular.get(&from);
        regular && last.is_some_and(|&last| now.since(last) < MIN_INTERVAL)
    }

    /// Answers an announce of a node at this address, and says how long the answer is under way.
    pub fn announced(
        &mut self,
        now: Moment,
        rng: &mut Rng,
        from: SocketAddr,
        announce: &Announce,
    ) -> (Duration, Result<AnnounceReply, TrackerFailure>) {
        if self.dead || self.plan.forgets > 0 && rng.one_in(self.plan.forgets) {
            // It may try again sooner than after an answer.
            self.regular.remove(&from);
            return (ANNOUNCE_TIMEOUT, Err(TrackerFailure::Unreachable("no answer".to_owned())));
        }
        if self.plan.refuses {
            let reason = Untrusted::new("go away".to_owned());
            return (self.plan.delay, Err(TrackerFailure::Refused(reason, None)));
        }
        let interval = clamp_interval(Some(self.plan.interval));
        self.peers.retain(|_, (heard, _)| now.since(*heard) < interval * 2);
        if matches!(announce.event, AnnounceEvent::None | AnnounceEvent::Started) {
            self.regular.insert(from, now);
        }
        if announce.event == AnnounceEvent::Stopped {
            self.peers.remove(&from);
        } else {
            self.peers.insert(from, (now, announce.left == 0));
        }
        (self.plan.delay, Ok(self.reply(rng, from, announce)))
    }

    fn reply(&mut self, rng: &mut Rng, from: SocketAddr, announce: &Announce) -> AnnounceReply {
        let seeking = announce.left > 0;
        let useful = |(&addr, &(_, seed)): (&SocketAddr, &(Moment, bool))| {
            (addr != from && (seeking || !seed)).then_some(addr)
        };
        let mut peers: Vec<_> = self.peers.iter().filter_map(useful).collect();
        rng.shuffle(&mut peers);
        peers.truncate(self.plan.most_peers.min(announce.numwant.map_or(50, |n| n as usize)));
        peers.extend((0..self.plan.fakes).map(|n| fake_address(self.fakes + n)));
        self.fakes += self.plan.fakes;
        rng.shuffle(&mut peers);
        if announce.event == AnnounceEvent::Stopped {
            peers.clear();
        }
        let seeds = self.peers.values().filter(|(_, seed)| *seed).count() as u32;
        AnnounceReply {
            interval: clamp_interval(Some(self.plan.interval)),
            claimed_interval: Some(self.plan.interval),
            peers,
            seeds: Some(seeds),
            leechers: Some(self.peers.len() as u32 - seeds),
            external_ip: Some(from.ip()),
            ..AnnounceReply::default()
        }
    }
}
