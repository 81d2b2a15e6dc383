//! Parts of a torrent that know nothing of torrents: each decides one thing, and is tested alone.

pub(super) mod allowed_fast;
pub(super) mod announcer;
pub(super) mod blame;
pub(super) mod candidates;
pub(super) mod choker;
pub(super) mod copies;
pub(super) mod dials;
pub(super) mod lender;
pub(super) mod lookups;
mod peer_priority;
pub(super) mod pex;
pub mod picker;
pub(super) mod pipeline;
pub(super) mod progress;
pub mod rarity;
pub(super) mod reach;
pub(super) mod started;
mod tellers;
