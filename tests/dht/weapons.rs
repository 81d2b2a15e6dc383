//! How much a node can be made to send to somebody who has not asked.

use std::fmt::Write;
use std::net::SocketAddr;

use torr::base::NodeId;
use torr::dht::{Input, Output};
use torr::proto::krpc::{self, Body, Item, Packet, Query, Transaction, Want};

use super::network::address;
use super::polite::{answer, at, bare, busy_node, open, put, sent, text};

/// Every question in its shortest form, by a name for the table.
fn shortest(id: NodeId, items: &[(&'static str, Item)]) -> Vec<(&'static str, Vec<u8>)> {
    let (target, hash) =
        ([&b"6:target20:"[..], &[5; 20]].concat(), [&b"9:info_hash20:"[..], &[5; 20]].concat());
    let both: &[u8] = b"4:wantl2:n42:n6e";
    let mut all = vec![
        ("ping", bare("ping", id, &[])),
        ("find_node", bare("find_node", id, &[&target])),
        ("find_node, both", bare("find_node", id, &[&target, both])),
        ("get_peers", bare("get_peers", id, &[&hash])),
        ("get_peers, both", bare("get_peers", id, &[&hash, both])),
        ("get_peers, scrape", bare("get_peers", id, &[&hash, b"6:scrapei1e"])),
        ("announce_peer", bare("announce_peer", id, &[b"12:implied_porti1e", &hash, b"5:token0:"])),
        ("get, nothing", bare("get", id, &[&target])),
        ("put", bare("put", id, &[b"5:token0:1:v0:"])),
        ("sample_infohashes", bare("sample_infohashes", id, &[&target])),
        ("unknown", bare("x", id, &[])),
        ("unknown, target", bare("x", id, &[&target])),
        ("no method", b"d1:t0:1:y1:qe".to_vec()),
        ("no arguments", b"d1:q4:ping1:t0:1:y1:qe".to_vec()),
        ("no id", b"d1:ade1:q4:ping1:t0:1:y1:qe".to_vec()),
        (
            "long transaction",
            b"d1:t32:01234567890123456789012345678901".iter().chain(b"1:y1:qe").copied().collect(),
        ),
        ("answer", b"d1:rd2:id20:abcdefghij0123456789e1:t0:1:y1:re".to_vec()),
        ("noise", b"de".to_vec()),
    ];
    for (name, item) in items {
        all.push((name, bare("get", id, &[b"6:target20:", &item.target().0])));
    }
    all
}

#[test]
fn no_answer_is_a_weapon() {
    let mut dht = busy_node(&open());
    let target = NodeId([5; 20]);
    let want = Some(Want::BOTH);
    let signed = |salt: &[u8], len| Item::signed(&[7; 32], salt, 1, text(len));
    let items = [
        ("get, short", Item::Immutable(text(20))),
        ("get, long", Item::Immutable(text(900))),
        ("get, signed short", signed(b"a", 20)),
        ("get, signed medium", signed(b"b", 70)),
        ("get, signed long", signed(b"c", 900)),
    ];
    for (_, item) in &items {
        put(&mut dht, 450, item);
    }
    let questions = [
        Query::Ping,
        Query::FindNode { target, want: None },
        Query::FindNode { target, want },
        Query::GetPeers { info_hash: target, want: None, no_seeds: false, scrape: false },
        Query::GetPeers { info_hash: target, want, no_seeds: true, scrape: true },
        Query::AnnouncePeer { info_hash: target, port: None, token: vec![0; 8], seed: false },
        Query::Get { target, newer_than: None, want },
        Query::Get { target: items[4].1.target(), newer_than: None, want },
        Query::Put { token: vec![0; 8], item: items[1].1.clone(), instead_of: None },
        Query::Sample { target, want },
    ];
    let ours = questions.map(|query| {
        let name = query.method();
        (name, Packet::new(Transaction::from(7), Body::Query(NodeId([9; 20]), query)).encode())
    });
    // Whom we know we tell to anybody.
    let find = Query::FindNode { target, want: None };
    let Some(Body::Reply(reply)) = answer(&mut dht, 450, address(2999), find).1 else { panic!() };
    let (id, known) = (reply.nodes[0].0, SocketAddr::V4(reply.nodes[0].1));

    let mut table = String::from("      question           bytes    sent   times\n");
    let mut strangers = (2000..).map(address);
    let mut row = |kind: &str, name: &str, bytes: &[u8], from| {
        let sent = sent(&mut dht, 500, from, bytes);
        let times = sent as f64 / bytes.len() as f64;
        assert!(sent <= 3 * bytes.len(), "{kind}, {name}: {sent} bytes for {}", bytes.len());
        writeln!(table, "{kind:5} {name:18} {:5}   {sent:5}   {times:5.2}", bytes.len()).unwrap();
    };
    for (name, bytes) in ours {
        row("own", name, &bytes, strangers.next().unwrap());
    }
    for (name, bytes) in shortest(NodeId([9; 20]), &items) {
        row("bare", name, &bytes, strangers.next().unwrap());
    }
    for (name, bytes) in shortest(id, &items) {
        row("known", name, &bytes, known);
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_packet_has_at_most_1024_bytes() {
    let mut dht = busy_node(&open());
    let (target, want) = (NodeId([5; 20]), Some(Want::BOTH));
    for query in [
        Query::GetPeers { info_hash: target, want, no_seeds: false, scrape: true },
        Query::Sample { target, want },
    ] {
        let mut bytes = Packet::new(Transaction::from(7), Body::Query(NodeId([9; 20]), query)).encode();
        // However much is asked with.
        bytes.resize(2000, b'0');
        let mut out = Vec::new();
        dht.handle(at(500), Input::Received { from: address(3001), bytes: &bytes }, &mut out);
        let Some(Output::Send { bytes, .. }) = out.first() else { panic!() };
        let least = if matches!(krpc::read(bytes), Ok(Packet { body: Body::Reply(reply), .. }) if reply.seeds.is_some())
        {
            1000
        } else {
            300
        };
        assert!((least..=1024).contains(&bytes.len()), "{}", bytes.len());
    }
}
