//! The opening of a torrent's files: survey, recheck of unknown pieces, preparation for writing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task;
use tokio::time::{self, Instant};

use super::DriverEvent;
use super::deferred::cancelled;
use super::existing_files::{Plan, Refusal, layout, refuse_existing, require_complete};
use super::known_pieces::{KnownPieces, pieces_not_ours, survey_files};
use super::resume_record::{self, ContentTarget, LifetimeTotals};
use crate::base::{Bitfield, Geometry, InfoHashes, TorrentId};
use crate::engine::command::{ContentOptions, ExistingFiles};
use crate::engine::disk::SessionStore;
use crate::engine::event::{Event, Fault, FaultKind, Remedy, Treatment};
use crate::engine::shared::Shared;
use crate::store::{
    Change, Checked, DiskError, FileStamp, FileStamps, Owner, PieceBuffer, Progress, RestoreMemory,
    ResumeRecord, Storage, TorrentLock, restore_unfinished,
};
use crate::swarm::RequestWindow;
use crate::swarm::event::Priority;

/// The result of opening a torrent's files.
pub(super) struct OpenedContent {
    pub geometry: Arc<Geometry>,
    pub storage: Storage,
    pub have: Bitfield,
    /// The pieces of `have` that are flushed.
    pub flushed: Bitfield,
    /// The stamps of the files as they were checked, if they are only to be seeded; else empty.
    pub stamps: FileStamps,
    pub totals: LifetimeTotals,
    /// The unfinished pieces of an earlier run.
    pub restored: Vec<PieceBuffer>,
    /// The pieces in existing files that are not ours, where nothing may be written before it is verified.
    pub not_ours: Bitfield,
    /// The torrent lock; `None` without a state directory, or if another process holds it.
    pub lock: Option<TorrentLock>,
    /// The end of the preparation: no I/O may happen before.
    pub ready: oneshot::Receiver<Result<(), DiskError>>,
}

/// The task that opens the files; it reports [`DriverEvent::Opened`].
pub(super) struct OpenTask {
    pub shared: Arc<Shared>,
    pub id: TorrentId,
    pub target: ContentTarget,
    /// The torrent file to store.
    pub torrent_file: Vec<u8>,
    /// The progress of the recheck, and the way to cancel it.
    pub progress: Progress,
    pub events: mpsc::UnboundedSender<DriverEvent>,
    /// Wait for the preparation as well.
    pub waits_for_disk: bool,
    /// Memory for incomplete pieces, in bytes.
    pub budget: u64,
}

impl OpenTask {
    pub(super) async fn run(self) {
        let opened = self.open().await;
        let _ = self.events.send(DriverEvent::Opened(Box::new(opened)));
    }

    async fn open(&self) -> Result<OpenedContent, Fault> {
        let disk = |error: DiskError| Fault::from_disk(&error);
        let Self { shared, target, .. } = self;
        let ContentTarget { metainfo, options } = target;
        let layout = layout(metainfo).map_err(disk)?;
        let geometry = layout.geometry.clone();
        let lock = lock_torrent(shared, self.id, target).await?;
        let surveying = shared.disk.surveys.acquire().await;
        let looked = {
            let store = shared.disk.store.as_ref().map(|store| store.reader().clone());
            let target = target.clone();
            let (io, file_pool) = (shared.disk.io, shared.disk.file_pool.clone());
            shared.disk.run(move || survey_files(&target, layout, io, &file_pool, store)).await
        };
        let (storage, survey, record, known) = looked.map_err(disk)?;
        let stamps = if options.seed_only {
            let storage = storage.clone();
            shared.disk.run(move || storage.file_stamps()).await.map_err(disk)?
        } else if options.existing == ExistingFiles::Trust {
            // Nobody has checked these files: no later run may take them for ours.
            FileStamps { files: vec![Some(FileStamp::FOREIGN); geometry.file_count() as usize], part: None }
        } else {
            FileStamps::default()
        };
        if options.seed_only {
            storage.close();
        }
        drop(surveying);

        refuse_existing(options, &geometry, &survey, &known)?;
        let Checked { good: mut have, filled } = self.check(&storage, &known).await?;
        let mut flushed = known.flushed.clone();
        if known.recheck_from_disk {
            for piece in known.check.iter().filter(|&piece| have.has(piece)) {
                flushed.insert(piece);
            }
        }
        let plan = if options.seed_only {
            require_complete(target, &have, record.as_ref())?;
            None
        } else {
            let plan = Plan::new(options, &storage, &survey, &known, &have, &filled);
            let plan = plan.map_err(|refusal| self.refuse(refusal))?;
            let (plan, pieces) = self.treat_different(plan, &storage, have).await?;
            have = pieces;
            flushed.retain(&have);
            Some(plan)
        };
        let restored = match record.as_ref().filter(|_| lock.is_some() && !options.seed_only) {
            Some(record) => self.restore(&storage, record, &have).await,
            None => Vec::new(),
        };
        let not_ours = pieces_not_ours(&geometry, &survey, &known);
        let totals = LifetimeTotals::of(record.as_ref());
        let initial_record = resume_record::initial_record(target, &have, &flushed, totals);
        let unfinished = resume_record::unfinished(restored.iter());
        let initial_record = ResumeRecord { stamps: stamps.clone(), unfinished, ..initial_record };
        let mut ready = self.prepare(&storage, &have, plan, initial_record, lock.is_some());
        if self.waits_for_disk {
            ready.await.unwrap_or_else(|_| Err(cancelled())).map_err(disk)?;
            let (sender, already_ready) = oneshot::channel();
            let _ = sender.send(Ok(()));
            ready = already_ready;
        }
        Ok(OpenedContent {
            geometry,
            storage,
            have,
            flushed,
            stamps,
            totals,
            restored,
            not_ours,
            lock,
            ready,
        })
    }

