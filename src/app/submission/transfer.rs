//! Transfers: torrents whose data can be downloaded or seeded at once.

use std::path::PathBuf;

use crate::app::Error;
use crate::app::door::{Add, After, ContentOptions, Reader};
use crate::app::input::Torrent;
use crate::app::session_settings::SessionSettings;
use crate::base::{InfoHashes, Untrusted};

/// A torrent whose data is to be downloaded or seeded.
#[derive(Debug)]
pub struct Transfer {
    /// The torrent as the engine adds it.
    pub add: Add,
    /// The torrent as reports name it.
    pub torrent: SubmittedTorrent,
    /// The reader of the file that is wanted as a stream.
    pub reader: Option<Reader>,
}

/// A submitted torrent: its name, and where its data lies.
#[derive(Clone, Debug)]
pub struct SubmittedTorrent {
    /// Info-hashes of the torrent.
    pub info_hashes: InfoHashes,
    /// Name of the torrent.
    pub name: Untrusted,
    /// The argument that named it, fit for a shell.
    pub argument: String,
    /// The folder its file or folder lies in, as it was given.
    pub folder: PathBuf,
    /// Name of its file or folder there, where it differs from the torrent's.
    pub root_name: Option<String>,
    /// The action when it is complete.
    pub after: After,
}

impl Transfer {
    /// The torrent, to be added by these settings so that its content is treated by these options.
    pub fn new(
        torrent: Torrent,
        mut content: ContentOptions,
        settings: &SessionSettings,
    ) -> Result<Self, Error> {
        let folder = content.folder.clone();
        content.root_name = torrent.metainfo.root_name().map(str::to_owned);
        content.folder = std::path::absolute(&folder).map_err(|error| Error::disk("use", &folder, &error))?;
        let submitted = SubmittedTorrent {
            info_hashes: torrent.metainfo.info_hash(),
            name: torrent.metainfo.name().clone(),
            argument: torrent.argument(),
            folder,
            root_name: content.root_name.clone(),
            after: content.after,
        };
        let link = torrent.link;
        let add = settings.torrent_to_add(Add::new(torrent.metainfo, content), link.as_deref());
        Ok(Self { add, torrent: submitted, reader: None })
    }
}

impl SubmittedTorrent {
    /// Whether the torrent is seeded when it is complete.
    pub fn is_seeded(&self) -> bool {
        self.after != After::Stop
    }

    /// The place of its data: the folder it lies in, or what lies there under another name.
    pub fn data_path(&self) -> PathBuf {
        self.root_name.as_ref().map_or_else(|| self.folder.clone(), |name| self.folder.join(name))
    }
}
