//! From arguments to submissions, by the options of one request.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::claims::Claims;
use super::merged_magnets::MergedMagnets;
use super::options::{SubmissionOptions, TorrentFileMode};
use super::torrent_file::{self, SavedTorrentFile, torrent_file_name};
use super::transfer::Transfer;
use super::{MorePeers, Submission, SubmissionWatch};
use crate::app::config::Origin;
use crate::app::door::{Add, ContentOptions, ExistingFiles, Priority, Reader, TorrentSource};
use crate::app::input::{self, Input, Link, Reading, Torrent};
use crate::app::selection::{listed, priorities, wanted, wanted_by_link};
use crate::app::session_settings::SessionSettings;
use crate::app::{Error, ErrorKind, Remedy, shown};
use crate::base::{FileIndex, InfoHashes, Untrusted, units};
use crate::proto::metainfo::Metainfo;

/// The builder of the submissions of one request. It knows which torrents were asked for before, and which names
/// they take; several threads may ask it at once.
pub struct SubmissionBuilder {
    options: SubmissionOptions,
    settings: SessionSettings,
    magnets: MergedMagnets,
    claims: Mutex<Claims>,
    watch: Box<dyn SubmissionWatch>,
}

/// A torrent whose metadata is to be found.
pub struct MetadataSearch {
    /// The torrent as the engine adds it.
    pub add: Add,
    link: Link,
    builder: Arc<SubmissionBuilder>,
}

impl MetadataSearch {
    /// Builds what is to be done once the metadata is found. May wait for the disk.
    pub fn resolve(self, metainfo: Metainfo) -> Result<Submission, Error> {
        self.builder.submit(self.builder.torrent_of(self.link, metainfo))
    }
}

impl fmt::Debug for MetadataSearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataSearch").field("add", &self.add).finish_non_exhaustive()
    }
}

impl SubmissionBuilder {
    /// A builder for one request. The links among its arguments that lead to the same torrent share what they say.
    pub fn new(
        options: SubmissionOptions,
        settings: SessionSettings,
        arguments: &[PathBuf],
        watch: Box<dyn SubmissionWatch>,
    ) -> Arc<Self> {
        let magnets = MergedMagnets::of(arguments);
        Arc::new(Self { options, settings, magnets, claims: Mutex::default(), watch })
    }

    /// The settings of the session.
    pub const fn settings(&self) -> &SessionSettings {
        &self.settings
    }

    /// Reads an argument and builds what is to be done next for its torrent. Of a torrent that was asked for before
    /// no more than the peers are of use.
    pub fn build(self: &Arc<Self>, argument: &Path) -> Result<Option<Submission>, Error> {
        match self.read(argument)? {
            None => Ok(Link::of(argument)?.map(|link| self.more_peers(&link))),
            Some(Input::Torrent(torrent)) => self.submit(*torrent).map(Some),
            Some(Input::Link(link)) => self.search(*link).map(Some),
        }
    }

    /// Reads an argument; nothing if its torrent was asked for before. A link whose metadata is in the records is
    /// the torrent.
    pub fn read(&self, argument: &Path) -> Result<Option<Input>, Error> {
        let Some(mut link) = Link::of(argument)? else {
            let watch = self.watch.watch_fetch();
            let reading = Reading { bind: self.settings.bind(), watch: watch.as_ref() };
            let torrent = input::read(argument, &reading)?;
            let new = self.is_new(&torrent.metainfo.info_hash(), torrent.metainfo.name());
            return Ok(new.then(|| Input::Torrent(Box::new(self.renamed(torrent)))));
        };
        link.can_be_found()?;
        if !self.is_new(&link.magnet.info_hash, &link.name()) {
            return Ok(None);
        }
        self.magnets.complete(&mut link.magnet);
        for note in &link.notes {
            if note.changes_the_choice() && self.options.select.is_empty() {
                self.watch.warn(&format!("{}: {note}", link.name().fit(80)));
            } else {
                tracing::info!("the magnet link: {note}");
            }
        }
        if !link.magnet.web_seeds.is_empty() {
            tracing::info!("the magnet link names web seeds, which are not used yet");
        }
        Ok(Some(match link.stored(self.settings.state_dir()) {
            Some(metainfo) => Input::Torrent(Box::new(self.torrent_of(link, metainfo))),
            None => Input::Link(Box::new(link)),
        }))
    }

