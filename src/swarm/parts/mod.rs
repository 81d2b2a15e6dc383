//! Parts of a torrent that know nothing of torrents: each makes one decision and is tested alone.

pub(super) mod allowed_fast;
pub(super) mod announcer;
pub(super) mod candidates;
pub(super) mod choker;
pub(super) mod dht_schedule;
pub(super) mod dials;
pub(super) mod metadata_quota;
pub(super) mod partial_pieces;
pub(super) mod peer_completions;
mod peer_priority;
mod peer_source_quota;
pub(super) mod pex;
pub mod picker;
pub(super) mod pipeline;
pub(super) mod progress;
pub mod rarity;
pub(super) mod request_window;
pub(super) mod smart_ban;
