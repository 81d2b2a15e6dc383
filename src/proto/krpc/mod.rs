//! KRPC, the messages between DHT nodes, each one UDP packet (BEP 5, with both address families of BEP 32,
//! the scrapes of BEP 33, the `ip` of BEP 42, the read-only nodes of BEP 43, the items of BEP 44 and the
//! samples of BEP 51).
//!
//! A packet is a query, a reply or an error. A reply does not say which query it answers, so [`Reply`] has a
//! field for every value that a reply can contain, and the querying node takes those it asked for. A
//! malformed value is left out where the rest is usable without it; otherwise the packet is refused, with the
//! error code that a well-behaved node returns for it.

mod item;
mod read;
mod write;

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::base::{NodeId, Untrusted};

pub use item::{Item, ItemError, MAX_SALT, MAX_VALUE};
pub use read::{Malformed, read};

/// The longest packet that is read, in bytes. Nodes keep theirs within one Ethernet frame (1500 bytes).
pub const MAX_PACKET: usize = 2048;
/// The longest token that is accepted, in bytes; tokens in the wild have 4 to 20.
pub const MAX_TOKEN: usize = 64;
/// The longest transaction id that is accepted, in bytes.
pub const MAX_TRANSACTION: usize = 32;
/// The most nodes of one address family that are read from a reply; BEP 5 sends 8.
pub const MAX_NODES: usize = 20;
/// The most peers that are read from a reply.
pub const MAX_PEERS: usize = 200;
/// The most info-hashes that are read from the reply to a sample query (BEP 51).
pub const MAX_SAMPLES: usize = 80;
/// The length of a Bloom filter of BEP 33, in bytes.
pub const BLOOM_LEN: usize = 256;

/// A transaction id: chosen by the querying node and returned in the reply, opaque to everyone else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Transaction(Box<[u8]>);

impl Transaction {
    /// Makes a transaction id; `None` for more than [`MAX_TRANSACTION`] bytes.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= MAX_TRANSACTION).then(|| Self(bytes.into()))
    }

    /// Returns the transaction id's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Makes a transaction id of four bytes, the only length that some nodes answer.
impl From<u32> for Transaction {
    fn from(number: u32) -> Self {
        Self(number.to_be_bytes().into())
    }
}

/// A KRPC packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// The transaction id.
    pub transaction: Transaction,
    /// The content: a query, a reply or an error.
    pub body: Body,
    /// The sender's client, two letters and two bytes of version, if it is stated (BEP 5, `v`).
    pub version: Option<[u8; 4]>,
    /// In a reply, the address from which the query came (BEP 42, `ip`).
    pub seen_as: Option<SocketAddr>,
    /// The sender does not answer queries and must not enter a routing table (BEP 43, `ro`).
    pub read_only: bool,
}

impl Packet {
    /// Makes a packet with only a transaction id and a body.
    pub const fn new(transaction: Transaction, body: Body) -> Self {
        Self { transaction, body, version: None, seen_as: None, read_only: false }
    }
}

/// The content of a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// A query, with the id of the node that sent it.
    Query(NodeId, Query),
    /// A reply.
    Reply(Box<Reply>),
    /// An error, with its message.
    Error(ErrorCode, Untrusted),
}

/// The address families of the nodes wanted in a reply (BEP 32, `want`). Without it, a reply has those of the
/// family over which the query came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Want {
    /// Nodes with an IPv4 address.
    pub v4: bool,
    /// Nodes with an IPv6 address.
    pub v6: bool,
}

impl Want {
    /// Nodes of both address families.
    pub const BOTH: Self = Self { v4: true, v6: true };
}

