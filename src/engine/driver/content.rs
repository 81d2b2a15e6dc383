//! The content of a torrent once its files are open: pieces on their way to disk, blocks on their way to
//! peers.

use std::path::PathBuf;
use std::sync::Arc;

use super::deferred::DeferredIo;
use super::file_watch::FileWatch;
use super::open::OpenedContent;
use super::piece_buffers::{DiskWork, PieceBuffers};
use super::resume_record::ContentTarget;
use super::resume_writer::ResumeWriter;
use super::seed_goal::GoalTracker;
use super::stream::FileStream;
use super::upload_reads::ReadRetry;
use super::{Driver, DriverEvent, Senders};
use crate::base::{Bitfield, Block, Geometry, Moment, Piece, Span};
use crate::engine::event::{Event, Fault};
use crate::engine::memory::MemoryReservation;
use crate::engine::shared::Shared;
use crate::net::ToPeer;
use crate::store::{Buf, DiskError, DiskErrorKind, PieceOutcome, SegmentOutcome, Storage, TorrentLock};
use crate::swarm::Summary;
use crate::swarm::event::{Input, PeerKey};

/// The parts of a driver that exist once the files are open.
pub(super) struct Content {
    pub target: ContentTarget,
    pub geometry: Arc<Geometry>,
    pub storage: Storage,
    pub pieces: PieceBuffers,
    /// The pieces in existing files that are not ours, where nothing may be written before it is verified.
    pub not_ours: Bitfield,
    /// Received blocks, until the state machine has decided which of them are useful.
    received: Vec<(Block, Buf)>,
    /// The memory reserved for incomplete pieces.
    pub reservation: MemoryReservation,
    /// I/O that waits for the disk to be ready; `None` once it is.
    pub deferred: Option<DeferredIo>,
    /// Number of pieces and segments being hashed and written.
    pub writes_pending: usize,
    /// Set while the disk checks that the files of a finished torrent are in place.
    pub confirming: bool,
    /// A file that somebody removed, moved or truncated: verified pieces may be lost.
    pub changed: Option<PathBuf>,
    pub goal: GoalTracker,
    pub file_watch: FileWatch,
    pub resume_writer: ResumeWriter,
    pub stream: Option<FileStream>,
    /// The torrent lock, held until the last resume record is saved.
    pub lock: Option<Arc<TorrentLock>>,
    began: Moment,
}

impl Content {
    pub(super) fn new(
        now: Moment,
        shared: &Arc<Shared>,
        target: ContentTarget,
        opened: OpenedContent,
        to: &Senders,
    ) -> Self {
        Self {
            geometry: opened.geometry,
            storage: opened.storage,
            pieces: PieceBuffers::new(opened.restored),
            not_ours: opened.not_ours,
            received: Vec::new(),
            reservation: MemoryReservation::new(&shared.memory),
            deferred: DeferredIo::until(opened.ready, &to.events),
            writes_pending: 0,
            confirming: false,
            changed: None,
            goal: GoalTracker::new(target.options.after),
            file_watch: FileWatch::new(now, target.options.seed_only),
            resume_writer: ResumeWriter::new(now, opened.flushed, opened.stamps, opened.totals),
            stream: None,
            lock: opened.lock.map(Arc::new),
            began: now,
            target,
        }
    }
}

impl Driver {
    pub(super) fn is_goal_reached(&self) -> bool {
        self.content.as_ref().is_some_and(|content| content.goal.is_reached())
    }

    /// Whether every wanted piece is verified.
    pub(super) fn is_finished(&self) -> bool {
        self.content.as_ref().is_some_and(|content| content.goal.is_finished())
    }

    /// Checks on a disk thread that the files of a finished torrent are in place, before that is reported.
    pub(super) fn confirm_files(&mut self) {
        let Some(content) = &mut self.content else { return };
        content.confirming = true;
        let (storage, events) = (content.storage.clone(), self.to.events.clone());
        self.shared.disk.threads.run(move || {
            let _ = events.send(DriverEvent::Confirmed(storage.confirm_files()));
        });
    }

    /// Handles the result of that check.
    pub(super) fn files_confirmed(&mut self, confirmed: Result<(), DiskError>) {
        if let Some(content) = &mut self.content {
            content.confirming = false;
        }
        match confirmed {
            Ok(()) if self.torrent.is_finished() => self.finished(),
            Ok(()) => {}
            Err(error) => self.disk_failed(&error),
        }
    }

