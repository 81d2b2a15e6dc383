//! The change of phase: the metadata is known, the files have been looked through, and pieces may move.
//!
//! Nothing of the swarm is moved or rebuilt. Every peer has heard from us the handshakes and that we have nothing:
//! `HaveNone`, or no word where it does not speak the fast extension. So a bitfield would come too late; what we have
//! is told piece by piece. Then what it has said of pieces is heard.

use super::Torrent;
use super::connections::Connections;
use super::content::Content;
use super::phase::Phase;
use super::swarm::{Swarm, Timer};
use crate::base::{Moment, Piece};
use crate::proto::message::Message;
use crate::swarm::event::{ContentSetup, Departure, Output, PeerKey};
use crate::swarm::metadata::early::EarlyMessages;

/// Pieces that are told one by one to a peer that has heard before that we have none. Where we have more,
/// a new connection, which begins with all of them at once, is cheaper.
const MAX_HAVES: u32 = 20_000;

impl Torrent {
    /// Begins to move pieces; once.
    pub(super) fn open(&mut self, now: Moment, setup: ContentSetup, out: &mut Vec<Output>) {
        if self.is_open() {
            return;
        }
        let swarm = &mut self.swarm;
        let mut content = Content::new(setup, swarm);
        swarm.timers.stop(Timer::Metadata);
        swarm.redial = true;
        swarm.finished = content.progress.lacking().is_empty();
        if swarm.finished {
            // Those who heard that all is missing are to hear that nothing is.
            swarm.announcer.hurry(now);
            swarm.look_up_complete(now);
        }
        let pieces = content.geometry.piece_count();
        let early: Vec<_> =
            swarm.peers.iter_mut().filter_map(|(&key, peer)| Some((key, peer.size(pieces)?))).collect();
        for (key, early) in early {
            content.peer_joined(swarm, key);
            content.meet_again(swarm, now, key, early, out);
        }
        swarm.fill_slots(now, out);
        self.phase = Phase::Content(Box::new(content));
    }
}

impl Content {
    /// Tells a peer what has changed since it was greeted, and hears what it has said so far.
    fn meet_again(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        early: EarlyMessages,
        out: &mut Vec<Output>,
    ) {
        if self.progress.have().count() > MAX_HAVES {
            return self.close(swarm, now, key, Departure::Stopping, out);
        }
        for piece in self.progress.have().iter().map(Piece::index) {
            swarm.say(now, key, Message::Have(piece), out);
        }
        if swarm.finished {
            // It has heard before that we want pieces.
            swarm.say_handshake(now, key, false, out);
        }
        let (said, lost) = early.again();
        for message in said {
            if !swarm.peers.contains_key(&key) {
                return;
            }
            self.heard(swarm, now, key, message, out);
        }
        for index in lost {
            self.lost_by(swarm, now, key, index, out);
        }
        // What we have ourselves may be all that it has.
        self.show_interest(swarm, now, key, out);
        self.close_if_useless(swarm, now, key, out);
        self.hungry.insert(key);
    }
}
