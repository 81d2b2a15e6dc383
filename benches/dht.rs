//! How many questions a DHT node answers on one core (items per second), and what it takes to keep all it may keep.

#![allow(missing_docs, reason = "benches have no readers but their names")]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, Divan};
use torr::base::{Moment, NodeId, Rng};
use torr::dht::{Config, Dht, Family, Input, Origin, Output};
use torr::proto::krpc::{self, Body, Packet, Query, Reply, Transaction};

fn main() {
    Divan::from_args().main();
}

const QUESTIONS: usize = 10_000;

fn address(n: u32) -> SocketAddr {
    (Ipv4Addr::from(0x0800_0000 + (n << 8) + 1), 6881).into()
}

fn at(secs: u64) -> Moment {
    Moment::START + Duration::from_secs(secs)
}

fn place(rng: &mut Rng) -> NodeId {
    NodeId(std::array::from_fn(|_| rng.next_u64() as u8))
}

/// A node with a full table of IPv4.
fn node(families: &[Family]) -> Dht {
    let config =
        Config { families: families.to_vec(), answer_rate: None, packet_rate: None, ..Config::default() };
    let mut dht = Dht::new(at(0), &config, [1; 32]);
    let mut rng = Rng::new(1);
    let mut out = Vec::new();
    for round in 0..40 {
        let addrs: Vec<SocketAddr> = (0..50).map(|n| address(round * 50 + n)).collect();
        dht.handle(at(u64::from(round) * 5), Input::Nodes(Origin::Kept, &addrs), &mut out);
        for output in std::mem::take(&mut out) {
            let Output::Send { to, bytes } = output else { continue };
            let Ok(Packet { transaction, body: Body::Query(..), .. }) = krpc::read(&bytes) else { continue };
            let mut reply = Reply::new(place(&mut rng));
            reply.nodes = (0..8)
                .filter_map(|_| match address(rng.below(60_000) as u32) {
                    SocketAddr::V4(addr) => Some((place(&mut rng), addr)),
                    SocketAddr::V6(_) => None,
                })
                .collect();
            let reply = Packet::new(transaction, Body::Reply(Box::new(reply))).encode();
            dht.handle(at(u64::from(round) * 5), Input::Received { from: to, bytes: &reply }, &mut out);
        }
    }
    dht
}

fn questions(of: impl Fn(&mut Rng) -> Query) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut rng = Rng::new(2);
    let question = |n: usize| {
        let body = Body::Query(place(&mut rng), of(&mut rng));
        (address(n as u32 % 50_000), Packet::new(Transaction::from(n as u32), body).encode())
    };
    (0..QUESTIONS).map(question).collect()
}

fn answer(bencher: Bencher, mut dht: Dht, questions: &[(SocketAddr, Vec<u8>)]) {
    let mut out = Vec::with_capacity(4);
    let mut secs = 1000;
    bencher.counter(ItemsCount::new(questions.len())).bench_local(|| {
        secs += 60;
        let mut bytes_out = 0;
        for (from, bytes) in questions {
            dht.handle(at(secs), Input::Received { from: *from, bytes }, &mut out);
            bytes_out += out.len();
            out.clear();
        }
        bytes_out
    });
}

fn get_peers(info_hash: NodeId) -> Query {
    Query::GetPeers { info_hash, want: None, no_seeds: false, scrape: false }
}

#[divan::bench]
fn answer_find_node(bencher: Bencher) {
    let questions = questions(|rng| Query::FindNode { target: place(rng), want: None });
    answer(bencher, node(&[Family::V4]), &questions);
}

/// Of torrents of which no peers are known.
#[divan::bench]
fn answer_get_peers(bencher: Bencher) {
    answer(bencher, node(&[Family::V4]), &questions(|rng| get_peers(place(rng))));
}

/// Of torrents with as many peers as are kept.
#[divan::bench]
fn answer_get_peers_of_crowds(bencher: Bencher) {
    let mut dht = node(&[Family::V4]);
    for torrent in 0..20 {
        (0..500).for_each(|n| announce(&mut dht, 900, hash(torrent), v4(u32::from(torrent) * 500 + n)));
    }
    assert_eq!(dht.peers_kept(), 20 * 500);
    answer(bencher, dht, &questions(|rng| get_peers(hash(rng.below(20) as u16))));
}

fn hash(torrent: u16) -> NodeId {
    let mut hash = [9; 20];
    hash[..2].copy_from_slice(&torrent.to_be_bytes());
    NodeId(hash)
}

/// Peers each in a network of its own.
fn v4(n: u32) -> SocketAddr {
    (Ipv4Addr::from(0x2000_0000 + (n << 8) + 1), 6881).into()
}

fn v6(n: u32) -> SocketAddr {
    (Ipv6Addr::new(0x2001, 0xdb8, (n >> 16) as u16, n as u16, 0, 0, 0, 1), 6881).into()
}

fn announce(dht: &mut Dht, secs: u64, info_hash: NodeId, from: SocketAddr) {
    let mut out = Vec::new();
    let mut tell = |query| {
        let bytes = Packet::new(Transaction::from(1), Body::Query(NodeId([3; 20]), query)).encode();
        dht.handle(at(secs), Input::Received { from, bytes: &bytes }, &mut out);
        let mut replies = out.drain(..).filter_map(|output| match output {
            Output::Send { to, bytes } if to == from => match krpc::read(&bytes).ok()?.body {
                Body::Reply(reply) => Some(reply),
                _ => None,
            },
            _ => None,
        });
        replies.next().expect("an answer")
    };
    let token = tell(get_peers(info_hash)).token.expect("a token");
    tell(Query::AnnouncePeer { info_hash, port: Some(1), token, seed: false });
}

/// The memory of this program that is in use, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Option<usize> = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4096
}

/// Takes 2000 torrents with 500 peers of each family: a million of IPv4 and a million of IPv6.
#[divan::bench(sample_count = 1, sample_size = 1)]
fn keep_two_million_peers(bencher: Bencher) {
    bencher.counter(ItemsCount::new(2_000_000_usize)).bench_local(|| {
        let mut dht = node(&Family::ALL);
        let before = resident();
        for torrent in 0..2000_u16 {
            for peer in 0..500_u32 {
                let n = u32::from(torrent) * 500 + peer;
                announce(&mut dht, 1000 + u64::from(torrent), hash(torrent), v4(n));
                announce(&mut dht, 1000 + u64::from(torrent), hash(torrent), v6(n));
            }
        }
        assert_eq!((dht.torrents_kept(), dht.peers_kept()), (2000, 2_000_000));
        let took = resident().saturating_sub(before);
        println!("two million peers take {:.1} MiB", took as f64 / f64::from(1 << 20));
        assert!(took < 64 << 20, "{took} bytes");
        dht
    });
}
