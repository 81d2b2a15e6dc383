//! The change of phase: the metadata is known, the files were checked, and pieces can be transferred.
//!
//! The swarm stays as it is. Every peer has had our handshakes and knows that we have nothing, through
//! `HaveNone` or, without the fast extension, the absence of a bitfield. It is too late for a bitfield, so
//! our pieces are announced one by one. Then the peer's own messages about pieces are replayed.

use super::Torrent;
use super::connections::Connections;
use super::content::Content;
use super::phase::Phase;
use super::swarm::{Swarm, Timer};
use crate::base::{Moment, Piece};
use crate::proto::message::Message;
use crate::swarm::event::{ContentSetup, DisconnectReason, Output, PeerKey, UnfinishedPiece};
use crate::swarm::metadata::early::EarlyMessages;
use crate::swarm::parts::request_window::RequestWindow;

/// The most pieces that are announced one by one. If we have more, closing the connection is cheaper, as a
/// new one begins with a bitfield.
const MAX_HAVES: u32 = 20_000;

impl Torrent {
    /// Opens the content; only the first call has an effect.
    pub(super) fn open(&mut self, now: Moment, mut setup: ContentSetup, out: &mut Vec<Output>) {
        if self.is_open() {
            return;
        }
        let swarm = &mut self.swarm;
        let unfinished = std::mem::take(&mut setup.unfinished);
        let mut content = Content::new(setup, swarm);
        content.restore(swarm, now, unfinished, out);
        swarm.timers.stop(Timer::Metadata);
        swarm.redial = true;
        swarm.finished = content.progress.lacking().is_empty();
        if swarm.finished {
            // Trackers and nodes that know us as a leecher are to learn that we are a seed.
            swarm.announcer.hurry(now);
            swarm.look_up_complete(now);
        }
        let pieces = content.geometry.piece_count();
        let early: Vec<_> =
            swarm.peers.iter_mut().filter_map(|(&key, peer)| Some((key, peer.size(pieces)?))).collect();
        for (key, early) in early {
            content.peer_joined(swarm, key);
            content.replay_early(swarm, now, key, early, out);
        }
        swarm.fill_slots(now, out);
        self.phase = Phase::Content(Box::new(content));
    }
}

impl Content {
    /// Opens the pieces of which an earlier run has received blocks, as far as they are still wanted and memory
    /// allows.
    fn restore(
        &mut self,
        swarm: &Swarm,
        now: Moment,
        unfinished: Vec<UnfinishedPiece>,
        out: &mut Vec<Output>,
    ) {
        let geometry = self.geometry.clone();
        for UnfinishedPiece { piece, in_runs, written, blocks } in unfinished {
            let end = blocks.last().map_or(written, |block| block.index() + 1);
            let window = RequestWindow::restored(geometry.blocks_in(piece), in_runs, written, end);
            let held = self.partial.bytes().saturating_add(window.held());
            let fits = self.partial.is_empty() || held <= swarm.config.budget;
            if !fits || !self.rarity.free().has(piece) {
                continue;
            }
            self.rarity.take(piece);
            out.push(Output::Open { piece, in_runs });
            self.partial.open(now, &geometry, piece, window, None, false);
            if self.partial.restore(piece, &blocks) {
                out.push(Output::Verify { piece, digests: false });
            }
        }
    }

    /// Sends a peer what has changed since the connection began, and replays its messages about pieces.
    fn replay_early(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        early: EarlyMessages,
        out: &mut Vec<Output>,
    ) {
        if self.progress.have().count() > MAX_HAVES {
            return self.close(swarm, now, key, DisconnectReason::Stopping, out);
        }
        for piece in self.progress.have().iter().map(Piece::index) {
            swarm.send(now, key, Message::Have(piece), out);
        }
        if swarm.finished {
            // The peer has been told before that we want pieces.
            swarm.send_handshake(now, key, false, out);
        }
        let (said, lost) = early.replay();
        for message in said {
            if !swarm.peers.contains_key(&key) {
                return;
            }
            self.handle_message(swarm, now, key, message, out);
        }
        for index in lost {
            self.handle_dont_have(swarm, now, key, index, out);
        }
        // The peer may have only pieces that we have, too.
        self.show_interest(swarm, now, key, out);
        self.close_if_useless(swarm, now, key, out);
        self.wants_requests.insert(key);
    }
}