/// The queries of KRPC.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Query {
    /// `ping`: checks that the node is alive (BEP 5).
    Ping,
    /// `find_node`: asks for the nodes closest to an id (BEP 5).
    FindNode {
        /// The id to which the nodes are to be close.
        target: NodeId,
        /// The address families of the nodes wanted.
        want: Option<Want>,
    },
    /// `get_peers`: asks for the peers of a torrent, and for the nodes closest to its info-hash (BEP 5).
    GetPeers {
        /// The info-hash.
        info_hash: NodeId,
        /// The address families of the nodes wanted.
        want: Option<Want>,
        /// Leave out seeds (BEP 33).
        no_seeds: bool,
        /// Include Bloom filters of the peers (BEP 33).
        scrape: bool,
    },
    /// `announce_peer`: announces the sender as a peer of a torrent (BEP 5).
    AnnouncePeer {
        /// The info-hash.
        info_hash: NodeId,
        /// The port on which the peer accepts connections; `None` for the port from which the packet came.
        port: Option<u16>,
        /// The token of the node's reply to [`Query::GetPeers`].
        token: Vec<u8>,
        /// The peer is a seed (BEP 33).
        seed: bool,
    },
    /// `get`: asks for an item (BEP 44).
    Get {
        /// The item's target.
        target: NodeId,
        /// Leave out a mutable item's value unless its sequence number is higher than this.
        newer_than: Option<i64>,
        /// The address families of the nodes wanted.
        want: Option<Want>,
    },
    /// `put`: asks the node to store an item (BEP 44).
    Put {
        /// The token of the node's reply to [`Query::Get`].
        token: Vec<u8>,
        /// The item.
        item: Item,
        /// Store the item only if it replaces the one with this sequence number (BEP 44, `cas`).
        instead_of: Option<i64>,
    },
    /// `sample_infohashes`: asks for some of the info-hashes that the node stores peers for (BEP 51).
    Sample {
        /// The id to which the nodes in the reply are to be close.
        target: NodeId,
        /// The address families of the nodes wanted.
        want: Option<Want>,
    },
}

/// A reply, with a field for every value that the reply to some query contains.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The id of the node that replies.
    pub id: NodeId,
    /// Nodes with IPv4 addresses.
    pub nodes: Vec<(NodeId, SocketAddrV4)>,
    /// Nodes with IPv6 addresses.
    pub nodes6: Vec<(NodeId, SocketAddrV6)>,
    /// The address families whose list of nodes is present and empty.
    pub none_in: Want,
    /// The torrent's peers (BEP 5, `values`).
    pub peers: Vec<SocketAddr>,
    /// The token to send with an announce or a put.
    pub token: Option<Vec<u8>>,
    /// A Bloom filter of the addresses of the seeds (BEP 33, `BFsd`).
    pub seeds: Option<Box<[u8; BLOOM_LEN]>>,
    /// A Bloom filter of the addresses of the leechers (BEP 33, `BFpe`).
    pub leechers: Option<Box<[u8; BLOOM_LEN]>>,
    /// The values of the item that the query asked for, as far as the reply has them.
    pub item: Option<ItemValues>,
    /// Sampled info-hashes (BEP 51).
    pub samples: Option<Samples>,
}

impl Reply {
    /// Makes a reply that contains only the sender's id.
    pub const fn new(id: NodeId) -> Self {
        Self {
            id,
            nodes: Vec::new(),
            nodes6: Vec::new(),
            none_in: Want { v4: false, v6: false },
            peers: Vec::new(),
            token: None,
            seeds: None,
            leechers: None,
            item: None,
            samples: None,
        }
    }
}

/// The values of an item in a reply (BEP 44). They are unverified until the querying node, which knows target
/// and salt, has checked them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ItemValues {
    /// The bencoded value; missing if the querying node already has the newest.
    pub value: Option<Vec<u8>>,
    /// The public key of a mutable item.
    pub key: Option<[u8; 32]>,
    /// The signature of a mutable item.
    pub signature: Option<[u8; 64]>,
    /// The sequence number of a mutable item.
    pub seq: Option<i64>,
}

/// A sample of the info-hashes that a node stores peers for (BEP 51).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Samples {
    /// The sampled info-hashes.
    pub hashes: Vec<NodeId>,
    /// The number of info-hashes that the node stores.
    pub known: u64,
    /// The time in seconds until the node draws another sample, 0 to 21600.
    pub interval: u32,
}

/// The code of an error (BEP 5, "errors"; BEP 44).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorCode(pub i64);

