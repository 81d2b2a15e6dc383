//! Whether what is to be shared is the data of a torrent that is known already. Then that torrent is
//! shared: a second one of the same data would split those who have it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::face::cli::make::gather::Gathered;
use crate::face::cli::make::hash::Line;
use crate::face::cli::make::plan;
use crate::proto::metainfo::{Draft, Metainfo};

use super::making::MakingArgs;

/// Whether it is what the flags ask for, as far as that cannot be changed in a torrent.
pub fn fits(making: &MakingArgs, torrent: &Metainfo) -> bool {
    let pieces = making.piece_size.0.is_none_or(|len| len == torrent.geometry().piece_len());
    pieces && (!making.private || torrent.is_private())
}

/// Whether everything that was found is in the torrent, and everything in the torrent is there, as far as
/// names and sizes tell. `data` is the torrent's own folder or file.
pub fn is_data_of(torrent: &Metainfo, found: &Gathered, data: &Path) -> bool {
    if torrent.is_single_file() == found.is_folder {
        return false;
    }
    let mut lens: BTreeMap<Vec<&str>, u64> = torrent
        .files()
        .iter()
        .filter(|file| file.is_stored())
        .map(|file| (file.path().components().skip(1).collect(), file.len()))
        .collect();
    let all = found.files.iter().all(|file| {
        let names: Vec<&str> = file.names.iter().map(String::as_str).collect();
        lens.remove(&names) == Some(file.len)
    });
    // What is left was passed over, as hidden files are.
    let there = |(names, len): (&Vec<&str>, &u64)| {
        let path = names.iter().fold(data.to_owned(), |path, name| path.join(name));
        path.symlink_metadata().is_ok_and(|found| found.is_file() && found.len() == *len)
    };
    all && lens.iter().all(there)
}

/// The files of a torrent as they are hashed.
pub fn line(torrent: &Metainfo, data: &Path) -> Line {
    let path = |file: &crate::proto::metainfo::File| {
        file.path().components().skip(1).fold(data.to_owned(), |path, name| path.join(name))
    };
    torrent.files().iter().map(|file| (file.is_stored().then(|| path(file)), file.len())).collect()
}

/// Whether it is what would be made anew, if it is of the same bytes.
pub fn is_the_same(torrent: &Metainfo, draft: &Draft) -> bool {
    let ours = Draft { digests: torrent.digests().to_vec(), ..draft.clone() };
    torrent.digests().len() == draft.digests.len()
        && plan::made(&ours).is_ok_and(|(_, made)| made.info_hash() == torrent.info_hash())
}
