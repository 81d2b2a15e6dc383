//! Events to faces.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::{InfoHashes, TorrentId, Untrusted};
use crate::proto::metainfo::Metainfo;

/// The kind of a fault that stopped a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// The disk is full.
    NoSpace,
    /// No permission to read or write.
    Permission,
    /// The disk failed.
    Io,
    /// Files are missing or incomplete (`torr seed`).
    FilesMissing,
    /// Another program changed the files.
    Changed,
    /// Files that do not belong to the torrent are in the way.
    Foreign,
    /// The session already has the torrent.
    Duplicate,
    /// The metadata of a link is invalid or unsupported.
    BadMagnet,
    /// The metadata of a link did not arrive in time.
    NoMetadata,
    /// A socket could not be opened.
    Network,
    /// A bug in torr.
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

    /// The reason word of a torrent that this fault has stopped, one of
    /// [`State::reasons`](super::State::reasons).
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

/// A fault, described by a sentence that names no flags and no keys.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The kind of fault.
    pub kind: FaultKind,
    /// The sentence, clean for a terminal.
    pub message: String,
    /// The remedy for the user.
    pub remedy: Option<Remedy>,
}

/// A remedy that a user can apply; each face words it with its own flags or keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remedy {
    /// Free some space, or choose another disk.
    FreeSpace,
    /// Choose a writable folder.
    WritableFolder,
    /// Name the folder that holds the files.
    RightFolder,
    /// Name the folder that holds the files, or download the missing pieces.
    RepairData,
    /// Start the torrent again to check the changed file.
    CheckAgain,
    /// Choose another folder, or have the files replaced.
    ReplaceFiles,
    /// Choose another folder, or have the bytes that differ replaced, or the old files kept under another name.
    TreatDifferent,
    /// Choose another folder, or have the files truncated to the torrent's length.
    CutFiles,
    /// Choose another folder, or have the files checked instead of refused or trusted.
    CheckFiles,
    /// Replace symbolic links by regular files.
    PlainFiles,
    /// Choose a file system that supports the file name.
    OtherFileSystem,
    /// Choose another disk, or raise the limit of file sizes.
    OtherDisk,
    /// Start the torrent again.
    RunAgain,
    /// Stop the other torr that holds the torrent.
    StopOther,
    /// Update torr, or choose another state directory.
    UpdateTorr,
    /// Choose another port, or let torr choose one.
    OtherPort,
    /// Choose a port that needs no privileges.
    HighPort,
    /// Choose an address of this machine.
    OwnAddress,
    /// Choose another port or another address.
    OtherPortOrAddress,
    /// Try again later, or name more trackers or peers.
    MorePeers,
    /// Report a bug.
    Report,
}

/// An existing file with bytes that differ from the torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DifferentFile {
    /// The full path.
    pub path: PathBuf,
    /// The bytes in the file that differ, or that may belong to something else.
    pub ranges: Vec<Range<u64>>,
}

impl DifferentFile {
    /// Number of bytes in the ranges.
    pub fn bytes(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }
}

/// The treatment of an existing file that differs from the torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Treatment {
    /// Nothing is written to it; the torrent fails.
    Refused,
    /// The bytes that differ are replaced.
    Replaced,
    /// The old file is kept at this path.
    BackedUp(PathBuf),
}

/// An event of the session.
#[derive(Clone, Debug)]
pub enum Event {
    /// A torrent's content was added, to be downloaded or seeded.
    Added {
        /// The id of the torrent.
        id: TorrentId,
        /// The info-hashes.
        info_hashes: InfoHashes,
        /// The name of the torrent.
        name: Untrusted,
        /// Size of the wanted files, in bytes.
        size: u64,
        /// Number of wanted files.
        files: u32,
    },
    /// The metadata of a link was received and verified.
    Metadata {
        /// The id of the torrent.
        id: TorrentId,
        /// The info-hashes of the link and of the metadata.
        info_hashes: InfoHashes,
        /// The metadata, without trackers: the caller adds those of the link.
        metainfo: Box<Metainfo>,
    },
    /// The existing files of a torrent were checked.
    Checked {
        /// The id of the torrent.
        id: TorrentId,
        /// Bytes of matching pieces.
        have: u64,
    },
    /// An existing file differs from the torrent.
    Different {
        /// The id of the torrent.
        id: TorrentId,
        /// The file and the bytes.
        file: DifferentFile,
        /// The treatment of these bytes.
        treatment: Treatment,
    },
    /// Every wanted piece is verified and written.
    Finished {
        /// The id of the torrent.
        id: TorrentId,
        /// The path of the file or folder.
        path: PathBuf,
        /// Useful payload received from peers in this session, in bytes.
        received: u64,
        /// Duration of the download in this session.
        took: Duration,
    },
    /// A torrent has reached its goal and left the swarm.
    Done {
        /// The id of the torrent.
        id: TorrentId,
    },
    /// A torrent stopped with a fault or was refused. A refused torrent is in no view.
    Failed {
        /// The id of the torrent.
        id: TorrentId,
        /// The fault.
        fault: Fault,
    },
    /// A notice for the user.
    Note {
        /// The id of the torrent.
        id: TorrentId,
        /// The text, clean for a terminal.
        text: String,
    },
}
