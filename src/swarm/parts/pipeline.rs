//! The pipeline: the pending requests to one peer, and how many there should be.
//!
//! The depth is bandwidth times delay. It doubles each round trip while that makes the peer faster (slow
//! start); after that it is what the peer sends in its latency plus one second. One second bridges a lost
//! packet or a late wake-up on either side; less in flight means fewer duplicates in the end game, and fewer
//! requests to reassign when the peer leaves.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::{BLOCK_LEN, Block, Moment};

/// The smallest depth, in blocks.
pub const MIN_DEPTH: u32 = 4;
/// The greatest depth in blocks, whatever the peer accepts.
pub const MAX_DEPTH: u32 = 500;
/// The depth for a peer that does not send `reqq` (BEP 10), in blocks.
pub const USUAL_DEPTH: u32 = 250;
/// The most blocks that are collected before an order is sent.
const RUN: u32 = 16;
/// The time that the pending requests should last beyond the latency.
const QUEUE: Duration = Duration::from_secs(1);
/// The longest time without a block after which a peer is snubbed.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);
/// The assumed rate of a peer whose rate is unknown, in bytes per second.
const MIN_RATE: f64 = 65_536.0;
/// The time without a block after which the estimate of a peer gets worse.
const SILENCE: Duration = Duration::from_secs(2);
/// The shortest time without a block after which a peer is snubbed, however fast it was.
const MIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The pipeline of one peer.
#[derive(Clone, Debug)]
pub struct Pipeline {
    pending: VecDeque<Block>,
    depth: u32,
    cap: u32,
    starting: bool,
    last_rate: f64,
    requested_empty: Option<Moment>,
    latency: Duration,
    gap: Duration,
    progress: Moment,
    snubbed: bool,
}

impl Pipeline {
    /// Makes an empty pipeline.
    pub fn new(now: Moment) -> Self {
        Self {
            pending: VecDeque::new(),
            depth: MIN_DEPTH,
            cap: USUAL_DEPTH,
            starting: true,
            last_rate: 0.0,
            requested_empty: None,
            latency: Duration::from_millis(100),
            gap: MAX_TIMEOUT,
            progress: now,
            snubbed: false,
        }
    }

    /// The pending blocks, in the order of their requests.
    pub const fn pending(&self) -> &VecDeque<Block> {
        &self.pending
    }

    /// The number of blocks that should be pending now.
    pub fn depth(&self) -> u32 {
        if self.snubbed { 1 } else { self.depth.min(self.cap) }
    }

    /// Whether the peer is snubbed: it has not sent a requested block for too long.
    pub const fn is_snubbed(&self) -> bool {
        self.snubbed
    }

    /// Sets the number of requests that the peer accepts (`reqq`, BEP 10).
    pub fn limit(&mut self, reqq: u32) {
        self.cap = reqq.clamp(1, MAX_DEPTH);
    }

    /// Returns the number of blocks to request now. It is 0 while little of the depth is free, so that one
    /// order, and one write, carries many requests.
    pub fn room(&self) -> usize {
        let room = self.depth().saturating_sub(self.pending.len() as u32);
        if room >= (self.depth() / 2).clamp(1, RUN) { room as usize } else { 0 }
    }

    /// Records requested blocks.
    pub fn record_requests(&mut self, now: Moment, blocks: &[Block]) {
        if self.pending.is_empty() {
            self.progress = now;
            self.requested_empty = Some(now);
        }
        self.pending.extend(blocks);
    }

    /// Records a received block. Returns whether it was pending.
    pub fn receive(&mut self, now: Moment, block: Block) -> bool {
        if !self.forget(block) {
            return false;
        }
        let waited = now.since(self.progress);
        if let Some(asked) = self.requested_empty.take() {
            // Only a request into an empty pipeline measures the latency without the queue.
            self.latency = now.since(asked).min(Duration::from_secs(2));
        }
        self.gap = if self.gap == MAX_TIMEOUT { waited } else { (self.gap * 7 + waited) / 8 };
        self.progress = now;
        self.snubbed = false;
        if self.starting {
            self.depth = (self.depth + 1).min(MAX_DEPTH);
        }
        true
    }

    /// Removes a block that is no longer pending. Returns whether it was.
    pub fn forget(&mut self, block: Block) -> bool {
        let at = self.pending.iter().position(|&b| b == block);
        at.and_then(|at| self.pending.remove(at)).is_some()
    }

    /// Removes all blocks, and returns them.
    pub fn clear(&mut self) -> Vec<Block> {
        self.requested_empty = None;
        self.pending.drain(..).collect()
    }

