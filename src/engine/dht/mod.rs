//! A node of the DHT with its sockets, clock and file.
//!
//! The [`Node`] is a task that drives a state machine of the room `dht`. A session runs one if the DHT is
//! enabled; commands that only look something up start their own.

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
