//! Torrents of a session whose metadata is being found.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::task::{self, JoinSet};

use crate::base::{InfoHash, Untrusted, units};
use crate::engine::{Command, Handle, Row, View};
use crate::face::cli::error::Failure;
use crate::face::cli::exit::Exit;
use crate::face::cli::progress::status;
use crate::proto::metainfo::Metainfo;

use super::stall::Stall;
use super::work::{Peers, Search, Then, Work};

/// So many are looked for at once; the others wait until one is found or given up.
const AT_ONCE: usize = 64;

/// Those whose metadata is being found, and those of which work is being made.
#[derive(Default)]
pub struct Searches {
    open: BTreeMap<InfoHash, Open>,
    waiting: VecDeque<Search>,
    making: JoinSet<Result<Work, Failure>>,
    whose: HashMap<task::Id, InfoHash>,
}

struct Open {
    name: Untrusted,
    then: Then,
    stall: Stall,
}

impl Searches {
    /// Looks for one more, or lets it wait.
    pub fn add(&mut self, search: Search, handle: &Handle) {
        self.waiting.push_back(search);
        self.go_on(handle);
    }

    /// More peers of one that waits its turn; says whether there is such a one.
    pub fn add_peers(&mut self, more: &Peers) -> bool {
        let waits = |search: &&mut Search| search.find.info_hash.wire() == more.id.wire();
        let Some(search) = self.waiting.iter_mut().find(waits) else { return false };
        search.find.peers.extend(&more.peers);
        search.find.named_peers.extend(more.named.iter().cloned());
        true
    }

    /// Nothing is looked for or being made.
    pub fn are_over(&self) -> bool {
        self.open.is_empty() && self.waiting.is_empty() && self.making.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.open.len() + self.waiting.len() + self.making.len()
    }

    /// The metadata of one was found: makes work of it, apart from everything that must not wait for disks.
    pub fn found(&mut self, id: InfoHash, metainfo: Metainfo, handle: &Handle) {
        if let Some(open) = self.open.remove(&id) {
            let making = self.making.spawn_blocking(move || (open.then)(metainfo));
            self.whose.insert(making.id(), id);
        }
        self.go_on(handle);
    }

    /// The next of which work was made, by the id under which it was looked for; waits for ever while there
    /// are none.
    pub async fn made(&mut self) -> (InfoHash, Result<Work, Failure>) {
        loop {
            let (task, made) = match self.making.join_next_with_id().await {
                None => std::future::pending().await,
                Some(Ok((task, made))) => (task, made),
                Some(Err(error)) => {
                    let message = "an internal error stopped this torrent";
                    (error.id(), Err(Failure::new(Exit::Internal, "internal", message)))
                }
            };
            if let Some(id) = self.whose.remove(&task) {
                return (id, made);
            }
        }
    }

    /// One is not looked for any more; says whether it was.
    pub fn give_up(&mut self, id: InfoHash, handle: &Handle) -> bool {
        let was = self.open.remove(&id).is_some();
        self.go_on(handle);
        was
    }

    /// Those for which nobody has sent metadata for so long, with what to say of each.
    pub fn late(&mut self, view: &View, now: Duration, limit: Duration) -> Vec<(InfoHash, Failure)> {
        let mut late = Vec::new();
        for row in &view.torrents {
            if let Some(open) = self.open.get_mut(&row.id)
                && open.stall.look(row, now) >= limit
            {
                late.push((row.id, no_metadata(&open.name, row, limit)));
            }
        }
        late
    }

    fn go_on(&mut self, handle: &Handle) {
        while self.open.len() < AT_ONCE
            && let Some(Search { find, name, then }) = self.waiting.pop_front()
        {
            self.open.insert(find.info_hash, Open { name, then, stall: Stall::default() });
            handle.send(Command::Find(Box::new(find)));
        }
    }
}

/// Nobody has sent the metadata of a torrent for as long as was allowed.
pub fn no_metadata(name: &Untrusted, row: &Row, limit: Duration) -> Failure {
    let asked = status::asked(row).unwrap_or(&row.reason.text);
    let asked = if asked.is_empty() { String::new() } else { format!(": {asked}") };
    let message = format!("no file list of {} came within {}{asked}", name.fit(100), units::span(limit));
    Failure::new(Exit::Network, "no_metadata", message)
        .hint("try again later, or give a link with more trackers (tr=) or peers (x.pe=); --timeout says how long to wait")
        .about(row.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Reason, State};
    use crate::face::cli::progress::screen::tests::row;

    #[test]
    fn giving_up_says_who_was_asked() {
        let text = "looking for anyone who has the file list: 2 trackers silent, 0 peers".to_owned();
        let torrent =
            Row { reason: Reason { word: "searching_peers", text }, ..row("ubuntu", State::Metadata) };
        let failure = no_metadata(&"ubuntu".into(), &torrent, Duration::from_secs(60));
        assert_eq!((failure.exit, failure.kind), (Exit::Network, "no_metadata"));
        assert_eq!(failure.message, "no file list of ubuntu came within 1 min: 2 trackers silent, 0 peers");
    }
}