    /// The torrent of a link whose metadata is known.
    pub fn torrent_of(&self, link: Link, metainfo: Metainfo) -> Torrent {
        self.renamed(link.torrent(metainfo))
    }

    /// Whether each file of a torrent is wanted, by the options, or else by the link.
    pub fn wanted_files(&self, torrent: &Torrent) -> Result<Vec<bool>, Error> {
        let (metainfo, id) = (&torrent.metainfo, torrent.metainfo.info_hash());
        if let Some(link) = torrent.link.as_ref().filter(|link| !link.select.is_empty())
            && self.options.select.is_empty()
        {
            let (wanted, beyond) = wanted_by_link(metainfo, &link.select).map_err(|why| {
                Error::new(ErrorKind::Input, "malformed", why).remedy(Remedy::SelectFiles).about(id)
            })?;
            if beyond > 0 {
                let files = units::plural(beyond, "file", "files");
                let name = metainfo.name().fit(80);
                self.watch.warn(&format!("the link selects {files} that {name} does not have"));
            }
            return Ok(wanted);
        }
        wanted(metainfo, &self.options.select)
            .map_err(|why| Error::usage(why).remedy(Remedy::ListFiles).about(id))
    }

    /// Builds the transfer of a torrent of which these files are wanted.
    pub fn transfer(&self, torrent: Torrent, wanted: &[bool]) -> Result<Transfer, Error> {
        let id = torrent.metainfo.info_hash();
        self.prepare(torrent, wanted).map_err(|failure| failure.about(id))
    }

    /// Builds what is to be done for a torrent whose metadata is known.
    fn submit(&self, torrent: Torrent) -> Result<Submission, Error> {
        if let TorrentFileMode::FileOnly(name) = &self.options.torrent_file {
            let id = torrent.metainfo.info_hash();
            let saved = self.save_only(&torrent, name.as_deref());
            return saved.map(Submission::TorrentFile).map_err(|failure| failure.about(id));
        }
        let wanted = self.wanted_files(&torrent)?;
        self.transfer(torrent, &wanted).map(|transfer| Submission::Transfer(Box::new(transfer)))
    }

    fn search(self: &Arc<Self>, link: Link) -> Result<Submission, Error> {
        let mut add = self.settings.link_to_add(&link)?;
        add.metadata_timeout = self.options.metadata_timeout;
        if let TorrentSource::Link(link) = &mut add.source {
            link.eager = !matches!(self.options.torrent_file, TorrentFileMode::FileOnly(_));
        }
        let search = MetadataSearch { add, link, builder: self.clone() };
        Ok(Submission::MetadataSearch(Box::new(search)))
    }

    fn more_peers(&self, link: &Link) -> Submission {
        let (peers, named_peers) = self.settings.peers_of(&link.magnet);
        let info_hashes = link.magnet.info_hash;
        Submission::MorePeers(Box::new(MorePeers { info_hashes, peers, named_peers }))
    }

