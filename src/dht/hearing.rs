//! Replies to our own queries.

use std::net::SocketAddr;

use crate::base::{Moment, is_one, means_the_same};
use crate::proto::krpc::{Body, ErrorCode, Item, ItemValues, Packet, Reply};

use super::event::{Family, Goal, Output, TaskKey};
use super::identity::fits;
use super::node::{Dht, Purpose, Timer};
use super::pending::PendingQuery;

/// The most nodes of each address family that are taken from one reply, so that no node fills our list alone.
const MAX_TAKEN: usize = 16;

impl Dht {
    pub(super) fn handle_reply(
        &mut self,
        now: Moment,
        from: SocketAddr,
        Packet { transaction, body, version, seen_as, .. }: Packet,
        out: &mut Vec<Output>,
    ) {
        let Ok(number) = transaction.bytes().try_into().map(u32::from_be_bytes) else { return };
        let Some(query) = self.pending.end(number, from) else { return };
        if let Purpose::Only(key) | Purpose::Step(key, _) = query.purpose
            && let Some(task) = self.tasks.get_mut(&key)
        {
            task.outcome.version = version;
        }
        if let (Purpose::Store(key), Body::Error(code, _)) = (query.purpose, &body)
            && let Some(task) = self.tasks.get_mut(&key)
        {
            task.outcome.refused = Some(*code);
        }
        let reply = match body {
            Body::Reply(reply) => *reply,
            Body::Error(code, _) => return self.handle_error(now, &query, code, out),
            Body::Query(..) => return,
        };
        let is_same = query.id.is_none_or(|of| of == reply.id);
        // A node that has restarted has a new id. The id must match the address (BEP 42): otherwise the node
        // could answer each search with an id next to its target.
        let may_be = is_same || fits(&reply.id, from.ip());
        let chance = self.secrets.draw_id();
        let settles_in = self.tasks.values().any(|task| task.own);
        let Some(side) = self.side_mut(Family::of(&from)) else { return };
        if let Some(old) = query.id.filter(|_| !is_same) {
            side.table.refuted(&old, from);
        }
        if may_be && side.answered(now, reply.id, from) && !settles_in {
            // The first reply after a time without any: other nodes may be reachable again, too.
            side.tries = 0;
            self.timers.set(Timer::Round, now);
        }
        if may_be
            && let Some(seen) = seen_as
            && let Some(side) = self.side_mut(Family::of(&from))
            && let Some(ip) = side.seen(now, from, seen, chance)
        {
            out.push(Output::Seen(side.family, ip));
        }
        // A search accepts a node under the id that it claims. A ping or store was meant for one particular
        // node, so a reply with another id is a failure.
        if is_same || (may_be && matches!(query.purpose, Purpose::Step(..))) {
            self.accept_reply(now, &query, reply, out);
        } else {
            self.fail_query(now, &query, out);
        }
    }

    /// Handles an error in reply to a query. Not knowing a query, or refusing to store, is no fault of the
    /// node.
    fn handle_error(
        &mut self,
        now: Moment,
        query: &PendingQuery<Purpose>,
        code: ErrorCode,
        out: &mut Vec<Output>,
    ) {
        let may = match query.purpose {
            Purpose::Store(_) => true,
            Purpose::Step(..) => code == ErrorCode::UNKNOWN_METHOD,
            Purpose::Ping | Purpose::Only(_) => false,
        };
        if let (Some(id), Some(side)) = (query.id.filter(|_| !may), self.side_mut(Family::of(&query.to))) {
            side.table.failed(&id, query.to, true);
        }
        self.fail_query(now, query, out);
    }

