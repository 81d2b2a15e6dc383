//! Remedies of errors, which each face words with its own flags, keys and commands.

use std::path::PathBuf;

use crate::base::InfoHashes;
use crate::engine;
use crate::store::Skipped;

/// The remedy of an error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Remedy {
    /// A sentence that is the same in every face.
    Sentence(String),
    /// Remedy of a fault of the engine.
    Fault(engine::Remedy),
    /// Share the folder, or the file in it, that was given in place of a torrent.
    ShareFolder(PathBuf),
    /// Fetch the torrent file that this link or info-hash names.
    FetchTorrentFile(PathBuf),
    /// Send the torrent file to standard input.
    PipeTorrentFile,
    /// Give the torrent file, since nothing is remembered.
    GiveTorrentFile,
    /// Name a state directory.
    NameStateDir,
    /// Say where the data of the torrent named so is.
    SayWhere(String),
    /// Say where the data was moved to, or fetch it again.
    Moved {
        /// How the torrent was named.
        argument: PathBuf,
        /// The info-hashes of the torrent.
        torrent: InfoHashes,
        /// The folder its data was in.
        folder: PathBuf,
    },
    /// Share what is there now, by a new link.
    ShareAnew(PathBuf),
    /// Include what was skipped.
    Include(Skipped),
    /// Rename a file whose name is not UTF-8, or exclude it.
    ExcludeUnnamed,
    /// Make a file readable, or exclude it.
    ExcludeUnreadable,
    /// Choose another name for what is written.
    OtherName,
    /// Make a torrent of version 1.
    FormatV1,
    /// Choose larger pieces.
    LargerPieces,
    /// Switch on IPv6.
    SwitchIpv6On,
    /// Make a configuration file.
    MakeConfig,
    /// Rename keys of a configuration file to those of torr.
    MigrateConfig,
    /// Accept connections that are not encrypted.
    AcceptPlaintext,
    /// Name peers, since a way to find them is missing.
    NamePeers,
    /// Submit the torrents one by one, into different folders or under different names.
    SeparateTorrents,
    /// Move the file in the place of the saved torrent file, or save none.
    MoveTorrentFile,
    /// Overwrite the file in the place of the torrent file that was asked for, or choose another name.
    ReplaceTorrentFile,
    /// Select files, since the selection of the link fits none.
    SelectFiles,
    /// Select exactly one file.
    SelectOneFile,
    /// List the files with their numbers.
    ListFiles,
    /// Nothing to do for the download: only the program after it failed.
    HookFailed,
}

impl From<engine::Remedy> for Remedy {
    fn from(remedy: engine::Remedy) -> Self {
        Self::Fault(remedy)
    }
}
