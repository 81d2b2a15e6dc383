//! Encoding and decoding: bencode, torrent files, magnet links, peer messages, tracker messages, DHT packets.
//!
//! All input from outside is checked and bounded here, once. Nothing here has a clock or opens a file or
//! socket, and a decoder stores at most part of one message.

pub mod announce;
pub mod bencode;
pub mod extended;
pub mod handshake;
pub mod krpc;
pub mod lsd;
pub mod magnet;
pub mod message;
pub mod metainfo;
#[cfg(test)]
mod mutations;
pub mod paths;
pub mod percent;
pub mod splitter;
pub mod tracker_http;
pub mod tracker_udp;

pub use announce::{
    Announce, AnnounceEvent, AnnounceReply, Refusal, Retry, ScrapeCounts, ScrapeReply, clamp_interval,
};
pub use metainfo::{Attributes, Content, Draft, DraftFile, Extras, File, Metainfo, MetainfoError, Note};
pub use paths::SafePath;
