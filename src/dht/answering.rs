//! Replies to the queries of other nodes.

use std::net::SocketAddr;

use crate::base::{Moment, NodeId, Untrusted};
use crate::proto::krpc::{Body, ErrorCode, Item, ItemValues, Packet, Query, Samples, Transaction, Want};

use super::event::{Family, Output};
use super::node::{Dht, Purpose};
use super::reply_builder::{MAX_AMPLIFICATION, Nearest, PING, ReplyBuilder};
use super::table::K;

/// The number of pending queries from which nodes that query us are no longer pinged. Otherwise queries with
/// thousands of made-up sender addresses would use up the pending queries of our own searches.
const MAX_PENDING_TO_PING: usize = 256;
/// The most info-hashes in the reply to a sample query (BEP 51).
const MAX_SAMPLES: usize = 20;
/// The seconds after which a node may ask for another sample (BEP 51). Each reply draws a new one.
const SAMPLE_INTERVAL: u32 = 60;

impl Dht {
    #[expect(clippy::too_many_arguments, reason = "each is one field of the packet")]
    pub(super) fn handle_query(
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
        if self.read_only || !self.flood.accept_query(now, from.ip()) {
            return;
        }
        // An announce or put is processed even if there is no budget left for the reply.
        let brings = matches!(query, Query::AnnouncePeer { .. } | Query::Put { .. });
        if !brings && !self.flood.may_answer(now) {
            return;
        }
        let Some(side) = self.side(Family::of(&from)) else { return };
        let own = side.table.own();
        if id == own {
            return;
        }
        // The sender may be worth adding to the table; only a reply to a ping proves that it is there.
        let back = !read_only
            && self.pending.len() < MAX_PENDING_TO_PING
            && side.table.has_room(&id, from)
            && !self.pending.is_asked(from);
        let mut builder = ReplyBuilder::new(transaction, from, own, len, if back { PING } else { 0 });
        let most = len * MAX_AMPLIFICATION;
        let sent = match self.answer(now, from, query, &mut builder) {
            Ok(()) => self.reply(now, from, builder.packet(), most, out),
            Err(code) => self.refuse(now, from, transaction.clone(), code, most, out),
        };
        if back && sent + PING <= most && self.flood.take_budget(now, PING) {
            self.ask(now, from, Some(id), Query::Ping, Purpose::Ping, out);
        }
    }

    /// Replies with an error to a malformed query of `len` bytes.
    pub(super) fn handle_malformed(
        &mut self,
        now: Moment,
        from: SocketAddr,
        len: usize,
        (transaction, code): (Transaction, ErrorCode),
        out: &mut Vec<Output>,
    ) {
        if !self.read_only && self.flood.accept_query(now, from.ip()) {
            self.refuse(now, from, transaction, code, len * MAX_AMPLIFICATION, out);
        }
    }

    /// Sends an error in reply to a query. Length limit and result are those of [`Self::reply`].
    fn refuse(
        &mut self,
        now: Moment,
        from: SocketAddr,
        transaction: Transaction,
        code: ErrorCode,
        most: usize,
        out: &mut Vec<Output>,
    ) -> usize {
        let text = match code {
            ErrorCode::UNKNOWN_METHOD => "unknown method",
            ErrorCode::TOO_LONG => "value too long",
            ErrorCode::BAD_SIGNATURE => "invalid signature",
            ErrorCode::SALT_TOO_LONG => "salt too long",
            ErrorCode::CAS_MISMATCH => "cas mismatch",
            ErrorCode::OUTDATED => "sequence number is not newer",
            _ => "invalid query",
        };
        let packet = Packet::new(transaction, Body::Error(code, Untrusted::new(text)));
        self.reply(now, from, packet, most, out)
    }

    /// Sends a reply if it has at most `most` bytes and the reply budget allows it. Returns the number of
    /// bytes sent.
    fn reply(
        &mut self,
        now: Moment,
        to: SocketAddr,
        packet: Packet,
        most: usize,
        out: &mut Vec<Output>,
    ) -> usize {
        let before = out.len();
        self.send(to, packet, out);
        let len = match out.last() {
            Some(Output::Send { bytes, .. }) => bytes.len(),
            _ => 0,
        };
        if len > most || !self.flood.take_budget(now, len) {
            out.truncate(before);
            return 0;
        }
        len
    }

