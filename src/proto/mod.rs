//! Bytes to values and back: bencode, torrent files, tracker messages and peer messages.
//!
//! This room remembers at most half a message. It has no clock, no socket and no file; it takes
//! bytes that came from outside, checks them once against fixed bounds, and gives values that need no
//! second check. What it writes is canonical.

pub mod announce;
pub mod bencode;
pub mod metainfo;
pub mod paths;

pub use announce::{
    Announce, AnnounceEvent, AnnounceReply, Refusal, Retry, ScrapeCounts, ScrapeReply, clamp_interval,
};
pub use metainfo::{Attributes, Content, Draft, DraftFile, Extras, File, Metainfo, MetainfoError, Note};
pub use paths::SafePath;
