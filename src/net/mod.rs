//! Bytes in motion: sockets and the tasks that serve them.
//!
//! This room decides nothing. It carries out what the quiet rooms order, bounds what comes in, and
//! reports facts. Of `swarm` it knows the event types only.

pub mod tracker;
pub mod tracker_server;
