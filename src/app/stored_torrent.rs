//! Torrents named by the beginning of their info hash: those that `get` and `seed` have had before.

use std::path::{Path, PathBuf};

use super::{Error, ErrorKind, Remedy, quoted, shown};
use crate::base::InfoHashes;
use crate::engine::{self, StoredTorrent};

/// With fewer digits too much is meant.
const MIN_DIGITS: usize = 4;
/// How many are named where one was not found, or several were.
const MAX_NAMED: usize = 3;

/// The torrent that is meant by the beginning of its info hash; nothing if this is no such beginning, or if
/// there is a file of that name.
pub fn find(argument: &Path, state: Option<&Path>) -> Result<Option<StoredTorrent>, Error> {
    let Some(digits) = digits(argument).filter(|_| argument.symlink_metadata().is_err()) else {
        return Ok(None);
    };
    let Some(state) = state else {
        let message = format!("'{digits}' is not a file, and torr remembers no torrents without HOME");
        return Err(Error::usage(message).remedy(Remedy::NameStateDir));
    };
    let all = engine::list_stored_torrents(state).map_err(Error::from)?;
    let meant: Vec<&InfoHashes> = all.iter().filter(|id| id.to_string().starts_with(&digits)).collect();
    match meant[..] {
        [id] => {
            let found =
                engine::load_stored_torrent(state, id).map_err(|error| Error::from(error).about(*id))?;
            found.map(Some).ok_or_else(|| {
                let message = format!("the record of '{digits}' in {} is damaged", shown(state));
                Error::new(ErrorKind::Input, "malformed", message).hint("give the torrent file").about(*id)
            })
        }
        [] => Err(unknown(&digits, state, &all)),
        _ => {
            let message = format!("'{digits}' matches {} remembered torrents", meant.len());
            let hint = format!("write more digits: {}", names(state, &meant));
            Err(Error::usage(message).hint(hint))
        }
    }
}

/// A remembered torrent as it is written on a command line.
pub fn argument(torrent: &InfoHashes) -> PathBuf {
    PathBuf::from(torrent.to_string())
}

/// The argument as digits of an info hash, if it can be the beginning of one.
fn digits(argument: &Path) -> Option<String> {
    let text = argument.to_str()?;
    let fits = (MIN_DIGITS..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_lowercase())
}

fn unknown(digits: &str, state: &Path, all: &[InfoHashes]) -> Error {
    let message =
        format!("'{digits}' is neither a torrent file nor a torrent remembered in {}", shown(state));
    let failure = Error::new(ErrorKind::Input, "not_found", message);
    if all.is_empty() {
        return failure.remedy(Remedy::GiveTorrentFile);
    }
    // Those that begin alike, or else those used last.
    let similar: Vec<&InfoHashes> =
        all.iter().filter(|id| id.to_string().starts_with(&digits[..2])).collect();
    let near: Vec<&InfoHashes> = if similar.is_empty() { all.iter().collect() } else { similar };
    let near = &near[..near.len().min(MAX_NAMED)];
    let verb = if all.len() > near.len() { "remembered torrents include" } else { "remembered:" };
    failure.hint(format!("{verb} {}", names(state, near)))
}

fn names(state: &Path, ids: &[&InfoHashes]) -> String {
    let name = |id: &&InfoHashes| {
        let name = engine::load_stored_torrent(state, id)
            .ok()
            .flatten()
            .map(|stored| stored.metainfo.name().fit(40));
        format!("{} {}", &id.to_string()[..10], name.unwrap_or_else(|| "(damaged)".to_owned()))
    };
    let mut names: Vec<String> = ids.iter().take(MAX_NAMED).map(name).collect();
    if ids.len() > MAX_NAMED {
        names.push("…".to_owned());
    }
    names.join(", ")
}

/// The data of a remembered torrent is not where it was.
pub fn data_moved(stored: &StoredTorrent, argument: &Path) -> Error {
    let name = stored.metainfo.name().fit(100);
    let id = stored.metainfo.info_hash();
    match &stored.folder {
        Some(folder) => {
            let message = format!("{name} is no longer in {}", shown(folder));
            let remedy = Remedy::Moved { argument: argument.to_owned(), torrent: id, folder: folder.clone() };
            Error::new(ErrorKind::Disk, "files_missing", message).remedy(remedy).about(id)
        }
        None => {
            let message = format!("the location of the data of {name} is unknown");
            let remedy = Remedy::SayWhere(quoted(argument));
            Error::new(ErrorKind::Disk, "files_missing", message).remedy(remedy).about(id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::single_file;
    use crate::proto::metainfo::Metainfo;
    use crate::store::{Change, TorrentStore};

    #[test]
    fn a_beginning_that_is_unique_is_enough() {
        let state = tempfile::tempdir().unwrap();
        let find = |text: &str| find(Path::new(text), Some(state.path()));
        let failure = find("abcd").unwrap_err();
        assert_eq!((failure.kind, failure.word), (ErrorKind::Input, "not_found"));
        let store = TorrentStore::in_state_dir(state.path());
        let mut all: Vec<Metainfo> = (0..300).map(|n| single_file(&format!("film {n}"))).collect();
        let remember = |id: InfoHashes, torrent: &Metainfo| Change::TorrentFile(id, torrent.to_bytes());
        let changes: Vec<_> = all.iter().map(|torrent| remember(torrent.info_hash(), torrent)).collect();
        store.save(&changes).unwrap();
        all.sort_by_key(Metainfo::info_hash);
        for torrent in all.iter().step_by(50) {
            let hash = torrent.info_hash().to_string();
            for text in [hash.clone(), hash.to_uppercase(), hash[..16].to_owned()] {
                assert_eq!(find(&text).unwrap().unwrap().metainfo, *torrent, "{text}");
            }
        }
        assert!(find("abc").unwrap().is_none() && find("film.torrent").unwrap().is_none());
        let none = find("0000000000000000").unwrap_err();
        assert!(none.sentence().unwrap().starts_with("remembered torrents include "));
        // One that is not what its name says.
        let hash = all[0].info_hash();
        store.save(&[remember(hash, &all[1])]).unwrap();
        assert_eq!(find(&hash.to_string()).unwrap_err().word, "malformed");
    }

    #[test]
    fn several_are_listed() {
        let state = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..9).map(|n| format!("{}{n}", "ab".repeat(19) + "a")).collect();
        let remember =
            |name: &String| Change::TorrentFile(name.parse().unwrap(), single_file("x").to_bytes());
        let changes: Vec<_> = names.iter().map(remember).collect();
        TorrentStore::in_state_dir(state.path()).save(&changes).unwrap();
        let failure = find(Path::new("abab"), Some(state.path())).unwrap_err();
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (ErrorKind::Usage, "'abab' matches 9 remembered torrents")
        );
    }
}
