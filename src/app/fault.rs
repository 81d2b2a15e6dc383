//! Faults of disk and engine as errors of a request.

use super::{Error, ErrorKind};
use crate::engine::{self, Fault, FaultKind};
use crate::store::{DiskError, DiskErrorKind};

impl From<DiskError> for Error {
    fn from(error: DiskError) -> Self {
        Self::from(&error)
    }
}

impl From<&DiskError> for Error {
    fn from(error: &DiskError) -> Self {
        use DiskErrorKind as K;
        use engine::Remedy as R;
        let (kind, word, remedy) = match error.kind {
            K::NoSpace | K::Quota => (ErrorKind::Disk, "no_space", Some(R::FreeSpace)),
            K::TooLarge => (ErrorKind::Disk, "no_space", Some(R::OtherDisk)),
            K::Permission | K::ReadOnly => (ErrorKind::Disk, "permission", Some(R::WritableFolder)),
            K::Missing => (ErrorKind::Disk, "not_found", None),
            K::Changed => (ErrorKind::Disk, "changed_on_disk", Some(R::CheckAgain)),
            K::Foreign => (ErrorKind::Disk, "foreign_data", Some(R::ReplaceFiles)),
            K::Different => (ErrorKind::Disk, "foreign_data", Some(R::TreatDifferent)),
            K::NotPlain => (ErrorKind::Disk, "not_plain", None),
            K::Name => (ErrorKind::Disk, "name", None),
            K::Busy => (ErrorKind::Busy, "busy", None),
            K::InUse => (ErrorKind::Busy, "busy", Some(R::StopOther)),
            K::Newer => (ErrorKind::Disk, "newer_state", Some(R::UpdateTorr)),
            K::Invalid => (ErrorKind::Input, "malformed", None),
            K::Cancelled => (ErrorKind::Interrupted, "cancelled", None),
            K::Io => (ErrorKind::Disk, "io", None),
        };
        Self {
            remedy: remedy.map(|remedy| Box::new(remedy.into())),
            ..Self::new(kind, word, error.to_string())
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
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
        Self {
            remedy: fault.remedy.map(|remedy| Box::new(remedy.into())),
            ..Self::new(kind, fault.kind.word(), fault.message)
        }
    }
}
