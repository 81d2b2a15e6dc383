//! When to search for peers in the DHT (BEP 5).
//!
//! The first search is due at once, later ones often enough to stay announced: nodes keep an announce for
//! about half an hour. A download with too few peers searches sooner, with ever longer pauses. A search that
//! no node answered is repeated every minute: it costs next to nothing, and the network may be back at any
//! time.

use std::time::Duration;

use crate::base::{Moment, Rng};

/// The regular time between two searches.
const INTERVAL: Duration = Duration::from_secs(15 * 60);
/// The first pause of a download that needs more peers; it doubles up to [`INTERVAL`].
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause after a search that no node answered.
const MAX_UNANSWERED_PAUSE: Duration = Duration::from_secs(60);
/// The time after which a download with enough peers is checked again.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// The results of all searches so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DhtResults {
    /// Whether a search is in progress.
    pub searching: bool,
    /// The number of searches that have ended.
    pub searches: u32,
    /// The number of nodes that answered, over all searches.
    pub answered: u32,
    /// The number of peers found by the last search.
    pub peers: u32,
}

/// The schedule of the DHT searches of a torrent.
#[derive(Clone, Debug)]
pub struct DhtSchedule {
    active: bool,
    /// Whether the download is complete.
    complete: bool,
    results: DhtResults,
    /// The number of consecutive searches that did not find enough peers.
    poor: u32,
    /// Whether no node answered the last search.
    unanswered: bool,
    /// The time of the next regular search, and the earliest time of one for more peers.
    next: Moment,
    early: Moment,
    /// Whether another search is due as soon as the current one ends.
    again: bool,
}

impl DhtSchedule {
    /// Makes a schedule whose first search is due at once. `complete` if we only want to be found.
    pub fn new(now: Moment, complete: bool) -> Self {
        Self {
            active: true,
            complete,
            results: DhtResults::default(),
            poor: 0,
            unanswered: false,
            next: now,
            early: now,
            again: false,
        }
    }

    /// The results so far.
    pub const fn results(&self) -> DhtResults {
        self.results
    }

    /// The time at which to call [`Self::due`].
    pub fn deadline(&self) -> Option<Moment> {
        let at = if self.complete { self.next } else { self.next.min(self.early) };
        (self.active && !self.results.searching).then_some(at)
    }

    /// Whether a search is due, which then counts as started. `few` if the torrent needs more peers.
    pub fn due(&mut self, now: Moment, few: bool) -> bool {
        if self.deadline().is_none_or(|at| at > now) {
            return false;
        }
        let few = few && !self.complete;
        if now < self.next && !few {
            self.poor = 0;
            self.early = now + CHECK_INTERVAL;
            return false;
        }
        let first = self.results.searches == 0;
        // A search without answers says nothing about the number of peers.
        let poor = if self.unanswered { 1 } else { self.poor + 1 };
        self.poor = if !first && (few || self.unanswered) { poor } else { 0 };
        self.results.searching = true;
        true
    }

    /// Records the end of a search: the nodes that answered, and the peers found.
    pub fn ended(&mut self, now: Moment, answered: u32, peers: u32, rng: &mut Rng) {
        if !self.results.searching {
            return;
        }
        self.results = DhtResults {
            searching: false,
            searches: self.results.searches.saturating_add(1),
            answered: self.results.answered.saturating_add(answered),
            peers,
        };
        self.unanswered = answered == 0;
        // The random spread keeps torrents that started together from always searching together.
        let spread = 0.75 + rng.fraction() / 2.0;
        let longest = if self.unanswered { MAX_UNANSWERED_PAUSE } else { INTERVAL };
        let pause = (FIRST_PAUSE * (1 << self.poor.min(8))).min(longest).mul_f64(spread);
        self.early = now + pause;
        self.next = if self.unanswered { self.early } else { now + INTERVAL.mul_f64(spread) };
        if std::mem::take(&mut self.again) {
            self.next = now;
        }
    }

    /// Makes a search due as the download is complete: leechers are to find the new seed.
    pub fn completed(&mut self, now: Moment) {
        if std::mem::replace(&mut self.complete, true) {
            return;
        }
        self.again = self.results.searching;
        self.next = now;
    }

    /// Records that a complete torrent is incomplete again.
    pub const fn reopened(&mut self) {
        self.complete = false;
    }

    /// Brings the next search forward, as far as the pauses allow.
    pub fn hurry(&mut self, now: Moment) {
        if self.results.searches > 0 {
            self.next = self.next.min(self.early.max(now));
        }
    }

    /// Suspends the searches, and forgets the one in progress.
    pub const fn stop(&mut self) {
        self.active = false;
        self.results.searching = false;
        self.again = false;
    }

