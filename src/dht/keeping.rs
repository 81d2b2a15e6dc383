//! How a node looks after itself: it begins, finds its neighbours, asks the silent whether they are still
//! there, searches where nothing was searched for long, and forgets what is old.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::{Moment, is_one};
use crate::proto::krpc::Query;

use super::event::{Family, Goal, Output, TaskKey};
use super::node::{Dht, Purpose, ROUND, Timer};
use super::side::Side;
use super::starts::Origin;

/// A node that knows its neighbours looks for new ones so often.
const AGAIN: Duration = Duration::from_secs(15 * 60);
/// One that knows nearly nobody tries again after this time, then after twice as long, and so on: others may have
/// begun in the same moment.
const SOON: Duration = Duration::from_secs(1);
/// Of those in doubt so many are asked in a round, as long as few are known to be there.
const DOUBTFUL: usize = 4;
/// The longest time between two tries to find anybody at all.
const LONGEST: Duration = Duration::from_secs(120);

impl Dht {
    /// Addresses where nodes may be.
    pub(super) fn nodes(&mut self, now: Moment, origin: Origin, addrs: &[SocketAddr], out: &mut Vec<Output>) {
        let mut news = Vec::new();
        for addr in addrs {
            let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
            let Some(side) = self.side_mut(Family::of(&addr)).filter(|_| is_one(addr)) else { continue };
            if side.starts.add(origin, addr) && side.is_lonely() {
                news.push(addr);
            }
        }
        let searches = self.tasks.iter().filter(|(_, task)| !news.is_empty() && !task.lookups.is_empty());
        let searching: Vec<TaskKey> = searches.map(|(&key, _)| key).collect();
        let mut settling_in = false;
        for key in searching {
            let Some(task) = self.tasks.get_mut(&key) else { continue };
            settling_in |= task.own;
            for &addr in news.iter().rev() {
                if let Some(lookup) = task.lookup(Family::of(&addr)) {
                    lookup.try_soon(addr);
                }
            }
            self.advance(now, key, out);
        }
        if !news.is_empty() && !settling_in {
            // Who is new here begins at once.
            let lonely = self.sides.iter_mut().filter(|side| side.is_lonely());
            lonely.for_each(|side| side.tries = 0);
            self.timers.set(Timer::Round, now);
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
        if side.table.is_empty() && side.starts.is_empty() {
            return;
        }
        if side.tries > 0 && side.began.is_some_and(|began| now.since(began) < pause(side)) {
            return;
        }
        side.began = Some(now);
        side.tries = if side.is_lonely() { side.tries + 1 } else { 1 };
        let own = side.table.own();
        self.begin_own(now, Goal::Nodes(own), out);
    }

    /// Asks the one that was silent longest, and searches where nothing was searched for long.
    fn look_after(&mut self, now: Moment, at: usize, out: &mut Vec<Output>) {
        let side = &mut self.sides[at];
        let mut silent: Vec<_> = side.table.quietest(now).into_iter().collect();
        if side.is_lonely() {
            // Everybody may be back in the next moment.
            silent.extend(side.table.in_doubt(DOUBTFUL));
        }
        for (id, addr) in silent {
            self.sides[at].table.asked(now, &id);
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

/// The time from one look for our own neighbours to the next.
fn pause(side: &Side) -> Duration {
    if side.is_lonely() {
        LONGEST.min(SOON * 2_u32.saturating_pow(side.tries.saturating_sub(1).min(7)))
    } else {
        AGAIN
    }
}
