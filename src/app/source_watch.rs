//! Whether files that are given are still what was hashed. Nobody can take what has changed: it would be
//! refused piece by piece, and nobody would know why.

use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{Error, ErrorKind, Remedy, shown};
use crate::base::{InfoHashes, TorrentId};
use crate::store::{self, ScannedFile};

/// How often files are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// Looking takes this part of the time at most.
const SHARE: u32 = 50;

/// A file that is no longer what it was.
#[derive(Clone, Debug)]
pub struct Change {
    /// The path of the file.
    pub file: PathBuf,
    /// There is no such file any more.
    pub gone: bool,
}

impl Change {
    fn of(file: &Path) -> Self {
        let gone = file.metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        Self { file: file.to_owned(), gone }
    }
}

/// The files of torrents that are given.
pub struct Watch(Option<mpsc::UnboundedReceiver<(TorrentId, Change)>>);

impl Watch {
    /// Looks at these files from here on; each torrent is told of once.
    pub fn start(mut given: Vec<(TorrentId, Vec<ScannedFile>)>) -> Self {
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
                given.retain(|(id, files)| match store::first_changed(files) {
                    Some(file) => tell.send((*id, Change::of(&file.path))).is_err(),
                    None => true,
                });
                pause = EVERY.max(begun.elapsed() * SHARE);
            }
        };
        // Without it everything goes on, and who takes what has changed is told by its hashes.
        let started = thread::Builder::new().name("torr-watch".to_owned()).spawn(work).is_ok();
        Self(started.then_some(changes))
    }

    /// The next torrent of which a file has changed, and how; waits for ever where there is none.
    pub async fn next(&mut self) -> (TorrentId, Change) {
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

/// The error for this change; `place` is the root of the shared data.
pub fn told(torrent: InfoHashes, change: &Change, place: &Path) -> Error {
    let file = shown(&change.file);
    let failure = if change.gone {
        let message = format!("{file} was moved or removed while torr shared it");
        Error::new(ErrorKind::Disk, "files_missing", message)
    } else {
        Error::new(ErrorKind::Disk, "changed_on_disk", format!("{file} was changed while torr shared it"))
    };
    let failure = if place.exists() {
        failure.remedy(Remedy::ShareAnew(place.to_owned()))
    } else {
        failure.hint("put it back, or share it from where it is now")
    };
    failure.about(torrent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_told_from_what_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let id = InfoHashes::from_v1([1; 20]);
        let place = dir.path().join("d");
        let said = |gone| told(id, &Change { file: place.join("x"), gone }, &place);
        std::fs::create_dir(&place).unwrap();
        for (gone, kind, words) in
            [(true, "files_missing", "was moved or removed"), (false, "changed_on_disk", "was changed")]
        {
            let failure = said(gone);
            assert_eq!((failure.kind, failure.word), (ErrorKind::Disk, kind));
            assert!(
                failure.message.contains(words)
                    && failure.remedy.as_deref() == Some(&Remedy::ShareAnew(place.clone()))
            );
        }
        std::fs::remove_dir(&place).unwrap();
        assert!(said(true).sentence().unwrap().starts_with("put it back"));
    }
}
