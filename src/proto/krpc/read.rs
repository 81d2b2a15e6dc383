//! Decoding of KRPC packets.

use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::{
    BLOOM_LEN, Body, ErrorCode, Item, ItemValues, MAX_NODES, MAX_PACKET, MAX_PEERS, MAX_SAMPLES, MAX_TOKEN,
    Packet, Query, Reply, Samples, Transaction, Want,
};
use crate::base::{NodeId, Untrusted};
use crate::proto::bencode::{Limits, Tree, Value};
use crate::proto::tracker_http::{compact_v4, compact_v6};

/// The longest message of an error that is kept, in characters.
const MAX_ERROR_CHARS: usize = 200;
/// The longest interval between two samples, in seconds (BEP 51).
const MAX_INTERVAL: i64 = 21600;

/// The error for a packet that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the packet cannot be read")]
pub struct Malformed {
    /// The error to send back, if the packet is a query with a usable transaction id.
    pub answer: Option<(Transaction, ErrorCode)>,
}

/// Decodes a packet. Bytes after its dictionary are ignored.
pub fn read(bytes: &[u8]) -> Result<Packet, Malformed> {
    const SILENT: Malformed = Malformed { answer: None };
    let bytes = &bytes[..bytes.len().min(MAX_PACKET)];
    if bytes.first() != Some(&b'd') {
        return Err(SILENT);
    }
    let tree = Tree::parse(bytes, Limits::KRPC).map_err(|_| SILENT)?;
    let root = tree.root();
    let transaction = root.get(b"t").and_then(|value| Transaction::new(value.bytes()?)).ok_or(SILENT)?;
    let body = match root.get(b"y").and_then(|value| value.bytes()) {
        Some(b"q") => {
            let refuse = |code| Malformed { answer: Some((transaction.clone(), code)) };
            let method = root.get(b"q").and_then(|value| value.bytes()).unwrap_or_default();
            let arguments = root.get(b"a").ok_or_else(|| refuse(ErrorCode::PROTOCOL))?;
            let id = id(&arguments, b"id").ok_or_else(|| refuse(ErrorCode::PROTOCOL))?;
            Body::Query(id, query(method, &arguments).map_err(refuse)?)
        }
        Some(b"r") => Body::Reply(Box::new(root.get(b"r").and_then(|values| reply(&values)).ok_or(SILENT)?)),
        Some(b"e") => {
            let mut items = root.get(b"e").ok_or(SILENT)?.list();
            let code = items.next().and_then(|code| code.int()).unwrap_or(ErrorCode::GENERIC.0);
            let text = items.next().and_then(|text| text.bytes()).unwrap_or_default();
            let text: String = String::from_utf8_lossy(text).chars().take(MAX_ERROR_CHARS).collect();
            Body::Error(ErrorCode(code), Untrusted::new(text))
        }
        _ => return Err(SILENT),
    };
    Ok(Packet {
        transaction,
        body,
        version: root.get(b"v").and_then(|value| value.bytes()?.try_into().ok()),
        seen_as: root.get(b"ip").and_then(|value| addr(value.bytes()?)),
        read_only: flag(&root, b"ro"),
    })
}

fn query(method: &[u8], arguments: &Value) -> Result<Query, ErrorCode> {
    let need = |key: &[u8]| id(arguments, key).ok_or(ErrorCode::PROTOCOL);
    let token = || {
        let token = arguments.get(b"token").and_then(|value| value.bytes());
        token.filter(|token| token.len() <= MAX_TOKEN).map(<[u8]>::to_vec).ok_or(ErrorCode::PROTOCOL)
    };
    let want = want(arguments);
    Ok(match method {
        b"ping" => Query::Ping,
        b"find_node" => Query::FindNode { target: need(b"target")?, want },
        b"get_peers" => Query::GetPeers {
            info_hash: need(b"info_hash")?,
            want,
            no_seeds: flag(arguments, b"noseed"),
            scrape: flag(arguments, b"scrape"),
        },
        b"announce_peer" => {
            let implied = flag(arguments, b"implied_port");
            let port = arguments.get(b"port").and_then(|value| u16::try_from(value.int()?).ok());
            let port = port.filter(|&port| port != 0);
            Query::AnnouncePeer {
                info_hash: need(b"info_hash")?,
                port: if implied { None } else { Some(port.ok_or(ErrorCode::PROTOCOL)?) },
                token: token()?,
                seed: flag(arguments, b"seed"),
            }
        }
        b"get" => Query::Get {
            target: need(b"target")?,
            newer_than: arguments.get(b"seq").and_then(|value| value.int()),
            want,
        },
        b"put" => Query::Put {
            token: token()?,
            item: item(arguments)?,
            instead_of: arguments.get(b"cas").and_then(|value| value.int()),
        },
        b"sample_infohashes" => Query::Sample { target: need(b"target")?, want },
        // An unknown query that names a target is treated as `find_node`, as other clients do, so that the
        // sender reaches nodes that know the query. BEP 5 would also allow an error.
        _ => match id(arguments, b"target").or_else(|| id(arguments, b"info_hash")) {
            Some(target) => Query::FindNode { target, want },
            None => return Err(ErrorCode::UNKNOWN_METHOD),
        },
    })
}

