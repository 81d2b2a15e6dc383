//! How a node looks after itself: it begins, finds its neighbours, asks the silent whether they are still
//! there, searches where nothing was searched for long, and forgets what is old.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::Moment;
use crate::proto::krpc::Query;

use super::event::{Family, Goal, Output, TaskKey};
use super::node::{Dht, Purpose, ROUND, Timer};
use super::table::K;

/// A node that knows its neighbours looks for new ones so often.
const AGAIN: Duration = Duration::from_secs(15 * 60);
/// The longest time between two tries to find anybody at all.
const LONGEST: Duration = Duration::from_secs(120);

impl Dht {
    /// Addresses where nodes may be.
    pub(super) fn nodes(&mut self, now: Moment, addrs: &[SocketAddr]) {
        for addr in addrs {
            let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
            if let Some(side) = self.side_mut(Family::of(&addr)) {
                side.start_at(addr);
                if side.table.len() < K {
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
            self.timers.set(Timer::Round, now + ROUND);
            self.peers.forget(now);
            self.items.forget(now);
            for at in 0..self.sides.len() {
                self.settle_in(now, at, out);
                self.look_after(now, at, out);
            }
        }
    }

    /// Looks for our own neighbours: at the start until there are some, later now and then.
    fn settle_in(&mut self, now: Moment, at: usize, out: &mut Vec<Output>) {
        let side = &mut self.sides[at];
        let lonely = side.table.len() < K;
        if lonely && side.table.len() == 0 && side.starts.is_empty() {
            return;
        }
        let pause = if lonely { LONGEST.min(ROUND * 2_u32.saturating_pow(side.tries.min(6))) } else { AGAIN };
        if side.tries > 0 && side.began.is_some_and(|began| now.since(began) < pause) {
            return;
        }
        side.began = Some(now);
        side.tries = if lonely { side.tries + 1 } else { 1 };
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
