//! The tests of torr as one binary: it links once, and a file that is not listed here fails a test. Without the
//! features `app` and `cli` it holds the tests of the engine alone, and is built in less time.

#![allow(clippy::disallowed_methods, reason = "tests wait for real things to happen")]
#![allow(missing_docs, reason = "the name of a test is its sentence")]

mod architecture;
#[cfg(feature = "cli")]
mod cli;
mod dht;
#[cfg(feature = "app")]
mod fuzz;
#[cfg(feature = "cli")]
mod interop;
mod loopback;
mod samples;
mod sim;
mod support;
mod swarm;
mod trackers;
