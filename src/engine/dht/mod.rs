//! A node of the distributed hash table, connected to the world.
//!
//! The [`Node`] is a task that drives one state machine of the room `dht` with the clock, the sockets and the
//! system's randomness. It needs no session: a session holds one if it may use the DHT, and a command that only
//! wants to look something up starts its own.

mod bootstrap;
mod config;
mod message;
mod node;
mod node_file;
mod peer_lookup;
mod run;
mod status;

pub use self::bootstrap::{BOOTSTRAP, resolve};
pub use self::config::NodeConfig;
pub use self::message::{TaskProgress, TaskUpdate};
pub use self::node::Node;
#[doc(hidden)]
pub use self::node_file::{decode as decode_saved, encode as encode_saved};
pub(in crate::engine) use self::peer_lookup::PeerLookup;
pub use self::status::{FamilyStatus, Status};
pub use crate::dht::{Announce, Bloom, Family, Goal, Outcome, fits, node_id};
