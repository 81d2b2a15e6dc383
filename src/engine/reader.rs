//! Reading a file of a torrent while it comes.

use tokio::sync::mpsc;

use super::event::Fault;
use crate::base::FileIndex;
use crate::store::Buf;

/// Chunks that lie ready for a reader; with the one that is being read from the disk, and the one in the
/// reader's hands, at most 1 MiB.
pub(super) const MAX_CHUNKS: usize = 2;

/// Reads a file of a torrent from its beginning to its end: verified bytes, in order, as soon as
/// they are there. The torrent fetches first what the reader will want next. A reader that takes nothing
/// holds up nothing but itself: the download goes on into the files.
#[derive(Debug)]
pub struct Reader {
    messages: mpsc::Receiver<ReaderMessage>,
    ended: bool,
}

/// The next thing that a reader hears.
#[derive(Debug)]
pub enum ReadOutcome {
    /// More of the file.
    Bytes(Chunk),
    /// The file has ended: every byte of it was read.
    End,
    /// There will be no more although the file has not ended: the torrent stopped, or the disk failed.
    Cut(Option<Fault>),
}

/// Bytes of a file.
#[derive(Debug)]
pub struct Chunk(pub(super) Vec<Buf>);

/// A message from the torrent to its reader.
#[derive(Debug)]
pub(super) enum ReaderMessage {
    Bytes(Chunk),
    End,
    Failed(Fault),
}

/// The other end of a [`Reader`], which goes to the engine with the torrent.
#[derive(Clone, Debug)]
pub struct ChunkSender {
    pub(super) file: FileIndex,
    pub(super) to: mpsc::Sender<ReaderMessage>,
}

impl Reader {
    /// A reader of this file, and what makes it one: see [`ContentOptions::read`](super::ContentOptions::read).
    pub fn of(file: FileIndex) -> (ChunkSender, Self) {
        let (to, messages) = mpsc::channel(MAX_CHUNKS);
        (ChunkSender { file, to }, Self { messages, ended: false })
    }

    /// Waits for what is next.
    pub async fn next(&mut self) -> ReadOutcome {
        let message = self.messages.recv().await;
        self.take(message)
    }

    /// The same for a plain thread.
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

    /// How many they are.
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.iter().map(|buf| buf.len()).sum()
    }
}
