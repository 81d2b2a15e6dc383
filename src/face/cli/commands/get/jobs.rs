//! From what is asked for to what the engine is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::app::door::{ContentOptions, Order, TorrentSource};
use crate::app::file_write::{Written, write_file};
use crate::app::input::{self, Link, Reading, Torrent};
use crate::app::selection::listed;
use crate::app::selection::{priorities, wanted, wanted_by_link};
use crate::app::{Error, ErrorKind, shown};
use crate::base::{InfoHashes, Untrusted, units};
use crate::face::cli::fetching::Fetching;
use crate::face::cli::output::Output;
use crate::face::cli::transfer::{Kept, Search, Setup, Submission, Work, stream};
use crate::proto::metainfo::Metainfo;
use crate::proto::paths::{MAX_COMPONENT, safe_name};

use super::args::GetArgs;
use super::merge::MergedMagnets;

/// Makes work of torrents, by the flags of one command. Several may ask at once; clones are the same.
#[derive(Clone)]
pub struct SubmissionBuilder {
    args: GetArgs,
    setup: Setup,
    output: Output,
    /// There is but one torrent, so that the screen is free while it is fetched.
    alone: bool,
    magnets: MergedMagnets,
    taken: Arc<Mutex<Taken>>,
}

/// What torrents of this command have taken already.
#[derive(Default)]
struct Taken {
    /// By the digits under which peers know them.
    torrents: BTreeSet<[u8; 20]>,
    /// Whose the names in the folder of downloads are.
    names: BTreeMap<PathBuf, String>,
}

/// What an argument turned out to be.
#[derive(Debug)]
pub enum Asked {
    /// A torrent that is known.
    Torrent(Box<Torrent>),
    /// A link to one that is not.
    Link(Box<Link>),
}

impl SubmissionBuilder {
    /// One for this command line.
    pub fn new(args: &GetArgs, setup: &Setup, alone: bool, output: &Output) -> Self {
        Self {
            args: args.clone(),
            setup: setup.clone(),
            output: output.clone(),
            alone,
            magnets: MergedMagnets::of(&args.torrents),
            taken: Arc::default(),
        }
    }

    /// Reads a torrent or a link and makes work of it. Of one that is in work already no more than the peers
    /// are of use.
    pub fn make(&self, argument: &Path) -> Result<Option<Work>, Error> {
        match self.ask(argument)? {
            None => {
                let link = Link::of(argument)?;
                Ok(link.map(|link| Work::Peers(Box::new(self.setup.peers(&link)))))
            }
            Some(Asked::Torrent(torrent)) => self.begin(*torrent).map(Some),
            Some(Asked::Link(link)) => self.search(*link).map(Some),
        }
    }

    /// Reads a torrent or a link; nothing if it was read already.
    pub fn ask(&self, argument: &Path) -> Result<Option<Asked>, Error> {
        let Some(mut link) = Link::of(argument)? else {
            let watch = Fetching::new(&self.output, self.alone);
            let reading = Reading { bind: self.setup.bind(), watch: &watch };
            let torrent = input::read(argument, &reading)?;
            let new = self.is_new(&torrent.metainfo.info_hash(), torrent.metainfo.name());
            return Ok(new.then(|| Asked::Torrent(Box::new(self.named(torrent)))));
        };
        link.can_be_found()?;
        if !self.is_new(&link.magnet.info_hash, &link.name()) {
            return Ok(None);
        }
        self.magnets.complete(&mut link.magnet);
        for note in &link.notes {
            if note.changes_the_choice() && self.args.select.is_empty() {
                self.output.warn(&format!("{}: {note}", link.name().fit(80)));
            } else {
                tracing::info!("the magnet link: {note}");
            }
        }
        if !link.magnet.web_seeds.is_empty() {
            tracing::info!("the magnet link names web seeds, which are not used yet");
        }
        Ok(Some(match link.stored(self.setup.state_dir()) {
            Some(metainfo) => Asked::Torrent(Box::new(self.known(link, metainfo))),
            None => Asked::Link(Box::new(link)),
        }))
    }

