//! Turns: how many torrents look for their metadata and how many download at once, while the others wait.

use tokio::sync::{mpsc, watch};

use super::Session;
use super::entry::{Activity, Entry, Running};
use crate::engine::driver::{self, ToDriver};
use crate::engine::shared::Shared;
use crate::engine::view::{Reason, State};
use crate::engine::why::{Circumstances, search, why};

/// Torrents whose metadata is looked for at once; the others wait until one is found or given up.
const MAX_LOOKUPS: usize = 64;

impl Session {
    /// Starts the torrents that wait, as far as there is room for more look-ups and downloads.
    pub(super) fn give_turns(&mut self) {
        let count = |is_so: fn(&Entry) -> bool| self.torrents.iter().filter(|&entry| is_so(entry)).count();
        let mut lookups = MAX_LOOKUPS.saturating_sub(count(|entry| entry.activity == Activity::LookingUp));
        let mut downloads = self.jobs.saturating_sub(count(Entry::is_downloading));
        let (shared, found, look) = (&self.shared, &self.to_found, self.look);
        for entry in self.torrents.iter_mut().filter(|entry| !entry.paused) {
            let looked_at = look == Some(entry.id);
            match (entry.activity, &entry.content) {
                (Activity::LookupQueued, _) if lookups > 0 => {
                    lookups -= 1;
                    (entry.row.state, entry.row.reason) = search::why(&search::Search::default());
                    entry.activity = Activity::LookingUp;
                }
                (Activity::Queued, Some(options)) if options.seed_only || downloads > 0 => {
                    downloads = downloads.saturating_sub(usize::from(!options.seed_only));
                    (entry.row.state, entry.row.reason) = starting(options.seed_only);
                    entry.activity = Activity::Running;
                }
                _ => continue,
            }
            let begins = entry.activity == Activity::Running;
            if let Some(mut add) = entry.add.take() {
                if begins {
                    add.content = entry.content.take();
                }
                let (orders, inbox) = mpsc::unbounded_channel();
                let (publish, published) = watch::channel(None);
                let task =
                    tokio::spawn(driver::run(shared.clone(), entry.id, add, inbox, found.clone(), publish));
                entry.driver = Some(Running { orders, published, task });
                entry.tell(ToDriver::Look(looked_at));
            } else if let Some(options) = entry.content.take()
                && let Some(running) = &mut entry.driver
            {
                // What it has published is of the look-up.
                running.published.mark_unchanged();
                entry.tell(ToDriver::Start(options));
            }
        }
        self.share_budget();
    }

    /// Divides the memory for unfinished pieces among the downloads that run.
    fn share_budget(&self) {
        let downloading: Vec<&Entry> = self.torrents.iter().filter(|entry| entry.is_downloading()).collect();
        let share = Shared::budget_for(downloading.len());
        for entry in downloading {
            entry.tell(ToDriver::Budget(share));
        }
    }
}

/// The state of a torrent whose turn has come, before its driver says more.
fn starting(seed_only: bool) -> (State, Reason) {
    if seed_only {
        why(&Circumstances { unseen: true, ..Circumstances::default() })
    } else {
        (State::Downloading, Reason { word: "starting", text: "starting".into() })
    }
}

/// The state of a torrent whose metadata is looked for when its turn comes.
pub(super) fn waiting_to_look_up() -> (State, Reason) {
    let text = format!("waiting its turn: the file lists of {MAX_LOOKUPS} others are looked for");
    (State::Metadata, Reason { word: "too_many_active", text })
}