    /// Stops the torrent with the fault of a disk error.
    pub(super) fn disk_failed(&mut self, error: &DiskError) {
        if let Some(content) = &mut self.content
            && matches!(error.kind, DiskErrorKind::Changed | DiskErrorKind::Missing)
        {
            content.changed.get_or_insert_with(|| error.path.clone());
        }
        self.fault.get_or_insert_with(|| Fault::from_disk(error));
    }

    /// Starts seeding or leaving, when every wanted piece is verified.
    pub(super) fn finished(&mut self) {
        let (now, received) = (self.now(), self.summary().received);
        let Some(content) = &mut self.content else { return };
        if content.goal.finish(now) {
            let ContentTarget { metainfo, options } = &content.target;
            let path = options.folder.join(metainfo.top_name());
            let took = now.since(content.began);
            let _ = self.shared.events.send(Event::Finished { id: self.id, path, received, took });
        }
    }

    /// Saves resume data if it is due, and returns whether the goal is reached.
    pub(super) fn check_goal(&mut self, now: Moment, summary: &Summary) -> bool {
        let Some(content) = &mut self.content else { return false };
        if content.goal.check(now, summary, content.resume_writer.sent_before()) {
            return true;
        }
        self.flush_if_due(now);
        self.save_blocks_if_due(now);
        self.save_if_due(now, summary);
        self.watch_files(now);
        false
    }

    /// Handles received blocks: the state machine decides which of them are useful.
    pub(super) fn handle_blocks(&mut self, peer: PeerKey, received: Vec<(Block, Buf)>) {
        let Some(content) = &mut self.content else { return };
        let blocks = received.iter().map(|(block, _)| *block).collect();
        content.received = received;
        self.handle_input(Input::BlocksReceived { peer, blocks });
        if let Some(content) = &mut self.content {
            content.received.clear();
        }
    }

    /// Stores the useful ones of the received blocks and drops the others.
    pub(super) fn accept(&mut self, blocks: Vec<Block>) {
        let Some(content) = &mut self.content else { return };
        let mut received = std::mem::take(&mut content.received).into_iter();
        let mut in_runs: Vec<Piece> = Vec::new();
        for wanted in blocks {
            let Some((block, buf)) = received.find(|(block, _)| *block == wanted) else { break };
            if content.pieces.accept(block, buf) && in_runs.last() != Some(&block.piece()) {
                in_runs.push(block.piece());
            }
        }
        for piece in in_runs {
            self.advance_piece(piece);
        }
    }

    pub(super) fn open_piece(&mut self, piece: Piece, in_runs: bool) {
        let now = self.now();
        if let Some(content) = &mut self.content {
            content.pieces.open(now, &content.geometry, piece, in_runs);
        }
    }

    /// Drops the restored pieces that the state machine did not open, and goes on with the others.
    pub(super) fn advance_restored(&mut self) {
        let Some(content) = &mut self.content else { return };
        let (dropped, storage) = (content.pieces.end_restoring(), content.storage.clone());
        if !dropped.is_empty() {
            self.shared.disk.threads.run(move || {
                // Else the part file would be kept for them.
                for piece in dropped {
                    if let Err(error) = storage.forget_unverified(piece) {
                        tracing::debug!(%error, "the part file is kept");
                    }
                }
            });
        }
        for piece in content.pieces.pieces() {
            self.advance_piece(piece);
        }
    }

    pub(super) fn verify(&mut self, piece: Piece, digests: bool) {
        if let Some(content) = &mut self.content {
            content.pieces.verify(piece, digests);
            self.advance_piece(piece);
        }
    }

    pub(super) fn discard(&mut self, piece: Piece) {
        if let Some(content) = &mut self.content {
            content.pieces.discard(piece);
        }
    }

    /// Hands the next work on a piece to the disk threads.
    pub(super) fn advance_piece(&mut self, piece: Piece) {
        let Some(content) = &mut self.content else { return };
        if let Some(deferred) = &mut content.deferred {
            return deferred.defer(piece);
        }
        let Some(work) = content.pieces.next_work(piece) else { return };
        content.writes_pending += 1;
        let events = self.to.events.clone();
        match work {
            DiskWork::VerifyAndWrite(buffer, digests) => {
                self.shared.disk.threads.verify_and_write(
                    &content.storage,
                    buffer,
                    digests,
                    move |outcome| {
                        let _ = events.send(DriverEvent::Piece(outcome));
                    },
                );
            }
            DiskWork::WriteSegment(segment) => {
                self.shared.disk.threads.write_segment(&content.storage, segment, move |outcome| {
                    let _ = events.send(DriverEvent::Segment(outcome));
                });
            }
        }
    }

