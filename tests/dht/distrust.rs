//! What a node believes of what others answer.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use torr::base::{Moment, NodeId, Untrusted};
use torr::dht::{Announce, Config, Dht, Family, Goal, Input, Outcome, Output, TaskKey, node_id};
use torr::proto::krpc::{self, Body, ErrorCode, Packet, Query, Reply, Transaction};

use super::network::{address, address6};

const TASK: TaskKey = TaskKey(1);

fn at(ms: u64) -> Moment {
    Moment::START + Duration::from_millis(ms)
}

fn fitting(addr: SocketAddr) -> NodeId {
    node_id(addr.ip(), [7; 20])
}

fn node(families: &[Family]) -> Dht {
    let config = Config { families: families.to_vec(), answer_rate: None, ..Config::default() };
    Dht::new(at(0), &config, [1; 32])
}

/// A node that knows these.
fn knows(families: &[Family], addrs: &[SocketAddr]) -> Dht {
    let mut dht = node(families);
    for &from in addrs {
        let id = fitting(from);
        let ping = Packet::new(Transaction::from(1), Body::Query(id, Query::Ping)).encode();
        let mut out = Vec::new();
        dht.handle(at(1), Input::Received { from, bytes: &ping }, &mut out);
        for (to, question, _) in questions(&out).into_iter().filter(|(to, ..)| *to == from) {
            answer(&mut dht, 1, to, question, Body::Reply(Box::new(Reply::new(id))));
        }
    }
    let count: usize = families.iter().map(|&family| dht.node_count(family)).sum();
    assert_eq!(count, addrs.len());
    dht
}

/// Where a packet goes.
pub fn sent_to(output: &Output) -> Option<SocketAddr> {
    if let Output::Send { to, .. } = output { Some(*to) } else { None }
}

/// The questions among what is to be sent.
fn questions(out: &[Output]) -> Vec<(SocketAddr, Transaction, Query)> {
    let read = |output: &Output| {
        let Output::Send { to, bytes } = output else { return None };
        match krpc::read(bytes) {
            Ok(Packet { transaction, body: Body::Query(_, query), .. }) => Some((*to, transaction, query)),
            _ => None,
        }
    };
    out.iter().filter_map(read).collect()
}

/// Answers a question; gives what follows.
fn answer(dht: &mut Dht, ms: u64, from: SocketAddr, question: Transaction, body: Body) -> Vec<Output> {
    let mut out = Vec::new();
    let bytes = Packet::new(question, body).encode();
    dht.handle(at(ms), Input::Received { from, bytes: &bytes }, &mut out);
    out
}

fn begin(dht: &mut Dht, ms: u64, goal: Goal) -> Vec<Output> {
    let mut out = Vec::new();
    dht.handle(at(ms), Input::Begin(TASK, goal), &mut out);
    out
}

fn peers_of(target: NodeId) -> Goal {
    Goal::Peers { info_hash: target, no_seeds: false, announce: None }
}

fn ended(out: &[Output]) -> Option<&Outcome> {
    out.iter().find_map(|output| if let Output::Ended(TASK, outcome) = output { Some(outcome) } else { None })
}

fn error(code: ErrorCode) -> Body {
    Body::Error(code, Untrusted::new("no"))
}

#[test]
fn who_answers_with_errors_is_forgotten() {
    let mut dht = knows(&[Family::V4], &[address(1)]);
    let mut asked = 0;
    for secs in 1..3600 {
        let mut out = Vec::new();
        dht.handle(at(secs * 1000), Input::Tick, &mut out);
        for (to, question, _) in questions(&out) {
            asked += 1;
            answer(&mut dht, secs * 1000, to, question, error(ErrorCode::GENERIC));
        }
    }
    assert!(!dht.has_anybody(Family::V4));
    assert!(asked < 20, "{asked}");
}

#[test]
fn nobody_need_know_every_question() {
    let mut dht = knows(&[Family::V4], &[address(1)]);
    let out = begin(&mut dht, 10, Goal::Get { target: NodeId([5; 20]), salt: Vec::new() });
    let question = questions(&out).into_iter().find(|(.., query)| matches!(query, Query::Get { .. }));
    let (to, question, _) = question.unwrap();
    let out = answer(&mut dht, 20, to, question, error(ErrorCode::UNKNOWN_METHOD));
    assert_eq!(ended(&out).map(|outcome| outcome.answered), Some(0));
    assert_eq!(dht.node_count(Family::V4), 1);
}

