//! Readers that stream a file of a torrent during the download.

use tokio::sync::mpsc;

use super::event::Fault;
use crate::base::FileIndex;
use crate::store::Buf;

/// Number of chunks that wait for a reader. With the chunk being read and the one in the reader's hands they
/// make at most 1 MiB.
pub(super) const MAX_CHUNKS: usize = 2;

/// A reader of a file from its beginning to its end: verified bytes in order, as soon as they are written.
/// The torrent downloads first what the reader needs next. A slow reader delays only itself, not the
/// download.
#[derive(Debug)]
pub struct Reader {
    messages: mpsc::Receiver<ReaderMessage>,
    ended: bool,
}

/// The next part of the stream.
#[derive(Debug)]
pub enum ReadOutcome {
    /// The next bytes of the file.
    Bytes(Chunk),
    /// The end of the file.
    End,
    /// An early end: the torrent stopped or the disk failed.
    Cut(Option<Fault>),
}

/// A chunk of a file.
#[derive(Debug)]
pub struct Chunk(pub(super) Vec<Buf>);

/// A message from the torrent to its reader.
#[derive(Debug)]
pub(super) enum ReaderMessage {
    Bytes(Chunk),
    End,
    Failed(Fault),
}

/// The sending half of a [`Reader`], given to the torrent in
/// [`ContentOptions::read`](super::ContentOptions::read).
#[derive(Clone, Debug)]
pub struct ChunkSender {
    pub(super) file: FileIndex,
    pub(super) to: mpsc::Sender<ReaderMessage>,
}

impl Reader {
    /// A reader of this file and its sending half.
    pub fn of(file: FileIndex) -> (ChunkSender, Self) {
        let (to, messages) = mpsc::channel(MAX_CHUNKS);
        (ChunkSender { file, to }, Self { messages, ended: false })
    }

    /// Waits for the next part.
    pub async fn next(&mut self) -> ReadOutcome {
        let message = self.messages.recv().await;
        self.take(message)
    }

    /// Blocks the thread until the next part.
    ///
    /// # Panics
    /// Within an async runtime.
    pub fn next_blocking(&mut self) -> ReadOutcome {
        let message = self.messages.blocking_recv();
        self.take(message)
    }

    fn take(&mut self, message: Option<ReaderMessage>) -> ReadOutcome {
        match message {
            Some(ReaderMessage::Bytes(chunk)) => ReadOutcome::Bytes(chunk),
            Some(ReaderMessage::End) => {
                self.ended = true;
                ReadOutcome::End
            }
            Some(ReaderMessage::Failed(fault)) => ReadOutcome::Cut(Some(fault)),
            None if self.ended => ReadOutcome::End,
            None => ReadOutcome::Cut(None),
        }
    }
}

impl Chunk {
    /// The bytes, in order.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|buf| &**buf)
    }

    /// The number of bytes.
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.iter().map(|buf| buf.len()).sum()
    }
}
