//! Whether files that are given are still what was hashed. Nobody can take what has changed: it would be
//! refused piece by piece, and nobody would know why.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::base::InfoHash;
use crate::face::cli::error::{Failure, shown};
use crate::face::cli::exit::Exit;
use crate::face::cli::input::quoted;
use crate::store::{self, ScannedFile};

/// How often files are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// Looking takes this part of the time at most.
const SHARE: u32 = 50;

/// The files of torrents that are given.
pub struct Watch(Option<mpsc::UnboundedReceiver<(InfoHash, PathBuf)>>);

impl Watch {
    /// Looks at these files from here on; each torrent is told of once.
    pub fn start(mut given: Vec<(InfoHash, Vec<ScannedFile>)>) -> Self {
        given.retain(|(_, files)| !files.is_empty());
        if given.is_empty() {
            return Self(None);
        }
        let (tell, changes) = mpsc::unbounded_channel();
        let work = move || {
            let mut pause = EVERY;
            while !given.is_empty() && !tell.is_closed() {
                thread::sleep(pause);
                let begun = Instant::now();
                given.retain(|(id, files)| match store::changed(files) {
                    Some(file) => tell.send((*id, file.path.clone())).is_err(),
                    None => true,
                });
                pause = EVERY.max(begun.elapsed() * SHARE);
            }
        };
        // Without it everything goes on, and who takes what has changed is told by its hashes.
        let started = thread::Builder::new().name("torr-watch".to_owned()).spawn(work).is_ok();
        Self(started.then_some(changes))
    }

    /// The next torrent of which a file has changed, and which file; waits for ever where there is none.
    pub async fn next(&mut self) -> (InfoHash, PathBuf) {
        let change = match &mut self.0 {
            Some(changes) => changes.recv().await,
            None => None,
        };
        match change {
            Some(change) => change,
            None => std::future::pending().await,
        }
    }
}

/// What is said of it.
pub fn changed(id: InfoHash, file: &std::path::Path, place: &std::path::Path) -> Failure {
    let message = format!("{} was changed while it was shared", shown(file));
    Failure::new(Exit::Disk, "changed_on_disk", message)
        .hint(format!("torr seed {} shares what is there now, by a new link", quoted(place)))
        .about(id)
}