    /// Estimates the time until all pending blocks have arrived, at a rate in bytes per second.
    pub fn eta(&self, now: Moment, rate: f64) -> Duration {
        if self.pending.is_empty() {
            return self.latency;
        }
        let bytes = f64::from(BLOCK_LEN) * self.pending.len() as f64;
        let sending = Duration::from_secs_f64((bytes / rate.max(MIN_RATE)).min(3600.0));
        // A peer that has just paused may continue; the longer it does not, the worse its estimate.
        let silent = now.since(self.progress);
        let doubt = if silent > SILENCE { silent * 2 } else { Duration::ZERO };
        let snubbed = if self.snubbed { MAX_TIMEOUT } else { Duration::ZERO };
        self.latency + sending + doubt + snubbed
    }

    /// Adjusts the depth to the rate in bytes per second, about once a second. Returns whether the peer is
    /// now to be snubbed.
    pub fn pulse(&mut self, now: Moment, rate: f64) -> bool {
        if self.starting && rate > 0.0 {
            self.starting = rate > self.last_rate * 1.1;
            self.last_rate = rate;
        }
        if !self.starting {
            let seconds = (self.latency + QUEUE).as_secs_f64();
            let blocks = (rate * seconds / f64::from(BLOCK_LEN)).ceil() as u32;
            self.depth = blocks.clamp(MIN_DEPTH, MAX_DEPTH);
        }
        let late = self.deadline().is_some_and(|at| at <= now);
        self.snubbed |= late;
        late
    }

    /// The time at which the peer will be snubbed, unless a block arrives.
    pub fn deadline(&self) -> Option<Moment> {
        let patience = (self.gap * 20 + self.latency * 4).clamp(MIN_TIMEOUT, MAX_TIMEOUT);
        (!self.pending.is_empty()).then(|| self.progress + patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Geometry;

    fn at(ms: u64) -> Moment {
        Moment::START + Duration::from_millis(ms)
    }

    /// A peer that sends `rate` blocks per second after a latency; how deep its pipeline gets.
    fn run(rate: u64, latency: u64) -> (u32, Pipeline) {
        let shape = Geometry::single(1 << 28, 1 << 28).unwrap();
        let piece = shape.piece(0).unwrap();
        let mut blocks = shape.blocks(piece);
        let mut pipeline = Pipeline::new(at(0));
        pipeline.limit(MAX_DEPTH);
        let mut meter = crate::base::Meter::new(at(0), Duration::from_secs(2));
        let (mut line, mut free_at) = (VecDeque::new(), 0);
        for ms in 0..12_000 {
            let room = pipeline.room();
            if room > 0 {
                let ask: Vec<_> = blocks.by_ref().take(room).collect();
                pipeline.record_requests(at(ms), &ask);
                line.extend(ask.into_iter().map(|block| (ms + latency, block)));
            }
            while let Some(&(arrived, block)) =
                line.front().filter(|(arrived, _)| arrived.max(&free_at) <= &ms)
            {
                free_at = free_at.max(arrived * 1000 / 1000).max(ms) + 1000 / rate.min(1000);
                line.pop_front();
                assert!(pipeline.receive(at(ms), block));
                meter.add(at(ms), u64::from(BLOCK_LEN));
            }
            if ms % 1000 == 0 {
                pipeline.pulse(at(ms), meter.rate(at(ms)));
            }
        }
        (pipeline.depth(), pipeline)
    }

    #[test]
    fn the_depth_follows_bandwidth_times_delay() {
        let (slow, _) = run(2, 50);
        let (fast, _) = run(100, 50);
        let (far, _) = run(100, 500);
        assert!((MIN_DEPTH..8).contains(&slow), "{slow}");
        assert!((80..150).contains(&fast), "{fast}");
        assert!((120..200).contains(&far), "{far}");
    }

    #[test]
    fn who_owes_for_too_long_is_snubbed_until_it_sends() {
        let shape = Geometry::single(65_536, 65_536).unwrap();
        let blocks: Vec<_> = shape.blocks(shape.piece(0).unwrap()).collect();
        let mut pipeline = Pipeline::new(at(0));
        pipeline.record_requests(at(0), &blocks[..2]);
        assert!(!pipeline.pulse(at(59_000), 0.0));
        assert!(pipeline.pulse(at(60_000), 0.0));
        assert_eq!((pipeline.clear().len(), pipeline.room()), (2, 1));
        pipeline.record_requests(at(61_000), &blocks[..1]);
        assert!(pipeline.receive(at(62_000), blocks[0]));
        assert!(!pipeline.is_snubbed());
        assert!(!pipeline.receive(at(62_000), blocks[0]));
    }
}
