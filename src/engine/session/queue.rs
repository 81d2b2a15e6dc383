//! Queues of metadata lookups and downloads.

use tokio::sync::{mpsc, watch};

use super::Session;
use super::torrent::{Activity, RunningDriver, SessionTorrent};
use crate::engine::driver::{self, ToDriver};
use crate::engine::memory::PieceMemory;
use crate::engine::view::{Reason, State};
use crate::engine::why::{Circumstances, metadata, why};

/// Maximum number of concurrent metadata lookups.
const MAX_LOOKUPS: usize = 64;

impl Session {
    /// Starts queued torrents while there is room for more lookups and downloads.
    pub(super) fn start_queued(&mut self) {
        let count = |is_so: fn(&SessionTorrent) -> bool| {
            self.torrents.iter().filter(|&torrent| is_so(torrent)).count()
        };
        let mut lookups =
            MAX_LOOKUPS.saturating_sub(count(|torrent| torrent.activity == Activity::LookingUp));
        let mut downloads = self.jobs.saturating_sub(count(SessionTorrent::is_downloading));
        let (shared, found, show_detail) = (&self.shared, &self.to_found, self.show_detail);
        for torrent in self.torrents.iter_mut().filter(|torrent| !torrent.paused) {
            let looked_at = show_detail == Some(torrent.id);
            match (torrent.activity, &torrent.content) {
                (Activity::LookupQueued, _) if lookups > 0 => {
                    lookups -= 1;
                    (torrent.row.state, torrent.row.reason) =
                        metadata::why(&metadata::MetadataSearch::default());
                    torrent.activity = Activity::LookingUp;
                }
                (Activity::Queued, Some(options)) if options.seed_only || downloads > 0 => {
                    downloads = downloads.saturating_sub(usize::from(!options.seed_only));
                    (torrent.row.state, torrent.row.reason) = starting(options.seed_only);
                    torrent.activity = Activity::Running;
                }
                _ => continue,
            }
            let begins = torrent.activity == Activity::Running;
            if let Some(mut add) = torrent.add.take() {
                if begins {
                    add.content = torrent.content.take();
                }
                let (orders, inbox) = mpsc::unbounded_channel();
                let (publish, published) = watch::channel(None);
                let task =
                    tokio::spawn(driver::run(shared.clone(), torrent.id, add, inbox, found.clone(), publish));
                torrent.driver = Some(RunningDriver { orders, published, task });
                torrent.send_order(ToDriver::ShowDetail(looked_at));
            } else if let Some(options) = torrent.content.take()
                && let Some(running) = &mut torrent.driver
            {
                // The last published view is that of the metadata lookup.
                running.published.mark_unchanged();
                torrent.send_order(ToDriver::Start(options));
            }
        }
        self.share_budget();
    }

    /// Divides the memory for incomplete pieces among the running downloads.
    fn share_budget(&self) {
        let downloading: Vec<&SessionTorrent> =
            self.torrents.iter().filter(|torrent| torrent.is_downloading()).collect();
        let share = PieceMemory::budget_for(downloading.len());
        for torrent in downloading {
            torrent.send_order(ToDriver::Budget(share));
        }
    }
}

/// The state of a torrent that was just started, until its driver publishes one.
fn starting(seed_only: bool) -> (State, Reason) {
    if seed_only {
        why(&Circumstances { unseen: true, ..Circumstances::default() })
    } else {
        (State::Downloading, Reason { word: "starting", text: "starting".into() })
    }
}

/// The state of a torrent whose metadata lookup is queued.
pub(super) fn lookup_queued() -> (State, Reason) {
    let text = format!("waiting its turn: the file lists of {MAX_LOOKUPS} others are looked for");
    (State::Metadata, Reason { word: "too_many_active", text })
}
