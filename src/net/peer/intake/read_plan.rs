//! Where the bytes of the next read are expected to belong.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSliceMut};

use tokio::net::TcpStream;

use crate::net::peer::outstanding::Outstanding;
use crate::net::socket::{self, Moved};
use crate::proto::message::PIECE_HEADER_LEN;
use crate::store::Buf;

/// Blocks that are guessed at most: 256 KiB.
const FARTHEST: usize = 16;
/// Places of one read: the rest of a block, then header and payload of each guessed block, then spill.
const PLACES: usize = 2 + 2 * FARTHEST;
/// Bytes that are read beyond the guess, for messages and for whatever comes instead of a guessed block.
const SPILL: usize = 4096;

pub(super) struct ReadPlan {
    /// How many blocks the next read should reach over, beyond the one that is coming in.
    pub(super) reach: usize,
    /// Buffers for the guessed blocks.
    pub(super) bufs: VecDeque<Buf>,
    /// Their headers.
    pub(super) heads: [[u8; PIECE_HEADER_LEN]; FARTHEST],
    spill: Box<[u8; SPILL]>,
}

impl Default for ReadPlan {
    fn default() -> Self {
        Self {
            reach: 1,
            bufs: VecDeque::new(),
            heads: [[0; PIECE_HEADER_LEN]; FARTHEST],
            spill: Box::new([0; SPILL]),
        }
    }
}

impl ReadPlan {
    /// Reads at most `most` bytes.
    pub(super) fn read(
        &mut self,
        stream: &TcpStream,
        rest: Option<&mut [u8]>,
        outstanding: &Outstanding,
        blocks: usize,
        most: usize,
    ) -> io::Result<Moved> {
        let mut places: [IoSliceMut<'_>; PLACES] = std::array::from_fn(|_| IoSliceMut::new(&mut []));
        let (mut used, mut left) = (0, most);
        let bufs = self
            .bufs
            .iter_mut()
            .zip(0..blocks)
            .map(|(buf, place)| &mut buf.whole_mut()[..len_of(outstanding, place)]);
        let guessed =
            self.heads.iter_mut().map(|head| &mut head[..]).zip(bufs).flat_map(|(head, buf)| [head, buf]);
        for place in rest.into_iter().chain(guessed).chain([&mut self.spill[..]]) {
            let len = place.len().min(left);
            if len > 0 {
                places[used] = IoSliceMut::new(&mut place[..len]);
                used += 1;
                left -= len;
            }
        }
        socket::read(stream, &mut places[..used])
    }

    /// The last `left` bytes of a read over this many blocks, beginning with the header at `place`. The
    /// buffers are those from `place` on, and so are the blocks in `owed`.
    pub(super) fn gather(
        &mut self,
        place: usize,
        blocks: usize,
        left: usize,
        outstanding: &Outstanding,
    ) -> Vec<u8> {
        let mut gathered = SCRATCH.take();
        gathered.clear();
        let mut add =
            |part: &[u8]| gathered.extend_from_slice(&part[..part.len().min(left - gathered.len())]);
        for (behind, head) in self.heads[place..blocks].iter().enumerate() {
            add(head);
            if let Some(buf) = self.bufs.get_mut(behind) {
                add(&buf.whole_mut()[..len_of(outstanding, behind)]);
            }
        }
        add(&self.spill[..]);
        gathered
    }

    /// Reaches farther after a read that was full, and shorter after one that was not.
    pub(super) fn learn(&mut self, bytes: usize, room: usize) {
        self.reach = if bytes == room {
            (self.reach * 2).clamp(1, FARTHEST)
        } else {
            let touched = bytes.div_ceil(PIECE_HEADER_LEN + crate::base::BLOCK_LEN as usize);
            self.reach.min(touched.max(self.reach / 2))
        };
    }
}

/// The bytes a read of `rest`, this many blocks and the spill can bring.
pub(super) fn room(rest: usize, outstanding: &Outstanding, blocks: usize) -> usize {
    rest + (0..blocks).map(|place| PIECE_HEADER_LEN + len_of(outstanding, place)).sum::<usize>() + SPILL
}

thread_local! {
    /// Memory for reads that went otherwise than guessed.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Keeps the memory of what [`ReadPlan::gather`] gathered for the next time.
pub(super) fn keep(gathered: Vec<u8>) {
    SCRATCH.set(gathered);
}

fn len_of(outstanding: &Outstanding, place: usize) -> usize {
    outstanding.peek(place).map_or(0, |block| block.len() as usize)
}
