//! Streaming of a file during the download.
//!
//! A task waits in turn for room in the reader's channel, for verified bytes, and for the disk. The driver
//! tells it how far the file is verified; it reports how far it has read, so that the state machine requests
//! the next pieces first.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time;

use super::{Driver, DriverEvent};
use crate::base::{BLOCK_LEN, Geometry, Span};
use crate::engine::event::Fault;
use crate::engine::reader::{Chunk, ChunkSender, ReaderMessage};
use crate::store::{Buf, Disk, DiskError, DiskErrorKind, Storage};
use crate::swarm::event::{Input, TorrentCommand};

/// Bytes after the reader's position that are requested first.
const READ_AHEAD: u64 = 32 << 20;
/// Minimum number of pieces requested first.
const MIN_READ_AHEAD: u32 = 2;
/// Spans read at once: 256 KiB.
const MAX_SPANS: usize = 16;
/// Number of attempts of a read that fails for the moment.
const MAX_TRIES: u32 = 100;
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The driver's state of a stream. Positions are bytes of the torrent.
pub(super) struct FileStream {
    /// End of the verified bytes from the beginning of the file.
    verified: watch::Sender<u64>,
    end: u64,
    /// The pieces requested first.
    ahead: Range<u32>,
}

/// The task that reads.
struct ReadTask {
    disk: Disk,
    storage: Storage,
    geometry: Arc<Geometry>,
    at: u64,
    end: u64,
    verified: watch::Receiver<u64>,
    to: mpsc::Sender<ReaderMessage>,
}

impl Driver {
    /// Starts to stream a file.
    pub(super) fn start_reading(&mut self, ChunkSender { file, to }: ChunkSender) {
        let Some(content) = &mut self.content else { return };
        let Range { start, end } = content.geometry.file_range(file);
        let (verified, heard) = watch::channel(start);
        content.stream = Some(FileStream { verified, end, ahead: 0..0 });
        let task = ReadTask {
            disk: self.shared.disk.threads.clone(),
            storage: content.storage.clone(),
            geometry: content.geometry.clone(),
            at: start,
            end,
            verified: heard,
            to,
        };
        let events = self.to.events.clone();
        tokio::spawn(async move {
            // The driver may have left already.
            task.run(|at| drop(events.send(DriverEvent::ReaderAt(at)))).await;
            let _ = events.send(DriverEvent::ReaderAt(end));
        });
        self.read_to(start);
        self.extend_verified();
    }

    /// Makes newly verified bytes available to the stream.
    pub(super) fn extend_verified(&self) {
        let Some(content) = &self.content else { return };
        let (Some(stream), geometry) = (&content.stream, &content.geometry) else { return };
        let piece_len = u64::from(geometry.piece_len());
        let mut to = *stream.verified.borrow();
        while to < stream.end
            && let Some(piece) = geometry.piece((to / piece_len) as u32)
            && self.torrent.have().has(piece)
        {
            to = geometry.piece_range(piece).end.min(stream.end);
        }
        stream.verified.send_if_modified(|known| std::mem::replace(known, to) != to);
    }

    /// Moves the read-ahead window to the reader's position.
    pub(super) fn read_to(&mut self, at: u64) {
        let Some(content) = &mut self.content else { return };
        let Some(stream) = &mut content.stream else { return };
        let ahead = read_ahead_window(&content.geometry, at, stream.end);
        if stream.ahead != ahead {
            stream.ahead.clone_from(&ahead);
            self.handle_input(Input::Command(TorrentCommand::Ahead(ahead)));
        }
    }
}

/// The pieces to request first for a reader.
fn read_ahead_window(geometry: &Geometry, at: u64, end: u64) -> Range<u32> {
    if at >= end {
        return 0..0;
    }
    let piece_len = u64::from(geometry.piece_len());
    let first = (at / piece_len) as u32;
    let last = end.min(at.saturating_add(READ_AHEAD)).div_ceil(piece_len) as u32;
    let most = end.div_ceil(piece_len) as u32;
    first..last.max(first + MIN_READ_AHEAD).min(most)
}

