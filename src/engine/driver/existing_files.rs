//! Existing files of a torrent: which of them are in the way, and what happens to those that differ.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Driver;
use super::file_class::{Classes, FileClass, classify};
use super::known_pieces::{KnownPieces, has_its_length, statuses};
use super::resume_record::{self, ContentTarget};
use crate::base::{Bitfield, FileIndex, Geometry, Piece, Untrusted};
use crate::engine::command::{ContentOptions, ExistingFiles};
use crate::engine::event::{DifferentFile, Event, Fault, FaultKind, Remedy, Treatment};
use crate::proto::metainfo::Metainfo;
use crate::store::{
    self, Difference, DiskError, FilePool, FileSpec, FileStatus, FilledPart, IfDifferent, Layout,
    ResumeRecord, Storage, StorageOptions, SurveyedFile, TorrentStore,
};
use crate::swarm::event::Priority;

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

/// The existing files as the options let a download treat them.
pub(super) struct Plan {
    /// The parts of pieces that must be compared before they are written.
    pub unproven: Vec<(Piece, FileIndex)>,
    /// The treatment of those that turn out to differ.
    pub if_different: IfDifferent,
    /// The skipped files that are not ours: their shares of pieces go to the part file.
    pub foreign: Vec<FileIndex>,
    /// The files that differ.
    pub different: Vec<(FileIndex, DifferentFile)>,
}

impl Plan {
    /// Plans for the files of a download. The fault is for files that are refused.
    pub(super) fn new(
        options: &ContentOptions,
        storage: &Storage,
        survey: &[SurveyedFile],
        known: &KnownPieces,
        have: &Bitfield,
        filled: &[FilledPart],
    ) -> Result<Self, Refusal> {
        let geometry = &*storage.layout().geometry;
        let foreign = foreign_skipped_files(options, storage, survey, known, have);
        let mut plan =
            Self { unproven: Vec::new(), if_different: IfDifferent::Refuse, foreign, different: Vec::new() };
        let treats_different = match options.existing {
            ExistingFiles::Check | ExistingFiles::Refuse => Some(IfDifferent::Refuse),
            ExistingFiles::Repair => Some(IfDifferent::Replace),
            ExistingFiles::Backup => Some(IfDifferent::Backup),
            ExistingFiles::Overwrite => None,
            ExistingFiles::Trust => return Ok(plan),
        };
        // Their blank space is theirs, too. Only their first and last piece may cover other files.
        for &file in &plan.foreign {
            let pieces = geometry.pieces_of(file);
            let ends = [pieces.start, pieces.end.saturating_sub(1)];
            let ends = ends.into_iter().filter(|index| pieces.contains(index));
            let ends = ends.filter_map(|index| geometry.piece(index)).filter(|&piece| !have.has(piece));
            plan.unproven.extend(ends.map(|piece| (piece, file)));
        }
        let statuses = statuses(geometry, survey);
        let Classes { files, unproven, different } =
            classify(geometry, &statuses, known.ours(), have, filled);
        // Nobody asked for a skipped file: it is left alone, whatever it holds.
        let skipped = |file: FileIndex| is_skipped(options, file);
        plan.unproven.extend(different.into_iter().filter(|&(_, file)| skipped(file)));
        let Some(if_different) = treats_different else {
            plan.unproven.extend(unproven.into_iter().filter(|&(_, file)| skipped(file)));
            return Ok(plan);
        };
        plan.unproven.extend(unproven);
        plan.if_different = if_different;
        let path = |file: FileIndex| storage.root().join(&storage.layout().files[file.0 as usize].path);
        let wanted = files.iter().zip(0..).map(|(class, at)| (class, FileIndex(at)));
        let wanted: Vec<_> = wanted.filter(|&(_, file)| !skipped(file)).collect();
        let blocked = wanted.iter().filter(|(class, _)| **class == FileClass::Blocked);
        let blocked: Vec<PathBuf> = blocked.map(|&(_, file)| path(file)).collect();
        if !blocked.is_empty() {
            return Err(Refusal { fault: Fault::blocked(&blocked), different: Vec::new() });
        }
        let refused: Vec<(DifferentFile, &FileClass)> = wanted
            .iter()
            .filter_map(|&(class, file)| {
                let ranges = match class {
                    FileClass::Different(ranges) => ranges.clone(),
                    FileClass::TooShort(_) if if_different == IfDifferent::Replace => return None,
                    FileClass::TooLong(range) | FileClass::TooShort(range) => {
                        std::iter::once(range.clone()).collect()
                    }
                    _ => return None,
                };
                let different = DifferentFile { path: path(file), ranges };
                plan.different.push((file, different.clone()));
                Some((different, class))
            })
            .collect();
        if if_different == IfDifferent::Refuse && !refused.is_empty() {
            let fault = refusal(geometry, &refused, &plan.different);
            return Err(Refusal { fault, different: refused.into_iter().map(|(file, _)| file).collect() });
        }
        Ok(plan)
    }

