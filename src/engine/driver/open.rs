//! Before the first block: what lies on the disk, what of it is ours, and which pieces are right.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::Fact;
use super::deferred::cancelled;
use super::record::{self, Target, Totals};
use crate::base::{Bitfield, FileIndex, Geometry, TorrentId, Untrusted};
use crate::engine::command::{ContentOptions, Existing};
use crate::engine::event::{Event, Fault, FaultKind};
use crate::engine::shared::Shared;
use crate::proto::metainfo::Metainfo;
use crate::store::{
    self, DiskError, DiskIo, Entry, FileSpec, Found, Handles, Hold, Layout, Library, Progress, Volume,
    VolumeOptions,
};
use crate::swarm::event::Priority;

/// A torrent whose files have been looked through.
pub(super) struct Opened {
    pub geometry: Arc<Geometry>,
    pub volume: Volume,
    pub have: Bitfield,
    pub totals: Totals,
    /// No other process works on this torrent, as far as the state directory tells.
    pub hold: Option<Hold>,
    /// Whether the disk is ready to take what comes: nothing may be read or written before.
    pub ready: oneshot::Receiver<Result<(), DiskError>>,
}

/// The looking through the files of a torrent: a task of its own, which ends with [`Fact::Opened`].
pub(super) struct Survey {
    pub shared: Arc<Shared>,
    pub id: TorrentId,
    pub target: Target,
    /// The torrent file that is remembered.
    pub torrent_file: Vec<u8>,
    /// How the hashing fares; cancels it.
    pub progress: Progress,
    pub facts: mpsc::UnboundedSender<Fact>,
    /// Waits until the disk is ready, too.
    pub waits_for_disk: bool,
}

impl Survey {
    pub(super) async fn run(self) {
        let opened = self.open().await;
        let _ = self.facts.send(Fact::Opened(Box::new(opened)));
    }

    async fn open(&self) -> Result<Opened, Fault> {
        let disk = |error: DiskError| Fault::from_disk(&error);
        let Self { shared, target, .. } = self;
        let Target { metainfo, options } = target;
        let layout = layout(metainfo).map_err(disk)?;
        let geometry = layout.geometry.clone();
        let hold = hold(shared, self.id, target).await?;
        let looked = {
            let (target, library) = (target.clone(), shared.library.clone());
            let (io, handles) = (shared.disk_io, shared.handles.clone());
            shared.on_disk(move || look(&target, layout, io, &handles, library)).await
        };
        let (volume, survey, entry, known) = looked.map_err(disk)?;

        refuse(options, &geometry, &survey, &known)?;
        let have = self.check(&volume, &known).await?;
        if options.existing == Existing::Check && !options.seed_only {
            refuse_foreign(&volume, &survey, &known, &have)?;
        }
        if options.seed_only {
            all_is_there(target, &have, entry.as_ref())?;
        }
        let strangers = strangers(options, &volume, &survey, &known, &have);
        let totals = Totals::of(entry.as_ref());
        let mut ready = self.prepare(&volume, &have, strangers, totals, hold.is_some());
        if self.waits_for_disk {
            ready.await.unwrap_or_else(|_| Err(cancelled())).map_err(disk)?;
            let (tell, again) = oneshot::channel();
            let _ = tell.send(Ok(()));
            ready = again;
        }
        Ok(Opened { geometry, volume, have, totals, hold, ready })
    }

    /// Hashes what has to be hashed, with progress.
    async fn check(&self, volume: &Volume, known: &Known) -> Result<Bitfield, Fault> {
        let geometry = &volume.layout().geometry;
        let mut have = known.have.clone();
        if known.check.is_empty() {
            return Ok(have);
        }
        let to_check =
            (u64::from(known.check.count()) * u64::from(geometry.piece_len())).min(geometry.total());
        let _ = self.facts.send(Fact::Checking(to_check));
        let (done, result) = oneshot::channel();
        self.shared.disk.check(volume, &known.check, self.progress.clone(), move |matching| {
            let _ = done.send(matching);
        });
        let found = result.await.unwrap_or_else(|_| Err(cancelled()));
        for piece in found.map_err(|error| Fault::from_disk(&error))?.iter() {
            have.insert(piece);
        }
        Ok(have)
    }

