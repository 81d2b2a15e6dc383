//! The transition from metadata to content: a task opens the files while connections stay.

use std::sync::Arc;
use std::time::Instant;

use super::Driver;
use super::content::Content;
use super::machine;
use super::open::{OpenTask, OpenedContent};
use super::resume_record::{self, ContentTarget};
use crate::base::Geometry;
use crate::engine::command::ContentOptions;
use crate::engine::event::{Event, Fault};
use crate::engine::memory::PieceMemory;
use crate::engine::reader::ChunkSender;
use crate::store::{PieceBuffer, Progress};
use crate::swarm::ContentSetup;
use crate::swarm::event::{Input, TorrentCommand, UnfinishedPiece};

/// The opening of a torrent's files.
pub(super) struct ContentOpening {
    pub target: ContentTarget,
    read: Option<ChunkSender>,
    progress: Progress,
    /// The start and the size in bytes of the recheck, if there is one.
    checking: Option<(Instant, u64)>,
}

impl ContentOpening {
    /// The recheck: its start, the bytes checked, and the bytes to check.
    pub(super) fn checked(&self) -> Option<(Instant, u64, u64)> {
        let (since, of) = self.checking?;
        let piece_len = u64::from(self.target.metainfo.geometry().piece_len());
        Some((since, u64::from(self.progress.done()) * piece_len, of))
    }

    /// Cancels the recheck. The task still reports its end.
    pub(super) fn cancel(&self) {
        self.progress.cancel();
    }
}

impl Driver {
    /// Starts to open the files, once the metadata is known; later calls have no effect.
    pub(super) fn open(&mut self, mut options: ContentOptions) {
        let Some(metainfo) = self.metainfo.clone() else { return };
        if self.opening.is_some() || self.content.is_some() {
            return;
        }
        let metainfo = match &options.root_name {
            Some(name) => Arc::new((*metainfo).clone().with_root_name(name)),
            None => metainfo,
        };
        let read = options.read.take();
        let target = ContentTarget { metainfo, options: Arc::new(options) };
        self.view_publisher.content(&target);
        let progress = Progress::default();
        let survey = OpenTask {
            shared: self.shared.clone(),
            id: self.id,
            target: target.clone(),
            torrent_file: resume_record::torrent_file(&target.metainfo, &self.add),
            progress: progress.clone(),
            events: self.to.events.clone(),
            // Before the torrent has joined the swarm, waiting costs nothing, and a torrent that fails is
            // never announced.
            waits_for_disk: self.is_unannounced(),
            budget: self.budget.unwrap_or_else(|| PieceMemory::budget_for(1)),
        };
        self.opening = Some(ContentOpening { target, read, progress, checking: None });
        tokio::spawn(survey.run());
    }

    /// Records that a recheck of this many bytes begins.
    pub(super) fn checking_began(&mut self, bytes: u64) {
        if let Some(opening) = &mut self.opening {
            opening.checking = Some((Instant::now(), bytes));
            let (now, summary) = (self.now(), self.summary());
            self.publish(now, &summary, false);
        }
    }

    /// Handles the opened files, or the fault.
    pub(super) fn content_opened(&mut self, opened: Result<OpenedContent, Fault>) {
        let Some(ContentOpening { target, read, .. }) = self.opening.take() else { return };
        let opened = match opened {
            Ok(opened) => opened,
            // The driver is leaving and has cancelled the check.
            Err(_) if self.leaving => return,
            Err(fault) => {
                self.fault.get_or_insert(fault);
                return;
            }
        };
        let setup = ContentSetup {
            priorities: machine::piece_priorities(&target.options, &opened.geometry),
            order: target.options.order,
            seed_only: target.options.seed_only,
            unfinished: unfinished_pieces(&opened.geometry, &opened.restored),
            ..ContentSetup::new(opened.geometry.clone(), opened.have.clone())
        };
        self.content = Some(Content::new(self.now(), &self.shared, target, opened, &self.to));
        if self.paused && self.is_unannounced() {
            self.handle_input(Input::Command(TorrentCommand::Pause));
        }
        self.handle_input(Input::ContentOpened(Box::new(setup)));
        self.advance_restored();
        if let Some(bytes) = self.budget.take() {
            self.handle_input(Input::Budget { bytes });
        }
        if self.leaving {
            return;
        }
        let _ = self.shared.events.send(Event::Checked { id: self.id, have: self.summary().done });
        if let Some(sender) = read {
            self.start_reading(sender);
        }
        if self.is_unannounced() {
            self.join_swarm();
        }
        if self.torrent.is_finished() {
            self.finished();
        }
    }
}

/// The restored blocks, for the state machine.
fn unfinished_pieces(geometry: &Geometry, restored: &[PieceBuffer]) -> Vec<UnfinishedPiece> {
    let blocks = |buffer: &PieceBuffer| {
        buffer.received().filter_map(|index| geometry.block(buffer.piece(), index)).collect()
    };
    let unfinished = restored.iter().map(|buffer| UnfinishedPiece {
        piece: buffer.piece(),
        in_runs: buffer.is_segmented(),
        written: buffer.taken(),
        blocks: blocks(buffer),
    });
    unfinished.collect()
}
