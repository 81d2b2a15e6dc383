//! What a node does for strangers: answers that are no weapon, and nothing without a token.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use torr::base::{Moment, NodeId, Rng};
use torr::dht::{Config, Dht, Family, Goal, Input, Output, TaskKey};
use torr::proto::krpc::{self, Body, ErrorCode, Item, Packet, Query, Reply, Transaction, Want};

use super::network::{address, place};

pub(super) fn at(secs: u64) -> Moment {
    Moment::START + Duration::from_secs(secs)
}

/// A node that knows 200 others, and keeps 100 peers of the torrent `[5; 20]`.
pub(super) fn busy_node(config: &Config) -> Dht {
    let mut dht = Dht::new(at(0), config, [1; 32]);
    let mut rng = Rng::new(1);
    let mut out = Vec::new();
    // Who pays for each answer gets the time for it.
    let pace = u64::from(config.answer_rate.is_some());
    for n in 0..200 {
        let secs = 400 - pace * (300 - u64::from(n));
        // Who asks is asked back, and who answers that is known.
        let (from, id) = (address(n), place(&mut rng));
        let ping = Packet::new(Transaction::from(1), Body::Query(id, Query::Ping)).encode();
        dht.handle(at(secs), Input::Received { from, bytes: &ping }, &mut out);
        for output in std::mem::take(&mut out) {
            let Output::Send { to, bytes } = output else { continue };
            let Ok(Packet { transaction, body: Body::Query(..), .. }) = krpc::read(&bytes) else { continue };
            let reply = Packet::new(transaction, Body::Reply(Box::new(Reply::new(id)))).encode();
            dht.handle(at(secs), Input::Received { from: to, bytes: &reply }, &mut Vec::new());
        }
    }
    assert!(dht.node_count(Family::V4) >= 50, "{}", dht.node_count(Family::V4));
    for n in 0..100 {
        let secs = 400 - pace * (100 - u64::from(n));
        let from = address(1000 + n);
        let ask = Query::GetPeers { info_hash: NodeId([5; 20]), want: None, no_seeds: false, scrape: false };
        let Some(Body::Reply(reply)) = answer(&mut dht, secs, from, ask).1 else { panic!() };
        let token = reply.token.unwrap();
        let announce =
            Query::AnnouncePeer { info_hash: NodeId([5; 20]), port: Some(1), token, seed: n % 2 == 0 };
        assert!(matches!(answer(&mut dht, secs, from, announce).1, Some(Body::Reply(_))));
    }
    dht
}

/// What a node answers to a question, with the lengths of both packets.
pub(super) fn answer(
    dht: &mut Dht,
    secs: u64,
    from: SocketAddr,
    query: Query,
) -> ((usize, usize), Option<Body>) {
    let question = Packet::new(Transaction::from(7), Body::Query(NodeId([9; 20]), query)).encode();
    let mut out = Vec::new();
    dht.handle(at(secs), Input::Received { from, bytes: &question }, &mut out);
    let answers = out.into_iter().filter_map(|output| match output {
        Output::Send { to, bytes } if to == from => Some(bytes),
        _ => None,
    });
    let answers: Vec<Vec<u8>> = answers.collect();
    let sent: usize = answers.iter().map(Vec::len).sum();
    let body = answers.iter().filter_map(|bytes| krpc::read(bytes).ok()).map(|packet| packet.body);
    let body = body.rev().find(|body| !matches!(body, Body::Query(..)));
    ((question.len(), sent), body)
}

pub(super) fn open() -> Config {
    Config { families: vec![Family::V4], answer_rate: None, ..Config::default() }
}

/// What is sent there, in bytes, when these bytes come from there.
pub(super) fn sent(dht: &mut Dht, secs: u64, from: SocketAddr, bytes: &[u8]) -> usize {
    let mut out = Vec::new();
    dht.handle(at(secs), Input::Received { from, bytes }, &mut out);
    let sent = out.iter().map(|output| match output {
        Output::Send { to, bytes } if *to == from => bytes.len(),
        _ => 0,
    });
    sent.sum()
}

