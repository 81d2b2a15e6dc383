//! The thread that saves: whatever waits is saved in one transaction, so that many torrents cost no more syncs than
//! one.

use std::fmt;
use std::sync::mpsc;
use std::thread;

use super::{Change, TorrentStore};
use crate::store::error::{DiskError, DiskErrorKind};

/// Maximum number of requests in one transaction.
const MAX_AT_ONCE: usize = 4096;

type Done = Box<dyn FnOnce(Result<(), DiskError>) + Send>;

/// Saves changes of a torrent store on a thread of its own. The thread ends with the last clone, after what waits.
#[derive(Clone)]
pub struct StoreWriter {
    store: TorrentStore,
    requests: mpsc::Sender<(Vec<Change>, Done)>,
}

impl StoreWriter {
    /// Starts the thread.
    pub fn start(store: TorrentStore) -> Result<Self, DiskError> {
        let (requests, inbox) = mpsc::channel();
        let saves_to = store.clone();
        thread::Builder::new()
            .name("torr-store".to_owned())
            .spawn(move || run(&saves_to, &inbox))
            .map_err(|error| DiskError::from_io("start a thread for", store.path(), &error))?;
        Ok(Self { store, requests })
    }

    /// The store that is written to.
    pub const fn store(&self) -> &TorrentStore {
        &self.store
    }

    /// Saves changes, all or none, then calls `done` on the thread of the writer.
    pub fn save(&self, changes: Vec<Change>, done: impl FnOnce(Result<(), DiskError>) + Send + 'static) {
        if let Err(mpsc::SendError((_, done))) = self.requests.send((changes, Box::new(done))) {
            done(Err(DiskError::new(DiskErrorKind::Cancelled, "save", self.store.path())));
        }
    }
}

impl fmt::Debug for StoreWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreWriter").field(&self.store.path()).finish()
    }
}

fn run(store: &TorrentStore, inbox: &mpsc::Receiver<(Vec<Change>, Done)>) {
    while let Ok(first) = inbox.recv() {
        let (mut changes, mut waiting) = (Vec::new(), Vec::new());
        for (more, done) in std::iter::once(first).chain(inbox.try_iter()).take(MAX_AT_ONCE) {
            changes.extend(more);
            waiting.push(done);
        }
        let saved = store.save(&changes);
        for done in waiting {
            done(saved.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::store::torrent_store::tests::record;

    #[test]
    fn all_that_wait_are_saved_and_answered() {
        let state = tempfile::tempdir().unwrap();
        let writer = StoreWriter::start(TorrentStore::in_state_dir(state.path())).unwrap();
        let (answers, answered) = mpsc::channel();
        for seed in 0..100 {
            let answers = answers.clone();
            let changes = vec![Change::Record(Box::new(record(seed)))];
            writer.save(changes, move |saved| answers.send((seed, saved)).unwrap());
        }
        drop(answers);
        assert_eq!(
            answered.iter().collect::<Vec<_>>(),
            (0..100).map(|seed| (seed, Ok(()))).collect::<Vec<_>>()
        );
        assert_eq!(writer.store().load_all().unwrap().len(), 100);
    }
}
