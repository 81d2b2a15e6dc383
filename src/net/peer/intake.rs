//! Intake: blocks go straight into buffers of their own, everything else through the splitter.
//!
//! Peers answer in order, so the next blocks are guessed and one call reads into *[rest of the block
//! that is coming in | header | next block | header | …| spill]*. Where a header is what was guessed,
//! its block lies where it belongs. From the first header that is not, the rest of the read is
//! gathered and walked through in the plain way, which costs two copies of at most one read. How far
//! the guess reaches follows what the last reads brought, so that a slow peer holds one buffer and a
//! fast one needs a call per 256 KiB.

mod read_plan;

use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;

use self::read_plan::ReadPlan;
use super::outstanding::Outstanding;
use super::reports::Reports;
use super::{FromPeer, PeerConfig};
use crate::base::Block;
use crate::net::limit::Throttle;
use crate::proto::message::{Message, Wanted};
use crate::proto::splitter::{Split, SplitError, Splitter};
use crate::store::{Buf, Pool};
use crate::swarm::event::DisconnectReason;

/// Bytes of payload that one report holds at most.
const BURST: usize = 256 * 1024;

pub(super) struct Intake {
    fast: bool,
    pool: Pool,
    throttle: Throttle,
    splitter: Splitter,
    outstanding: Outstanding,
    /// The block whose payload the splitter has announced, if it is owed. Else payload is waste.
    current: Option<Current>,
    plan: ReadPlan,
    /// Bytes that were read and cannot be walked through before there is a buffer.
    pending: Vec<u8>,
    /// Chokes that were heard and not yet seen by the torrent.
    unseen_chokes: u32,
    burst: Burst,
}

struct Current {
    block: Block,
    /// Missing until the first byte of payload is about to be moved.
    buf: Option<Buf>,
}

#[derive(Default)]
struct Burst {
    landed: Vec<(Block, Buf)>,
    wasted: u64,
    bytes: usize,
}

impl Intake {
    pub(super) fn new(config: &PeerConfig, throttle: Throttle) -> Self {
        Self {
            fast: config.fast,
            pool: config.pool.clone(),
            throttle,
            splitter: Splitter::new(config.pieces),
            outstanding: Outstanding::default(),
            current: None,
            plan: ReadPlan::default(),
            pending: Vec::new(),
            unseen_chokes: 0,
            burst: Burst::default(),
        }
    }

    /// Expects these blocks; says whether they are to be requested.
    pub(super) fn ask(&mut self, blocks: &[Block]) -> bool {
        let heeded = self.unseen_chokes == 0;
        if heeded {
            self.outstanding.add(blocks);
        }
        heeded
    }

    /// Expects this block no more; says whether the request is worth taking back.
    pub(super) fn cancel(&mut self, block: Block) -> bool {
        if let Some(current) = self.current.take_if(|current| current.block == block) {
            self.burst.wasted += current.buf.map_or(0, |buf| buf.len() as u64);
            return false;
        }
        self.outstanding.take(block.span().into()).is_some()
    }

    pub(super) fn choke_seen(&mut self) {
        self.unseen_chokes = self.unseen_chokes.saturating_sub(1);
    }