    /// Reads the blocks of unfinished pieces back. Any failure costs only these blocks.
    async fn restore(&self, storage: &Storage, record: &ResumeRecord, have: &Bitfield) -> Vec<PieceBuffer> {
        if record.unfinished.is_empty() {
            return Vec::new();
        }
        let (storage, record, have) = (storage.clone(), record.clone(), have.clone());
        let wanted = wanted_files(&self.target.options, &storage.layout().geometry);
        let (shared, budget, progress) = (self.shared.clone(), self.budget, self.progress.clone());
        // Not on a disk thread, which others need: long pieces may take long.
        let restore = move || {
            let is_segmented = |blocks| RequestWindow::new(blocks, budget).is_in_runs();
            let memory = RestoreMemory { pool: &shared.memory.pool, budget, is_segmented: &is_segmented };
            restore_unfinished(&storage, &record, &have, &wanted, &memory, || progress.is_cancelled())
        };
        match task::spawn_blocking(restore).await {
            Ok(Ok(restored)) => restored,
            Ok(Err(error)) => {
                tracing::debug!(%error, "no unfinished piece is restored");
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    /// Rechecks the pieces that need it. The result names all pieces that we have.
    async fn check(&self, storage: &Storage, known: &KnownPieces) -> Result<Checked, Fault> {
        let geometry = &storage.layout().geometry;
        let good = known.have.clone();
        if known.check.is_empty() {
            return Ok(Checked { good, filled: Vec::new() });
        }
        let to_check =
            (u64::from(known.check.count()) * u64::from(geometry.piece_len())).min(geometry.total());
        let _ = self.events.send(DriverEvent::Checking(to_check));
        if known.recheck_from_disk {
            let (storage, pieces, progress) = (storage.clone(), known.check.clone(), self.progress.clone());
            // Not on a disk thread, which others need: this may take long.
            let forget = move || storage.forget_cached(&pieces, || progress.is_cancelled());
            let forgotten = task::spawn_blocking(forget).await.unwrap_or_else(|_| Err(cancelled()));
            forgotten.map_err(|error| Fault::from_disk(&error))?;
        }
        let (done, result) = oneshot::channel();
        self.shared.disk.threads.check(storage, &known.check, self.progress.clone(), move |matching| {
            let _ = done.send(matching);
        });
        let found = result.await.unwrap_or_else(|_| Err(cancelled()));
        let mut checked = found.map_err(|error| Fault::from_disk(&error))?;
        for piece in good.iter() {
            checked.good.insert(piece);
        }
        Ok(checked)
    }

    /// Reports the files that are refused.
    fn refuse(&self, refusal: Refusal) -> Fault {
        for file in refusal.different {
            let event = Event::Different { id: self.id, file, treatment: Treatment::Refused };
            let _ = self.shared.events.send(event);
        }
        refusal.fault
    }

    /// Treats the files that differ as the options say, and reports it. Returns the pieces that are left.
    async fn treat_different(
        &self,
        mut plan: Plan,
        storage: &Storage,
        mut have: Bitfield,
    ) -> Result<(Plan, Bitfield), Fault> {
        if plan.different.is_empty() {
            return Ok((plan, have));
        }
        let storage = storage.clone();
        let treat = move || {
            let treated = plan.treat(&storage, &mut have)?;
            Ok((plan, have, treated))
        };
        let treated = self.shared.disk.run(treat).await;
        let (plan, have, treated) = treated.map_err(|error| Fault::from_disk(&error))?;
        for (file, treatment) in treated {
            let _ = self.shared.events.send(Event::Different { id: self.id, file, treatment });
        }
        Ok((plan, have))
    }

    /// Prepares the files. The resume record is saved before any file is created, so that the files are known as ours.
    /// Peers can be asked meanwhile.
    fn prepare(
        &self,
        storage: &Storage,
        have: &Bitfield,
        plan: Option<Plan>,
        initial_record: ResumeRecord,
        held: bool,
    ) -> oneshot::Receiver<Result<(), DiskError>> {
        let ContentTarget { metainfo, options } = &self.target;
        let (ready_sender, ready) = oneshot::channel();
        let mut unflushed = have.clone();
        for piece in initial_record.flushed.iter() {
            unflushed.remove(piece);
        }
        let geometry = &storage.layout().geometry;
        // The blocks at the front of a restored piece were written by an earlier run, perhaps without a flush.
        for piece in initial_record.unfinished.keys().filter_map(|&index| geometry.piece(index)) {
            unflushed.insert(piece);
        }
        let wanted = wanted_files(options, geometry);
        let (shared, storage, have) = (self.shared.clone(), storage.clone(), have.clone());
        let (id, seed_only) = (metainfo.info_hash(), options.seed_only);
        // Without the lock, the record belongs to another process.
        let store = self.shared.disk.store.clone().filter(|_| held);
        let stamps = initial_record.stamps.clone();
        let torrent_file = self.torrent_file.clone();
        let prepare = async move {
            let (target, needed, pieces) = (storage.clone(), wanted.clone(), have.clone());
            let check = move || {
                if !seed_only {
                    target.check_free_space(&needed)?;
                }
                // Before the record is made: it must not claim what is foreign.
                if let Some(plan) = plan {
                    plan.protect(&target, &pieces);
                }
                // A run that only seeds writes nothing.
                Ok(resume_record::change(&target, initial_record, seed_only))
            };
            let record = shared.disk.run(check).await?;
            if let Some(store) = store {
                let changes = |record| vec![record, Change::TorrentFile(id, torrent_file)];
                let saved = match record {
                    Ok(record) if seed_only => {
                        store.writer.save(changes(record), |saved| warn_if_lost(&saved));
                        Ok(())
                    }
                    Ok(record) => store.save(changes(record)).await,
                    Err(error) => Err(error),
                };
                warn_if_lost(&saved);
            }
            let finish = move || {
                if !seed_only {
                    storage.set_wanted(&wanted, &have)?;
                    storage.prepare()?;
                }
                storage.mark_unflushed(&unflushed);
                if seed_only {
                    storage.seal(stamps);
                    storage.close();
                }
                Ok(())
            };
            shared.disk.run(finish).await
        };
        tokio::spawn(async move {
            let _ = ready_sender.send(prepare.await);
        });
        ready
    }
}

fn warn_if_lost(saved: &Result<(), DiskError>) {
    if let Err(error) = saved {
        tracing::warn!(%error, "resume data is not saved; the next run will hash the files");
    }
}

/// Time for the holder of a torrent's lock to save who it is.
const OWNER_TIMEOUT: Duration = Duration::from_secs(1);
/// Interval between looks at what it has saved.
const OWNER_INTERVAL: Duration = Duration::from_millis(50);

/// Locks the torrent, so that no other process works on it in the same folder. If another process works on it
/// in a different folder, this run saves no resume data and needs no lock.
async fn lock_torrent(
    shared: &Shared,
    id: TorrentId,
    target: &ContentTarget,
) -> Result<Option<TorrentLock>, Fault> {
    let Some(store) = shared.disk.store.clone() else { return Ok(None) };
    let ContentTarget { metainfo, options } = target;
    let torrent = metainfo.info_hash();
    let locks = store.locks.clone();
    match shared.disk.run(move || locks.acquire(&torrent)).await {
        Ok(Some(lock)) => {
            let owner = Owner { process: std::process::id(), folder: options.folder.clone() };
            // Others only ask for it to explain why they must not begin.
            store.writer.save(vec![Change::Owner(torrent, Some(owner))], |_| ());
            return Ok(Some(lock));
        }
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(%error, "nothing is remembered of this torrent");
            return Ok(None);
        }
    }
    let owner = find_owner(shared, &store, torrent).await;
    let process = owner.as_ref().map(|owner| format!(" (process {})", owner.process)).unwrap_or_default();
    if owner.is_some_and(|owner| !is_same_folder(&owner.folder, &options.folder)) {
        let text = format!("another torr{process} has this torrent elsewhere; this run is not remembered");
        let _ = shared.events.send(Event::Note { id, text });
        return Ok(None);
    }
    Err(Fault {
        kind: FaultKind::Duplicate,
        message: format!("{} is active in another torr{process}", metainfo.name()),
        remedy: Some(Remedy::StopOther),
    })
}

/// The holder of a torrent's lock, which saves who it is right after it took the lock.
async fn find_owner(shared: &Shared, store: &SessionStore, torrent: InfoHashes) -> Option<Owner> {
    let until = Instant::now() + OWNER_TIMEOUT;
    loop {
        let reader = store.reader().clone();
        let owner = shared.disk.run(move || reader.owner(&torrent)).await;
        match owner {
            Ok(None) if Instant::now() < until => time::sleep(OWNER_INTERVAL).await,
            owner => return owner.ok().flatten(),
        }
    }
}

/// Whether two paths lead to the same folder.
fn is_same_folder(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    one == other || real(one).is_some_and(|one| real(other) == Some(one))
}

fn wanted_files(options: &ContentOptions, geometry: &Geometry) -> Vec<bool> {
    let priority = |file: u32| options.priorities.get(file as usize).copied().unwrap_or_default();
    (0..geometry.file_count()).map(|file| priority(file) != Priority::Skip).collect()
}