    fn prepare(&self, torrent: Torrent, wanted: &[bool]) -> Result<Transfer, Error> {
        let options = &self.options;
        let given = &options.folder;
        let folder = std::path::absolute(given).map_err(|error| Error::disk("use", given, &error))?;
        let top = PathBuf::from(torrent.metainfo.top_name());
        self.claim_name(&torrent.metainfo, &top)?;
        fs::create_dir_all(&folder).map_err(|error| Error::disk("create", given, &error))?;
        if options.torrent_file == TorrentFileMode::DataAndFile {
            let name = torrent_file_name(&top);
            self.claim_name(&torrent.metainfo, &name)?;
            torrent_file::save(&self.inside(&name), &torrent.bytes, false, Remedy::MoveTorrentFile)?;
        }
        let mut content = ContentOptions {
            existing: options.existing,
            alloc: options.alloc,
            priorities: priorities(wanted),
            order: options.order,
            ends_first: options.ends_first,
            after: options.after,
            ..ContentOptions::new(given.clone())
        };
        // Whether there is one file alone has to be known before anything is begun.
        let only = |origin| read_only_file(&torrent.metainfo, &mut content, origin);
        let reader = options.stream.as_ref().map(only).transpose()?;
        Ok(Transfer { reader, ..Transfer::new(torrent, content, &self.settings)? })
    }

    /// Saves the torrent file and nothing else.
    fn save_only(&self, torrent: &Torrent, name: Option<&Path>) -> Result<SavedTorrentFile, Error> {
        let metainfo = &torrent.metainfo;
        let own = || torrent_file_name(Path::new(metainfo.top_name()));
        let name = name.map_or_else(own, Path::to_owned);
        self.claim_name(metainfo, &name)?;
        let path = self.inside(&name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| Error::disk("create", folder, &error))?;
        }
        let overwrite = self.options.existing == ExistingFiles::Overwrite;
        torrent_file::save(&path, &torrent.bytes, overwrite, Remedy::ReplaceTorrentFile)?;
        let path = std::path::absolute(&path).map_err(|error| Error::disk("use", &path, &error))?;
        Ok(SavedTorrentFile {
            info_hashes: metainfo.info_hash(),
            name: metainfo.name().clone(),
            size: listed(metainfo).map(|file| file.len).fold(0, u64::saturating_add),
            files: listed(metainfo).count() as u64,
            path,
        })
    }

    /// Whether a torrent is asked for the first time.
    fn is_new(&self, id: &InfoHashes, name: &Untrusted) -> bool {
        let new = self.claims().claim_torrent(id);
        if !new {
            self.watch.warn(&format!("{} was given twice", name.fit(100)));
        }
        new
    }

    /// Takes a name in the folder of downloads for a torrent, unless another torrent of this request has it: they
    /// would write into each other's files.
    fn claim_name(&self, torrent: &Metainfo, name: &Path) -> Result<(), Error> {
        let ours = torrent.name().fit(80);
        self.claims().claim_name(name, ours.clone()).map_err(|other| {
            let path = self.inside(name);
            let message = format!("{} belongs to {other}; {ours} would use it too", shown(&path));
            Error::new(ErrorKind::Disk, "same_path", message).remedy(Remedy::SeparateTorrents)
        })
    }

    fn renamed(&self, mut torrent: Torrent) -> Torrent {
        if let Some(name) = &self.options.root_name {
            torrent.metainfo = torrent.metainfo.with_root_name(name);
        }
        torrent
    }

    /// A path in the folder of downloads, as people say it.
    fn inside(&self, name: &Path) -> PathBuf {
        let folder = &self.options.folder;
        if folder == Path::new(".") { name.to_owned() } else { folder.join(name) }
    }

    fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a reader of the one file that is wanted of a torrent.
fn read_only_file(
    torrent: &Metainfo,
    content: &mut ContentOptions,
    origin: &Origin,
) -> Result<Reader, Error> {
    let is_wanted = |at: usize| content.priorities.get(at).copied().unwrap_or_default() != Priority::Skip;
    let wanted = torrent.files().iter().enumerate().filter(|(at, file)| file.is_stored() && is_wanted(*at));
    let wanted: Vec<usize> = wanted.map(|(at, _)| at).take(2).collect();
    if let [only] = wanted[..] {
        let (feed, reader) = Reader::of(FileIndex(only as u32));
        content.read = Some(feed);
        return Ok(reader);
    }
    let name = torrent.name().fit(80);
    let message = format!("{origin} writes one file, but several of {name} are selected");
    Err(Error::usage(message).remedy(Remedy::SelectOneFile).about(torrent.info_hash()))
}
