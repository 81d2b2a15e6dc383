//! How fast bytes move, and how fast they may.

use std::time::Duration;

use super::Moment;

/// Seconds in which bytes are gathered before they are folded into an average.
const FOLD: f64 = 0.1;

/// A rate in bytes per second, averaged over the last seconds: each second's share decays
/// exponentially with a time constant the caller chooses.
#[derive(Clone, Debug)]
pub struct Meter {
    window: f64,
    rate: f64,
    pending: u64,
    total: u64,
    last: Moment,
    since: Moment,
}

impl Meter {
    /// A meter at rest that averages over about this long.
    pub fn new(now: Moment, window: Duration) -> Self {
        Self {
            window: window.as_secs_f64().max(0.001),
            rate: 0.0,
            pending: 0,
            total: 0,
            last: now,
            since: now,
        }
    }

    /// Counts bytes that moved just now.
    pub fn add(&mut self, now: Moment, bytes: u64) {
        self.fold(now);
        self.total = self.total.saturating_add(bytes);
        self.pending = self.pending.saturating_add(bytes);
    }

    /// Bytes per second as of now. While the meter is younger than its window the average is over
    /// its life, so that a start is not under-reported.
    pub fn rate(&self, now: Moment) -> f64 {
        let mut copy = self.clone();
        copy.fold(now);
        let idle = now.since(copy.last).as_secs_f64();
        let rate = copy.rate * (-idle / self.window).exp();
        let age = now.since(self.since).as_secs_f64();
        let seen = 1.0 - (-age / self.window).exp();
        let partial = copy.pending as f64 / self.window;
        if seen < 0.02 { rate + partial } else { (rate + partial) / seen }
    }

    /// Bytes counted since the meter was made.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Folds what is pending into the average, at most ten times a second.
    fn fold(&mut self, now: Moment) {
        let span = now.since(self.last).as_secs_f64();
        if span < FOLD {
            return;
        }
        // What is pending came within the first of these moments, and fades from there.
        let keep = (-FOLD / self.window).exp();
        let fade = (-(span - FOLD) / self.window).exp();
        self.rate = (self.rate * keep + (self.pending as f64 / FOLD) * (1.0 - keep)) * fade;
        self.pending = 0;
        self.last = now;
    }
}

/// A token bucket: bytes may pass as long as there are tokens; they come back at the given rate
/// and gather for at most the burst.
#[derive(Clone, Debug)]
pub struct Bucket {
    per_second: Option<u64>,
    tokens: f64,
    last: Moment,
}

impl Bucket {
    /// How long tokens may gather.
    const BURST: f64 = 0.25;
    /// The burst is never smaller than this: one block with its header must be able to pass.
    const MIN_BURST: f64 = 2.0 * 16384.0;

    /// A full bucket; `None` lets everything pass.
    pub fn new(now: Moment, per_second: Option<u64>) -> Self {
        let mut bucket = Self { per_second, tokens: 0.0, last: now };
        bucket.tokens = bucket.depth();
        bucket
    }

    /// Changes the rate, in bytes per second.
    pub fn set(&mut self, now: Moment, per_second: Option<u64>) {
        self.fill(now);
        self.per_second = per_second;
        self.tokens = self.tokens.min(self.depth());
    }

    /// The rate in bytes per second, if there is a limit.
    pub const fn limit(&self) -> Option<u64> {
        self.per_second
    }

    /// Takes up to `want` bytes' worth of tokens and says how many were granted.
    pub fn take(&mut self, now: Moment, want: u64) -> u64 {
        if self.per_second.is_none() {
            return want;
        }
        self.fill(now);
        let granted = want.min(self.tokens.max(0.0) as u64);
        self.tokens -= granted as f64;
        granted
    }

    /// Gives back tokens that were taken and not used.
    pub fn give_back(&mut self, bytes: u64) {
        self.tokens = (self.tokens + bytes as f64).min(self.depth());
    }

    /// How long until `want` bytes (or the burst, if that is less) can be taken; zero if now.
    pub fn wait(&mut self, now: Moment, want: u64) -> Duration {
        let Some(rate) = self.per_second else { return Duration::ZERO };
        self.fill(now);
        let missing = (want as f64).min(self.depth()) - self.tokens;
        if missing <= 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64((missing / (rate.max(1) as f64)).min(3600.0))
        }
    }

    fn depth(&self) -> f64 {
        self.per_second.map_or(0.0, |rate| (rate as f64 * Self::BURST).max(Self::MIN_BURST))
    }

    fn fill(&mut self, now: Moment) {
        let span = now.since(self.last).as_secs_f64();
        self.last = self.last.max(now);
        if let Some(rate) = self.per_second {
            self.tokens = (self.tokens + rate as f64 * span).min(self.depth());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::START + Duration::from_millis(ms)
    }

    #[test]
    fn a_steady_stream_is_measured_as_what_it_is() {
        let mut meter = Meter::new(at(0), Duration::from_secs(5));
        for tick in 1..=200 {
            meter.add(at(tick * 100), 10_000);
        }
        let rate = meter.rate(at(20_000));
        assert!((rate - 100_000.0).abs() < 5_000.0, "{rate}");
        assert!(meter.rate(at(60_000)) < 1_000.0);
        assert_eq!(meter.total(), 2_000_000);
    }

    #[test]
    fn what_came_at_once_fades() {
        let mut meter = Meter::new(at(0), Duration::from_secs(5));
        meter.add(at(1000), 1_000_000);
        assert!(meter.rate(at(1500)) > 100_000.0);
        assert!(meter.rate(at(60_000)) < 10.0, "{}", meter.rate(at(60_000)));
    }

    #[test]
    fn a_young_meter_does_not_under_report() {
        let mut meter = Meter::new(at(0), Duration::from_secs(20));
        for tick in 1..=10 {
            meter.add(at(tick * 100), 10_000);
        }
        let rate = meter.rate(at(1000));
        assert!((80_000.0..120_000.0).contains(&rate), "{rate}");
    }

    #[test]
    fn a_bucket_keeps_the_long_run_rate() {
        let mut bucket = Bucket::new(at(0), Some(100_000));
        let passed: u64 = (0..=10_000).step_by(10).map(|ms| bucket.take(at(ms), 16_384)).sum();
        assert!((1_000_000..1_050_000).contains(&passed), "{passed}");
        assert!(bucket.wait(at(10_000), 16_384) > Duration::ZERO);
        assert_eq!(bucket.wait(at(20_000), 16_384), Duration::ZERO);
    }

    #[test]
    fn no_limit_lets_everything_pass() {
        let mut bucket = Bucket::new(at(0), None);
        assert_eq!(bucket.take(at(0), u64::MAX), u64::MAX);
        assert_eq!(bucket.wait(at(0), u64::MAX), Duration::ZERO);
    }
}
