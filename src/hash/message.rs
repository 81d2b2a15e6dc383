//! A message on its way through a lane: chunks of any length become runs of whole 64-byte blocks,
//! the last of them padded.

use crate::base::Sha1Digest;

/// The block that SHA-1 compresses at a time.
pub(super) type HashBlock = [u8; BLOCK];

/// The five words between two blocks.
pub(super) type State = [u32; 5];

const BLOCK: usize = 64;
/// The length in bits takes the last eight bytes of the padding, and the byte 0x80 goes before it.
const LENGTH_AT: usize = BLOCK - 8;
/// FIPS 180-4, section 5.3.1.
const INITIAL: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// How far a message that comes in parts is hashed: whole blocks of it, so many bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stream {
    state: State,
    length: u64,
}

impl Default for Stream {
    fn default() -> Self {
        Self { state: INITIAL, length: 0 }
    }
}

impl Stream {
    /// The digest, once the last part is hashed.
    pub fn digest(&self) -> Sha1Digest {
        let mut digest = [0; 20];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
        digest
    }
}

/// One message and how far it is hashed.
///
/// Blocks are compressed where they lie. Only a block that spans two chunks, and the padding, are
/// gathered in a buffer first.
pub(super) struct Message<'a, I> {
    /// The words after the blocks consumed so far.
    pub(super) state: State,
    chunks: I,
    /// The rest of the chunk being read.
    chunk: &'a [u8],
    /// Bytes of all chunks taken from `chunks`.
    length: u64,
    /// Bytes waiting in `gathered[0]` for the rest of their block.
    waiting: usize,
    gathered: [HashBlock; 2],
    /// The blocks of `gathered` that are whole and not consumed, from and up to.
    whole: (usize, usize),
    padded: bool,
    /// These are not the last chunks of the message, and whole blocks: there is no padding yet.
    open: bool,
}

impl<'a, I, B> Message<'a, I>
where
    I: Iterator<Item = &'a B>,
    B: AsRef<[u8]> + ?Sized + 'a,
{
    /// A message of which nothing is hashed, with its first run ready: even an empty one has padding.
    pub(super) fn new(chunks: I) -> Self {
        Self::resumed(Stream::default(), chunks, true)
    }

    /// A message that is hashed as far as `from`, and goes on with these chunks; `last` says whether it
    /// ends with them. If not, they must make whole blocks.
    pub(super) fn resumed(from: Stream, chunks: I, last: bool) -> Self {
        let mut message = Self {
            state: from.state,
            chunks,
            chunk: &[],
            length: from.length,
            waiting: 0,
            gathered: [[0; BLOCK]; 2],
            whole: (0, 0),
            padded: false,
            open: !last,
        };
        message.prepare();
        message
    }

    /// Makes the next run ready; false when there is none and the digest is complete.
    pub(super) fn prepare(&mut self) -> bool {
        loop {
            if !self.run().is_empty() {
                return true;
            }
            if self.padded {
                return false;
            }
            self.gather();
            if self.chunk.is_empty() && self.whole.0 == self.whole.1 {
                match self.chunks.next() {
                    Some(chunk) => {
                        self.chunk = chunk.as_ref();
                        self.length += self.chunk.len() as u64;
                    }
                    None if self.open => {
                        assert_eq!(self.waiting, 0, "a part that is not the last makes whole blocks");
                        return false;
                    }
                    None => self.pad(),
                }
            }
        }
    }

    /// Blocks that lie side by side and are the next to be compressed.
    pub(super) fn run(&self) -> &[HashBlock] {
        let (from, to) = self.whole;
        if from < to {
            &self.gathered[from..to]
        } else if self.waiting == 0 {
            self.chunk.as_chunks().0
        } else {
            &[]
        }
    }

    /// Takes the first `blocks` of the run as compressed.
    pub(super) fn consume(&mut self, blocks: usize) {
        if self.whole.0 < self.whole.1 {
            self.whole.0 += blocks;
        } else {
            self.chunk = &self.chunk[blocks * BLOCK..];
        }
    }

    /// How far it is hashed, once [`prepare`](Self::prepare) has said that there is nothing left.
    pub(super) const fn stream(&self) -> Stream {
        Stream { state: self.state, length: self.length }
    }

    /// Moves bytes that make no run of their own into the block they share with the next chunk.
    fn gather(&mut self) {
        let take = self.chunk.len().min(BLOCK - self.waiting);
        let (taken, rest) = self.chunk.split_at(take);
        self.gathered[0][self.waiting..][..take].copy_from_slice(taken);
        self.chunk = rest;
        self.waiting += take;
        if self.waiting == BLOCK {
            self.waiting = 0;
            self.whole = (0, 1);
        }
    }

    /// Ends the message as FIPS 180-4, section 5.1.1 says.
    fn pad(&mut self) {
        self.padded = true;
        let blocks = if self.waiting < LENGTH_AT { 1 } else { 2 };
        let gathered = self.gathered.as_flattened_mut();
        gathered[self.waiting] = 0x80;
        gathered[self.waiting + 1..].fill(0);
        let bits = self.length << 3;
        self.gathered[blocks - 1][LENGTH_AT..].copy_from_slice(&bits.to_be_bytes());
        self.waiting = 0;
        self.whole = (0, blocks);
    }
}
