//! Faults that begin and end at the times that a plan names.

use torr::swarm::event::{Input, Priority, TorrentCommand};

use super::plan::Fault;
use super::world::World;

impl World {
    pub(super) fn fault(&mut self, number: usize) {
        match self.plan.faults[number].1.clone() {
            Fault::Part(nodes) => {
                self.part = Some(nodes);
                self.stall();
            }
            Fault::Heal => {
                self.part = None;
                self.stall();
            }
            Fault::Crash(at) => self.switch_off(at),
            Fault::Leave(at) => self.leave(at),
            Fault::Return(at) => self.come(at),
            Fault::Cut(at) => {
                for conn in 0..self.conns.len() {
                    if self.conns[conn].ends.contains(&at) && !self.conns[conn].dead {
                        self.snap(conn);
                    }
                }
            }
            Fault::DiskFull(at) => self.nodes[at].disk.full = true,
            Fault::DiskFreed(at) => {
                self.nodes[at].disk.full = false;
                self.hear(at, Input::Command(TorrentCommand::Resume));
            }
            Fault::PieceLost(at) => {
                let held: Vec<_> = self.nodes[at].ledger.have().iter().collect();
                if let Some(i) = self.rng.index(held.len()) {
                    self.hear(at, Input::PieceLost { piece: held[i] });
                }
            }
            Fault::TrackerDies(at) => self.trackers[at].dead = true,
            Fault::TrackerReturns(at) => self.trackers[at].dead = false,
            Fault::Pause(at) => self.hear(at, Input::Command(TorrentCommand::Pause)),
            Fault::Resume(at) => self.hear(at, Input::Command(TorrentCommand::Resume)),
            Fault::Skip(at, percent) => {
                let all = self.geometry.pieces();
                let skip = |_| if self.rng.below(100) < percent { Priority::Skip } else { Priority::Normal };
                let priorities: Vec<_> = all.map(skip).collect();
                self.wish(at, &priorities);
                self.hear(at, Input::Command(TorrentCommand::Priorities(priorities)));
            }
            Fault::Unskip(at) => {
                let priorities = self.nodes[at].priorities.clone();
                self.wish(at, &priorities);
                self.hear(at, Input::Command(TorrentCommand::Priorities(priorities)));
            }
            Fault::UploadLimit(at, limit) => {
                self.hear(at, Input::Command(TorrentCommand::UploadLimit(limit)));
            }
            Fault::Breaks(often) => self.breaks = often,
        }
    }

    /// The user of a node that is on wants these pieces from now on.
    fn wish(&mut self, at: usize, priorities: &[Priority]) {
        let node = &mut self.nodes[at];
        if node.is_on() {
            node.wishes = priorities.to_vec();
        }
    }
}