    /// Fills in the reply to a query, or returns the error to reply with.
    fn answer(
        &mut self,
        now: Moment,
        from: SocketAddr,
        query: Query,
        builder: &mut ReplyBuilder,
    ) -> Result<(), ErrorCode> {
        match query {
            Query::Ping => {}
            Query::FindNode { target, want } => {
                let nearest = self.nearest(from, &target, want, builder);
                builder.add_nodes(nearest);
            }
            Query::GetPeers { info_hash, want, no_seeds, scrape } => {
                builder.reply.token = Some(self.tokens.make(from.ip(), &info_hash).to_vec());
                let nearest = self.nearest(from, &info_hash, want, builder);
                if scrape {
                    builder.add_filters(|| {
                        let (seeds, others) = self.peers.scrape(&info_hash)?;
                        Some([seeds, others].map(|filter| Box::new(*filter.bytes())))
                    });
                }
                builder.add_peers(nearest, |most| {
                    self.peers.some(&mut self.rng, &info_hash, from.is_ipv4(), most, no_seeds)
                });
            }
            Query::AnnouncePeer { info_hash, port, token, seed } => {
                if !self.tokens.is_valid(&token, from.ip(), &info_hash) {
                    return Err(ErrorCode::PROTOCOL);
                }
                let peer = SocketAddr::new(from.ip(), port.unwrap_or(from.port()));
                self.peers.put(now, &mut self.rng, info_hash, peer, seed);
            }
            Query::Get { target, newer_than, want } => {
                builder.reply.token = Some(self.tokens.make(from.ip(), &target).to_vec());
                let nearest = self.nearest(from, &target, want, builder);
                if let Some(item) = self.items.get(&target) {
                    builder.add_item(values_of(item, newer_than));
                }
                builder.add_nodes(nearest);
            }
            Query::Put { token, item, instead_of } => {
                if !self.tokens.is_valid(&token, from.ip(), &item.target()) {
                    return Err(ErrorCode::PROTOCOL);
                }
                self.items.put(now, from.ip(), item, instead_of)?;
            }
            Query::Sample { target, want } => {
                let samples = Samples {
                    known: self.peers.len() as u64,
                    interval: SAMPLE_INTERVAL,
                    ..Samples::default()
                };
                builder.reply.samples = Some(samples);
                let nearest = self.nearest(from, &target, want, builder);
                builder.add_samples(MAX_SAMPLES, |most| self.peers.sample(&mut self.rng, most));
                builder.add_nodes(nearest);
            }
        }
        Ok(())
    }

    /// Returns the nodes nearest to `target` in each address family that is wanted (BEP 32) and supported.
    /// Their lists are part of the reply even if they are empty.
    fn nearest(
        &self,
        from: SocketAddr,
        target: &NodeId,
        want: Option<Want>,
        builder: &mut ReplyBuilder,
    ) -> [Nearest; 2] {
        let want = want.unwrap_or(Want { v4: from.is_ipv4(), v6: !from.is_ipv4() });
        let side = |family, wanted: bool| self.side(family).filter(|_| wanted);
        let sides = [side(Family::V4, want.v4), side(Family::V6, want.v6)];
        builder.reply.none_in = Want { v4: sides[0].is_some(), v6: sides[1].is_some() };
        sides.map(|side| side.map(|side| side.table.nearest(target, K)).unwrap_or_default())
    }
}

/// Returns the values of an item for a reply, without those that a node with sequence number `newer_than`
/// already has.
fn values_of(item: &Item, newer_than: Option<i64>) -> ItemValues {
    match item {
        Item::Immutable(value) => ItemValues { value: Some(value.clone()), ..ItemValues::default() },
        Item::Mutable { key, seq, signature, value, .. } => {
            if newer_than.is_some_and(|known| *seq <= known) {
                return ItemValues { seq: Some(*seq), ..ItemValues::default() };
            }
            ItemValues {
                value: Some(value.clone()),
                key: Some(*key),
                signature: Some(*signature),
                seq: Some(*seq),
            }
        }
    }
}
