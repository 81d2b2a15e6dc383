//! What others ask of us.
//!
//! An answer to somebody who has not shown that packets reach it at its address is at most three times as
//! long as the question, so that nobody can have us flood a third by asking in its name.

use std::net::SocketAddr;

use crate::base::{Moment, NodeId, Untrusted};
use crate::proto::krpc::{Body, ErrorCode, Found, Item, Packet, Query, Reply, Samples, Transaction, Want};

use super::event::{Family, Output};
use super::node::{Dht, Purpose};
use super::table::K;

/// How much longer than a question its answer may be before an address is proven.
const AMPLIFY: usize = 3;
/// The longest answer: it fits into one frame on any path.
const MOST_BYTES: usize = 1200;
/// The longest answer with an item, which comes in one piece or not at all.
const MOST_WITH_ITEM: usize = 1280;
/// The bytes around the value of an item, without and with key, number and signature.
const ITEM: [usize; 2] = [10, 140];
/// The bytes of an answer around its lists: the frame, id, token, address and version.
const FRAME: usize = 110;
/// The bytes of the question back whether somebody is there.
const PING: usize = 66;
/// With so many questions under way nobody is asked back any more: whoever asks in the names of thousands who do not
/// exist would else take the places of our own searches.
const ASKED_BACK: usize = 256;
/// Bytes of a node of IPv4 and of IPv6, and of a peer with its frame.
const NODE: [usize; 2] = [26, 38];
const PEER: [usize; 2] = [8, 21];
/// Two filters of BEP 33 with their frames.
const FILTERS: usize = 2 * (256 + 10);
/// Info-hashes in an answer to a sample.
const SAMPLES: usize = 20;
/// Seconds after which another sample is given (BEP 51); it is drawn anew each time.
const SAMPLE_INTERVAL: u32 = 60;

impl Dht {
    #[expect(clippy::too_many_arguments, reason = "each is one field of the packet")]
    pub(super) fn asked(
        &mut self,
        now: Moment,
        from: SocketAddr,
        len: usize,
        transaction: &Transaction,
        id: NodeId,
        query: Query,
        read_only: bool,
        out: &mut Vec<Output>,
    ) {
        if self.read_only || !self.flood.asks(now, from.ip()) {
            return;
        }
        let Some(side) = self.side(Family::of(&from)) else { return };
        let own = side.table.own();
        if id == own {
            return;
        }
        let proven = side.table.knows(&id, from) || self.shows_token(from, &query);
        let calm = self.flights.len() < ASKED_BACK;
        let unknown = calm && !proven && !read_only && side.table.has_room(&id, from);
        let stranger = (len * AMPLIFY).saturating_sub(if unknown { PING } else { 0 });
        let most = if matches!(query, Query::Get { .. }) { MOST_WITH_ITEM } else { MOST_BYTES };
        let room = if proven { most } else { stranger.min(most) };
        match self.answer(now, from, own, query, room.saturating_sub(FRAME)) {
            Ok(reply) => {
                let packet = shortened(transaction, reply, from, room);
                self.reply(now, from, packet, out);
            }
            Err(code) => self.refuse(now, from, transaction.clone(), code, out),
        }
        // Who asks may be worth knowing; whether it is there only its answer shows.
        if unknown && !self.flights.is_asked(from) {
            self.ask(now, from, Some(id), Query::Ping, Purpose::Ping, out);
        }
    }

    /// Says that a question cannot be answered.
    pub(super) fn refuse(
        &mut self,
        now: Moment,
        from: SocketAddr,
        transaction: Transaction,
        code: ErrorCode,
        out: &mut Vec<Output>,
    ) {
        let text = match code {
            ErrorCode::UNKNOWN_METHOD => "unknown method",
            ErrorCode::TOO_LONG => "value too long",
            ErrorCode::BAD_SIGNATURE => "invalid signature",
            ErrorCode::SALT_TOO_LONG => "salt too long",
            ErrorCode::NOT_THAT_ONE => "cas mismatch",
            ErrorCode::OUTDATED => "sequence number is not newer",
            _ => "invalid query",
        };
        if !self.read_only {
            let packet = Packet::new(transaction, Body::Error(code, Untrusted::new(text)));
            self.reply(now, from, packet, out);
        }
    }

    fn reply(&mut self, now: Moment, to: SocketAddr, packet: Packet, out: &mut Vec<Output>) {
        let before = out.len();
        self.send(to, packet, out);
        let fits = match out.last() {
            Some(Output::Send { bytes, .. }) => self.flood.pays(now, bytes.len()),
            _ => true,
        };
        if !fits {
            out.truncate(before);
        }
    }

    /// Whether the question brings a token that only its sender can have.
    fn shows_token(&self, from: SocketAddr, query: &Query) -> bool {
        match query {
            Query::AnnouncePeer { info_hash, token, .. } => self.tokens.good(token, from.ip(), info_hash),
            Query::Put { item, token, .. } => self.tokens.good(token, from.ip(), &item.target()),
            _ => false,
        }
    }

