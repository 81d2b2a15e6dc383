//! Encoding of KRPC packets, with their keys in order.

use std::net::SocketAddr;

use super::{Body, Item, Packet, Query, Reply, Want};
use crate::base::NodeId;
use crate::proto::tracker_http::put_compact;

impl Packet {
    /// Returns the packet as canonical bencode.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Out(Vec::with_capacity(256));
        out.0.push(b'd');
        let kind = match &self.body {
            Body::Query(id, query) => {
                out.key("a");
                arguments(*id, query, &mut out);
                b"q"
            }
            Body::Error(code, text) => {
                out.key("e");
                out.0.push(b'l');
                out.int(code.0);
                out.bytes(text.raw().as_bytes());
                out.0.push(b'e');
                b"e"
            }
            Body::Reply(_) => b"r",
        };
        if let Some(addr) = self.seen_as {
            out.key("ip");
            out.bytes(&compact(addr));
        }
        match &self.body {
            Body::Query(_, query) => {
                out.key("q");
                out.bytes(query.method().as_bytes());
            }
            Body::Reply(reply) => {
                out.key("r");
                values(reply, &mut out);
            }
            Body::Error(..) => {}
        }
        if self.read_only {
            out.key("ro");
            out.int(1);
        }
        out.key("t");
        out.bytes(self.transaction.bytes());
        if let Some(version) = &self.version {
            out.key("v");
            out.bytes(version);
        }
        out.key("y");
        out.bytes(kind);
        out.0.push(b'e');
        out.0
    }
}

/// The padding of queries whose reply is long. A node may keep its replies to a stranger below three times
/// the length of the query, so that it cannot be used to flood a third party; the padding leaves room for the
/// whole reply.
const PADDING: [u8; 330] = [b'0'; 330];

impl Query {
    /// Returns the name of the query (`q`).
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::FindNode { .. } => "find_node",
            Self::GetPeers { .. } => "get_peers",
            Self::AnnouncePeer { .. } => "announce_peer",
            Self::Get { .. } => "get",
            Self::Put { .. } => "put",
            Self::Sample { .. } => "sample_infohashes",
        }
    }
}

fn arguments(id: NodeId, query: &Query, out: &mut Out) {
    out.0.push(b'd');
    if let Query::Put { instead_of: Some(seq), .. } = query {
        out.key("cas");
        out.int(*seq);
    }
    out.key("id");
    out.bytes(&id.0);
    match query {
        Query::Ping => {}
        Query::FindNode { target, want } | Query::Sample { target, want } => {
            out.key("target");
            out.bytes(&target.0);
            wanted(*want, out);
        }
        Query::GetPeers { info_hash, want, no_seeds, scrape } => {
            out.key("info_hash");
            out.bytes(&info_hash.0);
            out.flag("noseed", *no_seeds);
            if *scrape {
                out.key("pad");
                out.bytes(&PADDING);
            }
            out.flag("scrape", *scrape);
            wanted(*want, out);
        }
        Query::AnnouncePeer { info_hash, port, token, seed } => {
            out.flag("implied_port", port.is_none());
            out.key("info_hash");
            out.bytes(&info_hash.0);
            out.key("port");
            // Nodes that do not support `implied_port` require some port here.
            out.int(port.unwrap_or(1).into());
            out.flag("seed", *seed);
            out.key("token");
            out.bytes(token);
        }
        Query::Get { target, newer_than, want } => {
            out.key("pad");
            out.bytes(&PADDING);
            if let Some(seq) = newer_than {
                out.key("seq");
                out.int(*seq);
            }
            out.key("target");
            out.bytes(&target.0);
            wanted(*want, out);
        }
        Query::Put { token, item, .. } => {
            if let Item::Mutable { key, salt, seq, signature, .. } = item {
                out.key("k");
                out.bytes(key);
                if !salt.is_empty() {
                    out.key("salt");
                    out.bytes(salt);
                }
                out.key("seq");
                out.int(*seq);
                out.key("sig");
                out.bytes(signature);
            }
            out.key("token");
            out.bytes(token);
            out.key("v");
            out.0.extend(item.value());
        }
    }
    out.0.push(b'e');
}

