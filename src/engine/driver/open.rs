//! Before the first connection: what lies on the disk, what of it is ours, and which pieces are right.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{self, MissedTickBehavior};

use super::ToDriver;
use super::report::Reporter;
use super::save::{self, Totals};
use crate::base::{Bitfield, FileIndex, Geometry, Untrusted};
use crate::engine::command::{Add, Existing};
use crate::engine::event::{Event, Fault, FaultKind};
use crate::engine::shared::Shared;
use crate::proto::metainfo::Metainfo;
use crate::store::{
    self, DiskError, Entry, FileSpec, Found, Handles, Hold, Layout, Library, Progress, Volume, VolumeOptions,
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

/// Opens the files of a torrent; nothing if it was called off meanwhile. Orders that are for later are kept
/// in `early`.
pub(super) async fn open(
    shared: &Arc<Shared>,
    add: &Add,
    orders: &mut mpsc::UnboundedReceiver<ToDriver>,
    early: &mut Vec<ToDriver>,
    reporter: &mut Reporter,
) -> Result<Option<Opened>, Fault> {
    let disk = |error: DiskError| Fault::from_disk(&error);
    let layout = layout(&add.metainfo).map_err(disk)?;
    let geometry = layout.geometry.clone();
    let options = VolumeOptions {
        io: shared.disk_io,
        alloc: add.alloc,
        overwrite: add.existing == Existing::Overwrite,
        follow: add.seed_only && add.follow,
    };
    let hold = hold(shared, add).await?;
    let (root, handles) = (add.folder.clone(), shared.handles.clone());
    let id = add.metainfo.info_hash();
    let (torrent, library) = (add.metainfo.clone(), shared.library.clone());
    let (seed_only, existing) = (add.seed_only, add.existing);
    let looked = shared
        .on_disk(move || {
            if seed_only && !root.is_dir() {
                return Err(DiskError::new(store::DiskErrorKind::Missing, "open", &root));
            }
            // What was wanted the last time is not known: where bytes lie is told by which files are there.
            let nothing = vec![false; layout.files.len()];
            let volume = Volume::new(&root, layout, options, &nothing, &handles)?;
            let survey = volume.survey()?;
            let entry = library.and_then(|library| save::load(&library, &torrent, &root));
            let known = Known::from(&volume, &survey, entry.as_ref(), existing)?;
            Ok((volume, survey, entry, known))
        })
        .await;
    let (volume, survey, entry, known) = looked.map_err(disk)?;

    refuse(add, &geometry, &survey, &known)?;
    let Some(have) = check(shared, &volume, &known, orders, early, reporter).await? else {
        return Ok(None);
    };

    if add.existing == Existing::Check {
        // What has bytes after its end was never left like that by us.
        let is_ours = |fact: &store::FileFact| known.is_ours(fact.file) && !is_too_long(&geometry, fact);
        let ours = |path: &PathBuf| survey.iter().any(|fact| fact.path == *path && is_ours(fact));
        let foreign: Vec<PathBuf> =
            volume.foreign(&survey, &have).into_iter().filter(|path| !ours(path)).collect();
        if !foreign.is_empty() && !seed_only {
            let matches = |fact: &store::FileFact| {
                let pieces = geometry.pieces_of(fact.file).filter_map(|index| geometry.piece(index));
                pieces.into_iter().any(|piece| have.has(piece))
            };
            let long = |path: &PathBuf| {
                let mut facts = survey.iter().filter(|fact| fact.path == *path);
                facts.any(|fact| is_too_long(&geometry, fact) && matches(fact))
            };
            return Err(if foreign.iter().all(long) {
                Fault::too_long(&foreign)
            } else {
                Fault::foreign(&foreign)
            });
        }
    }
    if seed_only {
        all_is_there(add, &have, entry.as_ref())?;
    }
    let strangers = strangers(add, &volume, &survey, &known, &have);
    // Before anything is made or written the library knows that these files are ours. That takes a disk its time, in
    // which peers can be asked already.
    let (tell_ready, ready) = oneshot::channel();
    let (places, state, wanted) = (volume.clone(), have.clone(), wanted_files(add, &geometry));
    // Without the hold the record is another's.
    let library = shared.library.clone().filter(|_| hold.is_some());
    let remembering = library.clone();
    let totals = Totals::of(entry.as_ref());
    let beginning = save::beginning(add, &have, totals);
    let torrent = save::torrent_file(add);
    let prepare = move || {
        if !seed_only {
            places.room_for(&wanted)?;
        }
        if let Some(library) = &library {
            save::first(library, &places, beginning);
        }
        if seed_only {
            return Ok(());
        }
        places.leave_alone(&strangers, &state);
        places.set_wanted(&wanted, &state)?;
        places.prepare()
    };
    shared.disk.run(move || {
        let prepared = prepare();
        let remember = prepared.is_ok();
        let _ = tell_ready.send(prepared);
        // Nothing waits for this.
        if let Some(library) = remembering.filter(|_| remember) {
            save::remember(&library, id, &torrent);
        }
    });
    Ok(Some(Opened { geometry, volume, have, totals, hold, ready }))
}

/// Whether every piece was verified in an earlier run and no file has changed since.
pub(in crate::engine) fn untouched(library: &Library, torrent: &Metainfo, folder: &Path) -> bool {
    let look = || -> Result<bool, DiskError> {
        let Some(entry) = save::load(library, torrent, folder) else { return Ok(false) };
        let layout = layout(torrent)?;
        let nothing = vec![false; layout.files.len()];
        let volume = Volume::new(folder, layout, VolumeOptions::default(), &nothing, &Handles::from_limit())?;
        Ok(store::trusted(&volume, &entry)?.is_full())
    };
    look().unwrap_or(false)
}

/// Takes the torrent, so that no other process works on it in the same folder meanwhile. One that works
/// on it elsewhere keeps the record of it, and this run keeps none: then there is nothing to hold.
async fn hold(shared: &Shared, add: &Add) -> Result<Option<Hold>, Fault> {
    let Some(library) = shared.library.clone() else { return Ok(None) };
    let (id, folder) = (add.metainfo.info_hash(), add.folder.clone());
    let holder = match shared.on_disk(move || Hold::take(library.folder(), &id, &folder)).await {
        Ok(Ok(hold)) => return Ok(Some(hold)),
        Ok(Err(holder)) => holder,
        Err(error) => {
            tracing::warn!(%error, "nothing is remembered of this torrent");
            return Ok(None);
        }
    };
    let process = holder.process.map(|pid| format!(" (process {pid})")).unwrap_or_default();
    if holder.folder.is_some_and(|folder| !is_same_folder(&folder, &add.folder)) {
        let text = format!("another torr{process} has this torrent elsewhere; this run is not remembered");
        let _ = shared.events.send(Event::Note { id, text });
        return Ok(None);
    }
    Err(Fault {
        kind: FaultKind::Duplicate,
        message: format!("{} is active in another torr{process}", add.metainfo.name()),
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
fn all_is_there(add: &Add, have: &Bitfield, entry: Option<&Entry>) -> Result<(), Fault> {
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
    let folder = Untrusted::new(add.folder.to_string_lossy());
    Err(Fault {
        kind: FaultKind::FilesMissing,
        message: format!(
            "{missing} of {all} pieces {what}{} are missing or damaged in {folder}",
            add.metainfo.name(),
        ),
        hint: Some(
            "name the folder with -o; `torr verify` says what is damaged, `torr get` fetches it".into(),
        ),
    })
}

/// The files that are somebody else's and that nobody asked to be replaced.
fn strangers(
    add: &Add,
    volume: &Volume,
    survey: &[store::FileFact],
    known: &Known,
    have: &Bitfield,
) -> Vec<FileIndex> {
    let foreign = volume.foreign(survey, have);
    let is_skipped = |file: FileIndex| add.priorities.get(file.0 as usize) == Some(&Priority::Skip);
    let strange = survey.iter().filter(|fact| is_skipped(fact.file) && !known.is_ours(fact.file));
    strange.filter(|fact| foreign.contains(&fact.path)).map(|fact| fact.file).collect()
}

/// What is in the way whatever its bytes are.
fn refuse(add: &Add, geometry: &Geometry, survey: &[store::FileFact], known: &Known) -> Result<(), Fault> {
    let strange = |fact: &&store::FileFact| fact.found != Found::Missing && !known.is_ours(fact.file);
    let paths = |wrong: &dyn Fn(&store::FileFact) -> bool| -> Vec<PathBuf> {
        survey.iter().filter(strange).filter(|fact| wrong(fact)).map(|fact| fact.path.clone()).collect()
    };
    match add.existing {
        Existing::Refuse => match paths(&|_| true) {
            all if all.is_empty() => Ok(()),
            all => Err(Fault::not_begun(&all)),
        },
        // Pieces of these would be fetched and written over what is believed to be right.
        Existing::Trust => match paths(&|fact| !has_its_length(geometry, fact)) {
            all if all.is_empty() || add.seed_only => Ok(()),
            all => Err(Fault::not_whole(&all)),
        },
        Existing::Check | Existing::Overwrite => Ok(()),
    }
}

/// The name of the file or folder that appears in the torrent's folder.
pub(super) fn top_name(metainfo: &Metainfo) -> PathBuf {
    let first = metainfo.files().first().map(|file| file.path().as_path().to_owned()).unwrap_or_default();
    first.components().next().map(|part| PathBuf::from(part.as_os_str())).unwrap_or_default()
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
            Some(entry) => (store::trusted(volume, entry)?, save::unchanged(volume, entry)?),
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

/// Hashes what has to be hashed, with progress; nothing if it was called off.
async fn check(
    shared: &Arc<Shared>,
    volume: &Volume,
    known: &Known,
    orders: &mut mpsc::UnboundedReceiver<ToDriver>,
    early: &mut Vec<ToDriver>,
    reporter: &mut Reporter,
) -> Result<Option<Bitfield>, Fault> {
    let geometry = &volume.layout().geometry;
    let mut have = known.have.clone();
    if known.check.is_empty() {
        return Ok(Some(have));
    }
    let to_check = (u64::from(known.check.count()) * u64::from(geometry.piece_len())).min(geometry.total());
    let progress = Progress::default();
    let (done, mut result) = oneshot::channel();
    shared.disk.check(volume, &known.check, progress.clone(), move |matching| {
        let _ = done.send(matching);
    });
    let mut tick = time::interval(Duration::from_millis(250));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let found = loop {
        tokio::select! {
            found = &mut result => break found,
            _ = tick.tick() => {
                let bytes = u64::from(progress.done()) * u64::from(geometry.piece_len());
                reporter.checking(bytes, to_check);
            }
            order = orders.recv() => match order {
                None | Some(ToDriver::Stop) => {
                    progress.cancel();
                    return Ok(None);
                }
                Some(order) => early.push(order),
            },
        }
    };
    let Ok(found) = found else { return Ok(None) };
    for piece in found.map_err(|error| Fault::from_disk(&error))?.iter() {
        have.insert(piece);
    }
    Ok(Some(have))
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

fn wanted_files(add: &Add, geometry: &Geometry) -> Vec<bool> {
    let priority = |file: u32| add.priorities.get(file as usize).copied().unwrap_or_default();
    (0..geometry.file_count()).map(|file| priority(file) != Priority::Skip).collect()
}
