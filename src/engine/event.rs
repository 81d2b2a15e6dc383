//! Events that faces hear: things that happened once.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::{InfoHashes, TorrentId, Untrusted};
use crate::proto::metainfo::Metainfo;

/// The kind of a fault that stopped a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// No space is left.
    NoSpace,
    /// We may not write or read there.
    Permission,
    /// The device failed.
    Io,
    /// Files that should be there are not, or are incomplete (`torr seed`).
    FilesMissing,
    /// Files changed under us.
    Changed,
    /// Files that are not ours are in the way.
    Foreign,
    /// The torrent is in the session already.
    Duplicate,
    /// The metadata that a link names was found, and cannot be used.
    BadMagnet,
    /// The metadata of a link did not come in time.
    NoMetadata,
    /// No socket could be opened.
    Network,
    /// A bug.
    Internal,
}

impl FaultKind {
    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoSpace => "no_space",
            Self::Permission => "permission",
            Self::Io => "io",
            Self::FilesMissing => "files_missing",
            Self::Changed => "changed_on_disk",
            Self::Foreign => "foreign_data",
            Self::Duplicate => "duplicate",
            Self::BadMagnet => "bad_magnet",
            Self::NoMetadata => "no_metadata",
            Self::Network => "network",
            Self::Internal => "internal",
        }
    }

    /// The word for a torrent that this fault has stopped: one of [`State::reasons`](super::State::reasons),
    /// which are fewer. Files that are not ours are a place where we may not write.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoSpace => "no_space",
            Self::Permission | Self::Foreign | Self::Duplicate => "permission",
            Self::FilesMissing => "files_missing",
            Self::Changed => "changed_on_disk",
            Self::NoMetadata => "no_metadata",
            Self::Io | Self::BadMagnet | Self::Network | Self::Internal => "io",
        }
    }
}

/// A fault, told in a sentence that names no flag and no key.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The kind.
    pub kind: FaultKind,
    /// What happened, on what; clean for a terminal.
    pub message: String,
    /// What the user can do about it.
    pub remedy: Option<Remedy>,
}

/// What a user can do about a fault. Each face says it with the flags or keys that it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remedy {
    /// Free some space, or choose another disk.
    FreeSpace,
    /// Choose a folder that may be written.
    WritableFolder,
    /// Name the folder that the files are in.
    RightFolder,
    /// Name the folder that the files are in, or have the missing pieces fetched.
    RepairData,
    /// Start the torrent again to have the changed file checked.
    CheckAgain,
    /// Choose another folder, or have the files replaced.
    ReplaceFiles,
    /// Choose another folder, or have the files cut to the length that the torrent says.
    CutFiles,
    /// Choose another folder, or have the files checked instead of refused or believed.
    CheckFiles,
    /// Replace links by plain files.
    PlainFiles,
    /// Choose a file system that takes the name.
    OtherFileSystem,
    /// Start the torrent again.
    RunAgain,
    /// Stop the other torr that has the torrent.
    StopOther,
    /// Choose another port, or let torr choose one.
    OtherPort,
    /// Choose a port that needs no privileges.
    HighPort,
    /// Choose one of this machine's addresses.
    OwnAddress,
    /// Choose another port or another address.
    OtherPortOrAddress,
    /// Try again later, or name more trackers or peers.
    MorePeers,
    /// Report a bug.
    Report,
}

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The content of a torrent is to be fetched or given.
    Added {
        /// The torrent.
        id: TorrentId,
        /// Its info-hashes.
        info_hashes: InfoHashes,
        /// Its name.
        name: Untrusted,
        /// Its size in bytes.
        size: u64,
        /// How many files it has.
        files: u32,
    },
    /// The metadata of a torrent that was to be found is here and proved right.
    Metadata {
        /// The torrent.
        id: TorrentId,
        /// Its info-hashes: those of its link, and those that its metadata tells.
        info_hashes: InfoHashes,
        /// The metadata. It names no trackers: those of the link are the asker's to add.
        metainfo: Box<Metainfo>,
    },
    /// The files of a torrent were looked through.
    Checked {
        /// The torrent.
        id: TorrentId,
        /// Bytes found right.
        have: u64,
    },
    /// Every wanted piece is verified and written.
    Finished {
        /// The torrent.
        id: TorrentId,
        /// Where the file or folder is.
        path: PathBuf,
        /// Bytes that came from peers for it in this session and were of use.
        received: u64,
        /// How long it was on its way in this session.
        took: Duration,
    },
    /// A torrent has left the swarm after its goal was reached.
    Done {
        /// The torrent.
        id: TorrentId,
    },
    /// A torrent stopped with a fault, or was refused: it is in the session already, or cannot be used. One that was
    /// refused is in no view.
    Failed {
        /// The torrent.
        id: TorrentId,
        /// Why.
        fault: Fault,
    },
    /// Something worth a line.
    Note {
        /// The torrent.
        id: TorrentId,
        /// The line, clean for a terminal.
        text: String,
    },
}
