//! How calls, words and blocks travel: what the world does between the order of one node and the fact of
//! another.

use std::net::SocketAddr;
use std::time::Duration;

use torr::base::{Block, Span};
use torr::proto::message::Message;
use torr::swarm::Torrent;
use torr::swarm::event::{DialFailure, Input, PeerHandshake, PeerKey};

use super::liar::Manner;
use super::link::{Conn, Parcel};
use super::plan::address_of;
use super::world::{DIAL_TIMEOUT, Event, World};

/// A lost packet is sent again this long after its answer could have come.
const RETRANSMISSION: Duration = Duration::from_millis(200);
/// As much is reported at once.
const BURST: usize = 16;
/// As many spans are reported as sent at once.
const SENT_BURST: usize = 8;

impl World {
    pub(super) fn dial(&mut self, from: usize, to: SocketAddr) {
        self.nodes[from].tally.dials += 1;
        let life = self.nodes[from].lives;
        let callee = self.node_at(to).filter(|&callee| to == address_of(callee) && self.reach(from, callee));
        let (after, event) = match callee {
            Some(callee) if callee == from => {
                let why = DialFailure::Ourselves;
                return self.fact(from, Duration::from_millis(1), Input::DialFailed { addr: to, why });
            }
            Some(callee) if self.is_callable(from, callee) => {
                // A call, its answer, and the handshake of the caller.
                (self.trip(from, callee) * 3, Event::Call { from, life, callee })
            }
            _ => {
                let why = DialFailure::TimedOut;
                return self.fact(from, DIAL_TIMEOUT, Input::DialFailed { addr: to, why });
            }
        };
        self.heap.put(self.now + after, event);
    }

    pub(super) fn call(&mut self, from: usize, life: u64, callee: usize) {
        if self.nodes[from].lives != life || !self.nodes[from].is_on() {
            return;
        }
        let trip = self.trip(from, callee);
        if !self.nodes[callee].is_on() || !self.reach(from, callee) {
            let (addr, why) = (address_of(callee), DialFailure::Refused);
            return self.fact(from, trip, Input::DialFailed { addr, why });
        }
        let fast = self.nodes[from].plan.fast && self.nodes[callee].plan.fast;
        let window = self.nodes[from].window(&self.nodes[callee]);
        let number = self.conns.len();
        let lives = [life, self.nodes[callee].lives];
        self.conns.push(Conn::new([from, callee], lives, fast, trip, window));
        self.heap.put(self.now + trip, Event::Stands(number, 0));
        self.stands(number, 1);
    }

    /// An end has the handshake of the other.
    pub(super) fn stands(&mut self, number: usize, side: usize) {
        let conn = &mut self.conns[number];
        let (at, other, dead) = (conn.ends[side], conn.ends[1 - side], conn.dead);
        let conn_life = conn.lives[1 - side];
        if !self.nodes[at].is_on() || self.nodes[at].lives != conn.lives[side] {
            return;
        }
        conn.known[side] = true;
        let mut addr = address_of(other);
        if side == 1 {
            addr.set_port(20_000 + (number % 40_000) as u16);
        }
        let peer = PeerKey(number as u64);
        if let Some(script) = self.nodes[at].plan.script {
            return self.say(at, peer, script.greeting(self.metainfo.raw_info().len() as u32));
        }
        let reserved = self.nodes[at].reserved(&self.nodes[other]);
        let hello = PeerHandshake { id: self.nodes[other].id(conn_life), reserved };
        self.hear(at, Input::Connected { peer, addr, incoming: side == 1, hello });
        if dead {
            self.ends(number, side, torr::swarm::event::DisconnectReason::Closed);
        }
    }

    pub(super) fn say(&mut self, at: usize, peer: PeerKey, message: Message) {
        let number = peer.0 as usize;
        let conn = &self.conns[number];
        let side = conn.side(at);
        if conn.dead {
            return;
        }
        let latency = conn.ways[side].latency();
        let delay = latency + self.late(latency);
        let (now, up) = (self.now, self.nodes[at].plan.up);
        let way = &mut self.conns[number].ways[side];
        let arrival = match &message {
            Message::Extended { body, .. } => {
                // It takes its time on the uplink, and whoever said it hears when it has gone out.
                let time = Duration::from_secs_f64(body.len() as f64 / up as f64);
                way.drained = way.drained.max(now) + time;
                let (drained, reported) = (way.drained, std::mem::replace(&mut way.drains, true));
                if !reported {
                    self.heap.put(drained, Event::Drains(number, side));
                }
                Some(way.send(now, drained.since(now) + delay, Parcel::Words(vec![message])))
            }
            _ => way.say(now, delay, message),
        };
        if let Some(arrival) = arrival {
            self.heap.put(arrival, Event::Arrives(number, side));
        }
    }