impl ErrorCode {
    /// 201: an error of no particular kind.
    pub const GENERIC: Self = Self(201);
    /// 203: the packet is malformed, or its token is wrong.
    pub const PROTOCOL: Self = Self(203);
    /// 204: the query is unknown.
    pub const UNKNOWN_METHOD: Self = Self(204);
    /// 205: the value of the item is too long.
    pub const TOO_LONG: Self = Self(205);
    /// 206: the signature of the item is wrong.
    pub const BAD_SIGNATURE: Self = Self(206);
    /// 207: the salt of the item is too long.
    pub const SALT_TOO_LONG: Self = Self(207);
    /// 301: the sequence number in `cas` is not that of the stored item.
    pub const CAS_MISMATCH: Self = Self(301);
    /// 302: the stored item has a higher sequence number.
    pub const OUTDATED: Self = Self(302);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round(packet: &Packet) {
        let bytes = packet.encode();
        assert!(bytes.len() < MAX_PACKET, "{}", bytes.len());
        assert_eq!(read(&bytes).as_ref(), Ok(packet), "{}", bytes.escape_ascii());
        let found = crate::proto::bencode::scan(&bytes, crate::proto::bencode::Limits::KRPC, b"").unwrap();
        assert_eq!((found.unsorted, found.len), (None, bytes.len()), "{}", bytes.escape_ascii());
    }