    /// Resumes after a pause.
    pub fn resume(&mut self, now: Moment) {
        if !self.active {
            self.active = true;
            (self.next, self.early, self.poor) = (now, now, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Moment {
        Moment::START + Duration::from_secs(s)
    }

    /// Runs searches that take a second and bring so much, until `until`; says when each began.
    fn run(schedule: &mut DhtSchedule, until: u64, few: bool, answered: u32, peers: u32) -> Vec<u64> {
        let mut rng = Rng::new(1);
        let mut began = Vec::new();
        while let Some(now) = schedule.deadline().filter(|&at| at <= self::at(until)) {
            if schedule.due(now, few) {
                began.push(now.since_start().as_secs());
                schedule.ended(now + Duration::from_secs(1), answered, peers, &mut rng);
            }
        }
        began
    }

    fn pauses(began: &[u64]) -> Vec<u64> {
        began.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn a_seed_is_announced_every_quarter_of_an_hour() {
        let mut schedule = DhtSchedule::new(at(0), true);
        let began = run(&mut schedule, 24 * 3600, true, 30, 0);
        assert_eq!(began[0], 0);
        assert!(pauses(&began).iter().all(|pause| (675..=1127).contains(pause)), "{began:?}");
        let searched = DhtResults { searching: false, searches: began.len() as u32, ..schedule.results() };
        assert_eq!((schedule.results(), searched.answered), (searched, 30 * began.len() as u32));
    }

    #[test]
    fn a_download_with_few_peers_searches_sooner_and_ever_more_rarely() {
        let mut schedule = DhtSchedule::new(at(0), false);
        let pauses = pauses(&run(&mut schedule, 24 * 3600, true, 30, 5));
        for (pause, usual) in pauses.iter().zip([30, 60, 120, 240, 480, 900, 900]) {
            assert!((usual * 3 / 4..=usual * 5 / 4 + 2).contains(pause), "{pauses:?}");
        }
        assert!(pauses[5..].iter().all(|&pause| pause >= 675));
        // Then there are enough, and later too few again.
        let mut now = schedule.deadline().unwrap();
        for _ in 0..30 {
            now = now.max(schedule.deadline().unwrap());
            if schedule.due(now, false) {
                schedule.ended(now, 30, 50, &mut Rng::new(2));
            }
        }
        let next = schedule.deadline().unwrap();
        assert!(next.since(now) <= CHECK_INTERVAL.max(FIRST_PAUSE * 5 / 4));
        assert!(schedule.due(next, true), "the pauses are short again");
    }

    #[test]
    fn whom_nobody_answers_tries_again_soon() {
        for complete in [true, false] {
            let mut schedule = DhtSchedule::new(at(0), complete);
            let began = run(&mut schedule, 3600, false, 0, 0);
            assert!(pauses(&began)[0] <= 40 && (50..80).contains(&began.len()), "{began:?}");
            assert!(pauses(&began).iter().all(|&pause| pause <= 77), "{began:?}");
            // Once it is heard the pauses are those of a beginner.
            let now = schedule.deadline().unwrap();
            assert!(schedule.due(now, !complete));
            schedule.ended(now, 30, 5, &mut Rng::new(3));
            let next = schedule.deadline().unwrap().since(now).as_secs();
            assert!(if complete { next >= 675 } else { next <= 75 }, "{next}");
        }
    }

    #[test]
    fn who_becomes_a_seed_says_so() {
        let mut rng = Rng::new(1);
        let mut schedule = DhtSchedule::new(at(0), false);
        assert!(schedule.due(at(0), false));
        schedule.completed(at(5));
        assert_eq!(schedule.deadline(), None, "one at a time");
        schedule.ended(at(9), 30, 3, &mut rng);
        assert!(schedule.due(at(9), false));
        schedule.ended(at(12), 30, 3, &mut rng);
        schedule.completed(at(20));
        assert!(!schedule.due(at(20), true), "once is enough");
        let mut later = DhtSchedule::new(at(0), false);
        assert!(later.due(at(0), false));
        later.ended(at(2), 30, 3, &mut rng);
        later.completed(at(20));
        assert!(later.due(at(20), false));
    }

    #[test]
    fn nothing_is_due_in_a_pause() {
        let mut rng = Rng::new(1);
        let mut schedule = DhtSchedule::new(at(0), false);
        assert!(schedule.due(at(0), true));
        schedule.stop();
        schedule.ended(at(1), 5, 5, &mut rng);
        assert_eq!((schedule.deadline(), schedule.results()), (None, DhtResults::default()));
        assert!(!schedule.due(at(5000), true));
        schedule.resume(at(6000));
        assert!(schedule.due(at(6000), false) && !schedule.due(at(6000), true));
    }

    #[test]
    fn a_wish_is_met_as_soon_as_is_decent() {
        let mut schedule = DhtSchedule::new(at(0), true);
        assert!(schedule.due(at(0), false));
        schedule.ended(at(0), 30, 3, &mut Rng::new(1));
        schedule.hurry(at(1));
        assert!(!schedule.due(at(1), false));
        assert!(schedule.due(at(40), false));
    }
}