#[test]
fn who_is_asked_does_not_choose_its_name() {
    let target = NodeId([5; 20]);
    let mut beside = target;
    beside.0[19] ^= 1;
    let other = node_id(address(1).ip(), [9; 20]);
    for (name, believed) in [(fitting(address(1)), true), (other, true), (beside, false)] {
        let mut dht = knows(&[Family::V4], &[address(1)]);
        let out = begin(&mut dht, 10, peers_of(target));
        let (to, question, _) = questions(&out).swap_remove(0);
        let out = answer(&mut dht, 20, to, question, Body::Reply(Box::new(Reply::new(name))));
        let nearest = &ended(&out).unwrap().nearest;
        let expected = if believed { vec![(name, to)] } else { vec![] };
        assert_eq!((nearest, dht.node_count(Family::V4)), (&expected, expected.len()));
        // Whoever is known under the old name is not there.
        assert_eq!(dht.saved(10).nodes.len(), expected.len());
    }
}

#[test]
fn nobody_far_away_points_at_our_own_network() {
    let near = SocketAddr::from(([192, 168, 1, 7], 6881));
    let told = ["10.0.0.1:1", "127.0.0.1:1", "224.0.0.251:1", "255.255.255.255:1", "0.0.0.0:1", "9.9.9.9:0"];
    let told = told.iter().chain(&["9.9.9.9:1"]).map(|text| text.parse::<SocketAddr>().unwrap());
    let told: Vec<SocketAddr> = told.collect();
    for (from, expected) in [(address(1), &["9.9.9.9:1"][..]), (near, &["9.9.9.9:1", "10.0.0.1:1"])] {
        let mut dht = knows(&[Family::V4], &[from]);
        let out = begin(&mut dht, 10, peers_of(NodeId([5; 20])));
        let (to, question, _) = questions(&out).swap_remove(0);
        let mut reply = Reply::new(fitting(from));
        let v4 = told.iter().filter_map(|addr| match addr {
            SocketAddr::V4(v4) => Some(*v4),
            SocketAddr::V6(_) => None,
        });
        let name = |(n, addr): (usize, SocketAddrV4)| (NodeId([n as u8; 20]), addr);
        reply.nodes = v4.enumerate().map(name).collect();
        reply.peers.clone_from(&told);
        let out = answer(&mut dht, 20, to, question, Body::Reply(Box::new(reply)));
        let expected: Vec<SocketAddr> = expected.iter().map(|text| text.parse().unwrap()).collect();
        let mut asked: Vec<_> = out.iter().filter_map(sent_to).collect();
        asked.sort();
        assert_eq!(asked, expected);
        let found = out
            .iter()
            .find_map(|output| if let Output::Peers(_, peers) = output { Some(peers.clone()) } else { None });
        let mut found = found.unwrap();
        found.sort();
        assert_eq!(found, expected);
    }
}

#[test]
fn both_families_are_asked_for_while_one_is_lonely() {
    let addrs: Vec<_> = (0..8).map(address).collect();
    let mut all = addrs.clone();
    all.extend((0..8).map(address6));
    for (known, both) in [(&addrs, true), (&all, false)] {
        let mut dht = knows(&Family::ALL, known);
        let out = begin(&mut dht, 10, peers_of(NodeId([5; 20])));
        let wants: Vec<_> = questions(&out)
            .into_iter()
            .filter_map(
                |(.., query)| if let Query::GetPeers { want, .. } = query { Some(want) } else { None },
            )
            .collect();
        assert!(wants.len() >= 4 && wants.iter().all(|want| want.is_some() == both), "{wants:?}");
    }
}

#[test]
fn one_that_is_slow_to_store_is_not_waited_for() {
    let addrs: Vec<_> = (0..8).map(address).collect();
    for silent in [0, 1, 8] {
        let mut dht = knows(&[Family::V4], &addrs);
        let announce = Some(Announce { port: Some(1), seed: false });
        let info_hash = NodeId([5; 20]);
        let mut out = begin(&mut dht, 10, Goal::Peers { info_hash, no_seeds: false, announce });
        let mut stores = Vec::new();
        while !out.is_empty() {
            for (to, question, query) in questions(&std::mem::take(&mut out)) {
                match query {
                    Query::GetPeers { .. } => {
                        let mut reply = Reply::new(fitting(to));
                        reply.token = Some(vec![1; 4]);
                        out.extend(answer(&mut dht, 100, to, question, Body::Reply(Box::new(reply))));
                    }
                    Query::AnnouncePeer { .. } => stores.push((to, question)),
                    _ => {}
                }
            }
        }
        assert_eq!(stores.len(), 8);
        for (to, question) in stores.into_iter().skip(silent) {
            out.extend(answer(&mut dht, 200, to, question, Body::Reply(Box::new(Reply::new(fitting(to))))));
        }
        let mut end = 200;
        while ended(&out).is_none() {
            end += 100;
            dht.handle(at(end), Input::Tick, &mut out);
        }
        let stored = ended(&out).unwrap().stored as usize;
        let expected = match silent {
            0 => 200,
            1 => 1100,
            // Where nobody has it yet there is more patience.
            _ => 6100,
        };
        assert_eq!((stored, end), (8 - silent, expected));
    }
}
