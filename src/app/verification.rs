//! Checking the files of a torrent against its piece hashes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::damage::There;
use super::location::Place;
use super::making::hash::{HashProgress, HashWatch};
use super::{Error, ErrorKind};
use crate::base::{Bitfield, FileIndex};
use crate::proto::metainfo::Metainfo;
use crate::store::{
    Alloc, Disk, DiskError, FilePool, FileSpec, FileStatus, Layout, Pool, Progress, Storage, StorageOptions,
};

/// The files of a torrent as they lie on the disk.
pub struct Files<'a> {
    torrent: &'a Metainfo,
    storage: Storage,
}

impl<'a> Files<'a> {
    /// Those at this place.
    pub fn at(torrent: &'a Metainfo, place: &Place) -> Result<Self, Error> {
        let layout = layout(torrent, place);
        let storage = layout.and_then(|layout| {
            Storage::new(&place.root, layout, StorageOptions::default(), &[], &FilePool::from_limit())
        });
        Ok(Self { torrent, storage: storage.map_err(Error::from)? })
    }

    /// Looks up the entry in the place of each file.
    pub fn survey(&self) -> Result<Vec<There>, Error> {
        let mut there = vec![There::Nothing; self.torrent.files().len()];
        for surveyed in self.storage.survey().map_err(Error::from)? {
            if let Some(slot) = there.get_mut(surveyed.file.0 as usize) {
                *slot = match surveyed.status {
                    FileStatus::Missing => There::Nothing,
                    FileStatus::Plain { size, .. } => There::File(size),
                    FileStatus::Other => There::Other,
                };
            }
        }
        Ok(there)
    }

    /// The pieces that cover at least one of these files.
    pub fn pieces_of(&self, chosen: &[bool]) -> Bitfield {
        let shape = self.torrent.geometry();
        let mut pieces = Bitfield::none(shape.piece_count());
        for index in (0..shape.file_count()).filter(|&index| chosen[index as usize]) {
            for piece in shape.pieces_of(FileIndex(index)).filter_map(|piece| shape.piece(piece)) {
                pieces.insert(piece);
            }
        }
        pieces
    }

    /// Hashes these pieces and returns those that match.
    pub fn hash(
        &self,
        asked: &Bitfield,
        threads: usize,
        watch: &mut HashWatch<'_>,
    ) -> Result<Bitfield, Error> {
        let shape = self.torrent.geometry();
        let total: u64 = asked.iter().map(|piece| u64::from(shape.len_of(piece))).sum();
        let disk = Disk::start(threads, Pool::new(4 << 20));
        let progress = Progress::default();
        let (send, done) = mpsc::channel();
        disk.check(&self.storage, asked, progress.clone(), move |result| {
            drop(send.send(result));
        });
        let begun = Instant::now();
        loop {
            match done.recv_timeout(Duration::from_millis(100)) {
                Ok(result) => {
                    disk.shutdown();
                    return result.map(|checked| checked.good).map_err(Error::from);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let message = "checking ended without a result";
                    return Err(Error::new(ErrorKind::Internal, "internal", message));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let done = (u64::from(progress.done()) * u64::from(shape.piece_len())).min(total);
            watch(HashProgress { done, total, elapsed: begun.elapsed(), file: None })?;
        }
    }
}

/// Cuts these files to the length they have in the torrent, where they are longer.
pub fn cut(torrent: &Metainfo, place: &Place, which: &[bool]) -> Result<(), Error> {
    // What is reserved in full is opened and brought to its length before anything is written.
    let options = StorageOptions { alloc: Alloc::Full, overwrite: true, ..StorageOptions::default() };
    let storage = layout(torrent, place)
        .and_then(|layout| Storage::new(&place.root, layout, options, which, &FilePool::from_limit()));
    storage.and_then(|storage| storage.prepare()).map_err(Error::from)
}

fn layout(torrent: &Metainfo, place: &Place) -> Result<Layout, DiskError> {
    let files = torrent.files().iter().enumerate().map(|(at, file)| {
        let pad = !file.is_stored();
        // What is not stored may bear the name of a file, so it stands under a name of its own.
        let path = if file.is_stored() {
            place.path(file.path().as_path())
        } else {
            PathBuf::from(format!(".torr-none-{at}"))
        };
        FileSpec { path, len: file.len(), pad, executable: false }
    });
    let shape = Arc::new(torrent.geometry().clone());
    Layout::new(torrent.info_hash(), shape, files.collect(), torrent.piece_hashes().clone())
}
