//! Existing files of a torrent: which of them are ours, which are in the way, and which pieces need no
//! recheck.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::resume_record::{self, ContentTarget};
use crate::base::{Bitfield, FileIndex, Geometry, Untrusted};
use crate::engine::command::{ContentOptions, ExistingFiles};
use crate::engine::event::{Fault, FaultKind, Remedy};
use crate::proto::metainfo::Metainfo;
use crate::store::{
    self, DiskError, DiskIo, FilePool, FileSpec, FileStatus, Layout, ResumeRecord, Storage, StorageOptions,
    SurveyedFile, TorrentStore,
};
use crate::swarm::event::Priority;

pub(super) type SurveyResult = (Storage, Vec<SurveyedFile>, Option<ResumeRecord>, KnownPieces);

/// Surveys the files on disk and loads the resume record.
pub(super) fn survey_files(
    target: &ContentTarget,
    layout: Layout,
    io: DiskIo,
    file_pool: &FilePool,
    store: Option<TorrentStore>,
) -> Result<SurveyResult, DiskError> {
    let ContentTarget { metainfo, options } = target;
    let root = &options.folder;
    if options.seed_only && !root.is_dir() {
        return Err(DiskError::new(store::DiskErrorKind::Missing, "open", root));
    }
    let how = StorageOptions {
        io,
        alloc: options.alloc,
        overwrite: options.existing == ExistingFiles::Overwrite,
        follow: options.seed_only && options.follow,
    };
    // The previous selection is unknown, so the existing files tell where bytes lie.
    let nothing = vec![false; layout.files.len()];
    let storage = Storage::new(root, layout, how, &nothing, file_pool)?;
    let survey = storage.survey()?;
    if !options.seed_only {
        storage.refuse_locked(&survey)?;
    }
    let record = store.and_then(|store| resume_record::load(&store, metainfo, root));
    let known = KnownPieces::from(&storage, &survey, record.as_ref(), options.existing)?;
    Ok((storage, survey, record, known))
}

/// Refuses files that are not ours and contain no matching piece.
pub(super) fn refuse_foreign(
    storage: &Storage,
    survey: &[SurveyedFile],
    known: &KnownPieces,
    have: &Bitfield,
) -> Result<(), Fault> {
    let geometry = &*storage.layout().geometry;
    // torr never leaves bytes after the end of a file.
    let is_ours = |surveyed: &SurveyedFile| known.is_ours(surveyed.file) && !is_too_long(geometry, surveyed);
    let ours = |path: &PathBuf| survey.iter().any(|surveyed| surveyed.path == *path && is_ours(surveyed));
    let foreign: Vec<PathBuf> =
        storage.foreign_files(survey, have).into_iter().filter(|path| !ours(path)).collect();
    if foreign.is_empty() {
        return Ok(());
    }
    let matches = |surveyed: &SurveyedFile| {
        let pieces = geometry.pieces_of(surveyed.file).filter_map(|index| geometry.piece(index));
        pieces.into_iter().any(|piece| have.has(piece))
    };
    let long = |path: &PathBuf| {
        let mut files = survey.iter().filter(|surveyed| surveyed.path == *path);
        files.any(|surveyed| is_too_long(geometry, surveyed) && matches(surveyed))
    };
    Err(if foreign.iter().all(long) { Fault::too_long(&foreign) } else { Fault::foreign(&foreign) })
}

/// Whether every piece was verified in an earlier run and no file has changed since.
pub(in crate::engine) fn is_untouched(store: &TorrentStore, torrent: &Metainfo, folder: &Path) -> bool {
    let check = || -> Result<bool, DiskError> {
        let Some(record) = resume_record::load(store, torrent, folder) else { return Ok(false) };
        let layout = layout(torrent)?;
        let nothing = vec![false; layout.files.len()];
        let storage =
            Storage::new(folder, layout, StorageOptions::default(), &nothing, &FilePool::from_limit())?;
        Ok(store::trusted_pieces(&storage, &record)?.is_full())
    };
    check().unwrap_or(false)
}

