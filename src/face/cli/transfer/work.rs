//! Work for one torrent, as far as it is known.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::app::Error;
use crate::app::door::{Add, Reader};
use crate::base::{InfoHashes, Untrusted};
use crate::proto::metainfo::Metainfo;

use super::Transfer;

/// The next thing to be done for a torrent.
#[derive(Debug)]
pub enum Work {
    /// Its data is to be downloaded or seeded.
    Submit(Box<Submission>),
    /// Only its name is known: its metadata is to be found first.
    Find(Box<Search>),
    /// Nothing: its torrent file was wanted, and is kept.
    Kept(Kept),
    /// More peers of a torrent that is active already.
    Peers(Box<Peers>),
}

impl Work {
    /// This torrent, which can begin.
    pub fn of(add: Add, job: Transfer) -> Self {
        Self::Submit(Box::new(Submission { add, job, stream: None }))
    }
}

/// Peers of a torrent that is in work.
#[derive(Debug)]
pub struct Peers {
    /// The info-hashes of the torrent.
    pub info_hashes: InfoHashes,
    /// Their addresses.
    pub peers: Vec<SocketAddr>,
    /// Those that are known by host and port.
    pub named: Vec<(String, u16)>,
}

/// A torrent that can begin.
#[derive(Debug)]
pub struct Submission {
    /// The command for the engine.
    pub add: Add,
    /// The transfer, as reports need it.
    pub job: Transfer,
    /// The reader of a file that goes to standard output during the download.
    pub stream: Option<Reader>,
}

/// A torrent whose metadata is to be found.
pub struct Search {
    /// The command for the engine.
    pub add: Add,
    /// Turns the metadata into the next work.
    pub then: Then,
}

/// From metadata to what is to be done next; may wait for the disk.
pub type Then = Box<dyn FnOnce(Metainfo) -> Result<Work, Error> + Send>;

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("add", &self.add).finish_non_exhaustive()
    }
}

/// A torrent file that is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Of which torrent.
    pub info_hashes: InfoHashes,
    /// Its name.
    pub name: Untrusted,
    /// Bytes of its data.
    pub size: u64,
    /// How many files that is.
    pub files: u64,
    /// Where the torrent file is.
    pub path: PathBuf,
}