/// Has a node keep an item.
pub(super) fn put(dht: &mut Dht, secs: u64, item: &Item) {
    let from = address(3000);
    let get = Query::Get { target: item.target(), newer_than: None, want: None };
    let Some(Body::Reply(reply)) = answer(dht, secs, from, get).1 else { panic!() };
    let put = Query::Put { token: reply.token.unwrap(), item: item.clone(), instead_of: None };
    assert!(matches!(answer(dht, secs, from, put).1, Some(Body::Reply(_))));
}

/// A string of so many bytes.
pub(super) fn text(len: usize) -> Vec<u8> {
    [format!("{len}:").into_bytes(), vec![b'x'; len]].concat()
}

/// A question with as few bytes as there may be. Arguments are raw.
pub(super) fn bare(method: &str, id: NodeId, arguments: &[&[u8]]) -> Vec<u8> {
    let id = [&b"d1:ad2:id20:"[..], &id.0, &arguments.concat(), b"e1:q"].concat();
    [id, format!("{}:{method}1:t0:1:y1:qe", method.len()).into_bytes()].concat()
}

#[test]
fn what_cannot_be_read_counts_as_a_question() {
    let mut dht = busy_node(&open());
    let garbled = b"d1:ad2:id19:abcdefghij012345678e1:q4:ping1:t2:aa1:y1:qe";
    let answered = (0..1000).filter(|_| sent(&mut dht, 500, address(4000), garbled) > 0).count();
    assert_eq!(answered, 50);
}

#[test]
fn questions_back_are_paid_like_answers() {
    let mut dht = busy_node(&Config { answer_rate: Some(8000), ..open() });
    let mut total = 0;
    for n in 0..10_000_u32 {
        let mut id = [0; 20];
        id[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_be_bytes());
        let ping = bare("ping", NodeId(id), &[]);
        total += sent(&mut dht, 500 + u64::from(n / 1000), address(5000 + n), &ping);
    }
    assert!(total <= 10 * 8000 + 2 * 16_384, "{total} bytes in ten seconds");
}

#[test]
fn strangers_without_number_do_not_keep_us_from_announcing() {
    let mut dht = busy_node(&Config { families: vec![Family::V4], ..Config::default() });
    // Under the names by which they are known.
    let mut rng = Rng::new(1);
    let ids: BTreeMap<SocketAddr, NodeId> = (0..200).map(|n| (address(n), place(&mut rng))).collect();
    let start = at(500);
    let announce = Some(torr::dht::Announce { port: Some(1), seed: false });
    let goal = Goal::Peers { info_hash: NodeId([6; 20]), no_seeds: false, announce };
    let mut out = Vec::new();
    let mut posts: std::collections::VecDeque<(u64, SocketAddr, Vec<u8>)> = std::collections::VecDeque::new();
    for ms in 0..30_000_u64 {
        let now = start + Duration::from_millis(ms);
        let n = ms as u32;
        let mut id = [0; 20];
        id[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_be_bytes());
        let ping = bare("ping", NodeId(id), &[]);
        dht.handle(now, Input::Received { from: address(10_000 + n), bytes: &ping }, &mut out);
        if ms == 5000 {
            dht.handle(now, Input::Begin(TaskKey(1), goal.clone()), &mut out);
        }
        while posts.front().is_some_and(|(due, _, _)| *due <= ms) {
            let (_, from, bytes) = posts.pop_front().unwrap();
            dht.handle(now, Input::Received { from, bytes: &bytes }, &mut out);
        }
        dht.handle(now, Input::Tick, &mut out);
        for output in std::mem::take(&mut out) {
            match output {
                // Those who are there answer after a while; the strangers do not exist.
                Output::Send { to, bytes } if to < address(10_000) => {
                    let Ok(Packet { transaction, body: Body::Query(..), .. }) = krpc::read(&bytes) else {
                        continue;
                    };
                    let mut reply = Reply::new(ids.get(&to).copied().unwrap_or(NodeId([9; 20])));
                    reply.token = Some(vec![1; 8]);
                    let reply = Packet::new(transaction, Body::Reply(Box::new(reply))).encode();
                    posts.push_back((ms + 50, to, reply));
                }
                Output::Ended(_, outcome) => {
                    assert!(outcome.stored >= 8, "{outcome:?}");
                    return;
                }
                _ => {}
            }
        }
    }
    panic!("the announce has not ended");
}