/// Refuses to seed an incomplete torrent. Of a partial download only its wanted pieces are required.
pub(super) fn require_complete(
    target: &ContentTarget,
    have: &Bitfield,
    record: Option<&ResumeRecord>,
) -> Result<(), Fault> {
    let ContentTarget { metainfo, options } = target;
    let chosen = record.filter(|record| {
        record.partial && record.finished.is_some() && !record.written.is_empty() && !have.is_empty()
    });
    let (missing, all, what) = match chosen {
        Some(record) => {
            let missing = record.written.iter().filter(|&piece| !have.has(piece)).count();
            (missing as u32, record.written.count(), "that were fetched of ")
        }
        None => (have.len() - have.count(), have.len(), "of "),
    };
    if missing == 0 {
        return Ok(());
    }
    let folder = Untrusted::new(options.folder.to_string_lossy());
    Err(Fault {
        kind: FaultKind::FilesMissing,
        message: format!(
            "{missing} of {all} pieces {what}{} are missing or damaged in {folder}",
            metainfo.name(),
        ),
        remedy: Some(Remedy::RepairData),
    })
}

/// The skipped files that are not ours and must not be overwritten.
pub(super) fn foreign_skipped_files(
    options: &ContentOptions,
    storage: &Storage,
    survey: &[SurveyedFile],
    known: &KnownPieces,
    have: &Bitfield,
) -> Vec<FileIndex> {
    let foreign = storage.foreign_files(survey, have);
    let is_skipped = |file: FileIndex| options.priorities.get(file.0 as usize) == Some(&Priority::Skip);
    let strange = survey.iter().filter(|surveyed| is_skipped(surveyed.file) && !known.is_ours(surveyed.file));
    strange.filter(|surveyed| foreign.contains(&surveyed.path)).map(|surveyed| surveyed.file).collect()
}

/// The pieces in existing files that are not ours.
pub(super) fn pieces_not_ours(geometry: &Geometry, survey: &[SurveyedFile], known: &KnownPieces) -> Bitfield {
    let strange =
        |surveyed: &&SurveyedFile| surveyed.status != FileStatus::Missing && !known.is_ours(surveyed.file);
    let files = survey.iter().filter(strange);
    let mut pieces = Bitfield::none(geometry.piece_count());
    for piece in files.flat_map(|file| geometry.pieces_of(file.file)).filter_map(|at| geometry.piece(at)) {
        pieces.insert(piece);
    }
    pieces
}

/// Refuses existing files that the options do not allow, whatever they contain.
pub(super) fn refuse_existing(
    options: &ContentOptions,
    geometry: &Geometry,
    survey: &[SurveyedFile],
    known: &KnownPieces,
) -> Result<(), Fault> {
    let strange =
        |surveyed: &&SurveyedFile| surveyed.status != FileStatus::Missing && !known.is_ours(surveyed.file);
    let paths = |wrong: &dyn Fn(&SurveyedFile) -> bool| -> Vec<PathBuf> {
        survey
            .iter()
            .filter(strange)
            .filter(|surveyed| wrong(surveyed))
            .map(|surveyed| surveyed.path.clone())
            .collect()
    };
    match options.existing {
        ExistingFiles::Refuse => match paths(&|_| true) {
            all if all.is_empty() => Ok(()),
            all => Err(Fault::not_begun(&all)),
        },
        // Pieces of these files would be downloaded and overwrite trusted data.
        ExistingFiles::Trust => match paths(&|surveyed| !has_its_length(geometry, surveyed)) {
            all if all.is_empty() || options.seed_only => Ok(()),
            all => Err(Fault::not_whole(&all)),
        },
        ExistingFiles::Check | ExistingFiles::Overwrite => Ok(()),
    }
}

/// The pieces as far as they are known before any recheck.
pub(super) struct KnownPieces {
    pub have: Bitfield,
    /// Those of them that are flushed.
    pub flushed: Bitfield,
    pub check: Bitfield,
    /// The pieces to check may be in the page cache and not on the disk: the last run did not end cleanly, or did not
    /// flush everything.
    pub recheck_from_disk: bool,
    ours: Vec<bool>,
}