    /// The extension messages of an end have gone out, unless it has said more meanwhile.
    pub(super) fn drains(&mut self, number: usize, side: usize) {
        let conn = &mut self.conns[number];
        let (at, way) = (conn.ends[side], &mut conn.ways[side]);
        if way.drained > self.now {
            return self.heap.put(way.drained, Event::Drains(number, side));
        }
        way.drains = false;
        if conn.known[side] {
            self.hear(at, Input::Drained { peer: PeerKey(number as u64) });
        }
    }

    pub(super) fn ask(&mut self, at: usize, peer: PeerKey, blocks: &[Block]) {
        let conn = &mut self.conns[peer.0 as usize];
        let side = conn.side(at);
        conn.ways[1 - side].owed.extend(blocks);
        for block in blocks {
            self.say(at, peer, Message::Request(block.span().into()));
        }
    }

    pub(super) fn cancel(&mut self, at: usize, peer: PeerKey, blocks: &[Block]) {
        for &block in blocks {
            let conn = &mut self.conns[peer.0 as usize];
            let side = conn.side(at);
            if conn.ways[1 - side].forget(block) {
                self.say(at, peer, Message::Cancel(block.span().into()));
            }
        }
    }

    pub(super) fn serve(&mut self, at: usize, peer: PeerKey, spans: &[Span]) {
        let number = peer.0 as usize;
        let conn = &mut self.conns[number];
        let side = conn.side(at);
        if conn.dead || self.nodes[at].plan.manner == Manner::Mute {
            return;
        }
        conn.ways[side].queue.extend(spans);
        self.queue_up(number, side);
    }

    /// A way with something to send takes its place among those that take turns.
    fn queue_up(&mut self, number: usize, side: usize) {
        let conn = &mut self.conns[number];
        let at = conn.ends[side];
        let way = &mut conn.ways[side];
        if !way.in_turn && !way.queue.is_empty() && way.is_open() {
            way.in_turn = true;
            self.nodes[at].turns.push_back((number, side));
        }
        self.transmit(at);
    }

    /// The uplink of a node takes up the next block, if it is free.
    fn transmit(&mut self, at: usize) {
        while !self.nodes[at].sending {
            let Some((number, side)) = self.nodes[at].turns.pop_front() else { return };
            let conn = &mut self.conns[number];
            conn.ways[side].in_turn = false;
            if conn.dead {
                continue;
            }
            let Some(span) = conn.ways[side].queue.pop_front() else { continue };
            if let Err(sentence) = self.nodes[at].ledger.may_go_out(PeerKey(number as u64), span) {
                self.fail(at, &sentence);
            }
            let node = &mut self.nodes[at];
            node.sending = true;
            let time = Duration::from_secs_f64(f64::from(span.len()) / node.plan.up as f64);
            self.heap.put(self.now + time, Event::Out(number, side, span));
        }
    }

    pub(super) fn out(&mut self, number: usize, side: usize, span: Span) {
        let now = self.now;
        let at = self.conns[number].ends[side];
        self.nodes[at].sending = false;
        if !self.conns[number].dead {
            if self.breaks > 0 && self.rng.one_in(self.breaks) {
                self.snap(number);
            } else {
                self.put_on_the_way(number, side, span);
            }
        }
        if self.nodes[at].is_on() && !self.conns[number].dead {
            let way = &mut self.conns[number].ways[side];
            if way.queue.is_empty() || way.sent.len() >= SENT_BURST {
                let spans = std::mem::take(&mut way.sent);
                self.hear(at, Input::Sent { peer: PeerKey(number as u64), spans });
            }
        }
        debug_assert_eq!(self.now, now);
        self.queue_up(number, side);
    }

    fn put_on_the_way(&mut self, number: usize, side: usize, span: Span) {
        let late = self.late(self.conns[number].ways[side].latency());
        let conn = &mut self.conns[number];
        let at = conn.ends[side];
        let node = &mut self.nodes[at];
        node.tally.sent += u64::from(span.len());
        let content = node.plan.manner.content(&mut node.rng, at, span);
        let way = &mut conn.ways[side];
        way.sent.push(span);
        let jitter = self.rng.below(self.plan.jitter + 1) as u32;
        let delay = way.latency() * (100 + jitter) / 100 + late;
        let arrival = way.send(self.now, delay, Parcel::Bytes(span, content));
        self.heap.put(arrival, Event::Arrives(number, side));
    }

