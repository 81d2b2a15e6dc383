//! The end of connections.

use std::net::SocketAddr;

use super::peer::Peer;
use super::swarm::Swarm;
use crate::base::Moment;
use crate::swarm::event::{DisconnectReason, Note, Output, PeerKey};

/// Closing connections, with what each phase has to forget about a peer.
pub trait Connections {
    /// Forgets the pending requests and offers of a peer. Returns whether it was useful.
    fn peer_left(&mut self, swarm: &mut Swarm, key: PeerKey, peer: &mut Peer) -> bool;

    /// Forgets a connection that has ended. Returns whether there was one.
    fn forget(&mut self, swarm: &mut Swarm, now: Moment, key: PeerKey, why: DisconnectReason) -> bool {
        let Some(mut peer) = swarm.peers.remove(&key) else { return false };
        let useful = self.peer_left(swarm, key, &mut peer);
        swarm.record_disconnect(now, &peer, useful, why);
        true
    }

    /// Closes a connection.
    fn close(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        why: DisconnectReason,
        out: &mut Vec<Output>,
    ) {
        if swarm.peers.contains_key(&key) {
            out.push(Output::Close { peer: key, why });
            self.forget(swarm, now, key, why);
        }
    }

    /// Counts a useless or impossible message; too many of them close the connection.
    fn strike(&mut self, swarm: &mut Swarm, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        if swarm.peers.get_mut(&key).is_some_and(Peer::strike) {
            self.close(swarm, now, key, DisconnectReason::Protocol, out);
        }
    }

    /// Bans an address and closes its connections.
    fn ban(&mut self, swarm: &mut Swarm, now: Moment, who: SocketAddr, out: &mut Vec<Output>) {
        swarm.candidates.ban(who);
        let mut known = who;
        for key in swarm.keys_of(who) {
            let Some(peer) = swarm.peers.get(&key) else { continue };
            known = peer.addr;
            if let Some(listens) = peer.listens {
                swarm.candidates.ban(listens);
            }
            self.close(swarm, now, key, DisconnectReason::Lied, out);
        }
        out.push(Output::Note(Note::Banned(known)));
    }
}
