//! What others answer us.

use std::net::SocketAddr;

use crate::base::Moment;
use crate::proto::krpc::{Body, Found, Item, Packet, Reply};

use super::event::{Family, Goal, Output, TaskKey};
use super::flights::{Flight, LATE};
use super::identity::{fits, node_id};
use super::node::{Dht, Purpose};

/// Nodes that are taken from one answer, in each family: who sends more wants to fill our list.
const TAKEN: usize = 16;

impl Dht {
    pub(super) fn answered(
        &mut self,
        now: Moment,
        from: SocketAddr,
        Packet { transaction, body, version, seen_as, .. }: Packet,
        out: &mut Vec<Output>,
    ) {
        let Ok(number) = transaction.bytes().try_into().map(u32::from_be_bytes) else { return };
        let Some(flight) = self.flights.end(number, from) else { return };
        if let Purpose::Only(key) | Purpose::Step(key, _) = flight.purpose
            && let Some(task) = self.tasks.get_mut(&key)
        {
            task.outcome.version = version;
        }
        if let (Purpose::Store(key), Body::Error(code, _)) = (flight.purpose, &body)
            && let Some(task) = self.tasks.get_mut(&key)
        {
            task.outcome.refused = Some(*code);
        }
        // A search takes a node under the name it gives itself. Where the question was whether this one is there, or
        // brought what this one had given, another is none.
        let is_it = |id| flight.id.is_none_or(|of| of == id) || matches!(flight.purpose, Purpose::Step(..));
        match body {
            Body::Reply(reply) if is_it(reply.id) => {
                let family = Family::of(&from);
                if let Some(side) = self.side_mut(family) {
                    side.table.answered(now, reply.id, from);
                }
                if let Some(seen) = seen_as {
                    self.seen(family, from, seen, out);
                }
                self.replied(now, &flight, *reply, out);
            }
            // An error, or somebody else than who was asked.
            _ => self.not_answered(now, &flight, out),
        }
    }

    fn replied(&mut self, now: Moment, flight: &Flight<Purpose>, reply: Reply, out: &mut Vec<Output>) {
        let was_late = now.since(flight.sent) >= LATE;
        match flight.purpose {
            Purpose::Ping => {}
            Purpose::Only(key) => {
                if let Some(task) = self.tasks.get_mut(&key) {
                    task.outcome.answered += 1;
                    task.outcome.nearest.push((reply.id, flight.to));
                }
                self.end(key, out);
            }
            Purpose::Store(key) => {
                if let Some(task) = self.tasks.get_mut(&key) {
                    task.stores -= 1;
                    task.outcome.stored += 1;
                }
                self.advance(now, key, out);
            }
            Purpose::Step(key, depth) => {
                // Others tell us of ourselves, too.
                let own = [self.id(Family::V4), self.id(Family::V6)];
                let Some(task) = self.tasks.get_mut(&key) else { return };
                task.outcome.answered += 1;
                if let Some(lookup) = task.lookup(Family::of(&flight.to)) {
                    lookup.answered(reply.id, flight.to, reply.token.clone(), was_late);
                }
                if let Some(lookup) = task.lookup(Family::V4) {
                    for &(id, addr) in reply.nodes.iter().take(TAKEN).filter(|(id, _)| Some(*id) != own[0]) {
                        lookup.learn(id, addr.into(), depth + 1);
                    }
                }
                if let Some(lookup) = task.lookup(Family::V6) {
                    for &(id, addr) in reply.nodes6.iter().take(TAKEN).filter(|(id, _)| Some(*id) != own[1]) {
                        lookup.learn(id, addr.into(), depth + 1);
                    }
                }
                self.harvest(key, reply, out);
                self.advance(now, key, out);
            }
        }
    }

    /// Takes out of an answer what the task is looking for.
    fn harvest(&mut self, key: TaskKey, reply: Reply, out: &mut Vec<Output>) {
        let Some(task) = self.tasks.get_mut(&key) else { return };
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

    /// There is no way to an address: whatever was asked there will not be answered.
    pub(super) fn unsent(&mut self, now: Moment, to: SocketAddr, out: &mut Vec<Output>) {
        for flight in self.flights.end_all(to) {
            self.not_answered(now, &flight, out);
        }
    }

    fn not_answered(&mut self, now: Moment, flight: &Flight<Purpose>, out: &mut Vec<Output>) {
        match flight.purpose {
            Purpose::Ping => {}
            Purpose::Only(key) => self.end(key, out),
            Purpose::Store(key) => {
                if let Some(task) = self.tasks.get_mut(&key) {
                    task.stores -= 1;
                }
                self.advance(now, key, out);
            }
            Purpose::Step(key, _) => {
                let was_late = now.since(flight.sent) >= LATE;
                if let Some(lookup) =
                    self.tasks.get_mut(&key).and_then(|task| task.lookup(Family::of(&flight.to)))
                {
                    lookup.failed(flight.to, was_late);
                }
                self.advance(now, key, out);
            }
        }
    }

    /// Somebody says where we are. If enough agree, the id has to fit that place.
    fn seen(&mut self, family: Family, by: SocketAddr, seen: SocketAddr, out: &mut Vec<Output>) {
        if Family::of(&seen) != family {
            return;
        }
        let chance = self.secrets.draw_id();
        let Some(side) = self.side_mut(family) else { return };
        let Some(ip) = side.votes.vote(by.ip(), seen.ip()) else { return };
        side.seen = Some(ip);
        if !fits(&side.table.own(), ip) {
            side.rename(node_id(ip, chance));
            out.push(Output::Seen(family, ip));
        }
    }
}

/// The item of an answer, not yet proven.
fn item(found: Found, salt: &[u8]) -> Option<Item> {
    let value = found.value?;
    Some(match (found.key, found.signature, found.seq) {
        (Some(key), Some(signature), Some(seq)) => {
            Item::Mutable { key, salt: salt.to_vec(), seq, signature, value }
        }
        _ => Item::Immutable(value),
    })
}