    pub(super) fn arrives(&mut self, number: usize, side: usize) {
        let conn = &mut self.conns[number];
        if conn.dead {
            return;
        }
        if conn.stalled {
            conn.ways[side].hold();
            return;
        }
        let to = &mut self.nodes[conn.ends[1 - side]];
        let due = conn.ways[side].arrive(self.now, &mut to.down_free, to.plan.down);
        if due == self.now {
            self.through(number, side);
        } else {
            self.heap.put(due, Event::Through(number, side));
        }
    }

    pub(super) fn through(&mut self, number: usize, side: usize) {
        let conn = &mut self.conns[number];
        if conn.dead {
            return;
        }
        let way = &mut conn.ways[side];
        let to = conn.ends[1 - side];
        let peer = PeerKey(number as u64);
        match way.deliver() {
            Parcel::Bytes(span, content) => {
                if let Some(block) = way.settle(&self.geometry, span) {
                    way.burst.push((block, content));
                } else {
                    let bytes = u64::from(span.len());
                    self.nodes[to].tally.wasted += bytes;
                    self.hear(to, Input::Wasted { peer, bytes });
                }
                let way = &self.conns[number].ways[side];
                if way.burst.len() >= BURST || !way.more_at_once(self.now) {
                    self.flush(number, side);
                }
                self.queue_up(number, side);
            }
            Parcel::Words(words) => {
                self.flush(number, side);
                for message in words {
                    let conn = &mut self.conns[number];
                    if !conn.known[1 - side] {
                        return;
                    }
                    conn.heard[1 - side] += 1;
                    if self.nodes[to].plan.script.is_some() {
                        self.script_hears(to, peer, &message);
                        continue;
                    }
                    let way = &mut conn.ways[side];
                    match &message {
                        Message::Choke if !conn.fast => way.owed.clear(),
                        Message::Reject(w) => {
                            if let Some(block) = self.geometry.block_at(w.piece, w.begin, w.len) {
                                way.forget(block);
                            }
                        }
                        _ => {}
                    }
                    self.hear(to, Input::MessageReceived { peer, message });
                }
            }
        }
    }

    /// Reports the blocks that have come.
    fn flush(&mut self, number: usize, side: usize) {
        let conn = &mut self.conns[number];
        let to = conn.ends[1 - side];
        let burst = std::mem::take(&mut conn.ways[side].burst);
        if burst.is_empty() || !conn.known[1 - side] {
            return;
        }
        let node = &mut self.nodes[to];
        node.tally.landed += burst.iter().map(|(block, _)| u64::from(block.len())).sum::<u64>();
        node.tally.first_block.get_or_insert(PeerKey(number as u64));
        let blocks = burst.iter().map(|(block, _)| *block).collect();
        node.landed = burst;
        self.hear(to, Input::BlocksReceived { peer: PeerKey(number as u64), blocks });
        let node = &mut self.nodes[to];
        node.landed.clear();
        let held = node.torrent.as_ref().map_or(0, Torrent::held);
        if node.disk.held() > held {
            let sentence = format!("{} bytes have landed and {held} are set aside", node.disk.held());
            self.fail(to, &sentence);
        }
    }

    /// The network was parted or healed: connections stop or go on.
    pub(super) fn stall(&mut self) {
        for number in 0..self.conns.len() {
            let [a, b] = self.conns[number].ends;
            let reach = self.reach(a, b);
            let conn = &mut self.conns[number];
            conn.stalled = !reach;
            if !reach || conn.dead {
                continue;
            }
            for side in 0..2 {
                let at = self.now + conn.ways[side].latency();
                for _ in 0..conn.ways[side].release() {
                    self.heap.put(at, Event::Arrives(number, side));
                }
            }
        }
    }

    /// How much later a packet comes that may be lost on the way: it is sent once more after a timeout.
    fn late(&mut self, latency: Duration) -> Duration {
        if self.loss > 0 && self.rng.one_in(self.loss) {
            latency * 2 + RETRANSMISSION
        } else {
            Duration::ZERO
        }
    }

    /// Whether a node can be called by another.
    fn is_callable(&self, from: usize, callee: usize) -> bool {
        let (from, callee) = (&self.nodes[from].plan, &self.nodes[callee]);
        !callee.is_router
            && (callee.plan.reachable || callee.plan.lan.is_some() && callee.plan.lan == from.lan)
    }

    fn trip(&self, a: usize, b: usize) -> Duration {
        self.nodes[a].latency() + self.nodes[b].latency()
    }
}
