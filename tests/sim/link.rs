//! A connection as two one-way pipes, each with its latency, its order and a window that stops the
//! sender when the receiver does not keep up.

use std::collections::VecDeque;
use std::time::Duration;

use torr::base::{Block, Geometry, Moment, Span};
use torr::proto::message::Message;

use super::liar::Content;

/// A load that travels: words that were said at one moment, or one block.
#[derive(Clone, Debug)]
pub enum Parcel {
    Words(Vec<Message>),
    Bytes(Span, Content),
}

#[derive(Clone)]
struct Flying {
    parcel: Parcel,
    sent: Moment,
    due: Option<Moment>,
}

/// One direction of a connection: from one end to the other.
#[derive(Clone)]
pub struct Way {
    latency: Duration,
    window: u64,
    /// Spans that wait for the uplink of the sender.
    pub queue: VecDeque<Span>,
    /// Whether this way has its place among those that take turns on the uplink.
    pub in_turn: bool,
    /// Blocks that the receiver expects, in the order in which it asked.
    pub owed: VecDeque<Block>,
    /// When what was said of extensions has gone out, and whether that is still to be reported.
    pub drained: Moment,
    pub drains: bool,
    /// Expected blocks that have come and are not reported yet.
    pub burst: Vec<(Block, Content)>,
    /// Spans that went out and are not reported yet.
    pub sent: Vec<Span>,
    flight: VecDeque<Flying>,
    arrived: usize,
    held: usize,
    in_flight: u64,
    last_arrival: Moment,
    last_delivery: Moment,
}

impl Way {
    fn new(latency: Duration, window: u64) -> Self {
        Self {
            latency,
            window,
            queue: VecDeque::new(),
            in_turn: false,
            owed: VecDeque::new(),
            drained: Moment::START,
            drains: false,
            burst: Vec::new(),
            sent: Vec::new(),
            flight: VecDeque::new(),
            arrived: 0,
            held: 0,
            in_flight: 0,
            last_arrival: Moment::START,
            last_delivery: Moment::START,
        }
    }

    /// From one end to the other.
    pub fn latency(&self) -> Duration {
        self.latency
    }

    /// Whether the sender may put more bytes on the way.
    pub fn is_open(&self) -> bool {
        self.in_flight < self.window
    }

    /// Puts words on the way. Says when they arrive, unless they travel with others of this moment.
    pub fn say(&mut self, now: Moment, delay: Duration, message: Message) -> Option<Moment> {
        let fresh = self.flight.len() > self.arrived + self.held;
        if let Some(Flying { parcel: Parcel::Words(words), sent, due: None }) = self.flight.back_mut()
            && *sent == now
            && fresh
        {
            words.push(message);
            return None;
        }
        Some(self.send(now, delay, Parcel::Words(vec![message])))
    }

    /// Puts a block on the way. Says when it arrives.
    pub fn send(&mut self, now: Moment, delay: Duration, parcel: Parcel) -> Moment {
        if let Parcel::Bytes(span, _) = &parcel {
            self.in_flight += u64::from(span.len());
        }
        self.flight.push_back(Flying { parcel, sent: now, due: None });
        self.last_arrival = self.last_arrival.max(now + delay);
        self.last_arrival
    }

    /// The next parcel stands before the door of the receiver, whose downlink is free from `free_at` on.
    /// Says when it will be through.
    pub fn arrive(&mut self, now: Moment, free_at: &mut Moment, down: u64) -> Moment {
        let flying = &mut self.flight[self.arrived];
        self.arrived += 1;
        let mut due = self.last_delivery.max(now);
        if let Parcel::Bytes(span, _) = &flying.parcel {
            due = due.max(*free_at) + Duration::from_secs_f64(f64::from(span.len()) / down as f64);
            *free_at = due;
        }
        flying.due = Some(due);
        self.last_delivery = due;
        due
    }

    /// The next parcel cannot arrive while the network is parted.
    pub fn hold(&mut self) {
        self.held += 1;
    }

    /// The network is whole again: how many parcels come now.
    pub fn release(&mut self) -> usize {
        std::mem::take(&mut self.held)
    }

    /// Takes the parcel that is through.
    pub fn deliver(&mut self) -> Parcel {
        let flying = self.flight.pop_front().expect("what is delivered has been sent");
        self.arrived -= 1;
        if let Parcel::Bytes(span, _) = &flying.parcel {
            self.in_flight -= u64::from(span.len());
        }
        flying.parcel
    }

    /// Whether another block comes so soon that the receiver reports both at once.
    pub fn more_at_once(&self, now: Moment) -> bool {
        let next = self.flight.front().filter(|f| matches!(f.parcel, Parcel::Bytes(..)));
        next.and_then(|f| f.due).is_some_and(|due| due.since(now) <= Duration::from_millis(2))
    }

    /// A block came out: the one that was expected, or `None` where it was not.
    pub fn settle(&mut self, geometry: &Geometry, span: Span) -> Option<Block> {
        let block = geometry.block_at(span.piece().index(), span.begin(), span.len())?;
        self.forget(block).then_some(block)
    }

    /// The receiver does not expect this block any more.
    pub fn forget(&mut self, block: Block) -> bool {
        let at = self.owed.iter().position(|&b| b == block);
        at.and_then(|at| self.owed.remove(at)).is_some()
    }
}

/// A connection of two nodes.
#[derive(Clone)]
pub struct Conn {
    /// The node that called, and the one that was called.
    pub ends: [usize; 2],
    /// In which of their lives.
    pub lives: [u64; 2],
    /// Both speak the fast extension (BEP 6).
    pub fast: bool,
    /// The ends that know of the connection and do not know of its end.
    pub known: [bool; 2],
    /// How many messages each end has heard.
    pub heard: [u64; 2],
    /// From each end to the other.
    pub ways: [Way; 2],
    /// Nothing travels any more.
    pub dead: bool,
    /// The network is parted between the ends.
    pub stalled: bool,
}

impl Conn {
    pub fn new(ends: [usize; 2], lives: [u64; 2], fast: bool, latency: Duration, window: u64) -> Self {
        let ways = [Way::new(latency, window), Way::new(latency, window)];
        Self { ends, lives, fast, known: [false; 2], heard: [0; 2], ways, dead: false, stalled: false }
    }

    /// The end that a node is.
    pub fn side(&self, node: usize) -> usize {
        usize::from(self.ends[1] == node)
    }
}
