//! From what is asked for to what the engine is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::base::InfoHash;
use crate::engine::{Add, Order};
use crate::face::cli::args::select::{priorities, wanted};
use crate::face::cli::error::{Failure, shown};
use crate::face::cli::exit::Exit;
use crate::face::cli::faults;
use crate::face::cli::input::{self, Reading, Torrent};
use crate::face::cli::output::Output;
use crate::face::cli::transfer::{Job, Setup};
use crate::proto::metainfo::Metainfo;
use crate::proto::paths::{MAX_COMPONENT, safe_name};
use crate::store::{DiskErrorKind, write_atomic};

use super::args::GetArgs;

/// What the engine is told of a torrent, and what is to be known to tell of it.
pub type Made = Box<(Add, Job)>;

/// Makes work of torrents, by the flags of one command. Several may ask at once.
pub struct Maker {
    args: GetArgs,
    setup: Setup,
    output: Output,
    /// There is but one torrent, so that the screen is free while it is fetched.
    alone: bool,
    taken: Mutex<Taken>,
}

/// What torrents of this command have taken already.
#[derive(Default)]
struct Taken {
    torrents: BTreeSet<InfoHash>,
    /// Whose the names in the folder of downloads are.
    names: BTreeMap<PathBuf, String>,
}

impl Maker {
    /// One for this command line.
    pub fn new(args: &GetArgs, setup: &Setup, alone: bool, output: &Output) -> Self {
        Self {
            args: args.clone(),
            setup: setup.clone(),
            output: output.clone(),
            alone,
            taken: Mutex::default(),
        }
    }

    /// Reads a torrent and makes work of it; nothing if it is in work already.
    pub fn make(&self, argument: &Path) -> Result<Option<Made>, Failure> {
        let Some(torrent) = self.read(argument)? else { return Ok(None) };
        let wanted = self.wanted(&torrent.metainfo)?;
        self.work(torrent, &wanted).map(Some)
    }

    /// Reads a torrent; nothing if it was read already.
    pub fn read(&self, argument: &Path) -> Result<Option<Torrent>, Failure> {
        let reading = Reading { output: &self.output, bind: self.setup.bind(), alone: self.alone };
        let mut torrent = input::read(argument, &reading)?;
        if !self.taken().torrents.insert(torrent.metainfo.info_hash()) {
            self.output.warn(&format!("{} is given twice", torrent.metainfo.name().fit(100)));
            return Ok(None);
        }
        if let Some(name) = &self.args.name {
            torrent.metainfo = torrent.metainfo.with_root_name(name);
        }
        Ok(Some(torrent))
    }

    /// Which of its files are wanted, as far as the flags say.
    pub fn wanted(&self, torrent: &Metainfo) -> Result<Vec<bool>, Failure> {
        wanted(torrent, &self.args.select).map_err(|why| {
            let hint = "torr get --list shows the files with their numbers";
            Failure::usage(why).hint(hint).about(torrent.info_hash())
        })
    }

    /// Makes work of a torrent of which these files are wanted.
    pub fn work(&self, torrent: Torrent, wanted: &[bool]) -> Result<Made, Failure> {
        let id = torrent.metainfo.info_hash();
        self.prepare(torrent, wanted).map_err(|failure| failure.about(id))
    }

    fn prepare(&self, torrent: Torrent, wanted: &[bool]) -> Result<Made, Failure> {
        let args = &self.args;
        let folder =
            std::path::absolute(&args.output).map_err(|error| Failure::disk("use", &args.output, &error))?;
        let top = top(&torrent.metainfo);
        self.take(&torrent.metainfo, &top)?;
        fs::create_dir_all(&folder).map_err(|error| Failure::disk("create", &args.output, &error))?;
        if args.save_torrent {
            let name = torrent_name(&top);
            self.take(&torrent.metainfo, &name)?;
            save(&args.output.join(name), &torrent.bytes)?;
        }
        let (mut add, job) = self.setup.job(torrent, &args.output, self.setup.after(args.seed))?;
        add.existing = args.existing();
        add.alloc = args.alloc();
        add.priorities = priorities(wanted);
        add.order = if args.in_order { Order::InOrder } else { Order::RarestFirst };
        add.ends_first = args.ends_first;
        Ok(Box::new((add, job)))
    }

    /// Takes a name in the folder of downloads for a torrent, unless another torrent of this command has it:
    /// they would write into each other's files.
    fn take(&self, torrent: &Metainfo, name: &Path) -> Result<(), Failure> {
        let ours = torrent.name().fit(80);
        let mut taken = self.taken();
        if let Some(other) = taken.names.get(name) {
            let path = self.args.output.join(name);
            let message = format!("{} belongs to {other}; {ours} would use it too", shown(&path));
            let hint = "get them one by one, into different folders (-o DIR) or under another name (--name)";
            return Err(Failure::new(Exit::Disk, "same_path", message).hint(hint));
        }
        taken.names.insert(name.to_owned(), ours);
        Ok(())
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of the torrent's file or directory.
fn top(torrent: &Metainfo) -> PathBuf {
    let first = torrent.files().iter().find(|file| file.is_stored()).or(torrent.files().first());
    first.and_then(|file| file.path().components().next()).unwrap_or_default().into()
}

/// What the torrent file is called beside data of this name.
fn torrent_name(top: &Path) -> PathBuf {
    const EXTENSION: &str = ".torrent";
    let name = top.to_string_lossy();
    let name = &name[..name.floor_char_boundary(MAX_COMPONENT - EXTENSION.len())];
    safe_name(format!("{name}{EXTENSION}").as_bytes()).into()
}

/// Keeps the torrent file here; another file of this name stays as it is.
fn save(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    match write_atomic(path, bytes, false) {
        Ok(()) => Ok(()),
        Err(error) if error.kind == DiskErrorKind::Foreign && holds(path, bytes) => Ok(()),
        Err(error) if error.kind == DiskErrorKind::Foreign => {
            let message = format!("{} is there already and is another file", shown(path));
            let hint = "move it away, leave --save-torrent out, or choose another folder with -o DIR";
            Err(Failure::new(Exit::Disk, "foreign_data", message).hint(hint))
        }
        Err(error) => Err(faults::disk(&error)),
    }
}

fn holds(path: &Path, bytes: &[u8]) -> bool {
    let plain = path.symlink_metadata().is_ok_and(|found| found.is_file());
    if !plain {
        return false;
    }
    let mut found = Vec::new();
    let most = bytes.len() as u64 + 1;
    let read = fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut found));
    read.is_ok() && found == bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_torrent_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.torrent");
        save(&path, b"one").unwrap();
        save(&path, b"one").unwrap();
        let failure = save(&path, b"two").unwrap_err();
        assert_eq!((failure.exit, failure.kind), (Exit::Disk, "foreign_data"));
        assert_eq!(fs::read(&path).unwrap(), b"one");
        let folder = dir.path().join("y.torrent");
        fs::create_dir(&folder).unwrap();
        assert!(save(&folder, b"one").is_err());
    }

    #[test]
    fn the_name_of_a_saved_torrent_fits() {
        assert_eq!(torrent_name(Path::new("x.iso")), Path::new("x.iso.torrent"));
        let long = "ä".repeat(127);
        let name = torrent_name(Path::new(&long));
        assert!(name.as_os_str().len() <= MAX_COMPONENT && name.to_string_lossy().ends_with("ä.torrent"));
    }
}
