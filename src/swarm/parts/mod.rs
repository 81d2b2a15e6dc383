//! Parts of a torrent that know nothing of torrents: each decides one thing, and is tested alone.

pub mod allowed_fast;
pub mod announcer;
pub mod blame;
pub mod candidates;
pub mod choker;
pub mod copies;
pub mod dials;
pub mod lender;
pub mod lookups;
mod peer_priority;
pub mod pex;
pub mod picker;
pub mod pipeline;
pub mod progress;
pub mod rarity;
pub mod reach;
pub mod started;
mod tellers;
