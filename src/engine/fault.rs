//! Faults from disk errors, with their remedies.

use std::path::PathBuf;

use super::event::{Fault, FaultKind, Remedy};
use crate::base::{Untrusted, units};
use crate::store::{DiskError, DiskErrorKind};

impl Fault {
    /// The fault for a disk error.
    pub(super) fn from_disk(error: &DiskError) -> Self {
        let (kind, remedy) = match error.kind {
            DiskErrorKind::NoSpace => (FaultKind::NoSpace, Remedy::FreeSpace),
            DiskErrorKind::Permission | DiskErrorKind::ReadOnly => {
                (FaultKind::Permission, Remedy::WritableFolder)
            }
            DiskErrorKind::Missing => (FaultKind::FilesMissing, Remedy::RightFolder),
            DiskErrorKind::Changed => (FaultKind::Changed, Remedy::CheckAgain),
            DiskErrorKind::Foreign => return Self::foreign(std::slice::from_ref(&error.path)),
            DiskErrorKind::NotPlain => (FaultKind::Foreign, Remedy::PlainFiles),
            DiskErrorKind::Name => (FaultKind::Io, Remedy::OtherFileSystem),
            DiskErrorKind::InUse => (FaultKind::Duplicate, Remedy::StopOther),
            DiskErrorKind::Newer => (FaultKind::Io, Remedy::UpdateTorr),
            DiskErrorKind::Busy | DiskErrorKind::Cancelled | DiskErrorKind::Invalid | DiskErrorKind::Io => {
                (FaultKind::Io, Remedy::RunAgain)
            }
        };
        Self { kind, message: error.to_string(), remedy: Some(remedy) }
    }

    /// The fault for files that do not belong to the torrent.
    pub(super) fn foreign(paths: &[PathBuf]) -> Self {
        Self::in_the_way(paths, "there already and holds nothing of this torrent", Remedy::ReplaceFiles)
    }

    /// The fault for matching files that are longer than the torrent says.
    pub(super) fn too_long(paths: &[PathBuf]) -> Self {
        Self::in_the_way(paths, "there already and longer than this torrent's file", Remedy::CutFiles)
    }

    /// The fault for files that torr did not create, where none may exist.
    pub(super) fn not_begun(paths: &[PathBuf]) -> Self {
        Self::in_the_way(paths, "there already and was not begun by torr", Remedy::CheckFiles)
    }

    /// The fault for trusted files whose length is wrong.
    pub(super) fn not_whole(paths: &[PathBuf]) -> Self {
        Self::in_the_way(paths, "there already with another length than this torrent's", Remedy::CheckFiles)
    }

    fn in_the_way(paths: &[PathBuf], what: &str, remedy: Remedy) -> Self {
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
            remedy: Some(remedy),
        }
    }
}
