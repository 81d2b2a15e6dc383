//! Faults of the disk in the words of faces: what happened, on what, and what to do.

use std::path::PathBuf;

use super::event::{Fault, FaultKind};
use crate::base::{Untrusted, units};
use crate::store::{DiskError, DiskErrorKind};

impl Fault {
    /// A disk's fault.
    pub(super) fn from_disk(error: &DiskError) -> Self {
        let (kind, hint) = match error.kind {
            DiskErrorKind::NoSpace => {
                (FaultKind::NoSpace, "free some space, or choose another disk with -o DIR")
            }
            DiskErrorKind::Permission | DiskErrorKind::ReadOnly => {
                (FaultKind::Permission, "choose a folder you may write to with -o DIR")
            }
            DiskErrorKind::Missing => (FaultKind::FilesMissing, "check the folder; name another with -o DIR"),
            DiskErrorKind::Changed => {
                (FaultKind::Changed, "another program changed the file; run again to check it")
            }
            DiskErrorKind::Foreign => return Self::foreign(std::slice::from_ref(&error.path)),
            DiskErrorKind::NotPlain => {
                (FaultKind::Foreign, "torr writes to plain files only, never through links")
            }
            DiskErrorKind::Name => {
                (FaultKind::Io, "the file system refuses this name; choose another disk with -o DIR")
            }
            DiskErrorKind::Busy | DiskErrorKind::Cancelled | DiskErrorKind::Invalid | DiskErrorKind::Io => {
                (FaultKind::Io, "run again to go on; what is verified is kept")
            }
        };
        Self { kind, message: error.to_string(), hint: Some(hint.to_owned()) }
    }

    /// Files that are not ours are in the way.
    pub(super) fn foreign(paths: &[PathBuf]) -> Self {
        let hint = "choose another folder with -o DIR, or --overwrite to replace what is there";
        Self::in_the_way(paths, "there already and holds nothing of this torrent", hint)
    }

    /// Files hold what is ours, and something more behind it.
    pub(super) fn too_long(paths: &[PathBuf]) -> Self {
        let hint = "choose another folder with -o DIR, or --overwrite to cut off what is too much";
        Self::in_the_way(paths, "there already and longer than this torrent's file", hint)
    }

    /// Files that we did not begin are in the way, and none may be.
    pub(super) fn not_begun(paths: &[PathBuf]) -> Self {
        let hint = "choose another folder with -o DIR, or leave --existing out to have them looked at";
        Self::in_the_way(paths, "there already and was not begun by torr", hint)
    }

    /// Files are to be believed complete, and their length says that they are not.
    pub(super) fn not_whole(paths: &[PathBuf]) -> Self {
        let hint = "leave --existing out to have them looked at, or choose another folder with -o DIR";
        Self::in_the_way(paths, "there already with another length than this torrent's", hint)
    }

    fn in_the_way(paths: &[PathBuf], what: &str, hint: &str) -> Self {
        let names: Vec<String> =
            paths.iter().take(3).map(|path| Untrusted::new(path.to_string_lossy()).to_string()).collect();
        let more = match paths.len().saturating_sub(names.len()) {
            0 => String::new(),
            n => format!(" and {}", units::plural(n as u64, "more", "more")),
        };
        let is = if paths.len() == 1 { "is" } else { "are" };
        Self {
            kind: FaultKind::Foreign,
            message: format!("{}{more} {is} {what}", names.join(", ")),
            hint: Some(hint.into()),
        }
    }
}