    fn accept_reply(
        &mut self,
        now: Moment,
        query: &PendingQuery<Purpose>,
        reply: Reply,
        out: &mut Vec<Output>,
    ) {
        match query.purpose {
            Purpose::Ping => {}
            Purpose::Only(key) => {
                if let Some(task) = self.tasks.get_mut(&key) {
                    task.outcome.answered += 1;
                    task.outcome.nearest.push((reply.id, query.to));
                }
                self.end_task(key, out);
            }
            Purpose::Store(key) => {
                if let Some(task) = self.tasks.get_mut(&key) {
                    task.store_ended(query.late);
                    task.outcome.stored += 1;
                }
                self.advance(now, key, out);
            }
            Purpose::Step(key, depth) => {
                // Other nodes name ourselves, too.
                let own = [self.id(Family::V4), self.id(Family::V6)];
                let Some(task) = self.tasks.get_mut(&key) else { return };
                task.outcome.answered += 1;
                if let Some(lookup) = task.lookup(Family::of(&query.to)) {
                    lookup.answered(reply.id, query.to, reply.token.clone(), query.late);
                }
                let v4 = reply.nodes.iter().take(MAX_TAKEN).map(|&(id, addr)| (id, SocketAddr::from(addr)));
                let v6 = reply.nodes6.iter().take(MAX_TAKEN).map(|&(id, addr)| (id, SocketAddr::from(addr)));
                let named = v4.chain(v6).filter(|(id, addr)| {
                    !own.contains(&Some(*id)) && is_one(*addr) && means_the_same(addr.ip(), query.to.ip())
                });
                for (id, addr) in named {
                    if let Some(lookup) = task.lookup(Family::of(&addr)) {
                        lookup.learn(id, addr, depth + 1);
                    }
                }
                self.take_results(key, query.to, reply, out);
                self.advance(now, key, out);
            }
        }
    }

    /// Takes the results out of a reply that the task is looking for.
    fn take_results(&mut self, key: TaskKey, from: SocketAddr, mut reply: Reply, out: &mut Vec<Output>) {
        let Some(task) = self.tasks.get_mut(&key) else { return };
        // Peers on our own machine or network are not accepted from nodes on the Internet.
        reply.peers.retain(|peer| is_one(*peer) && means_the_same(peer.ip(), from.ip()));
        match &task.goal {
            Goal::Peers { .. } => {
                let new = task.found(&reply.peers);
                if !new.is_empty() && !task.own {
                    out.push(Output::Peers(key, new));
                }
            }
            Goal::Scrape(_) => {
                task.found(&reply.peers);
                if reply.seeds.is_some() || reply.leechers.is_some() {
                    task.count(reply.seeds.as_deref(), reply.leechers.as_deref());
                }
            }
            Goal::Get { target, salt } => {
                let target = *target;
                if let Some(item) = reply.item.and_then(|found| item(found, salt))
                    && task.take(item.clone(), target)
                {
                    out.push(Output::Item(key, item));
                }
            }
            Goal::Sample(_) => {
                if let Some(samples) = reply.samples.filter(|samples| !samples.hashes.is_empty()) {
                    out.push(Output::Samples(key, samples.hashes));
                }
            }
            Goal::Nodes(_) | Goal::Put { .. } | Goal::Ping(_) => {}
        }
    }

    /// Fails the queries to an address to which there is no route.
    pub(super) fn fail_queries_to(&mut self, now: Moment, to: SocketAddr, out: &mut Vec<Output>) {
        for query in self.pending.end_all(to) {
            self.fail_query(now, &query, out);
        }
    }

    fn fail_query(&mut self, now: Moment, query: &PendingQuery<Purpose>, out: &mut Vec<Output>) {
        match query.purpose {
            Purpose::Ping => {}
            Purpose::Only(key) => self.end_task(key, out),
            Purpose::Store(key) => {
                if let Some(task) = self.tasks.get_mut(&key) {
                    task.store_ended(query.late);
                }
                self.advance(now, key, out);
            }
            Purpose::Step(key, _) => {
                if let Some(lookup) =
                    self.tasks.get_mut(&key).and_then(|task| task.lookup(Family::of(&query.to)))
                {
                    lookup.failed(query.to, query.late);
                }
                self.advance(now, key, out);
            }
        }
    }
}

/// Returns the item of a reply, unverified.
fn item(found: ItemValues, salt: &[u8]) -> Option<Item> {
    let value = found.value?;
    Some(match (found.key, found.signature, found.seq) {
        (Some(key), Some(signature), Some(seq)) => {
            Item::Mutable { key, salt: salt.to_vec(), seq, signature, value }
        }
        _ => Item::Immutable(value),
    })
}