    /// The answer, in which lists take at most `room` bytes.
    fn answer(
        &mut self,
        now: Moment,
        from: SocketAddr,
        own: NodeId,
        query: Query,
        mut room: usize,
    ) -> Result<Reply, ErrorCode> {
        let mut reply = Reply::new(own);
        match query {
            Query::Ping => {}
            Query::FindNode { target, want } => self.add_nodes(&mut reply, from, &target, want, room),
            Query::GetPeers { info_hash, want, no_seeds, scrape } => {
                reply.token = Some(self.tokens.make(from.ip(), &info_hash).to_vec());
                if scrape
                    && room >= FILTERS
                    && let Some((seeds, others)) = self.peers.scrape(&info_hash)
                {
                    reply.seeds = Some(Box::new(*seeds.bytes()));
                    reply.leechers = Some(Box::new(*others.bytes()));
                    room -= FILTERS;
                }
                // Peers are what is asked for, nodes lead to more of them: half for each.
                let size = PEER[usize::from(!from.is_ipv4())];
                let most = room / 2 / size;
                reply.peers = self.peers.some(&mut self.rng, &info_hash, from.is_ipv4(), most, no_seeds);
                room -= reply.peers.len() * size;
                self.add_nodes(&mut reply, from, &info_hash, want, room);
            }
            Query::AnnouncePeer { info_hash, port, token, seed } => {
                if !self.tokens.good(&token, from.ip(), &info_hash) {
                    return Err(ErrorCode::PROTOCOL);
                }
                let peer = SocketAddr::new(from.ip(), port.unwrap_or(from.port()));
                self.peers.put(now, &mut self.rng, info_hash, peer, seed);
            }
            Query::Get { target, newer_than, want } => {
                reply.token = Some(self.tokens.make(from.ip(), &target).to_vec());
                reply.item = self.items.get(&target).map(|item| found(item, newer_than));
                if let Some(found) = &mut reply.item {
                    let around = ITEM[usize::from(found.key.is_some())];
                    let len = found.value.as_ref().map_or(0, Vec::len) + around;
                    if len > room {
                        // The value goes to whom a larger answer may be sent: who has asked at length, or
                        // is known.
                        found.value = None;
                    }
                    room = room.saturating_sub(found.value.as_ref().map_or(around, |_| len));
                }
                self.add_nodes(&mut reply, from, &target, want, room);
            }
            Query::Put { token, item, instead_of } => {
                if !self.tokens.good(&token, from.ip(), &item.target()) {
                    return Err(ErrorCode::PROTOCOL);
                }
                self.items.put(now, item, instead_of)?;
            }
            Query::Sample { target, want } => {
                let most = (room / 2 / 20).min(SAMPLES);
                let (hashes, known) = self.peers.sample(&mut self.rng, most);
                room -= hashes.len() * 20;
                let samples = Samples { hashes, known: known as u64, interval: SAMPLE_INTERVAL };
                reply.samples = Some(samples);
                self.add_nodes(&mut reply, from, &target, want, room);
            }
        }
        Ok(reply)
    }

    /// Adds the nodes that are nearest to the target, of the families that are wanted (BEP 32).
    fn add_nodes(
        &self,
        reply: &mut Reply,
        from: SocketAddr,
        target: &NodeId,
        want: Option<Want>,
        room: usize,
    ) {
        let want = want.unwrap_or(Want { v4: from.is_ipv4(), v6: !from.is_ipv4() });
        let share = if want.v4 && want.v6 { room / 2 } else { room };
        let most = |size: usize| (share / size).min(K);
        let nearest = |family, most| {
            let nodes = self.side(family).map(|side| side.table.nearest(target, most));
            nodes.unwrap_or_default().into_iter()
        };
        if want.v4 {
            let nodes = nearest(Family::V4, most(NODE[0]));
            reply.nodes = nodes
                .filter_map(|(id, addr)| match addr {
                    SocketAddr::V4(addr) => Some((id, addr)),
                    SocketAddr::V6(_) => None,
                })
                .collect();
        }
        if want.v6 {
            let nodes = nearest(Family::V6, most(NODE[1]));
            reply.nodes6 = nodes
                .filter_map(|(id, addr)| match addr {
                    SocketAddr::V6(addr) => Some((id, addr)),
                    SocketAddr::V4(_) => None,
                })
                .collect();
        }
    }
}

/// The answer without the last of its nodes and peers, as far as it would be longer than this.
fn shortened(transaction: &Transaction, mut reply: Reply, to: SocketAddr, most: usize) -> Packet {
    /// What the version adds, which is the same in every packet.
    const VERSION: usize = 9;
    loop {
        let mut packet = Packet::new(transaction.clone(), Body::Reply(Box::new(reply.clone())));
        packet.seen_as = Some(to);
        let fits = packet.encode().len() + VERSION <= most;
        let shorter =
            reply.nodes6.pop().is_some() || reply.nodes.pop().is_some() || reply.peers.pop().is_some();
        if fits || !shorter {
            return packet;
        }
    }
}

/// What is said of an item to somebody who has one of this number.
fn found(item: &Item, newer_than: Option<i64>) -> Found {
    match item {
        Item::Immutable(value) => Found { value: Some(value.clone()), ..Found::default() },
        Item::Mutable { key, seq, signature, value, .. } => {
            if newer_than.is_some_and(|known| *seq <= known) {
                return Found { seq: Some(*seq), ..Found::default() };
            }
            Found {
                value: Some(value.clone()),
                key: Some(*key),
                signature: Some(*signature),
                seq: Some(*seq),
            }
        }
    }
}
