//! The tests of torr as one binary: it links once, and a file that is not listed here fails a test.

#![allow(clippy::disallowed_methods, reason = "tests wait for real things to happen")]
#![allow(missing_docs, reason = "the name of a test is its sentence")]

mod architecture;
mod cli;
mod dht;
mod fuzz;
mod interop;
mod loopback;
mod samples;
mod sim;
mod support;
mod swarm;
mod trackers;