    /// Makes the disk ready, on a disk thread. Before anything is made or written the library knows that these files
    /// are ours. That takes a disk its time, in which peers can be asked already.
    fn prepare(
        &self,
        volume: &Volume,
        have: &Bitfield,
        strangers: Vec<FileIndex>,
        totals: Totals,
        held: bool,
    ) -> oneshot::Receiver<Result<(), DiskError>> {
        let Target { metainfo, options } = &self.target;
        let (tell_ready, ready) = oneshot::channel();
        let (places, state) = (volume.clone(), have.clone());
        let wanted = wanted_files(options, &volume.layout().geometry);
        let (id, seed_only) = (metainfo.info_hash(), options.seed_only);
        // Without the hold the record is another's.
        let library = self.shared.library.clone().filter(|_| held);
        let remembering = library.clone();
        let beginning = record::beginning(&self.target, have, totals);
        let torrent_file = self.torrent_file.clone();
        let prepare = move || {
            if !seed_only {
                places.room_for(&wanted)?;
            }
            if let Some(library) = &library {
                record::first(library, &places, beginning);
            }
            if seed_only {
                return Ok(());
            }
            places.leave_alone(&strangers, &state);
            places.set_wanted(&wanted, &state)?;
            places.prepare()
        };
        self.shared.disk.run(move || {
            let prepared = prepare();
            let remember = prepared.is_ok();
            let _ = tell_ready.send(prepared);
            // Nothing waits for this.
            if let Some(library) = remembering.filter(|_| remember) {
                record::remember(&library, id, &torrent_file);
            }
        });
        ready
    }
}

type Looked = (Volume, Vec<store::FileFact>, Option<Entry>, Known);

/// Looks which files there are, and what of them is known from earlier runs.
fn look(
    target: &Target,
    layout: Layout,
    io: DiskIo,
    handles: &Handles,
    library: Option<Library>,
) -> Result<Looked, DiskError> {
    let Target { metainfo, options } = target;
    let root = &options.folder;
    if options.seed_only && !root.is_dir() {
        return Err(DiskError::new(store::DiskErrorKind::Missing, "open", root));
    }
    let how = VolumeOptions {
        io,
        alloc: options.alloc,
        overwrite: options.existing == Existing::Overwrite,
        follow: options.seed_only && options.follow,
    };
    // What was wanted the last time is not known: where bytes lie is told by which files are there.
    let nothing = vec![false; layout.files.len()];
    let volume = Volume::new(root, layout, how, &nothing, handles)?;
    let survey = volume.survey()?;
    let entry = library.and_then(|library| record::load(&library, metainfo, root));
    let known = Known::from(&volume, &survey, entry.as_ref(), options.existing)?;
    Ok((volume, survey, entry, known))
}

/// Refuses files that are not ours and in which nothing matches.
fn refuse_foreign(
    volume: &Volume,
    survey: &[store::FileFact],
    known: &Known,
    have: &Bitfield,
) -> Result<(), Fault> {
    let geometry = &*volume.layout().geometry;
    // What has bytes after its end was never left like that by us.
    let is_ours = |fact: &store::FileFact| known.is_ours(fact.file) && !is_too_long(geometry, fact);
    let ours = |path: &PathBuf| survey.iter().any(|fact| fact.path == *path && is_ours(fact));
    let foreign: Vec<PathBuf> = volume.foreign(survey, have).into_iter().filter(|path| !ours(path)).collect();
    if foreign.is_empty() {
        return Ok(());
    }
    let matches = |fact: &store::FileFact| {
        let pieces = geometry.pieces_of(fact.file).filter_map(|index| geometry.piece(index));
        pieces.into_iter().any(|piece| have.has(piece))
    };
    let long = |path: &PathBuf| {
        let mut facts = survey.iter().filter(|fact| fact.path == *path);
        facts.any(|fact| is_too_long(geometry, fact) && matches(fact))
    };
    Err(if foreign.iter().all(long) { Fault::too_long(&foreign) } else { Fault::foreign(&foreign) })
}

