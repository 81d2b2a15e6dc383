//! When to announce to which tracker (BEP 3, BEP 12, BEP 31, BEP 48).
//!
//! Each tier announces to one tracker, the first that works. BEP 12 would use the second tier only when the
//! whole first tier has failed; but many torrents put trackers of different swarms into separate tiers, so
//! the common clients use all tiers, and so does torr. The order within a tier is random, and a tracker that
//! answers moves to the front.

use std::time::Duration;

use crate::base::{InfoHashes, Moment, Rng, Untrusted};
use crate::proto::announce::{AnnounceEvent, AnnounceReply, ScrapeReply};

use crate::swarm::event::{TrackerFailure, TrackerKey};

/// The wait after the first round of failures in a tier; doubled after each further round.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait after failures.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// The shortest time between early announces where the tracker names none.
const USUAL_MIN_INTERVAL: Duration = Duration::from_secs(300);
/// The shortest and longest interval that a tracker can impose on us.
const INTERVALS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));
/// The time between two scrapes of a tracker whose announces do not return the counts.
const SCRAPE: Duration = Duration::from_secs(30 * 60);

/// The state of a tracker.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    /// The tracker's tier, counted from 0.
    pub tier: usize,
    /// The event of the announce in progress, if any.
    pub asking: Option<AnnounceEvent>,
    /// Whether the last announce succeeded; unknown before the first answer.
    pub working: Option<bool>,
    /// The number of consecutive failures.
    pub failures: u32,
    /// The last failure or warning.
    pub said: Option<Untrusted>,
    /// Whether the last failure was a refusal, not a network error.
    pub refused: bool,
    /// The number of seeds, as the tracker reported it.
    pub seeds: Option<u32>,
    /// The number of leechers, as the tracker reported it.
    pub leechers: Option<u32>,
    /// The number of peers in the last answer.
    pub peers: usize,
    /// The tracker id to send back with the next announce.
    pub id: Option<Vec<u8>>,
    started: bool,
    /// Whether a `completed` event still has to be sent, after the tracker was unreachable.
    owed_completed: bool,
    answered: Moment,
    min_interval: Duration,
    scraping: bool,
    next_scrape: Option<Moment>,
}

#[derive(Clone, Debug)]
struct Tier {
    order: Vec<usize>,
    at: usize,
    rounds: u32,
    next: Moment,
}

/// The trackers of a torrent, in tiers.
#[derive(Clone, Debug)]
pub struct Announcer {
    trackers: Vec<Tracker>,
    tiers: Vec<Tier>,
    active: bool,
    complete: bool,
}

/// An action that is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// An announce with this event.
    Announce(TrackerKey, AnnounceEvent),
    /// A scrape.
    Scrape(TrackerKey),
}

impl Announcer {
    /// Makes an announcer whose first announces are due at once.
    pub fn new(now: Moment, tiers: &[Vec<TrackerKey>], rng: &mut Rng) -> Self {
        let count = tiers.iter().flatten().map(|key| key.0 + 1).max().unwrap_or(0);
        let mut trackers = vec![Tracker::default(); count];
        let mut built = Vec::new();
        for (number, keys) in tiers.iter().enumerate() {
            let mut order: Vec<usize> = keys.iter().map(|key| key.0).collect();
            for &i in &order {
                trackers[i].tier = number;
            }
            rng.shuffle(&mut order);
            if !order.is_empty() {
                built.push(Tier { order, at: 0, rounds: 0, next: now });
            }
        }
        Self { trackers, tiers: built, active: true, complete: false }
    }

    /// The state of all trackers, in the order of their keys.
    pub fn trackers(&self) -> &[Tracker] {
        &self.trackers
    }

    /// The time of the next announce to a tracker.
    pub fn next_of(&self, tracker: TrackerKey) -> Option<Moment> {
        let tier = self.tiers.iter().find(|tier| tier.order.get(tier.at) == Some(&tracker.0))?;
        (self.active && self.trackers[tracker.0].asking.is_none()).then_some(tier.next)
    }

    /// The time at which [`Self::due`] returns the next action.
    pub fn deadline(&self) -> Option<Moment> {
        let idle = self.tiers.iter().filter(|tier| !self.is_asking(tier)).map(|tier| tier.next);
        let scrapes = self.trackers.iter().filter_map(|t| t.next_scrape.filter(|_| !t.scraping));
        self.active.then(|| idle.chain(scrapes).min()).flatten()
    }

