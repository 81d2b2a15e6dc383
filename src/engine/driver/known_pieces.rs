//! The pieces of a torrent as far as they are known before any recheck, and whose files are ours.

use super::resume_record::{self, ContentTarget};
use crate::base::{Bitfield, FileIndex, Geometry};
use crate::engine::command::ExistingFiles;
use crate::store::{
    self, DiskError, DiskIo, FilePool, FileStamp, FileStatus, Layout, ResumeRecord, Storage, StorageOptions,
    SurveyedFile, TorrentStore,
};

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
        overwrite: matches!(options.existing, ExistingFiles::Overwrite | ExistingFiles::Repair),
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

/// The pieces in existing files that are not ours.
pub(super) fn pieces_not_ours(geometry: &Geometry, survey: &[SurveyedFile], known: &KnownPieces) -> Bitfield {
    let strange = |surveyed: &&SurveyedFile| {
        surveyed.status != FileStatus::Missing && !known.ours()[surveyed.file.0 as usize]
    };
    let files = survey.iter().filter(strange);
    let mut pieces = Bitfield::none(geometry.piece_count());
    for piece in files.flat_map(|file| geometry.pieces_of(file.file)).filter_map(|at| geometry.piece(at)) {
        pieces.insert(piece);
    }
    pieces
}

/// The pieces as far as they are known before any recheck.
pub(super) struct KnownPieces {
    pub have: Bitfield,
    /// The pieces of `have` that are flushed.
    pub flushed: Bitfield,
    pub check: Bitfield,
    /// The pieces to check may be in the page cache and not on the disk: the last run did not end cleanly, or did not
    /// flush everything.
    pub recheck_from_disk: bool,
    /// Whether torr began each file, whoever has written to it since.
    begun: Vec<bool>,
    /// Whether nobody but torr has written to each file.
    ours: Vec<bool>,
}

impl KnownPieces {
    pub(super) fn from(
        storage: &Storage,
        survey: &[SurveyedFile],
        record: Option<&ResumeRecord>,
        existing: ExistingFiles,
    ) -> Result<Self, DiskError> {
        let geometry = &*storage.layout().geometry;
        let count = geometry.piece_count();
        let statuses = statuses(geometry, survey);
        let begun = statuses.iter().enumerate().map(|(at, status)| is_begun(record, at, *status)).collect();
        let ours: Vec<bool> = statuses
            .iter()
            .enumerate()
            .map(|(at, status)| is_ours(record, at, *status) && !is_too_long(geometry, at, *status))
            .collect();
        if existing == ExistingFiles::Trust {
            let mut have = Bitfield::all(count);
            for piece in geometry.pieces() {
                if geometry.parts_of(piece).any(|part| !part.pad && !is_whole(geometry, survey, part.file)) {
                    have.remove(piece);
                }
            }
            let none = Bitfield::none(count);
            return Ok(Self {
                have,
                flushed: none.clone(),
                check: none,
                recheck_from_disk: false,
                begun,
                ours,
            });
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
            let at = surveyed.file.0 as usize;
            if ours[at] && unchanged.get(at).copied().unwrap_or(false) {
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
        Ok(Self { have, flushed, check, recheck_from_disk, begun, ours })
    }

    /// Whether torr began a file, so far as the record tells.
    pub fn is_begun(&self, file: FileIndex) -> bool {
        self.begun.get(file.0 as usize).copied().unwrap_or(false)
    }

    /// Whether only torr has written to each file, as far as size, times and inode tell.
    pub fn ours(&self) -> &[bool] {
        &self.ours
    }
}

/// The states of all files, in the torrent's order.
pub(super) fn statuses(geometry: &Geometry, survey: &[SurveyedFile]) -> Vec<FileStatus> {
    let mut statuses = vec![FileStatus::Missing; geometry.file_count() as usize];
    for surveyed in survey {
        statuses[surveyed.file.0 as usize] = surveyed.status;
    }
    statuses
}

/// Whether torr began a file. An interrupted run may have created files without a stamp. A file that replaced a stamped
/// one is not ours.
fn is_begun(record: Option<&ResumeRecord>, at: usize, status: FileStatus) -> bool {
    record.is_some_and(|record| match record.stamps.files.get(at).copied().flatten() {
        Some(stamp) => matches!(status, FileStatus::Plain { inode, .. } if inode == stamp.inode),
        None => record.running,
    })
}

/// Whether only torr has written to a file: then whatever in it does not match is torn, and nobody's edit.
fn is_ours(record: Option<&ResumeRecord>, at: usize, status: FileStatus) -> bool {
    let (Some(record), FileStatus::Plain { size, mtime_ns, ctime_ns, inode }) = (record, status) else {
        return false;
    };
    let now = FileStamp { size, mtime_ns, ctime_ns, inode };
    match record.stamps.files.get(at).copied().flatten() {
        // A file that is as the record has it was not written to by anybody.
        Some(stamp) => stamp == now || record.accepts(stamp, now),
        None => record.may_have_written(now),
    }
}

fn is_whole(geometry: &Geometry, survey: &[SurveyedFile], file: FileIndex) -> bool {
    survey.iter().any(|surveyed| surveyed.file == file && has_its_length(geometry, surveyed))
}

pub(super) fn has_its_length(geometry: &Geometry, surveyed: &SurveyedFile) -> bool {
    let range = geometry.file_range(surveyed.file);
    matches!(surveyed.status, FileStatus::Plain { size, .. } if size == range.end - range.start)
}

/// Whether a file has bytes after its end, where torr never leaves any.
fn is_too_long(geometry: &Geometry, at: usize, status: FileStatus) -> bool {
    let range = geometry.file_range(FileIndex(at as u32));
    matches!(status, FileStatus::Plain { size, .. } if size > range.end - range.start)
}