/// Whether every piece was verified in an earlier run and no file has changed since.
pub(in crate::engine) fn untouched(library: &Library, torrent: &Metainfo, folder: &Path) -> bool {
    let look = || -> Result<bool, DiskError> {
        let Some(entry) = record::load(library, torrent, folder) else { return Ok(false) };
        let layout = layout(torrent)?;
        let nothing = vec![false; layout.files.len()];
        let volume = Volume::new(folder, layout, VolumeOptions::default(), &nothing, &Handles::from_limit())?;
        Ok(store::trusted(&volume, &entry)?.is_full())
    };
    look().unwrap_or(false)
}

/// Takes the torrent, so that no other process works on it in the same folder meanwhile. One that works
/// on it elsewhere keeps the record of it, and this run keeps none: then there is nothing to hold.
async fn hold(shared: &Shared, id: TorrentId, target: &Target) -> Result<Option<Hold>, Fault> {
    let Some(library) = shared.library.clone() else { return Ok(None) };
    let Target { metainfo, options } = target;
    let (torrent, folder) = (metainfo.info_hash(), options.folder.clone());
    let holder = match shared.on_disk(move || Hold::take(library.folder(), &torrent, &folder)).await {
        Ok(Ok(hold)) => return Ok(Some(hold)),
        Ok(Err(holder)) => holder,
        Err(error) => {
            tracing::warn!(%error, "nothing is remembered of this torrent");
            return Ok(None);
        }
    };
    let process = holder.process.map(|pid| format!(" (process {pid})")).unwrap_or_default();
    if holder.folder.is_some_and(|folder| !is_same_folder(&folder, &options.folder)) {
        let text = format!("another torr{process} has this torrent elsewhere; this run is not remembered");
        let _ = shared.events.send(Event::Note { id, text });
        return Ok(None);
    }
    Err(Fault {
        kind: FaultKind::Duplicate,
        message: format!("{} is active in another torr{process}", metainfo.name()),
        hint: Some("let that one end, or stop it".into()),
    })
}

/// Whether two paths lead to the same folder, by whatever names.
fn is_same_folder(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    one == other || real(one).is_some_and(|one| real(other) == Some(one))
}

/// Whether everything is there that is to be given: the whole torrent, or what was chosen of it when it was
/// fetched.
fn all_is_there(target: &Target, have: &Bitfield, entry: Option<&Entry>) -> Result<(), Fault> {
    let Target { metainfo, options } = target;
    let chosen = entry.filter(|entry| entry.partial && entry.finished.is_some() && !have.is_empty());
    let (missing, all, what) = match chosen {
        Some(entry) => {
            let missing = entry.have.iter().filter(|&piece| !have.has(piece)).count();
            (missing as u32, entry.have.count(), "that were fetched of ")
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
        hint: Some(
            "name the folder with -o; `torr verify` says what is damaged, `torr get` fetches it".into(),
        ),
    })
}

/// The files that are somebody else's and that nobody asked to be replaced.
fn strangers(
    options: &ContentOptions,
    volume: &Volume,
    survey: &[store::FileFact],
    known: &Known,
    have: &Bitfield,
) -> Vec<FileIndex> {
    let foreign = volume.foreign(survey, have);
    let is_skipped = |file: FileIndex| options.priorities.get(file.0 as usize) == Some(&Priority::Skip);
    let strange = survey.iter().filter(|fact| is_skipped(fact.file) && !known.is_ours(fact.file));
    strange.filter(|fact| foreign.contains(&fact.path)).map(|fact| fact.file).collect()
}

/// What is in the way whatever its bytes are.
fn refuse(
    options: &ContentOptions,
    geometry: &Geometry,
    survey: &[store::FileFact],
    known: &Known,
) -> Result<(), Fault> {
    let strange = |fact: &&store::FileFact| fact.found != Found::Missing && !known.is_ours(fact.file);
    let paths = |wrong: &dyn Fn(&store::FileFact) -> bool| -> Vec<PathBuf> {
        survey.iter().filter(strange).filter(|fact| wrong(fact)).map(|fact| fact.path.clone()).collect()
    };
    match options.existing {
        Existing::Refuse => match paths(&|_| true) {
            all if all.is_empty() => Ok(()),
            all => Err(Fault::not_begun(&all)),
        },
        // Pieces of these would be fetched and written over what is believed to be right.
        Existing::Trust => match paths(&|fact| !has_its_length(geometry, fact)) {
            all if all.is_empty() || options.seed_only => Ok(()),
            all => Err(Fault::not_whole(&all)),
        },
        Existing::Check | Existing::Overwrite => Ok(()),
    }
}