    /// Moves the files that differ out of the way, if the options say so, and returns how each was treated. Their
    /// pieces are removed from those that we have.
    pub(super) fn treat(
        &mut self,
        storage: &Storage,
        have: &mut Bitfield,
    ) -> Result<Vec<(DifferentFile, Treatment)>, DiskError> {
        let mut treated = Vec::new();
        for (file, different) in std::mem::take(&mut self.different) {
            if self.if_different != IfDifferent::Backup {
                treated.push((different, Treatment::Replaced));
                continue;
            }
            let backup = storage.move_to_backup(file)?;
            let geometry = &*storage.layout().geometry;
            for piece in geometry.pieces_of(file).filter_map(|index| geometry.piece(index)) {
                if have.has(piece) {
                    // The other files of the piece hold the right bytes, which nothing unverified may replace.
                    let others = geometry.parts_of(piece).filter(|part| !part.pad && part.file != file);
                    self.unproven.extend(others.map(|part| (piece, part.file)));
                }
                have.remove(piece);
            }
            self.unproven.retain(|&(_, of)| of != file);
            treated.push((different, Treatment::BackedUp(backup)));
        }
        Ok(treated)
    }

    /// Protects what the plan says. Call it before anything is written.
    pub(super) fn protect(&self, storage: &Storage, have: &Bitfield) {
        storage.protect_foreign_files(&self.foreign, have);
        storage.protect_unproven(&self.unproven, self.if_different);
    }
}

impl Driver {
    /// Reports the bytes of existing files that a verified piece has replaced.
    pub(super) fn report_replaced(&mut self) {
        let replaced = self.content.as_ref().map(|content| content.storage.take_replaced());
        for Difference { path, ranges, backup, .. } in replaced.into_iter().flatten() {
            let treatment = backup.map_or(Treatment::Replaced, Treatment::BackedUp);
            self.report_different(DifferentFile { path, ranges }, treatment);
        }
    }

    /// Stops the torrent because bytes of existing files differ from a verified piece.
    pub(super) fn refuse_different(&mut self) {
        let mut files: Vec<DifferentFile> = Vec::new();
        let refused = self.content.as_ref().map(|content| content.storage.take_refused());
        for Difference { path, ranges, .. } in refused.into_iter().flatten() {
            match files.iter_mut().find(|file| file.path == path) {
                Some(file) => file.ranges.extend(ranges),
                None => files.push(DifferentFile { path, ranges }),
            }
        }
        if files.is_empty() {
            return;
        }
        let described = files.iter().map(|file| (file.path.as_path(), Fault::differing_bytes(&file.ranges)));
        self.fault.get_or_insert(Fault::different(&described.collect::<Vec<_>>()));
        for file in files {
            self.report_different(file, Treatment::Refused);
        }
    }

    fn report_different(&self, file: DifferentFile, treatment: Treatment) {
        let _ = self.shared.events.send(Event::Different { id: self.id, file, treatment });
    }
}

/// A fault, and the files that it is about, as far as they differ.
pub(super) struct Refusal {
    pub fault: Fault,
    pub different: Vec<DifferentFile>,
}

/// The fault for files that differ.
fn refusal(
    geometry: &Geometry,
    refused: &[(DifferentFile, &FileClass)],
    files: &[(FileIndex, DifferentFile)],
) -> Fault {
    if refused.iter().all(|(_, class)| matches!(class, FileClass::TooLong(_))) {
        let paths: Vec<PathBuf> = refused.iter().map(|(file, _)| file.path.clone()).collect();
        return Fault::too_long(&paths);
    }
    let described = refused.iter().zip(files).map(|((file, class), (index, _))| {
        let range = geometry.file_range(*index);
        let len = range.end - range.start;
        let how = match class {
            FileClass::TooShort(range) => Fault::too_few_bytes(range.end, len),
            _ => Fault::differing_bytes(&file.ranges),
        };
        (file.path.as_path(), how)
    });
    Fault::different(&described.collect::<Vec<_>>())
}

fn is_skipped(options: &ContentOptions, file: FileIndex) -> bool {
    options.priorities.get(file.0 as usize) == Some(&Priority::Skip)
}

/// The skipped files that are not ours and must not be overwritten.
fn foreign_skipped_files(
    options: &ContentOptions,
    storage: &Storage,
    survey: &[SurveyedFile],
    known: &KnownPieces,
    have: &Bitfield,
) -> Vec<FileIndex> {
    let foreign = storage.foreign_files(survey, have);
    let is_ours = |file: FileIndex| known.ours().get(file.0 as usize).copied().unwrap_or(false);
    let strange =
        survey.iter().filter(|surveyed| is_skipped(options, surveyed.file) && !is_ours(surveyed.file));
    strange.filter(|surveyed| foreign.contains(&surveyed.path)).map(|surveyed| surveyed.file).collect()
}

/// Refuses existing files that the options do not allow, whatever they contain.
pub(super) fn refuse_existing(
    options: &ContentOptions,
    geometry: &Geometry,
    survey: &[SurveyedFile],
    known: &KnownPieces,
) -> Result<(), Fault> {
    let strange =
        |surveyed: &&SurveyedFile| surveyed.status != FileStatus::Missing && !known.is_begun(surveyed.file);
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
        _ => Ok(()),
    }
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

#[cfg(test)]
mod tests;
