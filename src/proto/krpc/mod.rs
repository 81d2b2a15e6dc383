//! KRPC, what the nodes of the distributed hash table say to one another in single UDP packets
//! (BEP 5, with both address families of BEP 32, scrapes of BEP 33, the `ip` of BEP 42, read-only
//! nodes of BEP 43, items of BEP 44 and samples of BEP 51).
//!
//! A packet is a question, an answer or an error. An answer does not say what it answers: it is read
//! as a bag of everything an answer may bring, and who asked knows what to look for. What does not
//! have the form of its kind is left out where the rest can be used without it, else the packet is
//! refused with what a well-meaning node says to such a question.

mod item;
mod read;
mod write;

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::base::{NodeId, Untrusted};

pub use item::{Item, ItemError, MAX_SALT, MAX_VALUE};
pub use read::{Malformed, read};

/// The most bytes of a packet that are looked at; the longest that nodes send fit into one Ethernet frame.
pub const MAX_PACKET: usize = 2048;
/// The most bytes of a token that is kept; those seen in the wild have 4 to 20.
pub const MAX_TOKEN: usize = 64;
/// The most bytes of a transaction id that is sent back.
pub const MAX_TRANSACTION: usize = 32;
/// The most nodes of one family that are read from an answer; BEP 5 has 8.
pub const MAX_NODES: usize = 20;
/// The most peers that are read from an answer.
pub const MAX_PEERS: usize = 200;
/// The most info-hashes that are read from an answer to a sample.
pub const MAX_SAMPLES: usize = 80;
/// The bytes of a Bloom filter of BEP 33.
pub const BLOOM_LEN: usize = 256;

/// The number by which who asks knows the answer again. Only who chose it knows what it means.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Transaction(Box<[u8]>);

impl Transaction {
    /// Takes at most [`MAX_TRANSACTION`] bytes.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= MAX_TRANSACTION).then(|| Self(bytes.into()))
    }

    /// The bytes as they were chosen.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Four bytes: some nodes answer to no other length.
impl From<u32> for Transaction {
    fn from(number: u32) -> Self {
        Self(number.to_be_bytes().into())
    }
}

/// One packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Which question it asks or answers.
    pub transaction: Transaction,
    /// What it says.
    pub body: Body,
    /// Two letters for the client and two bytes for its version, where it says so (BEP 5).
    pub version: Option<[u8; 4]>,
    /// In an answer: the address from which the question came (BEP 42).
    pub seen_as: Option<SocketAddr>,
    /// The sender answers no questions and belongs into no table (BEP 43).
    pub read_only: bool,
}

impl Packet {
    /// A packet that says only this.
    pub const fn new(transaction: Transaction, body: Body) -> Self {
        Self { transaction, body, version: None, seen_as: None, read_only: false }
    }
}

/// What a packet says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// A question of this node.
    Query(NodeId, Query),
    /// An answer.
    Reply(Box<Reply>),
    /// A refusal.
    Error(ErrorCode, Untrusted),
}

/// Which families of nodes are wanted in an answer (BEP 32). Without a wish it is that of the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Want {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

impl Want {
    /// Both families.
    pub const BOTH: Self = Self { v4: true, v6: true };
}

/// A question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Query {
    /// Are you there? (BEP 5)
    Ping,
    /// Which nodes do you know near here? (BEP 5)
    FindNode {
        /// Near what.
        target: NodeId,
        /// Which families.
        want: Option<Want>,
    },
    /// Who has this torrent, or which nodes are near it? (BEP 5)
    GetPeers {
        /// The torrent.
        info_hash: NodeId,
        /// Which families of nodes.
        want: Option<Want>,
        /// Seeds are of no use (BEP 33).
        no_seeds: bool,
        /// How many are there? (BEP 33)
        scrape: bool,
    },
    /// I have this torrent. (BEP 5)
    AnnouncePeer {
        /// The torrent.
        info_hash: NodeId,
        /// The port peers reach me at; nothing for the one this packet came from.
        port: Option<u16>,
        /// What an answer to [`Query::GetPeers`] brought.
        token: Vec<u8>,
        /// I have all of it (BEP 33).
        seed: bool,
    },
    /// Do you keep this item? (BEP 44)
    Get {
        /// Its target.
        target: NodeId,
        /// Of a mutable item: only if it is newer than this.
        newer_than: Option<i64>,
        /// Which families of nodes.
        want: Option<Want>,
    },
    /// Keep this item. (BEP 44)
    Put {
        /// What an answer to [`Query::Get`] brought.
        token: Vec<u8>,
        /// The item.
        item: Item,
        /// Only over an item of this number.
        instead_of: Option<i64>,
    },
    /// Which torrents do you know? (BEP 51)
    Sample {
        /// Near what the nodes shall be.
        target: NodeId,
        /// Which families of nodes.
        want: Option<Want>,
    },
}

/// All that an answer may bring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// Who answers.
    pub id: NodeId,
    /// Nodes of IPv4.
    pub nodes: Vec<(NodeId, SocketAddrV4)>,
    /// Nodes of IPv6.
    pub nodes6: Vec<(NodeId, SocketAddrV6)>,
    /// The families whose list of nodes is there and has nothing in it.
    pub none_in: Want,
    /// Peers of the torrent that was asked for.
    pub peers: Vec<SocketAddr>,
    /// What has to be shown to announce or put.
    pub token: Option<Vec<u8>>,
    /// A filter of the addresses of seeds (BEP 33).
    pub seeds: Option<Box<[u8; BLOOM_LEN]>>,
    /// A filter of the addresses of the others (BEP 33).
    pub leechers: Option<Box<[u8; BLOOM_LEN]>>,
    /// The item that was asked for, or what there is of it.
    pub item: Option<Found>,
    /// Info-hashes (BEP 51), with how many there are, and the seconds after which others are given.
    pub samples: Option<Samples>,
}

impl Reply {
    /// An answer that says no more than who gives it.
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

/// What an answer says about an item of BEP 44. Nothing of it is proven before the asker, who knows the
/// target and the salt, has checked it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// The value as raw bencode; missing where the asker has the newest already.
    pub value: Option<Vec<u8>>,
    /// The public key of a mutable item.
    pub key: Option<[u8; 32]>,
    /// Its signature.
    pub signature: Option<[u8; 64]>,
    /// Its number.
    pub seq: Option<i64>,
}

/// Info-hashes a node knows (BEP 51).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Samples {
    /// Some of them, drawn by lot.
    pub hashes: Vec<NodeId>,
    /// How many it knows.
    pub known: u64,
    /// Seconds after which it gives others, 0 to 21600.
    pub interval: u32,
}

/// What kind of error (BEP 5, BEP 44).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorCode(pub i64);

impl ErrorCode {
    /// Something went wrong.
    pub const GENERIC: Self = Self(201);
    /// The packet is malformed, or its token is wrong.
    pub const PROTOCOL: Self = Self(203);
    /// No such question is known.
    pub const UNKNOWN_METHOD: Self = Self(204);
    /// The value of an item is too long.
    pub const TOO_LONG: Self = Self(205);
    /// The signature of an item is wrong.
    pub const BAD_SIGNATURE: Self = Self(206);
    /// The salt of an item is too long.
    pub const SALT_TOO_LONG: Self = Self(207);
    /// The item is not the one that was to be replaced.
    pub const NOT_THAT_ONE: Self = Self(301);
    /// A newer item is kept.
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
        reply.item = Some(Found {
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
