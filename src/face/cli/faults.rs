//! Faults of the rooms below in the words of this one.

use crate::app::{Error, ErrorKind};
use crate::engine::{Fault, FaultKind};
use crate::store::{DiskError, DiskErrorKind};

/// What to do where nobody sends the metadata of a link.
const NO_METADATA: &str = "try again later, or give a link with more trackers (tr=) or peers (x.pe=); --timeout says how long to wait";

/// A fault of the disk.
pub fn disk(error: &DiskError) -> Error {
    use DiskErrorKind as K;
    let (kind, word, hint) = match error.kind {
        K::NoSpace => (ErrorKind::Disk, "no_space", Some("free some space, or choose another disk")),
        K::Permission => {
            (ErrorKind::Disk, "permission", Some("choose another place, or change its permissions"))
        }
        K::ReadOnly => (ErrorKind::Disk, "permission", Some("choose a place that can be written")),
        K::Missing => (ErrorKind::Disk, "not_found", None),
        K::Changed => (ErrorKind::Disk, "changed_on_disk", Some("check again when nobody writes to it")),
        K::Foreign => (ErrorKind::Disk, "foreign_data", Some("choose another place, or --overwrite")),
        K::NotPlain => (ErrorKind::Disk, "not_plain", None),
        K::Name => (ErrorKind::Disk, "name", None),
        K::Busy => (ErrorKind::Busy, "busy", None),
        K::Invalid => (ErrorKind::Input, "malformed", None),
        K::Cancelled => (ErrorKind::Interrupted, "cancelled", None),
        K::Io => (ErrorKind::Disk, "io", None),
    };
    let failure = Error::new(kind, word, error.to_string());
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A fault of the engine.
pub fn engine(fault: &Fault) -> Error {
    let kind = match fault.kind {
        FaultKind::NoSpace
        | FaultKind::Permission
        | FaultKind::Io
        | FaultKind::FilesMissing
        | FaultKind::Changed
        | FaultKind::Foreign => ErrorKind::Disk,
        FaultKind::Duplicate => ErrorKind::Busy,
        FaultKind::BadMagnet => ErrorKind::Input,
        FaultKind::NoMetadata => ErrorKind::Network,
        FaultKind::Network => ErrorKind::Usage,
        FaultKind::Internal => ErrorKind::Internal,
    };
    let hint = match fault.kind {
        FaultKind::NoMetadata => Some(NO_METADATA.to_owned()),
        _ => fault.hint.clone(),
    };
    Error { hint, ..Error::new(kind, fault.kind.word(), fault.message.clone()) }
}
