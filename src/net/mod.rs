//! Bytes in motion: sockets and tasks.
//!
//! This room decides nothing. It carries out what the quiet rooms order, bounds what comes in, and
//! reports facts. Of `swarm` it knows the event types only. Payload goes from the socket straight into
//! the buffers of `store`, and from them straight into the socket.

#![allow(clippy::disallowed_methods, reason = "a loud room: it waits for sockets and so reads the clock")]

pub mod datagrams;
mod dial;
mod handshake;
pub mod interfaces;
pub mod limit;
mod listen;
pub mod lsd;
pub mod peer;
pub mod route;
mod socket;
#[cfg(test)]
mod tests;
pub mod tracker;
pub mod tracker_server;
pub mod web;

pub use datagrams::Datagrams;
pub use dial::{Bind, dial, dial_hybrid};
pub use handshake::Timeouts;
pub use limit::{Limit, Limits};
pub use listen::{IncomingPeer, Listener, Lookup, Registration, bind_both};
pub use peer::{FromPeer, PeerConfig, ToPeer};