#[test]
fn answers_to_us_get_through_a_flood() {
    let mut dht = busy_node(&open());
    let mut out = Vec::new();
    dht.handle(at(500), Input::Begin(TaskKey(1), Goal::Ping(address(6000))), &mut out);
    let Some(Output::Send { bytes, .. }) = out.first() else { panic!() };
    let transaction = krpc::read(bytes).unwrap().transaction;
    for n in 0..5000_u32 {
        dht.handle(at(500), Input::Received { from: address(10_000 + n), bytes: b"d1:y1:qe" }, &mut out);
    }
    let reply = Packet::new(transaction, Body::Reply(Box::new(Reply::new(NodeId([3; 20]))))).encode();
    out.clear();
    dht.handle(at(500), Input::Received { from: address(6000), bytes: &reply }, &mut out);
    let ended = |output: &Output| matches!(output, Output::Ended(_, outcome) if outcome.answered == 1);
    assert!(out.iter().any(ended), "{out:?}");
    assert_eq!(answer(&mut dht, 500, address(6001), Query::Ping).0.1, 0, "the second is full");
}

#[test]
fn nothing_is_kept_without_a_token() {
    let mut dht = busy_node(&open());
    let info_hash = NodeId([6; 20]);
    let stranger = address(3000);
    let announce = |token| Query::AnnouncePeer { info_hash, port: Some(5), token, seed: false };
    let refused = |body| matches!(body, Some(Body::Error(ErrorCode::PROTOCOL, _)));
    assert!(refused(answer(&mut dht, 500, stranger, announce(vec![0; 8])).1));
    let ask = Query::GetPeers { info_hash, want: None, no_seeds: false, scrape: false };
    let Some(Body::Reply(reply)) = answer(&mut dht, 500, stranger, ask.clone()).1 else { panic!() };
    let token = reply.token.unwrap();
    // Not from elsewhere, and not after a while.
    assert!(refused(answer(&mut dht, 501, address(3001), announce(token.clone())).1));
    assert!(refused(answer(&mut dht, 1200, stranger, announce(token)).1));
    let Some(Body::Reply(reply)) = answer(&mut dht, 1201, stranger, ask).1 else { panic!() };
    assert!(reply.peers.is_empty());
}

#[test]
fn an_item_is_kept_for_others() {
    let mut dht = busy_node(&open());
    let item = Item::Immutable([&b"300:"[..], &[b'x'; 300]].concat());
    let target = item.target();
    put(&mut dht, 500, &item);
    assert_eq!(short_get(&mut dht, target).item, None, "too long for one who asked so little");
    let get = Query::Get { target, newer_than: None, want: None };
    let Some(Body::Reply(reply)) = answer(&mut dht, 501, address(3001), get).1 else { panic!() };
    assert_eq!(reply.item.and_then(|item| item.value).as_deref(), Some(item.value()));
}

#[test]
fn items_as_long_as_they_may_be_are_given_to_anybody() {
    let value = [b"996:".to_vec(), vec![b'x'; 996]].concat();
    for item in [Item::Immutable(value.clone()), Item::signed(&[7; 32], &[b's'; 64], i64::MAX, value.clone())]
    {
        let mut dht = busy_node(&open());
        let target = item.target();
        put(&mut dht, 500, &item);
        let get = Query::Get { target, newer_than: None, want: Some(Want::BOTH) };
        let ((asked, sent), body) = answer(&mut dht, 501, address(3001), get);
        let Some(Body::Reply(reply)) = body else { panic!() };
        assert_eq!(reply.item.and_then(|item| item.value), Some(value.clone()));
        assert!(sent <= 3 * asked && sent <= 1400, "{sent} bytes for {asked}");
    }
}

/// What a node answers when a client that does not pad its questions asks for an item.
fn short_get(dht: &mut Dht, target: NodeId) -> Reply {
    let short = b"d1:ad2:id20:abcdefghij01234567896:target20:".iter().chain(&target.0);
    let short: Vec<u8> = short.chain(b"e1:q3:get1:t4:aaaa1:v4:LT011:y1:qe").copied().collect();
    let mut out = Vec::new();
    dht.handle(at(501), Input::Received { from: address(3001), bytes: &short }, &mut out);
    let Some(Output::Send { bytes, .. }) = out.first() else { panic!() };
    let Ok(Packet { body: Body::Reply(reply), .. }) = krpc::read(bytes) else { panic!() };
    *reply
}

