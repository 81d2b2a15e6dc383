//! The world in which whole swarms are tried: virtual time, links, disks and trackers, all from one seed.
//!
//! Each node runs the real `swarm::Torrent`; everything around it is simulated, and every order of every
//! node is checked at every step. A failure names its seed. To see it again:
//!
//! ```text
//! SIM_SEED=17 SIM_LOG=3 cargo test --test torr sim::scenarios::storms::one_storm -- --nocapture
//! ```
//!
//! runs storm 17 and prints what node 3 hears and orders; `SIM_STORMS=1000..2000` tries others than those
//! that are tried always.

mod checks;
mod disk;
pub mod heap;
mod liar;
mod link;
mod node;
mod plan;
mod scenarios;
mod trace;
mod tracker;
mod traffic;
mod world;