    #[test]
    fn the_examples_of_bep_5_are_written_as_printed() {
        let id = NodeId(*b"abcdefghij0123456789");
        let other = NodeId(*b"mnopqrstuvwxyz123456");
        let aa = || Transaction::new(b"aa").unwrap();
        let query = |query| Packet::new(aa(), Body::Query(id, query)).encode();
        assert_eq!(query(Query::Ping), b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe");
        assert_eq!(
            query(Query::FindNode { target: other, want: None }),
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe"
        );
        assert_eq!(
            query(Query::GetPeers { info_hash: other, want: None, no_seeds: false, scrape: false }),
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe"
        );
        assert_eq!(
            query(Query::AnnouncePeer {
                info_hash: other,
                port: Some(6881),
                token: b"aoeusnth".to_vec(),
                seed: false
            }),
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe"
        );
        let mut reply = Reply::new(id);
        reply.token = Some(b"aoeusnth".to_vec());
        reply.peers = vec!["97.120.106.101:11893".parse().unwrap(), "105.100.104.116:28269".parse().unwrap()];
        assert_eq!(
            Packet::new(aa(), Body::Reply(Box::new(reply))).encode(),
            b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re"
        );
        let error = Body::Error(ErrorCode::GENERIC, Untrusted::new("A Generic Error Ocurred"));
        assert_eq!(Packet::new(aa(), error).encode(), b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee");
    }

    #[test]
    fn every_question_reads_back() {
        let target = NodeId([7; 20]);
        let want = Some(Want::BOTH);
        let mutable = Item::Mutable {
            key: [1; 32],
            salt: b"salt".to_vec(),
            seq: -3,
            signature: [2; 64],
            value: b"i5e".to_vec(),
        };
        for query in [
            Query::Ping,
            Query::FindNode { target, want },
            Query::GetPeers { info_hash: target, want, no_seeds: true, scrape: true },
            Query::GetPeers {
                info_hash: target,
                want: Some(Want { v4: false, v6: true }),
                no_seeds: false,
                scrape: false,
            },
            Query::AnnouncePeer { info_hash: target, port: None, token: vec![1, 2], seed: true },
            Query::Get { target, newer_than: Some(4), want: None },
            Query::Put { token: vec![9], item: Item::Immutable(b"5:hello".to_vec()), instead_of: None },
            Query::Put { token: vec![9], item: mutable, instead_of: Some(-4) },
            Query::Sample { target, want },
        ] {
            let mut packet = Packet::new(Transaction::from(513), Body::Query(NodeId([9; 20]), query));
            packet.read_only = true;
            packet.version = Some(*b"tR01");
            round(&packet);
        }
    }

    #[test]
    fn every_answer_reads_back() {
        let v4 = |n: u8| (NodeId([n; 20]), SocketAddrV4::new([10, 0, 0, n].into(), 1000 + u16::from(n)));
        let v6 =
            |n: u8| (NodeId([n; 20]), SocketAddrV6::new([0x20, 1, n.into(), 0, 0, 0, 0, 1].into(), 7, 0, 0));
        let mut reply = Reply::new(NodeId([9; 20]));
        round(&Packet::new(Transaction::from(1), Body::Reply(Box::new(reply.clone()))));
        reply.nodes = (1..=8).map(v4).collect();
        reply.nodes6 = (1..=8).map(v6).collect();
        reply.peers = vec!["10.1.2.3:4".parse().unwrap(), "[2001:db8::7]:9".parse().unwrap()];
        reply.token = Some(vec![0, 255]);
        reply.seeds = Some(Box::new([3; BLOOM_LEN]));
        reply.leechers = Some(Box::new([0; BLOOM_LEN]));
        reply.item = Some(ItemValues {
            value: Some(b"d1:ai1ee".to_vec()),
            key: Some([4; 32]),
            signature: Some([5; 64]),
            seq: Some(6),
        });
        reply.samples = Some(Samples { hashes: vec![NodeId([1; 20])], known: 40, interval: 300 });
        let mut packet = Packet::new(Transaction::from(1), Body::Reply(Box::new(reply)));
        packet.seen_as = Some("[2001:db8::1]:5".parse().unwrap());
        round(&packet);
        packet.seen_as = Some("192.0.2.1:5".parse().unwrap());
        round(&packet);
        let mut reply = Reply::new(NodeId([9; 20]));
        reply.none_in = Want::BOTH;
        let packet = Packet::new(Transaction::from(1), Body::Reply(Box::new(reply)));
        round(&packet);
        assert!(packet.encode().windows(18).any(|bytes| bytes == b"5:nodes0:6:nodes60"));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_say() {
        let code = |bytes: &[u8]| {
            read(bytes).unwrap_err().answer.map(|(transaction, code)| (transaction.bytes().to_vec(), code))
        };
        let aa = |code| Some((b"aa".to_vec(), code));
        assert_eq!(
            code(b"d1:ad2:id20:abcdefghij0123456789e1:q5:party1:t2:aa1:y1:qe"),
            aa(ErrorCode::UNKNOWN_METHOD)
        );
        assert_eq!(code(b"d1:ad2:id19:abcdefghij012345678e1:q4:ping1:t2:aa1:y1:qe"), aa(ErrorCode::PROTOCOL));
        assert_eq!(code(b"d1:q4:ping1:t2:aa1:y1:qe"), aa(ErrorCode::PROTOCOL));
        assert_eq!(
            code(b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti0e5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe"),
            aa(ErrorCode::PROTOCOL)
        );
        // Answers and noise are not answered.
        for silent in [
            &b"d1:rd2:id3:abce1:t2:aa1:y1:re"[..],
            b"d1:t2:aa1:y1:xe",
            b"d1:y1:qe",
            b"le",
            b"",
            b"d1:t40:0123456789012345678901234567890123456789d1:y1:qe",
        ] {
            assert_eq!(code(silent), None, "{}", silent.escape_ascii());
        }
        // A question of the future that names a target is read as one for nodes near it.
        let unknown =
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q4:vote1:t2:aa1:y1:qe";
        let Ok(Packet { body: Body::Query(_, query), .. }) = read(unknown) else { panic!() };
        assert_eq!(query, Query::FindNode { target: NodeId(*b"mnopqrstuvwxyz123456"), want: None });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn noise_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }

        #[test]
        fn broken_packets_are_read_or_refused(at in 0_usize..200, byte in any::<u8>(), kind in 0..3) {
            let id = NodeId(*b"abcdefghij0123456789");
            let body = match kind {
                0 => Body::Query(id, Query::Put { token: vec![1], item: Item::Immutable(b"2:hi".to_vec()), instead_of: None }),
                1 => Body::Query(id, Query::GetPeers { info_hash: id, want: Some(Want::BOTH), no_seeds: true, scrape: true }),
                _ => {
                    let mut reply = Reply::new(id);
                    reply.nodes = vec![(id, SocketAddrV4::new([1, 2, 3, 4].into(), 5))];
                    reply.token = Some(vec![7; 8]);
                    reply.samples = Some(Samples::default());
                    Body::Reply(Box::new(reply))
                }
            };
            let mut bytes = Packet::new(Transaction::from(1), body).encode();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(packet) = read(&bytes) {
                let again = packet.encode();
                prop_assert_eq!(read(&again).unwrap(), packet);
            }
        }
    }
}