#[test]
fn a_short_item_with_a_signature_is_given_to_other_clients() {
    let mut dht = busy_node(&open());
    for len in [1, 20, 80] {
        let item = Item::signed(&[7; 32], b"", len as i64, text(len));
        put(&mut dht, 500, &item);
        let found = short_get(&mut dht, item.target()).item.unwrap();
        assert_eq!(found.value.as_deref(), Some(item.value()), "{len} bytes");
        assert!(found.key.is_some() && found.signature.is_some());
    }
    let item = Item::signed(&[7; 32], b"", 1000, text(300));
    put(&mut dht, 500, &item);
    let reply = short_get(&mut dht, item.target());
    let found = reply.item.unwrap();
    assert_eq!((found.value, found.key, found.signature, found.seq), (None, None, None, Some(1000)));
    assert!(reply.nodes.len() >= 4, "{} nodes instead", reply.nodes.len());
}

#[test]
fn a_family_without_nodes_leaves_its_room_to_the_other() {
    let mut dht = busy_node(&Config { families: Family::ALL.to_vec(), ..open() });
    let find = Query::FindNode { target: NodeId([5; 20]), want: Some(Want::BOTH) };
    let Some(Body::Reply(reply)) = answer(&mut dht, 500, address(0), find).1 else { panic!() };
    assert_eq!((reply.nodes.len(), reply.none_in), (8, Want { v4: false, v6: true }));
    let mut young = Dht::new(at(0), &open(), [1; 32]);
    for query in [
        Query::FindNode { target: NodeId([5; 20]), want: None },
        Query::GetPeers { info_hash: NodeId([5; 20]), want: None, no_seeds: false, scrape: false },
        Query::Get { target: NodeId([5; 20]), newer_than: None, want: None },
        Query::Sample { target: NodeId([5; 20]), want: None },
    ] {
        let Some(Body::Reply(reply)) = answer(&mut young, 1, address(1), query).1 else { panic!() };
        assert_eq!(reply.none_in, Want { v4: true, v6: false }, "the key is there");
    }
}

#[test]
fn a_scrape_is_answered_to_anybody() {
    let mut dht = busy_node(&open());
    let ask = Query::GetPeers { info_hash: NodeId([5; 20]), want: None, no_seeds: false, scrape: true };
    let Some(Body::Reply(reply)) = answer(&mut dht, 500, address(3000), ask).1 else { panic!() };
    assert!(reply.seeds.is_some() && reply.leechers.is_some());
}

#[test]
fn a_flood_is_answered_with_silence() {
    let mut dht = busy_node(&open());
    let answered = (0..200).filter(|_| answer(&mut dht, 500, address(4000), Query::Ping).0.1 > 0).count();
    assert_eq!(answered, 50);
    assert!(answer(&mut dht, 500, address(4001), Query::Ping).0.1 > 0);
}

#[test]
fn a_read_only_node_answers_nobody() {
    let mut dht = Dht::new(at(0), &Config { read_only: true, ..open() }, [1; 32]);
    assert_eq!(answer(&mut dht, 1, address(1), Query::Ping).0.1, 0);
    let mut out = Vec::new();
    dht.handle(at(1), Input::Begin(TaskKey(1), Goal::Ping(address(2))), &mut out);
    let Some(Output::Send { bytes, .. }) = out.first() else { panic!() };
    assert!(krpc::read(bytes).unwrap().read_only);
}

#[test]
fn noise_is_passed_over() {
    let mut dht = busy_node(&open());
    let mut rng = Rng::new(9);
    let mut out = Vec::new();
    for n in 0..5000_u32 {
        let mut bytes: Vec<u8> = (0..rng.below(200)).map(|_| rng.next_u64() as u8).collect();
        if n % 2 == 0 {
            // Something that looks like an answer to a question that was never asked.
            let packet =
                Packet::new(Transaction::from(n), Body::Reply(Box::new(Reply::new(place(&mut rng)))));
            bytes = packet.encode();
        }
        dht.handle(at(600), Input::Received { from: address(n), bytes: &bytes }, &mut out);
    }
    assert!(dht.node_count(Family::V4) <= 200);
}
