//! A DHT node (BEP 5) as a state machine, which finds peers without a tracker.
//!
//! This module is quiet: a [`Dht`] takes inputs with their time (a packet was received, a task begins, a
//! deadline was reached) and returns outputs (packets to send, results). It owns no socket, clock or thread.
//! Its random numbers and secrets come from one seed, so whole networks of nodes run in a simulated world in
//! a plain `cargo test`.
//!
//! The parts know nothing of packets and are tested alone: `table` (the routing table), `lookup` (iterative
//! lookups), `pending` (queries without a reply yet), `tokens`, `peers` and `items` (stored for other nodes),
//! `shares` (how much of it one network may use), `flood` (rate limits), `reply_builder` (the length of
//! replies), `identity` and `votes` (our id and external address). [`Dht`] holds them. `answering` replies to
//! queries, `asking` sends them, `hearing` handles their replies, and `maintenance` maintains the node.
//!
//! A node supports IPv4, IPv6 or both (BEP 32). Each address family has its own id and table, but a search
//! runs in both at once, and each learns from the other's replies.

mod answering;
mod asking;
mod bloom;
mod event;
mod flood;
mod hearing;
mod identity;
mod items;
mod lookup;
mod maintenance;
mod node;
mod peers;
mod pending;
mod reply_builder;
mod secrets;
mod shares;
mod side;
mod starts;
mod table;
mod task;
mod tokens;
mod votes;

pub use bloom::Bloom;
pub use event::{Announce, Family, Goal, Input, Outcome, Output, TaskKey};
pub use identity::{fits, node_id};
pub use node::{Config, Dht, Saved};
pub use starts::Origin;
