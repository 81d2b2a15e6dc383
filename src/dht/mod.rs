//! A node of the distributed hash table (BEP 5) as a state machine: how peers are found where nobody
//! keeps a list of them.
//!
//! This room is quiet. A [`Dht`] takes facts with the time at which they became known (a packet came, a
//! task was given, time passed) and orders what is to be sent and told; it owns no socket, clock or
//! thread. Its chance and its secrets come from one seed that is given at the start, so whole networks of
//! nodes run in a simulated world in a plain `cargo test`.
//!
//! Below are parts that know nothing of packets and are tested alone: `table` (whom we know), `lookup`
//! (asking ever nearer nodes), `flights` (what was asked and not answered), `tokens`, `peers` and `items`
//! (what is kept for others), `shares` (how much of it one may fill), `flood` (who asks too much), `fitting` (how much
//! goes into an answer), `identity` and `votes` (who we are). In the
//! middle is [`Dht`], which holds them. Above are the verbs: answering, asking, hearing, keeping.
//!
//! A node speaks IPv4, IPv6 or both (BEP 32). The families are apart, each with its own id and table,
//! but a search goes through both at once and each tells the other what it learns.

mod answering;
mod asking;
mod bloom;
mod event;
mod fitting;
mod flights;
mod flood;
mod hearing;
mod identity;
mod items;
mod keeping;
mod lookup;
mod node;
mod peers;
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
