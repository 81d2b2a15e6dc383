//! The resume record of a torrent, and how much of it is trusted.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::base::{Bitfield, InfoHashes};
use crate::store::error::DiskError;
use crate::store::storage::{FileStamp, FileStamps, Storage};

/// Time for which a process that died may have written after its last save, and a slow save delay the next.
pub(super) const GRACE: Duration = Duration::from_secs(15);

/// The resume record of a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResumeRecord {
    /// The info-hashes.
    pub id: InfoHashes,
    /// The download folder.
    pub folder: PathBuf,
    /// The name of the file or directory there, if it differs from the torrent's own name.
    pub root_name: Option<String>,
    /// The stamps by which a change of the files is detected.
    pub stamps: FileStamps,
    /// The verified pieces that were flushed to the disk: trusted after any end if the files are unchanged.
    pub flushed: Bitfield,
    /// The verified pieces that were written, including all flushed ones. The others are rechecked after any end,
    /// except a clean one after which the page cache lives on (`mount`).
    pub written: Bitfield,
    /// The mount through which the files were written, see [`Storage::mount`]; `None` if unknown.
    pub mount: Option<String>,
    /// Payload uploaded in all runs, in bytes.
    pub uploaded: u64,
    /// Payload downloaded in all runs, in bytes.
    pub downloaded: u64,
    /// The time the torrent was added.
    pub added: SystemTime,
    /// The time the last wanted piece was verified.
    pub finished: Option<SystemTime>,
    /// The time this record was saved.
    pub saved: SystemTime,
    /// Set while the torrent runs: its files may have been written to since.
    pub running: bool,
    /// Set if only some of the files are wanted.
    pub partial: bool,
    /// The blocks on the disk of pieces that are not verified, as ranges in order, by piece. They may be wrong or
    /// missing after any end but a clean one: only the hash of the whole piece decides.
    pub unfinished: BTreeMap<u32, Vec<Range<u32>>>,
}

impl ResumeRecord {
    /// Whether a file with the stamp `old` in this record may have the stamp `new` if only torr wrote to it.
    pub fn accepts(&self, old: FileStamp, new: FileStamp) -> bool {
        if self.running {
            new.size >= old.size
                && new.inode == old.inode
                && new.mtime_ns >= old.mtime_ns
                && new.ctime_ns >= old.ctime_ns
                && self.may_have_written(new)
        } else {
            old == new
        }
    }

    /// Whether a process that was running when this record was saved may have written to a file last, by its times.
    pub fn may_have_written(&self, new: FileStamp) -> bool {
        let last = self.saved.checked_add(GRACE).unwrap_or(self.saved);
        let last_ns = last.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        self.running && i128::from(new.mtime_ns.max(new.ctime_ns)) <= last_ns as i128
    }
}

/// The pieces of a record that need no recheck, because they were flushed and their files are unchanged. After a clean
/// end written pieces count like flushed ones while the files are reached through the same mount: the page cache holds
/// them until they are on the disk.
pub fn trusted_pieces(storage: &Storage, record: &ResumeRecord) -> Result<Bitfield, DiskError> {
    let cached = !record.running && record.mount.is_some() && record.mount == storage.mount();
    let claimed = if cached { &record.written } else { &record.flushed };
    storage.unchanged_pieces(claimed, &record.stamps, |old, new| record.accepts(old, new))
}
