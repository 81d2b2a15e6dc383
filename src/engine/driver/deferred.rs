//! Disk I/O that is deferred until the files are prepared; meanwhile peers are asked for blocks.

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use super::{Driver, DriverEvent};
use crate::base::{Piece, Span};
use crate::engine::event::Fault;
use crate::store::{DiskError, DiskErrorKind};
use crate::swarm::event::PeerKey;

/// Deferred disk I/O, in order.
#[derive(Debug, Default)]
pub(super) struct DeferredIo {
    pieces: Vec<Piece>,
    reads: Vec<(PeerKey, Vec<Span>)>,
}

impl DeferredIo {
    /// Defers I/O until `ready` reports; `None` if the disk is ready already.
    pub(super) fn until(
        mut ready: oneshot::Receiver<Result<(), DiskError>>,
        events: &mpsc::UnboundedSender<DriverEvent>,
    ) -> Option<Self> {
        match ready.try_recv() {
            Ok(Ok(())) => return None,
            Ok(failed) => drop(events.send(DriverEvent::Ready(failed))),
            Err(TryRecvError::Closed) => drop(events.send(DriverEvent::Ready(Err(cancelled())))),
            Err(TryRecvError::Empty) => {
                let events = events.clone();
                tokio::spawn(async move {
                    let ready = ready.await.unwrap_or_else(|_| Err(cancelled()));
                    let _ = events.send(DriverEvent::Ready(ready));
                });
            }
        }
        Some(Self::default())
    }

    /// Defers work on a piece.
    pub(super) fn defer(&mut self, piece: Piece) {
        self.pieces.push(piece);
    }

    /// Defers a read.
    pub(super) fn defer_read(&mut self, peer: PeerKey, burst: Vec<Span>) {
        self.reads.push((peer, burst));
    }
}

impl Driver {
    /// Runs the deferred I/O, or stops the torrent if the disk failed.
    pub(super) fn disk_ready(&mut self, ready: Result<(), DiskError>) {
        let Some(content) = &mut self.content else { return };
        if let Err(error) = ready {
            // Deferred I/O is dropped: nothing may be written after the failure.
            self.fault.get_or_insert_with(|| Fault::from_disk(&error));
            return;
        }
        let Some(DeferredIo { pieces, reads }) = content.deferred.take() else { return };
        for piece in pieces {
            self.advance_piece(piece);
        }
        for (peer, burst) in reads {
            if self.peers.contains_key(&peer) {
                self.read_burst(peer, burst);
            }
        }
    }
}

pub(super) fn cancelled() -> DiskError {
    DiskError::new(DiskErrorKind::Cancelled, "prepare", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The event that reaches the driver for this report of the disk, or none, sent before or after it waits.
    async fn event_for(
        result: Option<Result<(), DiskError>>,
        before: bool,
    ) -> Option<Result<(), DiskErrorKind>> {
        let (sender, ready) = oneshot::channel();
        let (events, mut inbox) = mpsc::unbounded_channel();
        let mut report = Some(move || {
            if let Some(result) = result {
                let _ = sender.send(result);
            }
        });
        if before && let Some(report) = report.take() {
            report();
        }
        let deferred = DeferredIo::until(ready, &events);
        if let Some(report) = report.take() {
            report();
        }
        deferred?;
        match inbox.recv().await {
            Some(DriverEvent::Ready(ready)) => Some(ready.map_err(|error| error.kind)),
            _ => panic!("nothing else is told"),
        }
    }

    #[tokio::test]
    async fn a_disk_that_cannot_take_it_is_heard_whenever_it_says_so() {
        let full = || Err(DiskError::new(DiskErrorKind::NoSpace, "reserve", ""));
        assert_eq!(event_for(Some(Ok(())), true).await, None, "nothing has to wait");
        assert_eq!(event_for(Some(Ok(())), false).await, Some(Ok(())));
        for before in [true, false] {
            assert_eq!(event_for(Some(full()), before).await, Some(Err(DiskErrorKind::NoSpace)));
            assert_eq!(event_for(None, before).await, Some(Err(DiskErrorKind::Cancelled)));
        }
    }
}