fn values(reply: &Reply, out: &mut Out) {
    out.0.push(b'd');
    for (key, filter) in [("BFpe", &reply.leechers), ("BFsd", &reply.seeds)] {
        if let Some(filter) = filter {
            out.key(key);
            out.bytes(&filter[..]);
        }
    }
    out.key("id");
    out.bytes(&reply.id.0);
    if let Some(samples) = &reply.samples {
        out.key("interval");
        out.int(samples.interval.into());
    }
    let item = reply.item.as_ref();
    if let Some(key) = item.and_then(|item| item.key.as_ref()) {
        out.key("k");
        out.bytes(key);
    }
    if reply.none_in.v4 || !reply.nodes.is_empty() {
        out.key("nodes");
        out.nodes(reply.nodes.iter().map(|&(id, addr)| (id, addr.into())), 26 * reply.nodes.len());
    }
    if reply.none_in.v6 || !reply.nodes6.is_empty() {
        out.key("nodes6");
        out.nodes(reply.nodes6.iter().map(|&(id, addr)| (id, addr.into())), 38 * reply.nodes6.len());
    }
    if let Some(samples) = &reply.samples {
        out.key("num");
        out.int(i64::try_from(samples.known).unwrap_or(i64::MAX));
        out.key("samples");
        let hashes: Vec<u8> = samples.hashes.iter().flat_map(|hash| hash.0).collect();
        out.bytes(&hashes);
    }
    if let Some(seq) = item.and_then(|item| item.seq) {
        out.key("seq");
        out.int(seq);
    }
    if let Some(signature) = item.and_then(|item| item.signature.as_ref()) {
        out.key("sig");
        out.bytes(signature);
    }
    if let Some(token) = &reply.token {
        out.key("token");
        out.bytes(token);
    }
    if let Some(value) = item.and_then(|item| item.value.as_ref()) {
        out.key("v");
        out.0.extend(value);
    }
    if !reply.peers.is_empty() {
        out.key("values");
        out.0.push(b'l');
        for peer in &reply.peers {
            out.bytes(&compact(*peer));
        }
        out.0.push(b'e');
    }
    out.0.push(b'e');
}

fn wanted(want: Option<Want>, out: &mut Out) {
    let Some(want) = want else { return };
    out.key("want");
    out.0.push(b'l');
    for (family, wanted) in [("n4", want.v4), ("n6", want.v6)] {
        if wanted {
            out.bytes(family.as_bytes());
        }
    }
    out.0.push(b'e');
}

fn compact(addr: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(18);
    put_compact(addr, &mut bytes);
    bytes
}

struct Out(Vec<u8>);

impl Out {
    fn key(&mut self, key: &str) {
        self.bytes(key.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.len(bytes.len());
        self.0.extend(bytes);
    }

    fn len(&mut self, len: usize) {
        self.digits(len as u64);
        self.0.push(b':');
    }

    fn int(&mut self, number: i64) {
        self.0.push(b'i');
        if number < 0 {
            self.0.push(b'-');
        }
        self.digits(number.unsigned_abs());
        self.0.push(b'e');
    }

    fn digits(&mut self, mut number: u64) {
        let begin = self.0.len();
        loop {
            self.0.push(b'0' + (number % 10) as u8);
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.0[begin..].reverse();
    }

    fn flag(&mut self, key: &str, set: bool) {
        if set {
            self.key(key);
            self.int(1);
        }
    }

    fn nodes(&mut self, nodes: impl Iterator<Item = (NodeId, SocketAddr)>, len: usize) {
        self.len(len);
        for (id, addr) in nodes {
            self.0.extend(id.0);
            put_compact(addr, &mut self.0);
        }
    }
}