    /// Returns the actions that are due now, and counts them as started.
    pub fn due(&mut self, now: Moment) -> Vec<Due> {
        let mut due = Vec::new();
        if !self.active {
            return due;
        }
        for at in 0..self.tiers.len() {
            let tier = &self.tiers[at];
            if tier.next > now || self.is_asking(tier) {
                continue;
            }
            let key = tier.order[tier.at];
            let event = match &self.trackers[key] {
                tracker if !tracker.started => AnnounceEvent::Started,
                tracker if tracker.owed_completed => AnnounceEvent::Completed,
                _ => AnnounceEvent::None,
            };
            self.trackers[key].asking = Some(event);
            due.push(Due::Announce(TrackerKey(key), event));
        }
        for (key, tracker) in self.trackers.iter_mut().enumerate() {
            if !tracker.scraping && tracker.next_scrape.is_some_and(|at| at <= now) {
                tracker.scraping = true;
                due.push(Due::Scrape(TrackerKey(key)));
            }
        }
        due
    }

    fn is_asking(&self, tier: &Tier) -> bool {
        tier.order.iter().any(|&key| self.trackers[key].asking.is_some())
    }

    /// Records the answer to an announce, or its failure.
    pub fn announced(
        &mut self,
        now: Moment,
        key: TrackerKey,
        answer: &Result<AnnounceReply, TrackerFailure>,
        rng: &mut Rng,
    ) {
        let Some(tracker) = self.trackers.get_mut(key.0) else { return };
        let Some(event) = tracker.asking.take() else { return };
        let Some(tier) = self.tiers.iter_mut().find(|tier| tier.order.contains(&key.0)) else { return };
        tracker.working = Some(answer.is_ok());
        match answer {
            Ok(reply) => {
                tracker.started |= event == AnnounceEvent::Started;
                tracker.owed_completed &= event != AnnounceEvent::Completed;
                (tracker.failures, tracker.refused) = (0, false);
                (tracker.answered, tracker.peers) = (now, reply.peers.len());
                tracker.said.clone_from(&reply.warning);
                tracker.id = reply.tracker_id.clone().or(tracker.id.take());
                tracker.seeds = reply.seeds.or(tracker.seeds);
                tracker.leechers = reply.leechers.or(tracker.leechers);
                let knows = reply.seeds.is_some() && reply.leechers.is_some();
                tracker.next_scrape = if knows { None } else { tracker.next_scrape.or(Some(now)) };
                let interval = reply.interval.clamp(INTERVALS.0, INTERVALS.1);
                let least = reply.min_interval.unwrap_or(USUAL_MIN_INTERVAL.min(interval));
                tracker.min_interval = least.clamp(INTERVALS.0, interval);
                tier.order.retain(|&other| other != key.0);
                tier.order.insert(0, key.0);
                (tier.at, tier.rounds, tier.next) = (0, 0, now + interval);
            }
            Err(failure) => {
                tracker.failures += 1;
                tracker.owed_completed |= event == AnnounceEvent::Completed;
                let mut least = None;
                (tracker.said, tracker.refused) = match failure {
                    TrackerFailure::Refused(words, again) => {
                        least = *again;
                        (Some(words.clone()), true)
                    }
                    TrackerFailure::Unreachable(why) => (Some(Untrusted::new(why.as_str())), false),
                };
                tier.at += 1;
                tier.next = now;
                if tier.at >= tier.order.len() {
                    tier.at = 0;
                    let wait = (FIRST_WAIT * (1 << tier.rounds.min(8))).min(LONGEST_WAIT);
                    let jittered = wait.mul_f64(0.75 + rng.fraction() / 2.0).min(LONGEST_WAIT);
                    tier.rounds += 1;
                    let alone = least.filter(|_| tier.order.len() == 1).unwrap_or_default();
                    tier.next = now + jittered.max(alone.min(INTERVALS.1));
                }
            }
        }
    }

