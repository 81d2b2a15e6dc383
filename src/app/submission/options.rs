//! Options of submissions, which hold for all torrents of a request.

use std::path::PathBuf;
use std::time::Duration;

use crate::app::config::Origin;
use crate::app::door::{After, Alloc, ExistingFiles, Order};
use crate::app::selection::Select;

/// The use of a torrent file that was read or found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum TorrentFileMode {
    /// The data is wanted.
    #[default]
    Data,
    /// The data is wanted, and the torrent file beside it.
    DataAndFile,
    /// Only the torrent file is wanted: under this name in the folder, or under its own.
    FileOnly(Option<PathBuf>),
}

/// The options for the torrents of a request.
#[derive(Clone, Debug)]
pub struct SubmissionOptions {
    /// The folder of downloads, as the user names it.
    pub folder: PathBuf,
    /// Name of the torrent's file or folder there, in place of its own; for a single torrent.
    pub root_name: Option<String>,
    /// The files that are wanted; empty for the choice of the link, or all.
    pub select: Vec<Select>,
    /// The treatment of files that are there. `Overwrite` also allows to replace a torrent file.
    pub existing: ExistingFiles,
    /// How space is reserved.
    pub alloc: Alloc,
    /// The order of pieces.
    pub order: Order,
    /// Fetch the first and last pieces of each file first.
    pub ends_first: bool,
    /// The action after a download.
    pub after: After,
    /// The use of the torrent file.
    pub torrent_file: TorrentFileMode,
    /// How long the metadata of a link may make no progress; nothing for ever.
    pub metadata_timeout: Option<Duration>,
    /// The only wanted file is read as a stream while it comes; errors name the origin of this option.
    pub stream: Option<Origin>,
}

impl SubmissionOptions {
    /// All data of the torrents in this folder, with every default.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            root_name: None,
            select: Vec::new(),
            existing: ExistingFiles::default(),
            alloc: Alloc::default(),
            order: Order::default(),
            ends_first: false,
            after: After::default(),
            torrent_file: TorrentFileMode::default(),
            metadata_timeout: None,
            stream: None,
        }
    }
}
