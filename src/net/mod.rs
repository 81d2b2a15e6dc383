//! Bytes in motion: sockets and the tasks that serve them.
//!
//! This room acts and does not decide. It dials, listens and exchanges handshakes; each connection is
//! a task ([`peer::run`]) that takes orders from the driver of its torrent and reports what came in, a
//! burst at a time. Of the room `swarm` it knows only the names of facts.

#![allow(clippy::disallowed_methods, reason = "the clock is read here")]

mod dial;
mod hello;
pub mod limit;
mod listen;
pub mod peer;
mod socket;

pub use dial::{Bind, dial};
pub use hello::Patience;
pub use limit::{Limit, Limits};
pub use listen::{Caller, Listener, Lookup, Registration};
pub use peer::{FromPeer, Terms, ToPeer};
//! This room decides nothing. It carries out what the quiet rooms order, bounds what comes in, and
//! reports facts. Of `swarm` it knows the event types only.

pub mod tracker;
pub mod tracker_server;
