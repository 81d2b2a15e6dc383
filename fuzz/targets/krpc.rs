//! The packets of the DHT (BEP 5).

use torr::base::NodeId;
use torr::proto::bencode::{Limits, scan};
use torr::proto::krpc::{
    self, Body, Item, ItemValues, MAX_NODES, MAX_PACKET, MAX_PEERS, MAX_SALT, MAX_SAMPLES, MAX_TOKEN,
    MAX_TRANSACTION, MAX_VALUE, Packet, Query, Reply, Transaction,
};

pub fn run(data: &[u8]) {
    let packet = match krpc::read(data) {
        Ok(packet) => packet,
        Err(malformed) => {
            if let Some((transaction, code)) = malformed.answer {
                let refusal = Packet::new(transaction, Body::Error(code, "x".into()));
                assert_eq!(krpc::read(&refusal.encode()), Ok(refusal));
            }
            return;
        }
    };
    bounded(&packet);
    let bytes = packet.encode();
    let found = scan(&bytes, Limits::KRPC, b"").expect("a packet is bencode");
    assert_eq!(found.len, bytes.len());
    if bytes.len() <= MAX_PACKET {
        let again = krpc::read(&bytes).expect("what is written can be read");
        assert_eq!(again, packet);
    }
}

fn bounded(packet: &Packet) {
    assert!(packet.transaction.bytes().len() <= MAX_TRANSACTION);
    assert!(Transaction::new(packet.transaction.bytes()).is_some());
    match &packet.body {
        Body::Query(_, Query::AnnouncePeer { token, port, .. }) => {
            assert!(token.len() <= MAX_TOKEN && *port != Some(0));
        }
        Body::Query(_, Query::Put { token, item, .. }) => {
            assert!(token.len() <= MAX_TOKEN && item.value().len() <= MAX_VALUE);
            checked(item);
        }
        Body::Reply(reply) => answered(reply),
        Body::Query(..) => {}
        Body::Error(_, text) => assert!(text.raw().chars().count() <= 200),
    }
}

fn answered(reply: &Reply) {
    assert!(reply.nodes.len() <= MAX_NODES && reply.nodes6.len() <= MAX_NODES);
    assert!(reply.nodes.iter().all(|(_, addr)| addr.port() != 0));
    assert!(reply.nodes6.iter().all(|(_, addr)| addr.port() != 0));
    assert!(reply.peers.len() <= MAX_PEERS && reply.peers.iter().all(|peer| peer.port() != 0));
    assert!(reply.token.as_ref().is_none_or(|token| token.len() <= MAX_TOKEN));
    let samples = reply.samples.as_ref();
    assert!(samples.is_none_or(|samples| samples.hashes.len() <= MAX_SAMPLES && samples.interval <= 21_600));
    if let Some(ItemValues { value: Some(value), key, signature, seq }) = reply.item.clone() {
        let item = match (key, signature, seq) {
            (Some(key), Some(signature), Some(seq)) => {
                Item::Mutable { key, salt: Vec::new(), seq, signature, value }
            }
            _ => Item::Immutable(value),
        };
        checked(&item);
    }
}

fn checked(item: &Item) {
    if item.check().is_err() {
        return;
    }
    let found = scan(item.value(), Limits::KRPC, b"").expect("what may be kept is bencode");
    assert_eq!((found.len, found.unsorted), (item.value().len(), None));
    if let Item::Mutable { key, salt, .. } = item {
        assert!(salt.len() <= MAX_SALT);
        assert_eq!(item.target(), Item::target_of(key, salt));
    }
    assert_eq!(item.target().distance(&item.target()), NodeId([0; 20]).0);
}