    /// Makes one call, if something is there and may come in, and deals with what it brought; else the
    /// task is woken when it may. An error is the reason to leave.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        stream: &TcpStream,
        reports: &mut Reports,
    ) -> Poll<Result<(), DisconnectReason>> {
        if !self.pending.is_empty() {
            ready!(self.poll_buffer(context));
            let pending = std::mem::take(&mut self.pending);
            self.walk(&pending, reports).map_err(|_| DisconnectReason::Protocol)?;
            return Poll::Ready(Ok(()));
        }
        ready!(stream.poll_read_ready(context)).map_err(|_| DisconnectReason::Closed)?;
        ready!(self.poll_buffer(context));
        let blocks = self.reach();
        let room = read_plan::room(self.rest(), &self.outstanding, blocks);
        let granted = ready!(self.throttle.poll_grant(context, room as u64)) as usize;
        let rest = self.current.as_mut().and_then(|current| {
            let missing = self.splitter.payload_left();
            current.buf.as_mut().map(|buf| &mut buf.spare_mut()[..missing])
        });
        let moved = self.plan.read(stream, rest, &self.outstanding, blocks, granted);
        let moved = moved.map_err(|_| DisconnectReason::Closed)?;
        self.throttle.give_back((granted - moved.bytes) as u64);
        if moved.bytes == 0 && !moved.dry {
            return Poll::Ready(Err(DisconnectReason::Closed));
        }
        self.burst.bytes += moved.bytes;
        self.sort(moved.bytes, blocks, reports).map_err(|_| DisconnectReason::Protocol)?;
        self.plan.learn(moved.bytes, room);
        if moved.dry || self.burst.bytes >= BURST {
            self.report(reports);
        }
        Poll::Ready(Ok(()))
    }

    /// Reports the burst, and gives back the buffers of the guess.
    pub(super) fn pause(&mut self, reports: &mut Reports) {
        self.report(reports);
        self.plan.bufs.clear();
    }

    /// Has a buffer for the block that is coming in, or for the next one if none is.
    fn poll_buffer(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let missing = match &self.current {
            Some(current) => current.buf.is_none(),
            None => self.guesses(),
        };
        if missing && self.plan.bufs.is_empty() {
            self.plan.bufs.push_back(ready!(self.pool.poll_take(context)));
        }
        if let Some(current) = self.current.as_mut().filter(|current| current.buf.is_none()) {
            current.buf = self.plan.bufs.pop_front();
        }
        Poll::Ready(())
    }

    /// Whether the next message begins where the block that is coming in ends, or now.
    fn guesses(&self) -> bool {
        self.outstanding.len() > 0 && (self.current.is_some() || self.splitter.at_boundary())
    }

    /// Bytes missing of the block that is coming in.
    fn rest(&self) -> usize {
        if self.current.is_some() { self.splitter.payload_left() } else { 0 }
    }

    /// How many blocks to guess in the next read, with a buffer for each.
    fn reach(&mut self) -> usize {
        if !self.guesses() {
            return 0;
        }
        let least = usize::from(self.current.is_none());
        let blocks = self.plan.reach.max(least).min(self.outstanding.len());
        let missing = blocks.saturating_sub(self.plan.bufs.len());
        if missing > 0 {
            self.plan.bufs.extend(self.pool.take_many(missing));
        }
        blocks.min(self.plan.bufs.len())
    }

    /// Deals with `bytes` that a read put into the block that is coming in, then into the places of
    /// `blocks` guessed blocks, then into the spill.
    fn sort(&mut self, bytes: usize, blocks: usize, reports: &mut Reports) -> Result<(), SplitError> {
        let mut left = bytes;
        if let Some(Current { buf: Some(buf), .. }) = &mut self.current {
            let moved = left.min(self.splitter.payload_left());
            buf.advance(moved);
            left -= moved;
            self.moved(moved);
        }
        for place in 0..blocks {
            let Some(block) = self.outstanding.peek(0).filter(|_| left >= self.plan.heads[place].len())
            else {
                return self.untangle(place, blocks, left, reports);
            };
            let expected = Wanted::from(block.span());
            if !self.splitter.continues_with(&self.plan.heads[place], expected) {
                return self.untangle(place, blocks, left, reports);
            }
            self.outstanding.take(expected);
            left -= self.plan.heads[place].len();
            let mut buf = self.plan.bufs.pop_front().expect("every guessed block has a buffer");
            let moved = left.min(block.len() as usize);
            buf.set_len(moved);
            left -= moved;
            self.current = Some(Current { block, buf: Some(buf) });
            self.moved(moved);
        }
        self.untangle(blocks, blocks, left, reports)
    }

    /// Walks through the last `left` bytes of a read, which begin with the header of a guessed block
    /// or the spill.
    fn untangle(
        &mut self,
        place: usize,
        blocks: usize,
        left: usize,
        reports: &mut Reports,
    ) -> Result<(), SplitError> {
        if left == 0 {
            return Ok(());
        }
        let gathered = self.plan.gather(place, blocks, left, &self.outstanding);
        let result = self.walk(&gathered, reports);
        read_plan::keep(gathered);
        result
    }

    /// Walks through bytes in the plain way. Stops and keeps the rest if a buffer is missing.
    fn walk(&mut self, mut input: &[u8], reports: &mut Reports) -> Result<(), SplitError> {
        while !input.is_empty() {
            let payload = self.splitter.payload_left().min(input.len());
            if payload == 0 {
                match self.splitter.next(&mut input)? {
                    Some(Split::Message(message)) => self.heard(message, reports),
                    Some(Split::Payload(wanted)) => {
                        self.current =
                            self.outstanding.take(wanted).map(|block| Current { block, buf: None });
                    }
                    None => {}
                }
                continue;
            }
            match &mut self.current {
                None => self.burst.wasted += payload as u64,
                Some(current) => {
                    let buf = current.buf.take().or_else(|| self.plan.bufs.pop_front());
                    let Some(mut buf) = buf.or_else(|| self.pool.try_take()) else {
                        self.pending = input.to_vec();
                        return Ok(());
                    };
                    buf.spare_mut()[..payload].copy_from_slice(&input[..payload]);
                    buf.advance(payload);
                    current.buf = Some(buf);
                }
            }
            input = &input[payload..];
            self.moved(payload);
        }
        Ok(())
    }

    /// Counts payload that was moved; the block may be whole with it.
    fn moved(&mut self, bytes: usize) {
        self.splitter.moved(bytes);
        if self.splitter.payload_left() == 0
            && let Some(Current { block, buf: Some(buf) }) = self.current.take()
        {
            self.burst.landed.push((block, buf));
        }
    }

    fn heard(&mut self, message: Message, reports: &mut Reports) {
        match message {
            Message::Choke if !self.fast => {
                self.unseen_chokes = self.unseen_chokes.saturating_add(1);
                self.outstanding.clear();
            }
            Message::Reject(wanted) if self.fast => {
                self.outstanding.take(wanted);
            }
            _ => {}
        }
        if !matches!(message, Message::Have(_) | Message::KeepAlive) {
            // What landed before a choke has to be known before the choke is.
            self.report(reports);
        }
        reports.push(FromPeer::MessageReceived(message));
    }

    fn report(&mut self, reports: &mut Reports) {
        let Burst { landed, wasted, .. } = std::mem::take(&mut self.burst);
        if !landed.is_empty() {
            reports.push(FromPeer::BlocksReceived(landed));
        }
        if wasted > 0 {
            reports.push(FromPeer::Wasted(wasted));
        }
    }
}
