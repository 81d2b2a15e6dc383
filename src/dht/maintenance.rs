//! Maintenance of the node: joining the DHT, pinging silent nodes, refreshing buckets, dropping expired data.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::{Moment, is_one};
use crate::proto::krpc::Query;

use super::event::{Family, Goal, Output, TaskKey};
use super::node::{Dht, Purpose, ROUND, Timer};
use super::side::Side;
use super::starts::Origin;

/// The time between two searches for neighbours, once the node has some.
const SEARCH_INTERVAL: Duration = Duration::from_secs(15 * 60);
/// The time after which a node with hardly any neighbours searches again. It doubles with each attempt, since
/// other nodes may just be starting.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The number of questionable nodes that are pinged in each round while few good ones are known.
const MAX_QUESTIONABLE: usize = 4;
/// The longest time between two searches of a node without neighbours.
const MAX_RETRY: Duration = Duration::from_secs(120);

impl Dht {
    /// Adds addresses at which nodes may be, and queries them if few nodes are known.
    pub(super) fn add_nodes(
        &mut self,
        now: Moment,
        origin: Origin,
        addrs: &[SocketAddr],
        out: &mut Vec<Output>,
    ) {
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
            // A node without neighbours starts at once.
            let lonely = self.sides.iter_mut().filter(|side| side.is_lonely());
            lonely.for_each(|side| side.tries = 0);
            self.timers.set(Timer::Round, now);
        }
    }

    /// Runs the maintenance that is due.
    pub(super) fn maintain(&mut self, now: Moment, out: &mut Vec<Output>) {
        while let Some(Timer::Round) = self.timers.expire(now) {
            self.peers.forget(now);
            self.items.forget(now);
            for at in 0..self.sides.len() {
                self.find_neighbours(now, at, out);
                self.ping_and_refresh(now, at, out);
            }
            let tries = self.sides.iter().filter_map(|side| Some(side.began? + pause(side)));
            let next = tries.min().unwrap_or(now + ROUND);
            self.timers.set(Timer::Round, next.clamp(now + FIRST_RETRY, now + ROUND));
        }
    }

    /// Searches for our own neighbours: at the start until there are some, later from time to time.
    fn find_neighbours(&mut self, now: Moment, at: usize, out: &mut Vec<Output>) {
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

    /// Pings the node that has been silent longest, and refreshes a bucket (BEP 5, "Routing Table").
    fn ping_and_refresh(&mut self, now: Moment, at: usize, out: &mut Vec<Output>) {
        let side = &mut self.sides[at];
        let mut silent: Vec<_> = side.table.quietest(now).into_iter().collect();
        if side.is_lonely() {
            // Any of these may be reachable again at any moment.
            silent.extend(side.table.in_doubt(MAX_QUESTIONABLE));
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
        self.begin_task(now, key, goal, true, out);
    }
}

/// Returns the time between two searches for our own neighbours.
fn pause(side: &Side) -> Duration {
    if side.is_lonely() {
        MAX_RETRY.min(FIRST_RETRY * 2_u32.saturating_pow(side.tries.saturating_sub(1).min(7)))
    } else {
        SEARCH_INTERVAL
    }
}
