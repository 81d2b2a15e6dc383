//! Commands of the user.

use super::Torrent;
use super::connections::Connections;
use super::content::Content;
use super::phase::Phase;
use super::swarm::Swarm;
use crate::base::{Moment, Timers};
use crate::swarm::event::{DisconnectReason, Output, Priority, TorrentCommand};

impl Torrent {
    /// Executes a command. Those about pieces are ignored before the content is open.
    pub(super) fn execute(&mut self, now: Moment, command: TorrentCommand, out: &mut Vec<Output>) {
        let left = self.phase.left();
        let swarm = &mut self.swarm;
        match (command, &mut self.phase) {
            (TorrentCommand::Pause, _) => self.leave_swarm(now, out),
            (TorrentCommand::Resume, _) => swarm.resume(now, left, out),
            (TorrentCommand::Announce, _) => swarm.hurry(now, left, out),
            (TorrentCommand::Stop, _) => {
                self.leave_swarm(now, out);
                self.swarm.stopped = true;
                self.swarm.timers = Timers::new();
            }
            (TorrentCommand::UploadLimit(limit), phase) => {
                swarm.config.upload_limit = limit;
                if let Phase::Content(content) = phase {
                    content.rechoke(swarm, now, out);
                }
            }
            (TorrentCommand::Priorities(priorities), Phase::Content(content)) if !content.seed_only => {
                content.prioritise(swarm, now, priorities, out);
            }
            (TorrentCommand::Order(order), Phase::Content(content)) => content.order = order,
            (TorrentCommand::Ahead(pieces), Phase::Content(content)) => {
                content.ahead = pieces.start..pieces.end.min(content.geometry.piece_count());
                content.reconsider = true;
            }
            (TorrentCommand::Priorities(_) | TorrentCommand::Order(_) | TorrentCommand::Ahead(_), _) => {}
        }
    }

    /// Changes the memory for unfinished pieces, in bytes.
    pub(super) fn set_budget(&mut self, bytes: u64) {
        if let Phase::Content(content) = &mut self.phase {
            content.reconsider |= bytes > self.swarm.config.budget;
        }
        self.swarm.config.budget = bytes;
    }

    /// Closes all connections, and announces `stopped` to the trackers.
    fn leave_swarm(&mut self, now: Moment, out: &mut Vec<Output>) {
        self.swarm.paused = true;
        for key in self.swarm.keys() {
            self.phase.close(&mut self.swarm, now, key, DisconnectReason::Stopping, out);
        }
        self.swarm.announce_stopped(self.phase.left(), out);
    }
}

impl Content {
    fn prioritise(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        priorities: Vec<Priority>,
        out: &mut Vec<Output>,
    ) {
        let geometry = self.geometry.clone();
        self.progress.prioritise(&geometry, priorities);
        for piece in geometry.pieces() {
            let priority = self.progress.priority(piece);
            match self.partial.get(piece) {
                Some(open) if priority == Priority::Skip && !open.is_whole() => {
                    self.abandon(swarm, piece, out);
                }
                Some(_) => {}
                None if self.progress.lacking().has(piece) => {
                    self.rarity.put(piece, priority, &mut swarm.rng);
                }
                None => self.rarity.take(piece),
            }
        }
        for key in swarm.keys() {
            if let Some(peer) = swarm.peers.get_mut(&key) {
                peer.interesting = self.progress.interesting(&peer.has);
            }
            self.show_interest(swarm, now, key, out);
        }
        self.reconsider = true;
        swarm.finished = false;
        self.finish(swarm, now, out);
        let left = self.left();
        swarm.reopen(now, left, out);
    }
}

impl Swarm {
    /// Resumes the searches for peers, as more pieces may be wanted than before.
    pub fn reopen(&mut self, now: Moment, left: u64, out: &mut Vec<Output>) {
        if let Some(dht_schedule) = self.dht_schedule.as_mut().filter(|_| !self.finished) {
            dht_schedule.reopened();
            // A seed searches less often than a download, so a search may be due already.
            self.look_up(now, left, out);
        }
    }
}
