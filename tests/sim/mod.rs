//! The simulated world: whole networks in virtual time, all from one seed.
//!
//! Nothing here waits for real time. There is one heap of future events; the world takes the next one, sets the
//! clock to its time and lets it happen. Chance comes from one seed, so the same plan gives the same history for
//! ever, and a failure names the seed with which it can be seen again.
//!
//! **Nodes.** There is one kind of node ([`node`]), with parts that can be absent:
//!
//! - a torrent as the library runs it, from its info-hash to its last byte: metadata exchange, transfer, peer
//!   exchange, trackers;
//! - a node of the DHT (`torr::dht`), which speaks real packets;
//! - a voice in a local network (`torr::swarm::local`), which speaks real datagrams.
//!
//! A node without a torrent is a node of the DHT alone: the networks of `tests/dht` are made of these. A node may
//! also follow a [`script`] instead of running a client, or lie about what it sends ([`liar`], [`datagrams::Kind`]).
//!
//! **The host.** What the engine does with sockets, threads and tasks, [`host`] does with events: it carries out the
//! orders of a torrent and reports what came of them. The content of a block is a number, so that no bytes are moved
//! or hashed.
//!
//! **The network.** Connections are two pipes with latency, order and a window ([`link`], [`traffic`]); a node has
//! rates both ways; connections break, the network falls into parts, packets are lost: what a connection carries
//! then comes late, and a datagram never. Datagrams overtake one another ([`datagrams`]). Nodes behind NAT cannot
//! be called, and hear only those to which they wrote. [`disk`]s are slow or full, [`tracker`]s die or lie, and
//! [`faults`] come at the times that a [`plan`] names.
//!
//! **Checks.** Every order of every torrent is booked in a ledger ([`checks`]), which refuses what is not lawful: a
//! block that is not needed, a block served to a choked peer, more memory than the budget, a dial too soon, a ban of
//! the innocent, a word about pieces before the metadata is there. Then comes liveness: when the faults are over,
//! everyone who can finish does, within a bound.
//!
//! **Twin runs.** Every order and every datagram goes into one number ([`trace`]). Scenarios run twice from one seed,
//! and the numbers agree.
//!
//! Scenarios are in `tests/swarm` and `tests/dht`, one per file. To see a storm that failed again:
//!
//! ```text
//! SIM_SEED=17 SIM_LOG=3 cargo test --test torr swarm::storms::one_storm -- --nocapture
//! ```
//!
//! runs storm 17 and prints what node 3 hears and orders; `SIM_STORMS=1000..2000` tries others than those
//! that are tried always.

mod checks;
pub mod datagrams;
pub mod disk;
mod faults;
mod heap;
mod host;
pub mod liar;
mod link;
pub mod node;
pub mod plan;
pub mod script;
pub mod trace;
pub mod tracker;
mod traffic;
pub mod world;
