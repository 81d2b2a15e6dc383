//! Tasks of the node, and the queries that they send.

use std::net::SocketAddr;

use crate::base::{Moment, NodeId};
use crate::proto::krpc::{Body, Packet, Query, Transaction, Want};

use super::event::{Family, Goal, Output, TaskKey};
use super::lookup::Lookup;
use super::node::{Dht, Purpose};
use super::pending::Overdue;
use super::side::Side;
use super::table::K;
use super::task::Task;

impl Dht {
    /// Begins a task.
    pub(super) fn begin_task(
        &mut self,
        now: Moment,
        key: TaskKey,
        goal: Goal,
        own: bool,
        out: &mut Vec<Output>,
    ) {
        let mut task = Task::new(goal, own);
        match task.goal.target() {
            None => {
                let Goal::Ping(addr) = task.goal else { return };
                self.tasks.insert(key, task);
                if self.side(Family::of(&addr)).is_some() {
                    self.count_asked(key);
                    self.ask(now, addr, None, Query::Ping, Purpose::Only(key), out);
                } else {
                    self.end_task(key, out);
                }
            }
            Some(target) => {
                for side in &mut self.sides {
                    let mut lookup = Lookup::new(target);
                    side.table.searched(now, &target);
                    for (id, addr) in side.table.to_ask(&target, 2 * K) {
                        lookup.learn(id, addr, 1);
                    }
                    if side.is_lonely() {
                        side.starts.in_turn().for_each(|addr| lookup.try_stranger(addr));
                    }
                    task.lookups.push((side.family, lookup));
                }
                self.tasks.insert(key, task);
                self.advance(now, key, out);
            }
        }
    }

    /// Sends the next queries of a task, and ends the task once there are none left.
    pub(super) fn advance(&mut self, now: Moment, key: TaskKey, out: &mut Vec<Output>) {
        // Nodes of both families take twice the space, so a reply has half as many of each (BEP 32).
        let lonely = self.sides.iter().any(Side::is_lonely);
        let want = (self.sides.len() > 1 && lonely).then_some(Want::BOTH);
        loop {
            let Some(task) = self.tasks.get_mut(&key) else { return };
            if task.storing {
                break;
            }
            let next = task.lookups.iter_mut().find_map(|(_, lookup)| lookup.next());
            let Some((id, addr, depth)) = next else { break };
            task.outcome.asked += 1;
            let query = step_query(&task.goal, want);
            self.ask(now, addr, id, query, Purpose::Step(key, depth), out);
        }
        let Some(task) = self.tasks.get(&key) else { return };
        if !task.storing && task.lookups.iter().all(|(_, lookup)| lookup.is_done()) {
            self.store(now, key, out);
        }
        if self.tasks.get(&key).is_some_and(Task::has_stored) {
            self.end_task(key, out);
        }
    }

    /// Ends the search of a task, and sends the announces or puts to the nearest nodes.
    fn store(&mut self, now: Moment, key: TaskKey, out: &mut Vec<Output>) {
        let Some(task) = self.tasks.get_mut(&key) else { return };
        task.storing = true;
        task.outcome.depth = task.lookups.iter().map(|(_, lookup)| lookup.depth()).max().unwrap_or(0);
        let nearest: Vec<(NodeId, SocketAddr, Option<Vec<u8>>)> = task
            .lookups
            .iter()
            .flat_map(|(_, lookup)| lookup.nearest())
            .map(|(id, addr, token)| (id, addr, token.map(<[u8]>::to_vec)))
            .collect();
        let store_query: Option<Box<dyn Fn(Vec<u8>) -> Query>> = match &task.goal {
            Goal::Peers { info_hash, announce: Some(announce), .. } => {
                let (info_hash, announce) = (*info_hash, *announce);
                Some(Box::new(move |token| Query::AnnouncePeer {
                    info_hash,
                    port: announce.port,
                    token,
                    seed: announce.seed,
                }))
            }
            Goal::Put { item, instead_of } => {
                let (item, instead_of) = (item.clone(), *instead_of);
                Some(Box::new(move |token| Query::Put { token, item: item.clone(), instead_of }))
            }
            _ => None,
        };
        for (id, addr, token) in nearest {
            if let (Some(store), Some(token)) = (&store_query, token)
                && self.ask(now, addr, Some(id), store(token), Purpose::Store(key), out)
                && let Some(task) = self.tasks.get_mut(&key)
            {
                task.stores += 1;
            }
            if let Some(task) = self.tasks.get_mut(&key) {
                task.outcome.nearest.push((id, addr));
            }
        }
    }