    /// Records the answer to a scrape, or its failure.
    pub fn scraped(
        &mut self,
        now: Moment,
        key: TrackerKey,
        id: InfoHashes,
        answer: &Result<ScrapeReply, TrackerFailure>,
    ) {
        let Some(tracker) = self.trackers.get_mut(key.0) else { return };
        tracker.scraping = false;
        tracker.next_scrape = Some(now + SCRAPE);
        if let Ok(reply) = answer
            && let Some((_, counts)) = reply.torrents.iter().find(|(hash, _)| hash.wire() == id.wire())
        {
            tracker.seeds = counts.seeds.or(tracker.seeds);
            tracker.leechers = counts.leechers.or(tracker.leechers);
        }
    }

    /// Brings the next announces forward, as far as each tracker's min interval allows, to get more peers.
    pub fn hurry(&mut self, now: Moment) {
        for tier in &mut self.tiers {
            let tracker = &self.trackers[tier.order[tier.at]];
            if tracker.started && tracker.failures == 0 {
                tier.next = tier.next.min((tracker.answered + tracker.min_interval).max(now));
            }
        }
    }

    /// Returns the `completed` announces, once, to all trackers that have had our `started`.
    pub fn completed(&mut self) -> Vec<(TrackerKey, AnnounceEvent)> {
        if self.complete || !self.active {
            return Vec::new();
        }
        self.complete = true;
        self.announce_to_known(AnnounceEvent::Completed)
    }

    /// Returns the `stopped` announces to all trackers that have had our `started`, and suspends the
    /// announcer.
    pub fn stop(&mut self) -> Vec<(TrackerKey, AnnounceEvent)> {
        let announces = if self.active { self.announce_to_known(AnnounceEvent::Stopped) } else { Vec::new() };
        self.active = false;
        for tracker in &mut self.trackers {
            (tracker.started, tracker.asking, tracker.scraping) = (false, None, false);
        }
        announces
    }

    /// Resumes after a pause.
    pub fn resume(&mut self, now: Moment) {
        if !self.active {
            self.active = true;
            self.tiers.iter_mut().for_each(|tier| tier.next = now);
        }
    }

