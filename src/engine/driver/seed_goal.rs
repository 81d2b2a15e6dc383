//! The goal of a torrent: when has it done what it was added for?

use crate::base::Moment;
use crate::engine::command::{After, SeedGoal};
use crate::swarm::Summary;

/// The way to the goal: first everything wanted, then giving back until enough is given.
pub(super) struct GoalTracker {
    after: After,
    finished: Option<Moment>,
    reached: bool,
}

impl GoalTracker {
    pub(super) const fn new(after: After) -> Self {
        Self { after, finished: None, reached: false }
    }

    /// Everything wanted is there. Says whether that is news.
    pub(super) fn finish(&mut self, now: Moment) -> bool {
        let news = self.finished.is_none();
        self.finished.get_or_insert(now);
        self.reached |= self.after == After::Stop;
        news
    }

    /// Whether everything wanted is there.
    pub(super) const fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// Whether the torrent may leave the swarm.
    pub(super) const fn is_reached(&self) -> bool {
        self.reached
    }

    /// Looks whether enough is given; says whether it is.
    pub(super) fn check(&mut self, now: Moment, summary: &Summary, sent_before: u64) -> bool {
        if let (Some(since), After::Seed(until)) = (self.finished, self.after) {
            self.reached |= enough(until, now, since, summary, sent_before);
        }
        self.reached
    }
}

fn enough(until: SeedGoal, now: Moment, since: Moment, summary: &Summary, sent_before: u64) -> bool {
    let sent = sent_before.saturating_add(summary.sent) as f64;
    until.ratio.is_some_and(|ratio| sent >= ratio * summary.wanted as f64)
        || until.time.is_some_and(|time| now.since(since) >= time)
        || until.copies.is_some_and(|copies| summary.copies >= copies)
}
