//! How a node looks after itself: it begins, finds its neighbours, asks the silent whether they are still
//! there, searches where nothing was searched for long, and forgets what is old.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::Moment;
use crate::proto::krpc::Query;

use super::event::{Family, Goal, Output, TaskKey};
use super::node::{Dht, Purpose, ROUND, Timer};
use super::side::Side;
use super::table::K;

/// A node that knows its neighbours looks for new ones so often.
const AGAIN: Duration = Duration::from_secs(15 * 60);
/// One that knows nearly nobody tries again after this time, then after twice as long, and so on: others may have
/// begun in the same moment.
const SOON: Duration = Duration::from_secs(1);
/// The longest time between two tries to find anybody at all.
const LONGEST: Duration = Duration::from_secs(120);

impl Dht {
    /// Addresses where nodes may be.
    pub(super) fn nodes(&mut self, now: Moment, addrs: &[SocketAddr]) {
        for addr in addrs {
            let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
            if let Some(side) = self.side_mut(Family::of(&addr)) {
                side.start_at(addr);
                if is_lonely(side) {
                    // Who is new here begins at once.
                    side.tries = 0;
                    self.timers.set(Timer::Round, now);
                }
            }
        }
    }

    /// Does what is due.
    pub(super) fn keep(&mut self, now: Moment, out: &mut Vec<Output>) {
        while let Some(Timer::Round) = self.timers.expire(now) {
            self.peers.forget(now);
            self.items.forget(now);
            for at in 0..self.sides.len() {
                self.settle_in(now, at, out);
                self.look_after(now, at, out);
            }
            let tries = self.sides.iter().filter_map(|side| Some(side.began? + pause(side)));
            let next = tries.min().unwrap_or(now + ROUND);
            self.timers.set(Timer::Round, next.clamp(now + SOON, now + ROUND));
        }
    }

    /// Looks for our own neighbours: at the start until there are some, later now and then.
    fn settle_in(&mut self, now: Moment, at: usize, out: &mut Vec<Output>) {
        let side = &mut self.sides[at];
        if side.table.len() == 0 && side.starts.is_empty() {
            return;
        }
        if side.tries > 0 && side.began.is_some_and(|began| now.since(began) < pause(side)) {
            return;
        }
        side.began = Some(now);
        side.tries = if is_lonely(side) { side.tries + 1 } else { 1 };
        let own = side.table.own();
        self.begin_own(now, Goal::Nodes(own), out);
    }

    /// Asks the one that was silent longest, and searches where nothing was searched for long.
    fn look_after(&mut self, now: Moment, at: usize, out: &mut Vec<Output>) {
        let side = &mut self.sides[at];
        if let Some((id, addr)) = side.table.quietest(now) {
            side.table.asked(now, &id);
            self.ask(now, addr, Some(id), Query::Ping, Purpose::Ping, out);
        }
        let side = &mut self.sides[at];
        if let Some(target) = side.table.refresh(now, &mut self.rng) {
            self.begin_own(now, Goal::Nodes(target), out);
        }
    }

    fn begin_own(&mut self, now: Moment, goal: Goal, out: &mut Vec<Output>) {
        let key = TaskKey(self.next_own);
        self.next_own -= 1;
        self.begin(now, key, goal, true, out);
    }
}

/// Whether it knows too few to be found by others.
fn is_lonely(side: &Side) -> bool {
    side.table.len() < K
}

/// The time from one look for our own neighbours to the next.
fn pause(side: &Side) -> Duration {
    if is_lonely(side) {
        LONGEST.min(SOON * 2_u32.saturating_pow(side.tries.saturating_sub(1).min(7)))
    } else {
        AGAIN
    }
}
