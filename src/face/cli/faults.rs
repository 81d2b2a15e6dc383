//! Faults of the rooms below in the words of this one.

use crate::engine::{Fault, FaultKind};
use crate::store::{DiskError, DiskErrorKind};

use super::error::Failure;
use super::exit::Exit;

/// What to do where nobody sends the metadata of a link.
const NO_METADATA: &str = "try again later, or give a link with more trackers (tr=) or peers (x.pe=); --timeout says how long to wait";

/// A fault of the disk.
pub fn disk(error: &DiskError) -> Failure {
    use DiskErrorKind as K;
    let (exit, kind, hint) = match error.kind {
        K::NoSpace => (Exit::Disk, "no_space", Some("free some space, or choose another disk")),
        K::Permission => (Exit::Disk, "permission", Some("choose another place, or change its permissions")),
        K::ReadOnly => (Exit::Disk, "permission", Some("choose a place that can be written")),
        K::Missing => (Exit::Disk, "not_found", None),
        K::Changed => (Exit::Disk, "changed_on_disk", Some("check again when nobody writes to it")),
        K::Foreign => (Exit::Disk, "foreign_data", Some("choose another place, or --overwrite")),
        K::NotPlain => (Exit::Disk, "not_plain", None),
        K::Name => (Exit::Disk, "name", None),
        K::Busy => (Exit::Busy, "busy", None),
        K::Invalid => (Exit::Input, "malformed", None),
        K::Cancelled => (Exit::Interrupted, "cancelled", None),
        K::Io => (Exit::Disk, "io", None),
    };
    let failure = Failure::new(exit, kind, error.to_string());
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A fault of the engine.
pub fn engine(fault: &Fault) -> Failure {
    let exit = match fault.kind {
        FaultKind::NoSpace
        | FaultKind::Permission
        | FaultKind::Io
        | FaultKind::FilesMissing
        | FaultKind::Changed
        | FaultKind::Foreign => Exit::Disk,
        FaultKind::Duplicate => Exit::Busy,
        FaultKind::BadMagnet => Exit::Input,
        FaultKind::NoMetadata => Exit::Network,
        FaultKind::Network => Exit::Usage,
        FaultKind::Internal => Exit::Internal,
    };
    let hint = match fault.kind {
        FaultKind::NoMetadata => Some(NO_METADATA.to_owned()),
        _ => fault.hint.clone(),
    };
    Failure { hint, ..Failure::new(exit, fault.kind.word(), fault.message.clone()) }
}