fn item(arguments: &Value) -> Result<Item, ErrorCode> {
    let value = arguments.get(b"v").ok_or(ErrorCode::PROTOCOL)?.raw();
    if value.len() > super::MAX_VALUE {
        return Err(ErrorCode::TOO_LONG);
    }
    let value = value.to_vec();
    let Some(key) = arguments.get(b"k") else { return Ok(Item::Immutable(value)) };
    let salt = arguments.get(b"salt").and_then(|salt| salt.bytes()).unwrap_or_default();
    if salt.len() > super::MAX_SALT {
        return Err(ErrorCode::SALT_TOO_LONG);
    }
    let fixed = || {
        let key = key.bytes()?.try_into().ok()?;
        let signature = arguments.get(b"sig")?.bytes()?.try_into().ok()?;
        Some(Item::Mutable { key, salt: salt.to_vec(), seq: arguments.get(b"seq")?.int()?, signature, value })
    };
    fixed().ok_or(ErrorCode::PROTOCOL)
}

fn reply(values: &Value) -> Option<Reply> {
    let bytes = |key: &[u8]| values.get(key).and_then(|value| value.bytes());
    let filter = |key| bytes(key).and_then(|filter| <[u8; BLOOM_LEN]>::try_from(filter).ok()).map(Box::new);
    let mut reply = Reply::new(id(values, b"id")?);
    let nodes = bytes(b"nodes").unwrap_or_default().chunks_exact(26).take(MAX_NODES);
    reply.nodes = nodes.filter_map(node_v4).collect();
    let nodes = bytes(b"nodes6").unwrap_or_default().chunks_exact(38).take(MAX_NODES);
    reply.nodes6 = nodes.filter_map(node_v6).collect();
    reply.none_in = Want {
        v4: bytes(b"nodes").is_some() && reply.nodes.is_empty(),
        v6: bytes(b"nodes6").is_some() && reply.nodes6.is_empty(),
    };
    let peers = values.get(b"values").into_iter().flat_map(|peers| peers.list()).take(MAX_PEERS);
    reply.peers = peers.filter_map(|peer| addr(peer.bytes()?)).filter(|peer| peer.port() != 0).collect();
    reply.token = bytes(b"token").filter(|token| token.len() <= MAX_TOKEN).map(<[u8]>::to_vec);
    reply.seeds = filter(b"BFsd");
    reply.leechers = filter(b"BFpe");
    let found = ItemValues {
        value: values.get(b"v").map(|value| value.raw().to_vec()),
        key: bytes(b"k").and_then(|key| key.try_into().ok()),
        signature: bytes(b"sig").and_then(|signature| signature.try_into().ok()),
        seq: values.get(b"seq").and_then(|seq| seq.int()),
    };
    reply.item = (found != ItemValues::default()).then_some(found);
    reply.samples = bytes(b"samples").map(|samples| Samples {
        hashes: samples.as_chunks::<20>().0.iter().take(MAX_SAMPLES).map(|&hash| NodeId(hash)).collect(),
        known: values.get(b"num").and_then(|num| num.int()).map_or(0, |num| num.max(0) as u64),
        interval: values.get(b"interval").and_then(|time| time.int()).unwrap_or(0).clamp(0, MAX_INTERVAL)
            as u32,
    });
    Some(reply)
}

fn id(values: &Value, key: &[u8]) -> Option<NodeId> {
    values.get(key)?.bytes()?.try_into().ok().map(NodeId)
}

fn flag(values: &Value, key: &[u8]) -> bool {
    values.get(key).and_then(|value| value.int()).is_some_and(|value| value != 0)
}

fn want(arguments: &Value) -> Option<Want> {
    let list = arguments.get(b"want").filter(Value::is_list)?;
    let mut want = Want::default();
    for family in list.list().take(8) {
        match family.bytes() {
            Some(b"n4") => want.v4 = true,
            Some(b"n6") => want.v6 = true,
            _ => {}
        }
    }
    (want != Want::default()).then_some(want)
}

/// Decodes an address and port of 6 (IPv4) or 18 bytes (IPv6).
fn addr(bytes: &[u8]) -> Option<SocketAddr> {
    match bytes.len() {
        6 => compact_v4(bytes).next(),
        18 => compact_v6(bytes).next(),
        _ => None,
    }
}

fn node_v4(bytes: &[u8]) -> Option<(NodeId, SocketAddrV4)> {
    let (id, rest) = bytes.split_first_chunk()?;
    match addr(rest)? {
        SocketAddr::V4(addr) if addr.port() != 0 => Some((NodeId(*id), addr)),
        _ => None,
    }
}

fn node_v6(bytes: &[u8]) -> Option<(NodeId, SocketAddrV6)> {
    let (id, rest) = bytes.split_first_chunk()?;
    let addr = addr(rest)?;
    match addr.ip() {
        // An IPv4-mapped IPv6 address belongs in the other list.
        IpAddr::V6(ip) if addr.port() != 0 => Some((NodeId(*id), SocketAddrV6::new(ip, addr.port(), 0, 0))),
        _ => None,
    }
}
