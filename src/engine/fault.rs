//! Faults from disk errors, with their remedies.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::event::{Fault, FaultKind, Remedy};
use crate::base::{Untrusted, units};
use crate::store::{DiskError, DiskErrorKind};

/// Maximum number of files that a fault names.
const MAX_NAMED: usize = 3;

impl Fault {
    /// The fault for a disk error.
    pub(super) fn from_disk(error: &DiskError) -> Self {
        let (kind, remedy) = match error.kind {
            DiskErrorKind::NoSpace | DiskErrorKind::Quota => (FaultKind::NoSpace, Remedy::FreeSpace),
            DiskErrorKind::TooLarge => (FaultKind::NoSpace, Remedy::OtherDisk),
            DiskErrorKind::Permission | DiskErrorKind::ReadOnly => {
                (FaultKind::Permission, Remedy::WritableFolder)
            }
            DiskErrorKind::Missing => (FaultKind::FilesMissing, Remedy::RightFolder),
            DiskErrorKind::Changed => (FaultKind::Changed, Remedy::CheckAgain),
            DiskErrorKind::Foreign => return Self::too_long(std::slice::from_ref(&error.path)),
            DiskErrorKind::Different => (FaultKind::Foreign, Remedy::TreatDifferent),
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

    /// The fault for folders and other things in the place of files.
    pub(super) fn blocked(paths: &[PathBuf]) -> Self {
        Self::in_the_way(paths, "there already and not a plain file", Remedy::PlainFiles)
    }

    /// The fault for files that differ from the torrent, each with how it differs.
    pub(super) fn different(files: &[(&Path, String)]) -> Self {
        let name = |path: &Path| Untrusted::new(path.to_string_lossy()).to_string();
        let mut clauses: Vec<String> =
            files.iter().take(MAX_NAMED).map(|(path, how)| format!("{} {how}", name(path))).collect();
        if let (Some(clause), Some((path, how))) = (clauses.first_mut(), files.first()) {
            *clause = format!("{} is there already and {how}", name(path));
        }
        let more = files.len().saturating_sub(MAX_NAMED);
        if more > 0 {
            clauses.push(format!(
                "and {}",
                units::plural(more as u64, "more file differs", "more files differ")
            ));
        }
        let message = clauses.join("; ");
        Self { kind: FaultKind::Foreign, message, remedy: Some(Remedy::TreatDifferent) }
    }

    /// How a file differs that has other bytes in these ranges: "differs from the torrent in bytes 0-9 (10 B)".
    pub(super) fn differing_bytes(ranges: &[Range<u64>]) -> String {
        let count = ranges.iter().map(|range| range.end - range.start).sum();
        format!("differs from the torrent in bytes {} ({})", units::ranges(ranges), units::size(count))
    }

    /// How a file differs that ends before the end of its first piece.
    pub(super) fn too_few_bytes(size: u64, len: u64) -> String {
        format!("has only {} of {} bytes, too few to check", units::count(size), units::count(len))
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
        let names: Vec<String> = paths
            .iter()
            .take(MAX_NAMED)
            .map(|path| Untrusted::new(path.to_string_lossy()).to_string())
            .collect();
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
