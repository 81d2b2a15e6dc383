//! Whether what is to be shared is the data of a torrent that is known already. Then that torrent is
//! shared: a second one of the same data would split those who have it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::app::making::gather::Gathered;
use crate::app::making::hash::Line;
use crate::app::making::plan;
use crate::proto::metainfo::{Draft, Metainfo};

use super::making::MakingArgs;

/// Whether a torrent is as the flags ask for, as far as that cannot be changed in a torrent.
///
/// A private torrent is shared by those who ask for a private one, and with nobody but those who belong to its
/// trackers: one of other trackers than those that are given is another torrent.
pub fn fits(making: &MakingArgs, trackers: &[String], torrent: &Metainfo) -> bool {
    let pieces = making.piece_size.0.is_none_or(|len| len == torrent.geometry().piece_len());
    let theirs = !torrent.is_private()
        || trackers.is_empty()
        || torrent.extras().trackers.is_empty()
        || has_all(torrent, trackers);
    pieces && torrent.is_private() == making.private && theirs
}

/// Whether all these trackers are its own.
pub fn has_all(torrent: &Metainfo, trackers: &[String]) -> bool {
    let own = &torrent.extras().trackers;
    trackers.iter().all(|url| own.iter().flatten().any(|own| own.raw() == url.as_str()))
}

/// Whether everything that was found is in the torrent, and everything in the torrent is there, as far as
/// names and sizes tell. `data` is the torrent's own folder or file. Where files were chosen by `chosen`, it
/// is those and no others.
pub fn is_data_of(torrent: &Metainfo, found: &Gathered, data: &Path, chosen: bool) -> bool {
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
    all && (lens.is_empty() || !chosen) && lens.iter().all(there)
}

/// The files of a torrent as they are hashed.
pub fn line(torrent: &Metainfo, data: &Path) -> Line {
    let path = |file: &crate::proto::metainfo::File| {
        file.path().components().skip(1).fold(data.to_owned(), |path, name| path.join(name))
    };
    torrent.files().iter().map(|file| (file.is_stored().then(|| path(file)), file.len())).collect()
}

/// Whether a new torrent of the same bytes would be this one.
pub fn is_the_same(torrent: &Metainfo, draft: &Draft) -> bool {
    let digests = torrent.piece_hashes().v1().unwrap_or_default().as_flattened().to_vec();
    let ours = Draft { digests, ..draft.clone() };
    ours.digests.len() == draft.digests.len()
        && plan::made(&ours).is_ok_and(|(_, made)| made.info_hash() == torrent.info_hash())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::proto::metainfo::{Attributes, Content, Extras};

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        making: MakingArgs,
    }

    fn torrent(private: bool, trackers: &[&str]) -> Metainfo {
        let draft = Draft {
            name: "x".into(),
            content: Content::Single(1, Attributes::NONE),
            piece_len: 16 << 10,
            digests: vec![0; 20],
            private,
            source: None,
            extras: Extras {
                trackers: trackers.iter().map(|url| vec![(*url).into()]).collect(),
                ..Extras::default()
            },
        };
        Metainfo::parse(&draft.to_bytes()).unwrap()
    }

    #[test]
    fn what_is_private_stays_among_those_who_ask_for_it() {
        let making =
            |flags: &[&str]| Flags::try_parse_from(std::iter::once(&"x").chain(flags)).unwrap().making;
        let (open, private) = (making(&[]), making(&["--private"]));
        let [a, b] = ["http://a/x", "http://b/x"];
        assert!(fits(&open, &[], &torrent(false, &[a])) && !fits(&open, &[], &torrent(true, &[a])));
        assert!(fits(&private, &[], &torrent(true, &[a])) && !fits(&private, &[], &torrent(false, &[])));
        let given = [b.to_owned()];
        assert!(!fits(&private, &given, &torrent(true, &[a])), "it belongs to another tracker");
        assert!(
            fits(&private, &given, &torrent(true, &[a, b])) && fits(&private, &given, &torrent(true, &[]))
        );
        assert!(fits(&open, &given, &torrent(false, &[a])), "one more tracker makes no other torrent");
        assert!(!fits(&making(&["--piece-size", "32K"]), &[], &torrent(false, &[])));
    }
}
