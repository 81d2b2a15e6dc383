//! torr and the other clients, downloading from one another through a real tracker.
//!
//! Every test runs in a network namespace of its own, so nothing reaches the network and nothing is
//! reached from it. A test whose programs are not installed says so and passes, unless
//! `TORR_INTEROP=required` is set.

mod aria2;
mod client;
mod device;
mod dht;
mod http;
mod libtorrent;
mod link_alone;
mod local;
mod magnets;
mod making;
mod metadata;
mod namespace;
mod opentracker;
mod others;
mod pairs;
mod pex;
mod qbittorrent;
mod rtorrent;
mod scene;
mod swarm;
mod torr;
mod transmission;
mod wire;
