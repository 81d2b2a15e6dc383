//! What a node does for strangers: answers that are no weapon, and nothing without a token.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use torr::base::{Moment, NodeId, Rng};
use torr::dht::{Config, Dht, Family, Goal, Input, Output, TaskKey};
use torr::proto::krpc::{self, Body, ErrorCode, Item, Packet, Query, Reply, Transaction, Want};

use super::world::{address, place};

fn at(secs: u64) -> Moment {
    Moment::START + Duration::from_secs(secs)
}

/// A node that knows 200 others, and keeps 100 peers of the torrent `[5; 20]`.
fn busy_node(config: &Config) -> Dht {
    let mut dht = Dht::new(at(0), config, [1; 32]);
    let mut rng = Rng::new(1);
    let mut out = Vec::new();
    let secs = 400;
    for n in 0..200 {
        // Who asks is asked back, and who answers that is known.
        let (from, id) = (address(n), place(&mut rng));
        let ping = Packet::new(Transaction::from(1), Body::Query(id, Query::Ping)).encode();
        dht.handle(at(secs), Input::Heard { from, bytes: &ping }, &mut out);
        for output in std::mem::take(&mut out) {
            let Output::Send { to, bytes } = output else { continue };
            let Ok(Packet { transaction, body: Body::Query(..), .. }) = krpc::read(&bytes) else { continue };
            let reply = Packet::new(transaction, Body::Reply(Box::new(Reply::new(id)))).encode();
            dht.handle(at(secs), Input::Heard { from: to, bytes: &reply }, &mut Vec::new());
        }
    }
    assert!(dht.node_count(Family::V4) >= 50, "{}", dht.node_count(Family::V4));
    for n in 0..100 {
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
fn answer(dht: &mut Dht, secs: u64, from: SocketAddr, query: Query) -> ((usize, usize), Option<Body>) {
    let question = Packet::new(Transaction::from(7), Body::Query(NodeId([9; 20]), query)).encode();
    let mut out = Vec::new();
    dht.handle(at(secs), Input::Heard { from, bytes: &question }, &mut out);
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

fn open() -> Config {
    Config { families: vec![Family::V4], answer_rate: None, ..Config::default() }
}

#[test]
fn no_answer_to_a_stranger_is_a_weapon() {
    let mut dht = busy_node(&open());
    let target = NodeId([5; 20]);
    let want = Some(Want::BOTH);
    let item = Item::Immutable(b"900:".iter().copied().chain([b'x'; 900]).collect());
    let mut table = String::from("question             bytes   answer   times\n");
    let questions = [
        Query::Ping,
        Query::FindNode { target, want: None },
        Query::FindNode { target, want },
        Query::GetPeers { info_hash: target, want: None, no_seeds: false, scrape: false },
        Query::GetPeers { info_hash: target, want, no_seeds: true, scrape: true },
        Query::AnnouncePeer { info_hash: target, port: None, token: vec![0; 8], seed: false },
        Query::Get { target, newer_than: None, want },
        Query::Put { token: vec![0; 8], item, instead_of: None },
        Query::Sample { target, want },
    ];
    for (n, query) in questions.into_iter().enumerate() {
        let name = query.method();
        let ((asked, sent), _) = answer(&mut dht, 500, address(2000 + n as u32), query);
        let times = sent as f64 / asked as f64;
        assert!(times <= 3.0, "{name}: {sent} bytes for {asked}");
        writeln!(table, "{name:18}   {asked:5}   {sent:6}   {times:5.1}").unwrap();
    }
    insta::assert_snapshot!(table);
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
    let get = Query::Get { target, newer_than: None, want: None };
    let Some(Body::Reply(reply)) = answer(&mut dht, 500, address(3000), get.clone()).1 else { panic!() };
    let put = Query::Put { token: reply.token.unwrap(), item: item.clone(), instead_of: None };
    assert!(matches!(answer(&mut dht, 500, address(3000), put).1, Some(Body::Reply(_))));
    let short = b"d1:ad2:id20:abcdefghij01234567896:target20:".iter().chain(&target.0);
    let short: Vec<u8> = short.chain(b"e1:q3:get1:t2:aa1:y1:qe").copied().collect();
    let mut out = Vec::new();
    dht.handle(at(501), Input::Heard { from: address(3001), bytes: &short }, &mut out);
    let Some(Output::Send { bytes, .. }) = out.first() else { panic!() };
    let Ok(Packet { body: Body::Reply(reply), .. }) = krpc::read(bytes) else { panic!() };
    assert_eq!(reply.item.and_then(|item| item.value), None, "too long for a stranger who asked so little");
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
        let get = Query::Get { target, newer_than: None, want: Some(Want::BOTH) };
        let Some(Body::Reply(reply)) = answer(&mut dht, 500, address(3000), get.clone()).1 else { panic!() };
        let put = Query::Put { token: reply.token.unwrap(), item, instead_of: None };
        assert!(matches!(answer(&mut dht, 500, address(3000), put).1, Some(Body::Reply(_))));
        let ((asked, sent), body) = answer(&mut dht, 501, address(3001), get);
        let Some(Body::Reply(reply)) = body else { panic!() };
        assert_eq!(reply.item.and_then(|item| item.value), Some(value.clone()));
        assert!(sent <= 3 * asked && sent <= 1400, "{sent} bytes for {asked}");
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
        dht.handle(at(600), Input::Heard { from: address(n), bytes: &bytes }, &mut out);
    }
    assert!(dht.node_count(Family::V4) <= 200);
}