    /// Handles the result of a segment.
    pub(super) fn handle_segment_outcome(&mut self, outcome: SegmentOutcome) {
        let Some(content) = &mut self.content else { return };
        let hash_state = match outcome {
            SegmentOutcome::Written(hash_state) => hash_state,
            SegmentOutcome::Stale(hash_state) => {
                content.writes_pending = content.writes_pending.saturating_sub(1);
                let piece = hash_state.piece();
                content.pieces.return_segment(hash_state);
                return self.advance_piece(piece);
            }
            SegmentOutcome::Ended(hash_state, outcome) => {
                let piece = hash_state.piece();
                if content.pieces.return_segment(hash_state).is_some() {
                    content.pieces.discard(piece);
                }
                self.handle_piece_outcome(outcome);
                return self.advance_piece(piece);
            }
        };
        content.writes_pending = content.writes_pending.saturating_sub(1);
        // The file is newer now than its stamp in the last record.
        content.resume_writer.dirty = true;
        let piece = hash_state.piece();
        if let Some(blocks) = content.pieces.return_segment(hash_state) {
            self.handle_input(Input::SegmentWritten { piece, blocks });
        }
        self.advance_piece(piece);
    }

    pub(super) fn handle_piece_outcome(&mut self, outcome: PieceOutcome) {
        let Some(content) = &mut self.content else { return };
        content.writes_pending = content.writes_pending.saturating_sub(1);
        match outcome {
            PieceOutcome::Verified { piece, digests } => {
                content.resume_writer.dirty = true;
                self.report_replaced();
                self.handle_input(Input::PieceVerified { piece, digests });
                self.extend_verified();
            }
            PieceOutcome::HashFailed { piece, digests } => {
                self.handle_input(Input::HashFailed { piece, digests });
            }
            PieceOutcome::WriteFailed { piece, error } => {
                self.handle_input(Input::WriteFailed { piece });
                if error.kind == DiskErrorKind::Different {
                    self.refuse_different();
                }
                self.disk_failed(&error);
            }
        }
    }

    pub(super) fn serve(&mut self, peer: PeerKey, spans: Vec<Span>) {
        if let Some(link) = self.peers.get_mut(&peer) {
            link.reads.add(spans);
            self.start_next_read(peer);
        }
    }

    pub(super) fn cancel_serve(&mut self, peer: PeerKey, spans: Vec<Span>) {
        let Some(link) = self.peers.get_mut(&peer) else { return };
        link.reads.cancel(&spans);
        link.send(ToPeer::CancelServe(spans));
    }

    /// Starts the next read for a peer, unless one is in flight.
    fn start_next_read(&mut self, peer: PeerKey) {
        if let Some(burst) = self.peers.get_mut(&peer).and_then(|link| link.reads.start()) {
            self.read_burst(peer, burst);
        }
    }

    /// Repeats a read that failed for the moment.
    pub(super) fn retry_read(&mut self, peer: PeerKey) {
        match self.peers.get_mut(&peer).map(|link| link.reads.retry()) {
            Some(burst) if burst.is_empty() => self.start_next_read(peer),
            Some(burst) => self.read_burst(peer, burst),
            None => {}
        }
    }

    pub(super) fn read_burst(&mut self, peer: PeerKey, burst: Vec<Span>) {
        let Some(content) = &mut self.content else { return };
        if let Some(deferred) = &mut content.deferred {
            return deferred.defer_read(peer, burst);
        }
        let events = self.to.events.clone();
        self.shared.disk.threads.read_spans(&content.storage, burst, move |result| {
            let _ = events.send(DriverEvent::ReadDone { peer, result });
        });
    }

    pub(super) fn handle_read_result(&mut self, peer: PeerKey, result: Result<Vec<Buf>, DiskError>) {
        let Some(link) = self.peers.get_mut(&peer) else { return };
        match result {
            Ok(bufs) => {
                let ready = link.reads.finish(bufs);
                link.send(ToPeer::Serve(ready));
                self.start_next_read(peer);
            }
            // The disk is only busy, which must not stop the torrent.
            Err(error) if error.kind.is_transient() => match link.reads.failed() {
                ReadRetry::Again(after) => {
                    tracing::debug!(%error, ?after, "a read is tried again");
                    let events = self.to.events.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(after).await;
                        let _ = events.send(DriverEvent::RetryRead { peer });
                    });
                }
                ReadRetry::GiveUp(spans) => {
                    tracing::debug!(%error, "requests are turned down");
                    self.handle_input(Input::ReadFailed { peer, spans });
                    self.start_next_read(peer);
                }
            },
            Err(error) => self.disk_failed(&error),
        }
    }
}
