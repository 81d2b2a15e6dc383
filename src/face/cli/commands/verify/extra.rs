//! Files beside those of the torrent.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::app::Error;
use crate::app::location::Place;
use crate::proto::metainfo::Metainfo;

/// Files beyond the torrent's are looked for up to this many entries.
const MAX_ENTRIES: usize = 1_000_000;

/// Files in the torrent's directory that are not the torrent's, by their paths below the root.
pub fn extra(torrent: &Metainfo, place: &Place) -> Result<Vec<PathBuf>, Error> {
    if torrent.is_single_file() {
        return Ok(Vec::new());
    }
    let stored = torrent.files().iter().filter(|file| file.is_stored());
    let known: BTreeSet<PathBuf> = stored.map(|file| place.path(file.path().as_path())).collect();
    let own = place.own(torrent);
    let mut found = Vec::new();
    let mut dirs = vec![own.clone()];
    let mut seen = 0;
    while let Some(dir) = dirs.pop() {
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && dir == own => break,
            Err(error) => return Err(Error::disk("list", &dir, &error)),
        };
        for entry in entries.flatten() {
            seen += 1;
            if seen > MAX_ENTRIES {
                break;
            }
            let path = entry.path();
            // A link to a directory is an entry, not a way.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                dirs.push(path);
            } else if let Ok(below) = path.strip_prefix(&place.root)
                && !known.contains(below)
            {
                found.push(below.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}
