//! Data of a torrent that exists already.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::app::door::{After, ContentOptions, ExistingFiles};
use crate::app::input::{self, Kind, Reading, Torrent};
use crate::app::location::{self, Place, Top};
use crate::app::making::values::web_seed;
use crate::app::making::{ScanOptions, ScannedFile, scan};
use crate::app::quoted;
use crate::app::session_settings::SessionSettings;
use crate::app::stored_torrent;
use crate::app::submission::Transfer;
use crate::app::{Error, ErrorKind, shown};
use crate::base::Untrusted;
use crate::face::cli::fetching::Fetching;
use crate::face::cli::output::Output;
use crate::face::cli::transfer::link::Given;
use crate::proto::metainfo::Metainfo;
use crate::proto::paths::safe_name;

use super::{SeedArgs, Share};

/// A torrent file, or one that is remembered, with its data where it lies.
pub fn share(
    args: &SeedArgs,
    settings: &SessionSettings,
    argument: &Path,
    output: &Output,
) -> Result<Share, Error> {
    let known = stored_torrent::find(argument, settings.state_dir())?;
    if known.is_none()
        && let Kind::File(path) = Kind::of(argument)
        && path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    {
        let message = format!("no such file, folder or torrent: {}", shown(path));
        let hint = "check the path; torr seed takes a file, a folder, a torrent file or its URL";
        return Err(Error::new(ErrorKind::Input, "not_found", message).hint(hint));
    }
    let mut torrent = match &known {
        Some(known) => Torrent {
            metainfo: known.metainfo.clone(),
            bytes: known.metainfo.to_bytes(),
            path: Some(stored_torrent::argument(&known.metainfo.info_hash())),
            link: None,
        },
        None => {
            let watch = Fetching::new(output, true);
            input::read(argument, &Reading { bind: settings.bind(), watch: &watch })?
        }
    };
    let id = torrent.metainfo.info_hash();
    let example = format!("torr seed {} -o", torrent.argument());
    let place = match (&known, &args.output) {
        (Some(known), None) => {
            let folder =
                known.folder.as_deref().and_then(|folder| location::within(&torrent.metainfo, folder));
            folder.ok_or_else(|| stored_torrent::data_moved(known, argument))?
        }
        _ => {
            location::find(&torrent, args.output.as_deref(), &example).map_err(|failure| failure.about(id))?
        }
    };
    let Some((root, renamed)) = named(&place) else {
        let message = format!(
            "the data in {} has a name that a torrent cannot use",
            shown(&place.own(&torrent.metainfo))
        );
        let hint = format!("rename it to {}", quoted(Path::new(&torrent.metainfo.name().clean())));
        return Err(Error::new(ErrorKind::Disk, "files_missing", message).hint(hint).about(id));
    };
    if let Some(name) = &renamed {
        torrent.metainfo = torrent.metainfo.with_root_name(name);
    }
    let path = place.own(&torrent.metainfo);
    // Before they are checked, so that no change is missed.
    let files = files(&torrent.metainfo, &path, args.follow);
    let mut share = ready(args, settings, torrent, root, ExistingFiles::default(), path)?;
    share.given.files = files;
    Ok(share)
}

/// The files of a torrent as they are now. What is not there is for the check to tell.
fn files(torrent: &Metainfo, data: &Path, follow: bool) -> Vec<ScannedFile> {
    let paths = super::known::line(torrent, data).into_iter().filter_map(|(path, _)| path);
    let own = paths.filter(|path| follow || !path.is_symlink());
    own.filter_map(|path| scan(&path, &ScanOptions::default()).ok()).flat_map(|scan| scan.files).collect()
}

/// Makes it ready to be given from this folder; `path` is what the user calls its data.
pub fn ready(
    args: &SeedArgs,
    settings: &SessionSettings,
    mut torrent: Torrent,
    folder: PathBuf,
    existing: ExistingFiles,
    path: PathBuf,
) -> Result<Share, Error> {
    let mut extras = torrent.metainfo.extras().clone();
    for url in &args.network.web_seed {
        let url = Untrusted::new(web_seed(url).map_err(Error::usage)?);
        if !extras.web_seeds.contains(&url) {
            extras.web_seeds.push(url);
        }
    }
    torrent.metainfo = torrent.metainfo.with_extras(extras);
    let mut given = Given::new(&torrent.metainfo, path);
    if given.private {
        // Whoever has the link would announce as if they were us.
        let all = given.magnet.trackers.len();
        given.magnet.trackers.retain(|url| args.network.tracker.iter().any(|own| own == url.raw()));
        given.keeps_trackers = settings.use_trackers() && given.magnet.trackers.len() < all;
    }
    let added = args.network.tracker.iter().map(|url| Untrusted::new(url.as_str()));
    for url in added {
        if !given.magnet.trackers.contains(&url) {
            given.magnet.trackers.push(url);
        }
    }
    if !settings.use_trackers() {
        given.magnet.trackers.clear();
    }
    if args.lan {
        given.magnet.web_seeds.clear();
    }
    let metainfo = torrent.metainfo.clone();
    let content = ContentOptions {
        existing,
        after: After::Seed(args.until()),
        seed_only: true,
        follow: args.follow,
        ..ContentOptions::new(folder)
    };
    let transfer = Transfer::new(torrent, content, settings)?;
    Ok(Share { metainfo, transfer, given })
}

/// The folder in which the data lies, and its name there where that is not the torrent's own. Nothing where
/// the name is none that a file of a torrent can have.
fn named(place: &Place) -> Option<(PathBuf, Option<String>)> {
    let safe =
        |name: &OsStr| name.to_str().filter(|name| safe_name(name.as_bytes()) == *name).map(str::to_owned);
    match &place.top {
        Top::Same => Some((place.root.clone(), None)),
        Top::Named(name) => Some((place.root.clone(), Some(safe(name.as_os_str())?))),
        Top::None => {
            let own = place.root.canonicalize().ok()?;
            Some((own.parent()?.to_owned(), Some(safe(own.file_name()?)?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_under_another_name_is_found_by_it() {
        let dir = tempfile::tempdir().unwrap();
        let films = dir.path().canonicalize().unwrap().join("films");
        std::fs::create_dir(&films).unwrap();
        let at = |root: &Path, top| named(&Place { root: root.to_owned(), top });
        let parent = films.parent().unwrap().to_owned();
        assert_eq!(at(&films, Top::Same), Some((films.clone(), None)));
        assert_eq!(at(&films, Top::None), Some((parent, Some("films".to_owned()))));
        assert_eq!(at(&films, Top::Named("x.iso".into())), Some((films.clone(), Some("x.iso".to_owned()))));
        assert_eq!(at(&films, Top::Named("x.".into())), None);
        assert_eq!(at(Path::new("/"), Top::None), None);
    }
}
