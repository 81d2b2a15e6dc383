//! What passes between us and the peers: first the info dictionary, then pieces.

use super::content::Content;
use super::peer::Peer;
use super::swarm::Swarm;
use crate::base::Moment;
use crate::swarm::event::{Departure, Note, Output, PeerKey};
use crate::swarm::metadata::MetadataDownload;
use std::net::SocketAddr;

/// The phase of a torrent.
#[derive(Clone, Debug)]
pub enum Phase {
    /// The info dictionary is sought, or was found and the files are not looked through yet.
    Metadata(Box<MetadataDownload>),
    /// Pieces move.
    Content(Box<Content>),
}

impl Default for Phase {
    fn default() -> Self {
        Self::Metadata(Box::default())
    }
}

impl Phase {
    /// What is moved, once that is known.
    pub const fn content(&self) -> Option<&Content> {
        match self {
            Self::Metadata(_) => None,
            Self::Content(content) => Some(content),
        }
    }

    /// Bytes that are missing, as trackers hear it (BEP 3): 0 only if all is there.
    pub fn left(&self) -> u64 {
        self.content().map_or(u64::MAX, Content::left)
    }

    /// The peer that could best be spared for `caller`, or for anybody.
    pub fn spare(&self, swarm: &Swarm, now: Moment, caller: Option<SocketAddr>) -> Option<PeerKey> {
        match self {
            Self::Metadata(download) => download.spare(swarm, now),
            Self::Content(content) => content.spare(swarm, now, caller),
        }
    }
}

/// Connections that end: the same in every phase but for what a peer leaves behind.
pub trait Connections {
    /// Forgets what a peer owed and offered; says whether it was of use.
    fn peer_left(&mut self, swarm: &mut Swarm, key: PeerKey, peer: &mut Peer) -> bool;

    /// Forgets a connection that has ended; says whether there was one.
    fn forget(&mut self, swarm: &mut Swarm, now: Moment, key: PeerKey, why: Departure) -> bool {
        let Some(mut peer) = swarm.peers.remove(&key) else { return false };
        let useful = self.peer_left(swarm, key, &mut peer);
        swarm.note_left(now, &peer, useful, why);
        true
    }

    /// Ends a connection.
    fn close(&mut self, swarm: &mut Swarm, now: Moment, key: PeerKey, why: Departure, out: &mut Vec<Output>) {
        if swarm.peers.contains_key(&key) {
            out.push(Output::Close { peer: key, why });
            self.forget(swarm, now, key, why);
        }
    }

    /// Counts a pointless or impossible message; too many end the connection.
    fn strike(&mut self, swarm: &mut Swarm, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        if swarm.peers.get_mut(&key).is_some_and(Peer::strike) {
            self.close(swarm, now, key, Departure::Protocol, out);
        }
    }

    /// Never talks to this address again.
    fn ban(&mut self, swarm: &mut Swarm, now: Moment, who: SocketAddr, out: &mut Vec<Output>) {
        swarm.candidates.ban(who);
        let mut known = who;
        for key in swarm.keys_of(who) {
            let Some(peer) = swarm.peers.get(&key) else { continue };
            known = peer.addr;
            if let Some(listens) = peer.listens {
                swarm.candidates.ban(listens);
            }
            self.close(swarm, now, key, Departure::Lied, out);
        }
        out.push(Output::Note(Note::Banned(known)));
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
