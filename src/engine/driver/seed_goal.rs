//! Seed goals: whether a torrent has reached the goal it was added with.

use crate::base::Moment;
use crate::engine::command::{After, SeedGoal};
use crate::swarm::Summary;

/// The progress towards the goal: first the download, then seeding.
pub(super) struct GoalTracker {
    after: After,
    finished: Option<Moment>,
    reached: bool,
}

impl GoalTracker {
    pub(super) const fn new(after: After) -> Self {
        Self { after, finished: None, reached: false }
    }

    /// Records that every wanted piece is verified; returns whether that is new.
    pub(super) fn finish(&mut self, now: Moment) -> bool {
        let is_new = self.finished.is_none();
        self.finished.get_or_insert(now);
        self.reached |= self.after == After::Stop;
        is_new
    }

    /// Whether every wanted piece is verified.
    pub(super) const fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// Whether the torrent may leave the swarm.
    pub(super) const fn is_reached(&self) -> bool {
        self.reached
    }

    /// Checks the seed goal; returns whether it is reached.
    pub(super) fn check(&mut self, now: Moment, summary: &Summary, sent_before: u64) -> bool {
        if let (Some(since), After::Seed(goal)) = (self.finished, self.after) {
            self.reached |= is_goal_met(goal, now, since, summary, sent_before);
        }
        self.reached
    }
}

fn is_goal_met(goal: SeedGoal, now: Moment, since: Moment, summary: &Summary, sent_before: u64) -> bool {
    let sent = sent_before.saturating_add(summary.sent) as f64;
    goal.ratio.is_some_and(|ratio| sent >= ratio * summary.wanted as f64)
        || goal.time.is_some_and(|time| now.since(since) >= time)
        || goal.copies.is_some_and(|copies| summary.copies >= copies)
}
