//! Bytes to values and back: bencode, torrent files, handshakes, peer messages, what trackers say.
//!
//! Everything that comes from outside is bounded and checked here, once. The room remembers at most
//! half a message; it has no clock and opens nothing.

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