/// What is known of the pieces before anything is hashed.
struct Known {
    have: Bitfield,
    check: Bitfield,
    ours: Vec<bool>,
}

impl Known {
    fn from(
        volume: &Volume,
        survey: &[store::FileFact],
        entry: Option<&Entry>,
        existing: Existing,
    ) -> Result<Self, DiskError> {
        let geometry = &*volume.layout().geometry;
        let count = geometry.piece_count();
        // A run that was cut off may have begun any file that it has not noted; and what has come in the
        // place of one that was noted is another's.
        let mut inodes = vec![None; geometry.file_count() as usize];
        for fact in survey {
            if let Found::Plain { inode, .. } = fact.found {
                inodes[fact.file.0 as usize] = Some(inode);
            }
        }
        let begun = |file: usize| {
            entry.is_some_and(|e| match e.stamps.files.get(file).copied().flatten() {
                Some(stamp) => inodes[file] == Some(stamp.inode),
                None => e.running,
            })
        };
        let ours = (0..geometry.file_count() as usize).map(begun).collect();
        if existing == Existing::Trust {
            let mut have = Bitfield::all(count);
            for piece in geometry.pieces() {
                if geometry.parts_of(piece).any(|part| !part.pad && !is_whole(geometry, survey, part.file)) {
                    have.remove(piece);
                }
            }
            return Ok(Self { have, check: Bitfield::none(count), ours });
        }
        let (have, unchanged) = match entry {
            Some(entry) => (store::trusted(volume, entry)?, record::unchanged(volume, entry)?),
            None => (Bitfield::none(count), Vec::new()),
        };
        let mut check = Bitfield::none(count);
        for fact in survey.iter().filter(|fact| matches!(fact.found, Found::Plain { .. })) {
            if unchanged.get(fact.file.0 as usize).copied().unwrap_or(false) {
                continue;
            }
            for piece in geometry.pieces_of(fact.file).filter_map(|index| geometry.piece(index)) {
                if !have.has(piece) {
                    check.insert(piece);
                }
            }
        }
        Ok(Self { have, check, ours })
    }

    fn is_ours(&self, file: FileIndex) -> bool {
        self.ours.get(file.0 as usize).copied().unwrap_or(false)
    }
}

fn is_whole(geometry: &Geometry, survey: &[store::FileFact], file: FileIndex) -> bool {
    survey.iter().any(|fact| fact.file == file && has_its_length(geometry, fact))
}

fn has_its_length(geometry: &Geometry, fact: &store::FileFact) -> bool {
    let range = geometry.file_range(fact.file);
    matches!(fact.found, Found::Plain { size, .. } if size == range.end - range.start)
}

fn is_too_long(geometry: &Geometry, fact: &store::FileFact) -> bool {
    let range = geometry.file_range(fact.file);
    matches!(fact.found, Found::Plain { size, .. } if size > range.end - range.start)
}

fn layout(metainfo: &Metainfo) -> Result<Layout, DiskError> {
    let files = metainfo.files().iter().map(|file| FileSpec {
        path: file.path().as_path().to_owned(),
        len: file.len(),
        pad: !file.is_stored(),
        executable: file.attributes().is_executable(),
    });
    let (geometry, hashes) = (Arc::new(metainfo.geometry().clone()), metainfo.piece_hashes().clone());
    Layout::new(metainfo.info_hash(), geometry, files.collect(), hashes)
}

fn wanted_files(options: &ContentOptions, geometry: &Geometry) -> Vec<bool> {
    let priority = |file: u32| options.priorities.get(file as usize).copied().unwrap_or_default();
    (0..geometry.file_count()).map(|file| priority(file) != Priority::Skip).collect()
}
