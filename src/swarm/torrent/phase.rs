//! The phases of a torrent: first the metadata is downloaded, then the content.

use std::net::SocketAddr;

use super::connections::Connections;
use super::content::{self, Content};
use super::peer::Peer;
use super::swarm::Swarm;
use crate::base::Moment;
use crate::swarm::event::PeerKey;
use crate::swarm::metadata::MetadataDownload;

/// The phase of a torrent.
#[derive(Clone, Debug)]
pub enum Phase {
    /// The info dictionary is being downloaded, or the files are being checked.
    Metadata(Box<MetadataDownload>),
    /// Pieces can be transferred.
    Content(Box<Content>),
}

impl Default for Phase {
    fn default() -> Self {
        Self::Metadata(Box::default())
    }
}

impl Phase {
    /// The content, once it is open.
    pub const fn content(&self) -> Option<&Content> {
        match self {
            Self::Metadata(_) => None,
            Self::Content(content) => Some(content),
        }
    }

    /// The missing bytes, as announced to trackers (BEP 3): 0 only if all pieces are there, and [`u64::MAX`]
    /// while the size is unknown.
    pub fn left(&self) -> u64 {
        self.content().map_or(u64::MAX, Content::left)
    }

    /// Returns the connection to close in favour of `caller`, or of any other peer.
    pub fn spare(&self, swarm: &Swarm, now: Moment, caller: Option<SocketAddr>) -> Option<PeerKey> {
        match self {
            Self::Metadata(download) => download.spare(swarm, now),
            Self::Content(_) => content::spare(swarm, now, caller),
        }
    }
}

impl Connections for Phase {
    fn peer_left(&mut self, swarm: &mut Swarm, key: PeerKey, peer: &mut Peer) -> bool {
        match self {
            Self::Metadata(download) => download.peer_left(swarm, key, peer),
            Self::Content(content) => content.peer_left(swarm, key, peer),
        }
    }
}