    /// Whether this is the first time that this torrent is asked for.
    fn is_new(&self, id: &InfoHashes, name: &Untrusted) -> bool {
        let mut taken = self.taken();
        let new = !id.wire_names().any(|name| taken.torrents.contains(&name));
        taken.torrents.extend(id.wire_names());
        drop(taken);
        if !new {
            self.output.warn(&format!("{} was given twice", name.fit(100)));
        }
        new
    }

    /// The torrent of a link whose metadata is known.
    pub fn known(&self, link: Link, metainfo: Metainfo) -> Torrent {
        self.named(link.torrent(metainfo))
    }

    fn named(&self, mut torrent: Torrent) -> Torrent {
        if let Some(name) = &self.args.name {
            torrent.metainfo = torrent.metainfo.with_root_name(name);
        }
        torrent
    }

    /// A link whose metadata is to be found, and what comes of it then.
    fn search(&self, link: Link) -> Result<Work, Error> {
        let (mut add, maker) = (self.setup.lookup(&link)?, self.clone());
        add.metadata_timeout = self.args.patience(self.output.stderr_tty);
        if let TorrentSource::Link(link) = &mut add.source {
            link.eager = self.args.torrent_only.is_none();
        }
        let then = move |metainfo| maker.begin(maker.known(link, metainfo));
        Ok(Work::Find(Box::new(Search { add, then: Box::new(then) })))
    }

    /// Makes work of a torrent that is known.
    fn begin(&self, torrent: Torrent) -> Result<Work, Error> {
        if let Some(wish) = &self.args.torrent_only {
            let id = torrent.metainfo.info_hash();
            return self
                .keep_only(&torrent, wish.as_deref())
                .map(Work::Kept)
                .map_err(|failure| failure.about(id));
        }
        let wanted = self.wanted(&torrent)?;
        self.work(torrent, &wanted)
    }

    /// Which of its files are wanted, as far as the flags say, or else the link.
    pub fn wanted(&self, torrent: &Torrent) -> Result<Vec<bool>, Error> {
        let (metainfo, id) = (&torrent.metainfo, torrent.metainfo.info_hash());
        if let Some(link) = torrent.link.as_ref().filter(|link| !link.select.is_empty())
            && self.args.select.is_empty()
        {
            let (wanted, beyond) = wanted_by_link(metainfo, &link.select).map_err(|why| {
                let hint = "choose files with --select; torr get --list --select '*' shows them all";
                Error::new(ErrorKind::Input, "malformed", why).hint(hint).about(id)
            })?;
            if beyond > 0 {
                let files = units::plural(beyond, "file", "files");
                self.output.warn(&format!(
                    "the link selects {files} that {} does not have",
                    metainfo.name().fit(80)
                ));
            }
            return Ok(wanted);
        }
        wanted(metainfo, &self.args.select).map_err(|why| {
            let hint = "torr get --list shows the files with their numbers";
            Error::usage(why).hint(hint).about(id)
        })
    }

    /// Makes work of a torrent of which these files are wanted.
    pub fn work(&self, torrent: Torrent, wanted: &[bool]) -> Result<Work, Error> {
        let id = torrent.metainfo.info_hash();
        self.prepare(torrent, wanted).map_err(|failure| failure.about(id))
    }

    fn prepare(&self, torrent: Torrent, wanted: &[bool]) -> Result<Work, Error> {
        let args = &self.args;
        let folder =
            std::path::absolute(&args.output).map_err(|error| Error::disk("use", &args.output, &error))?;
        let top = PathBuf::from(torrent.metainfo.top_name());
        self.take(&torrent.metainfo, &top)?;
        fs::create_dir_all(&folder).map_err(|error| Error::disk("create", &args.output, &error))?;
        if args.save_torrent {
            let name = torrent_name(&top);
            self.take(&torrent.metainfo, &name)?;
            let hint = "move it away, leave --save-torrent out, or choose another folder with -o DIR";
            save(&self.inside(&name), &torrent.bytes, false, hint)?;
        }
        let mut content = ContentOptions {
            existing: args.existing(),
            alloc: args.alloc(),
            priorities: priorities(wanted),
            order: if args.in_order { Order::InOrder } else { Order::RarestFirst },
            ends_first: args.ends_first,
            after: self.setup.after(args.seed),
            ..ContentOptions::new(args.output.clone())
        };
        // What goes to standard output has to be known before anything does.
        let only = || stream::of_only_file(&torrent.metainfo, &mut content);
        let stream = args.to_stdout.then(only).transpose()?;
        let (add, job) = self.setup.job(torrent, content)?;
        Ok(Work::Submit(Box::new(Submission { add, job, stream })))
    }

