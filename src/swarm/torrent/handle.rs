//! The inputs of a torrent, one line each.

use super::Torrent;
use super::connections::Connections;
use super::phase::Phase;
use crate::base::Moment;
use crate::swarm::event::{Input, Output};

impl Torrent {
    /// Handles an input at the time `now`, and pushes the outputs. Inputs about pieces are ignored before
    /// `ContentOpened`.
    pub fn handle(&mut self, now: Moment, input: Input, out: &mut Vec<Output>) {
        if self.swarm.stopped {
            return;
        }
        let left = self.phase.left();
        let swarm = &mut self.swarm;
        match (input, &mut self.phase) {
            (Input::PeersFound { source, addrs }, _) => swarm.found(now, source, &addrs),
            (Input::Connected { peer, addr, incoming, hello }, _) => {
                self.connected(now, peer, addr, incoming, hello, out);
            }
            (Input::DialFailed { addr, why }, _) => swarm.dial_failed(now, addr, why),
            (Input::MessageReceived { peer, message }, _) => self.handle_message(now, peer, message, out),
            (Input::Drained { peer }, _) => swarm.drained(now, peer, out),
            (Input::Disconnected { peer, why }, _) => self.disconnected(now, peer, why, out),
            (Input::Announced { tracker, answer }, _) => swarm.announced(now, tracker, answer, left, out),
            (Input::Scraped { tracker, answer }, _) => swarm.scraped(now, tracker, &answer),
            (Input::LookedUp { answered, peers }, _) => swarm.looked_up(now, answered, peers, left, out),
            (Input::Budget { bytes }, _) => self.set_budget(bytes),
            (Input::Command(command), _) => self.execute(now, command, out),
            (Input::ContentOpened(setup), _) => self.open(now, *setup, out),
            (Input::Wasted { peer, .. }, Phase::Metadata(download)) => download.strike(swarm, now, peer, out),
            (Input::Wasted { peer, bytes }, Phase::Content(_)) => {
                swarm.wasted(now, peer, bytes);
            }
            (Input::BlocksReceived { peer, blocks }, Phase::Content(content)) => {
                content.blocks_received(swarm, now, peer, &blocks, out);
            }
            (Input::Sent { peer, spans }, Phase::Content(_)) => {
                swarm.sent(now, peer, &spans, out);
            }
            (Input::ReadFailed { peer, spans }, Phase::Content(_)) => {
                swarm.unserved(now, peer, &spans, out);
            }
            (Input::PieceVerified { piece, digests }, Phase::Content(content)) => {
                content.verified(swarm, now, piece, &digests, out);
            }
            (Input::HashFailed { piece, digests }, Phase::Content(content)) => {
                content.hash_failed(swarm, now, piece, &digests, out);
            }
            (Input::SegmentWritten { piece, blocks }, Phase::Content(content)) => {
                content.segment_written(piece, blocks);
            }
            (Input::WriteFailed { piece }, Phase::Content(content)) => {
                content.write_failed(swarm, piece, out);
            }
            (Input::PieceLost { piece }, Phase::Content(content)) => {
                content.piece_lost(swarm, now, piece, out);
            }
            (Input::Tick, _)
            | (
                Input::BlocksReceived { .. }
                | Input::Sent { .. }
                | Input::ReadFailed { .. }
                | Input::PieceVerified { .. }
                | Input::HashFailed { .. }
                | Input::SegmentWritten { .. }
                | Input::WriteFailed { .. }
                | Input::PieceLost { .. },
                Phase::Metadata(_),
            ) => {}
        }
        self.expire(now, out);
        if let Phase::Content(content) = &mut self.phase {
            content.request_blocks(&mut self.swarm, now, out);
        }
        self.plan_timers(now);
    }
}