impl KnownPieces {
    fn from(
        storage: &Storage,
        survey: &[SurveyedFile],
        record: Option<&ResumeRecord>,
        existing: ExistingFiles,
    ) -> Result<Self, DiskError> {
        let geometry = &*storage.layout().geometry;
        let count = geometry.piece_count();
        // An interrupted run may have created files without a stamp. A file that replaced a stamped one is
        // not ours.
        let mut inodes = vec![None; geometry.file_count() as usize];
        for surveyed in survey {
            if let FileStatus::Plain { inode, .. } = surveyed.status {
                inodes[surveyed.file.0 as usize] = Some(inode);
            }
        }
        let begun = |file: usize| {
            record.is_some_and(|e| match e.stamps.files.get(file).copied().flatten() {
                Some(stamp) => inodes[file] == Some(stamp.inode),
                None => e.running,
            })
        };
        let ours = (0..geometry.file_count() as usize).map(begun).collect();
        if existing == ExistingFiles::Trust {
            let mut have = Bitfield::all(count);
            for piece in geometry.pieces() {
                if geometry.parts_of(piece).any(|part| !part.pad && !is_whole(geometry, survey, part.file)) {
                    have.remove(piece);
                }
            }
            let none = Bitfield::none(count);
            return Ok(Self { have, flushed: none.clone(), check: none, recheck_from_disk: false, ours });
        }
        let (have, unchanged) = match record {
            Some(record) => {
                (store::trusted_pieces(storage, record)?, resume_record::unchanged(storage, record)?)
            }
            None => (Bitfield::none(count), Vec::new()),
        };
        let mut flushed = record.map_or_else(|| Bitfield::none(count), |record| record.flushed.clone());
        flushed.retain(&have);
        let mut check = Bitfield::none(count);
        for piece in record.iter().flat_map(|record| record.written.iter()).filter(|&piece| !have.has(piece))
        {
            check.insert(piece);
        }
        for surveyed in survey.iter().filter(|surveyed| matches!(surveyed.status, FileStatus::Plain { .. })) {
            if unchanged.get(surveyed.file.0 as usize).copied().unwrap_or(false) {
                continue;
            }
            for piece in geometry.pieces_of(surveyed.file).filter_map(|index| geometry.piece(index)) {
                if !have.has(piece) {
                    check.insert(piece);
                }
            }
        }
        let recheck_from_disk =
            record.is_some_and(|record| record.running || record.written != record.flushed);
        Ok(Self { have, flushed, check, recheck_from_disk, ours })
    }

    fn is_ours(&self, file: FileIndex) -> bool {
        self.ours.get(file.0 as usize).copied().unwrap_or(false)
    }
}

fn is_whole(geometry: &Geometry, survey: &[SurveyedFile], file: FileIndex) -> bool {
    survey.iter().any(|surveyed| surveyed.file == file && has_its_length(geometry, surveyed))
}

fn has_its_length(geometry: &Geometry, surveyed: &SurveyedFile) -> bool {
    let range = geometry.file_range(surveyed.file);
    matches!(surveyed.status, FileStatus::Plain { size, .. } if size == range.end - range.start)
}

fn is_too_long(geometry: &Geometry, surveyed: &SurveyedFile) -> bool {
    let range = geometry.file_range(surveyed.file);
    matches!(surveyed.status, FileStatus::Plain { size, .. } if size > range.end - range.start)
}

pub(super) fn layout(metainfo: &Metainfo) -> Result<Layout, DiskError> {
    let files = metainfo.files().iter().map(|file| FileSpec {
        path: file.path().as_path().to_owned(),
        len: file.len(),
        pad: !file.is_stored(),
        executable: file.attributes().is_executable(),
    });
    let (geometry, hashes) = (Arc::new(metainfo.geometry().clone()), metainfo.piece_hashes().clone());
    Layout::new(metainfo.info_hash(), geometry, files.collect(), hashes)
}
