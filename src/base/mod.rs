//! Words everyone speaks: ids, bit fields, time as an argument, replayable chance, the geometry of a
//! torrent, rates, units and text from outside.
//!
//! This room knows nothing of BitTorrent messages, files or sockets, and nothing here reads a clock
//! or the system's randomness: a caller passes a [`Moment`] and a seeded [`Rng`].

mod address;
mod bitfield;
mod geometry;
mod ids;
mod moment;
mod rate;
mod rng;
mod timers;
pub mod units;
mod untrusted;

pub use address::{is_near, is_one, means_the_same, network, owner_of};
pub use bitfield::Bitfield;
pub use geometry::{
    BLOCK_LEN, Block, FileIndex, FilePart, Geometry, GeometryError, MAX_PIECE_LEN, MAX_PIECES, MAX_TOTAL_LEN,
    Piece, RUN_BLOCKS, RUN_LEN, Span,
};
pub use ids::{IdError, InfoHashes, NodeId, PeerId, Sha1Digest, Sha256Digest, TorrentId};
pub use moment::Moment;
pub use rate::{Bucket, Meter};
pub use rng::Rng;
pub use timers::Timers;
pub use untrusted::Untrusted;
