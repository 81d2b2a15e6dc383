//! Outbox: messages, and blocks with their headers, that wait to be written.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;

use crate::base::Span;
use crate::net::limit::Throttle;
use crate::net::socket;
use crate::proto::message::{Message, PIECE_HEADER_LEN, piece_header};
use crate::store::Buf;

/// Blocks in one call: 256 KiB.
const BLOCKS_PER_CALL: usize = 16;
/// Parts of one call: the block that is half out and the messages, then header and payload of each.
const PARTS: usize = 2 + 2 * BLOCKS_PER_CALL;
/// Bytes of messages that may wait for a peer that does not read. Requests are few and small, so a
/// peer for which more waits has stopped reading while it goes on asking.
const MAX_MESSAGES: usize = 1 << 20;
/// Memory that is kept for messages when none wait.
const KEPT: usize = 4096;

pub(super) struct Outbox {
    /// Encoded messages; they overtake blocks that have not begun.
    messages: Vec<u8>,
    /// How much of `messages` is out. Only one of `messages_out` and `front_out` is ever not 0 when a
    /// call begins.
    messages_out: usize,
    /// Whether there is one of an extension among them: those may be long, and be asked for again and again.
    extended: bool,
    /// Such have gone out, and nothing waits behind them.
    drained: bool,
    blocks: VecDeque<Outgoing>,
    /// How much of the first block and its header is out.
    front_out: usize,
    sent: Vec<Span>,
    throttle: Throttle,
}

struct Outgoing {
    span: Span,
    head: [u8; PIECE_HEADER_LEN],
    bytes: Buf,
}

impl Outgoing {
    fn len(&self) -> usize {
        PIECE_HEADER_LEN + self.bytes.len()
    }

    /// The header and payload behind the first `out` bytes.
    fn rest(&self, out: usize) -> [&[u8]; 2] {
        [&self.head[out.min(PIECE_HEADER_LEN)..], &self.bytes[out.saturating_sub(PIECE_HEADER_LEN)..]]
    }
}

impl Outbox {
    pub(super) const fn new(throttle: Throttle) -> Self {
        Self {
            messages: Vec::new(),
            messages_out: 0,
            extended: false,
            drained: false,
            blocks: VecDeque::new(),
            front_out: 0,
            sent: Vec::new(),
            throttle,
        }
    }

    pub(super) fn say(&mut self, message: &Message) {
        message.encode(&mut self.messages);
        self.extended |= matches!(message, Message::Extended { id: 1.., .. });
    }

    /// Whether messages of extensions have gone out since the last look and none waits.
    pub(super) fn take_drained(&mut self) -> bool {
        std::mem::take(&mut self.drained)
    }

    /// Whether so much waits that the peer cannot be reading.
    pub(super) fn is_stuffed(&self) -> bool {
        self.messages.len() - self.messages_out > MAX_MESSAGES
    }

    pub(super) fn serve(&mut self, blocks: Vec<(Span, Buf)>) {
        self.blocks.extend(blocks.into_iter().map(|(span, bytes)| {
            debug_assert_eq!(bytes.len(), span.len() as usize, "the bytes are those of the span");
            Outgoing { span, head: piece_header(span.into()), bytes }
        }));
    }

    /// Forgets these spans, or all, but for one that has begun to go out.
    pub(super) fn unserve(&mut self, spans: &[Span]) {
        let begun = self.front_out > 0;
        let mut place = 0;
        self.blocks.retain(|block| {
            let keep = (place == 0 && begun) || !(spans.is_empty() || spans.contains(&block.span));
            place += 1;
            keep
        });
    }

    /// The spans that went out since the last look.
    pub(super) fn take_sent(&mut self) -> Vec<Span> {
        std::mem::take(&mut self.sent)
    }

    /// Makes one call, if something waits and may go out; else the task is woken when it may.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        stream: &TcpStream,
    ) -> Poll<io::Result<()>> {
        if self.messages.is_empty() && self.blocks.is_empty() {
            return Poll::Pending;
        }
        ready!(stream.poll_write_ready(context))?;
        let granted = self.leave(context);
        let mut parts = [IoSlice::new(&[]); PARTS];
        let used = self.gather(granted, &mut parts);
        if used == 0 {
            return Poll::Pending;
        }
        let moved = socket::write(stream, &parts[..used])?;
        let payload = self.advance(moved.bytes);
        self.throttle.give_back((granted - payload) as u64);
        Poll::Ready(Ok(()))
    }

    /// How many bytes of blocks may go out now. Messages are never held up by a limit.
    fn leave(&mut self, context: &mut Context<'_>) -> usize {
        let waiting =
            self.blocks.iter().take(BLOCKS_PER_CALL).map(Outgoing::len).sum::<usize>() - self.front_out;
        if waiting == 0 {
            return 0;
        }
        match self.throttle.poll_grant(context, waiting as u64) {
            Poll::Ready(granted) => granted as usize,
            Poll::Pending => 0,
        }
    }

    /// Lines up the parts of one call with at most `payload` bytes of blocks, and says how many there are.
    fn gather<'a>(&'a self, mut payload: usize, parts: &mut [IoSlice<'a>; PARTS]) -> usize {
        let mut used = 0;
        let mut add = |bytes: &'a [u8]| {
            if !bytes.is_empty() {
                parts[used] = IoSlice::new(bytes);
                used += 1;
            }
        };
        let mut blocks = self.blocks.iter().take(BLOCKS_PER_CALL);
        if self.front_out > 0 {
            for part in blocks.next().map(|front| front.rest(self.front_out)).into_iter().flatten() {
                let cut = &part[..part.len().min(payload)];
                payload -= cut.len();
                add(cut);
                if cut.len() < part.len() {
                    // A message within a block would be taken for its payload.
                    return used;
                }
            }
        }
        add(&self.messages[self.messages_out..]);
        for part in blocks.flat_map(|block| block.rest(0)) {
            let cut = &part[..part.len().min(payload)];
            payload -= cut.len();
            add(cut);
        }
        used
    }

    /// Counts bytes that went out in the order of [`Outbox::gather`]; says how many were of blocks.
    fn advance(&mut self, mut bytes: usize) -> usize {
        let mut payload = 0;
        if self.front_out > 0 {
            payload += self.advance_blocks(&mut bytes, 1);
        }
        let messages = bytes.min(self.messages.len() - self.messages_out);
        bytes -= messages;
        self.messages_out += messages;
        if self.messages_out == self.messages.len() {
            self.messages.clear();
            self.messages.shrink_to(KEPT);
            self.messages_out = 0;
            self.drained |= std::mem::take(&mut self.extended);
        }
        payload + self.advance_blocks(&mut bytes, BLOCKS_PER_CALL)
    }

    fn advance_blocks(&mut self, bytes: &mut usize, most: usize) -> usize {
        let before = *bytes;
        for _ in 0..most {
            let Some(front) = self.blocks.front().filter(|_| *bytes > 0) else { break };
            let step = (front.len() - self.front_out).min(*bytes);
            *bytes -= step;
            self.front_out += step;
            if self.front_out == front.len() {
                self.sent.push(front.span);
                self.blocks.pop_front();
                self.front_out = 0;
            }
        }
        before - *bytes
    }
}
