//! What every face needs and no face owns: configuration, inputs, making torrents, the selection of files, and the
//! way to the engine.
//!
//! A face knows this room and the vocabulary of [`base`](crate::base); what a flag is called, how a sentence is
//! coloured and with which code a process ends is none of this room's business.

mod error;

pub use error::{Error, ErrorKind, reason, shown};