    /// Ends a task and reports its outcome.
    pub(super) fn end_task(&mut self, key: TaskKey, out: &mut Vec<Output>) {
        let Some(mut task) = self.tasks.remove(&key) else { return };
        task.outcome.scrape = task.filters.take();
        if !task.own {
            out.push(Output::Ended(key, task.outcome));
        }
    }

    /// Sends a query. Returns whether it was sent.
    pub(super) fn ask(
        &mut self,
        now: Moment,
        to: SocketAddr,
        id: Option<NodeId>,
        query: Query,
        purpose: Purpose,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(own) = self.id(Family::of(&to)) else { return false };
        let drawn = self.secrets.draw();
        let chance = u32::from_be_bytes([drawn[0], drawn[1], drawn[2], drawn[3]]);
        let Some(number) = self.pending.begin(now, chance, to, id, purpose) else {
            // Too many queries are pending: the search goes on as if this one had failed.
            if let Purpose::Step(key, _) = purpose
                && let Some(lookup) = self.tasks.get_mut(&key).and_then(|task| task.lookup(Family::of(&to)))
            {
                lookup.failed(to, false);
            }
            return false;
        };
        self.send(to, Packet::new(Transaction::from(number), Body::Query(own, query)), out);
        true
    }

    /// Handles the queries whose reply is late or lost.
    pub(super) fn handle_overdue(&mut self, now: Moment, out: &mut Vec<Output>) {
        while let Some((overdue, query)) = self.pending.next_overdue(now) {
            let family = Family::of(&query.to);
            match (&overdue, &query.purpose) {
                (Overdue::Late, Purpose::Step(key, _)) => {
                    if let Some(lookup) = self.tasks.get_mut(key).and_then(|task| task.lookup(family)) {
                        lookup.mark_late(query.to);
                    }
                }
                (Overdue::Lost, Purpose::Step(key, _)) => {
                    if let Some(lookup) = self.tasks.get_mut(key).and_then(|task| task.lookup(family)) {
                        lookup.failed(query.to, true);
                    }
                }
                (Overdue::Late, Purpose::Store(key)) => {
                    if let Some(task) = self.tasks.get_mut(key) {
                        task.late_stores += 1;
                    }
                }
                (Overdue::Lost, Purpose::Store(key)) => {
                    if let Some(task) = self.tasks.get_mut(key) {
                        task.store_ended(true);
                    }
                }
                (Overdue::Lost, Purpose::Only(key)) => self.end_task(*key, out),
                _ => {}
            }
            if overdue == Overdue::Lost
                && let Some(side) = self.side_mut(family)
            {
                side.failed(query.sent, query.id, query.to);
            }
            if let Purpose::Step(key, _) | Purpose::Store(key) = query.purpose {
                self.advance(now, key, out);
            }
        }
    }

    pub(super) fn count_asked(&mut self, key: TaskKey) {
        if let Some(task) = self.tasks.get_mut(&key) {
            task.outcome.asked += 1;
        }
    }
}

/// Returns the query that a step of a search sends.
fn step_query(goal: &Goal, want: Option<Want>) -> Query {
    match goal {
        Goal::Nodes(target) => Query::FindNode { target: *target, want },
        Goal::Peers { info_hash, no_seeds, .. } => {
            Query::GetPeers { info_hash: *info_hash, want, no_seeds: *no_seeds, scrape: false }
        }
        Goal::Scrape(info_hash) => {
            Query::GetPeers { info_hash: *info_hash, want, no_seeds: false, scrape: true }
        }
        Goal::Get { target, .. } => Query::Get { target: *target, newer_than: None, want },
        Goal::Put { item, .. } => Query::Get { target: item.target(), newer_than: None, want },
        Goal::Sample(target) => Query::Sample { target: *target, want },
        Goal::Ping(_) => Query::Ping,
    }
}