    fn announce_to_known(&mut self, event: AnnounceEvent) -> Vec<(TrackerKey, AnnounceEvent)> {
        let known = |t: &Tracker| t.started || t.asking == Some(AnnounceEvent::Started);
        let knowing = self.trackers.iter_mut().enumerate().filter(|(_, t)| known(t));
        let announces = knowing.map(|(key, tracker)| {
            // An announce in progress stays registered: its answer also sets the next regular announce.
            tracker.asking = tracker.asking.or(Some(event));
            (TrackerKey(key), event)
        });
        announces.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Moment {
        Moment::START + Duration::from_secs(s)
    }

    fn keys(range: std::ops::Range<usize>) -> Vec<TrackerKey> {
        range.map(TrackerKey).collect()
    }

    type Answer = Result<AnnounceReply, TrackerFailure>;

    fn reply(interval: u64) -> AnnounceReply {
        let interval = Duration::from_secs(interval);
        AnnounceReply { interval, seeds: Some(1), leechers: Some(1), ..AnnounceReply::default() }
    }

    fn failure() -> Answer {
        Err(TrackerFailure::Unreachable("no route".into()))
    }

    fn asked(due: &[Due]) -> Vec<TrackerKey> {
        due.iter().map(|&(Due::Announce(key, _) | Due::Scrape(key))| key).collect()
    }

    #[test]
    fn each_tier_has_its_first_working_tracker_announced_to() {
        let mut rng = Rng::new(1);
        let mut announcer = Announcer::new(at(0), &[keys(0..3), keys(3..4)], &mut rng);
        assert_eq!(announcer.deadline(), Some(at(0)));
        let first = asked(&announcer.due(at(0)));
        assert_eq!((first.len(), first[1]), (2, TrackerKey(3)));
        assert_eq!((announcer.due(at(0)), announcer.deadline()), (vec![], None));
        announcer.announced(at(1), first[0], &failure(), &mut rng);
        let second = asked(&announcer.due(at(1)));
        assert_ne!(first[0], second[0]);
        announcer.announced(at(2), second[0], &Ok(reply(1800)), &mut rng);
        assert_eq!(announcer.deadline(), Some(at(1802)));
        let third = announcer.due(at(1802));
        assert_eq!(third, [Due::Announce(second[0], AnnounceEvent::None)]);
    }

    #[test]
    fn a_dead_tracker_is_asked_ever_more_rarely() {
        let mut rng = Rng::new(1);
        let mut announcer = Announcer::new(at(0), &[keys(0..1)], &mut rng);
        let (mut now, mut waits) = (at(0), Vec::new());
        for _ in 0..12 {
            assert_eq!(announcer.due(now), [Due::Announce(TrackerKey(0), AnnounceEvent::Started)]);
            announcer.announced(now, TrackerKey(0), &failure(), &mut rng);
            let next = announcer.deadline().unwrap();
            waits.push(next.since(now));
            now = next;
        }
        assert!(waits[0] >= FIRST_WAIT / 2 && waits.iter().all(|&w| w <= LONGEST_WAIT));
        assert!(waits[11] > Duration::from_secs(2000), "{waits:?}");
    }

    #[test]
    fn absurd_intervals_are_bounded() {
        let mut rng = Rng::new(1);
        for (interval, wait) in [(0, 60), (1 << 31, 86_400)] {
            let mut announcer = Announcer::new(at(0), &[keys(0..1)], &mut rng);
            announcer.due(at(0));
            announcer.announced(at(0), TrackerKey(0), &Ok(reply(interval)), &mut rng);
            assert_eq!(announcer.deadline(), Some(at(wait)));
        }
    }

    #[test]
    fn hurry_keeps_to_the_min_interval() {
        let mut rng = Rng::new(1);
        let mut announcer = Announcer::new(at(0), &[keys(0..1)], &mut rng);
        announcer.due(at(0));
        announcer.announced(at(0), TrackerKey(0), &Ok(reply(1800)), &mut rng);
        announcer.hurry(at(10));
        assert_eq!(announcer.deadline(), Some(at(300)));
        announcer.hurry(at(400));
        assert_eq!(announcer.deadline(), Some(at(300)));
    }

    #[test]
    fn only_those_that_know_us_hear_that_we_are_complete_or_leave() {
        let mut rng = Rng::new(1);
        let mut announcer = Announcer::new(at(0), &[keys(0..1), keys(1..2)], &mut rng);
        announcer.due(at(0));
        announcer.announced(at(0), TrackerKey(0), &Ok(reply(1800)), &mut rng);
        announcer.announced(at(0), TrackerKey(1), &failure(), &mut rng);
        assert_eq!(announcer.completed(), [(TrackerKey(0), AnnounceEvent::Completed)]);
        assert_eq!(announcer.completed(), []);
        assert_eq!(announcer.stop(), [(TrackerKey(0), AnnounceEvent::Stopped)]);
        assert_eq!((announcer.stop(), announcer.deadline()), (vec![], None));
        announcer.resume(at(50));
        assert_eq!(announcer.due(at(50)).len(), 2);
    }

    #[test]
    fn a_tracker_that_missed_the_completion_is_told_again() {
        let mut rng = Rng::new(1);
        let mut announcer = Announcer::new(at(0), &[keys(0..1)], &mut rng);
        announcer.due(at(0));
        announcer.announced(at(0), TrackerKey(0), &Ok(reply(1800)), &mut rng);
        assert_eq!(announcer.completed(), [(TrackerKey(0), AnnounceEvent::Completed)]);
        announcer.announced(at(10), TrackerKey(0), &failure(), &mut rng);
        let again = [Due::Announce(TrackerKey(0), AnnounceEvent::Completed)];
        assert_eq!(announcer.due(at(100)), again);
        announcer.announced(at(100), TrackerKey(0), &Ok(reply(1800)), &mut rng);
        assert_eq!(announcer.due(at(1900)), [Due::Announce(TrackerKey(0), AnnounceEvent::None)]);
    }

    #[test]
    fn a_tracker_that_does_not_count_is_scraped_twice_an_hour() {
        let mut rng = Rng::new(1);
        let mut announcer = Announcer::new(at(0), &[keys(0..1)], &mut rng);
        announcer.due(at(0));
        let short = Ok(AnnounceReply { interval: Duration::from_secs(7200), ..AnnounceReply::default() });
        announcer.announced(at(0), TrackerKey(0), &short, &mut rng);
        assert_eq!(announcer.due(at(0)), [Due::Scrape(TrackerKey(0))]);
        let nothing = Err(TrackerFailure::Unreachable(String::new()));
        announcer.scraped(at(1), TrackerKey(0), InfoHashes::from_v1([0; 20]), &nothing);
        assert_eq!(announcer.deadline(), Some(at(1801)));
    }
}