    /// Keeps the torrent file and nothing else.
    fn keep_only(&self, torrent: &Torrent, wish: Option<&Path>) -> Result<Kept, Error> {
        let args = &self.args;
        let metainfo = &torrent.metainfo;
        let name = wish.map_or_else(|| torrent_name(Path::new(metainfo.top_name())), Path::to_owned);
        self.take(metainfo, &name)?;
        let path = self.inside(&name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| Error::disk("create", folder, &error))?;
        }
        let hint = "overwrite it with --overwrite, or choose another name with --torrent-only=FILE";
        save(&path, &torrent.bytes, args.overwrite, hint)?;
        let path = std::path::absolute(&path).map_err(|error| Error::disk("use", &path, &error))?;
        Ok(Kept {
            info_hashes: metainfo.info_hash(),
            name: metainfo.name().clone(),
            size: listed(metainfo).map(|file| file.len).fold(0, u64::saturating_add),
            files: listed(metainfo).count() as u64,
            path,
        })
    }

    /// Takes a name in the folder of downloads for a torrent, unless another torrent of this command has it:
    /// they would write into each other's files.
    fn take(&self, torrent: &Metainfo, name: &Path) -> Result<(), Error> {
        let ours = torrent.name().fit(80);
        let mut taken = self.taken();
        if let Some(other) = taken.names.get(name) {
            let path = self.inside(name);
            let message = format!("{} belongs to {other}; {ours} would use it too", shown(&path));
            let hint = "get them one by one, into different folders (-o DIR) or under another name (--name)";
            return Err(Error::new(ErrorKind::Disk, "same_path", message).hint(hint));
        }
        taken.names.insert(name.to_owned(), ours);
        Ok(())
    }

    /// A path in the folder of downloads, as people say it.
    fn inside(&self, name: &Path) -> PathBuf {
        if self.args.output == Path::new(".") { name.to_owned() } else { self.args.output.join(name) }
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the torrent file is called beside data of this name.
pub fn torrent_name(top: &Path) -> PathBuf {
    const EXTENSION: &str = ".torrent";
    let name = top.to_string_lossy();
    let name = &name[..name.floor_char_boundary(MAX_COMPONENT - EXTENSION.len())];
    safe_name(format!("{name}{EXTENSION}").as_bytes()).into()
}

/// Keeps the torrent file here; another file of this name stays as it is, unless it may be overwritten.
fn save(path: &Path, bytes: &[u8], overwrite: bool, hint: &str) -> Result<(), Error> {
    match write_file(path, bytes, overwrite)? {
        Written::New | Written::Same => Ok(()),
        Written::InTheWay => {
            let message = format!("{} already exists with different content", shown(path));
            Err(Error::new(ErrorKind::Disk, "foreign_data", message).hint(hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_torrent_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.torrent");
        save(&path, b"one", false, "x").unwrap();
        save(&path, b"one", false, "x").unwrap();
        let failure = save(&path, b"two", false, "x").unwrap_err();
        assert_eq!((failure.kind, failure.word), (ErrorKind::Disk, "foreign_data"));
        assert_eq!(fs::read(&path).unwrap(), b"one");
        save(&path, b"two", true, "x").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let folder = dir.path().join("y.torrent");
        fs::create_dir(&folder).unwrap();
        assert!(save(&folder, b"one", false, "x").is_err());
    }

    #[test]
    fn the_name_of_a_saved_torrent_fits() {
        assert_eq!(torrent_name(Path::new("x.iso")), Path::new("x.iso.torrent"));
        let long = "ä".repeat(127);
        let name = torrent_name(Path::new(&long));
        assert!(name.as_os_str().len() <= MAX_COMPONENT && name.to_string_lossy().ends_with("ä.torrent"));
    }
}
