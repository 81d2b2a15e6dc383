//! Connections that end.

use std::net::SocketAddr;

use super::peer::Peer;
use super::swarm::Swarm;
use crate::base::Moment;
use crate::swarm::event::{Departure, Note, Output, PeerKey};

/// The end of a connection: the same in every phase but for what a peer leaves behind.
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