/// Spans from `at`, cut at pieces, for one read.
fn spans(geometry: &Geometry, mut at: u64, to: u64) -> Vec<Span> {
    let piece_len = u64::from(geometry.piece_len());
    let mut spans = Vec::new();
    while at < to && spans.len() < MAX_SPANS {
        let begin = at % piece_len;
        let len = (to - at).min(piece_len - begin).min(u64::from(BLOCK_LEN));
        let Some(span) = geometry.span_at((at / piece_len) as u32, begin as u32, len as u32) else { break };
        spans.push(span);
        at += len;
    }
    spans
}

impl ReadTask {
    /// Reads to the end of the file, or until the reader or the torrent is gone. Reports its position after
    /// each chunk.
    async fn run(mut self, read_to: impl Fn(u64)) {
        while self.at < self.end {
            // No read before there is room for its result.
            let Ok(room) = self.to.reserve().await else { return };
            let at = self.at;
            let verified = tokio::select! {
                () = self.to.closed() => return,
                verified = self.verified.wait_for(|&to| to > at) => match verified {
                    Ok(to) => *to,
                    // The torrent has stopped.
                    Err(_) => return,
                },
            };
            let spans = spans(&self.geometry, at, verified.min(self.end));
            let len: u64 = spans.iter().map(|span| u64::from(span.len())).sum();
            match read_with_retries(&self.disk, &self.storage, spans).await {
                Ok(bufs) => room.send(ReaderMessage::Bytes(Chunk(bufs))),
                Err(error) => return room.send(ReaderMessage::Failed(Fault::from_disk(&error))),
            }
            self.at += len;
            read_to(self.at);
        }
        let _ = self.to.send(ReaderMessage::End).await;
    }
}

/// Reads on a disk thread, and retries transient failures.
async fn read_with_retries(disk: &Disk, storage: &Storage, spans: Vec<Span>) -> Result<Vec<Buf>, DiskError> {
    let mut tries = 0;
    loop {
        let (done, result) = oneshot::channel();
        disk.read_spans(storage, spans.clone(), move |result| drop(done.send(result)));
        let cancelled = || Err(DiskError::new(DiskErrorKind::Cancelled, "read from", storage.root()));
        match result.await.unwrap_or_else(|_| cancelled()) {
            Err(error) if error.kind.is_transient() && tries < MAX_TRIES => {
                tries += 1;
                time::sleep(RETRY_INTERVAL).await;
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_begins_with_the_piece_the_reader_is_in() {
        let geometry = Geometry::single(1 << 20, 100 << 20).expect("a geometry");
        let end = 100 << 20;
        assert_eq!(read_ahead_window(&geometry, 0, end), 0..32);
        assert_eq!(read_ahead_window(&geometry, (5 << 20) + 1, end), 5..38);
        assert_eq!(read_ahead_window(&geometry, end - 1, end), 99..100);
        assert_eq!(read_ahead_window(&geometry, end, end), 0..0);
        let long = Geometry::single(64 << 20, 1 << 30).expect("a geometry");
        assert_eq!(read_ahead_window(&long, 1, 1 << 30), 0..2);
    }

    #[test]
    fn what_is_read_at_once_is_cut_at_pieces_and_bounded() {
        let geometry = Geometry::single(40_000, 1_000_000).expect("a geometry");
        let cut = spans(&geometry, 39_000, 60_000);
        let cut: Vec<_> = cut.iter().map(|span| (span.piece().index(), span.begin(), span.len())).collect();
        assert_eq!(cut, [(0, 39_000, 1_000), (1, 0, 16_384), (1, 16_384, 3_616)]);
        assert_eq!(spans(&geometry, 0, 1_000_000).len(), MAX_SPANS);
        assert!(spans(&geometry, 500, 500).is_empty());
    }
}
