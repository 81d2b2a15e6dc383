//! How many questions a DHT node answers on one core, and what it takes to keep all it may keep.

#![allow(missing_docs, reason = "benches have no readers but their names")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, Divan};
use torr::base::{Moment, NodeId, Rng};
use torr::dht::{Config, Dht, Family, Input, Origin, Output};
use torr::proto::krpc::{self, Body, Packet, Query, Reply, Transaction};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

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

/// A node with a full table.
fn node() -> Dht {
    let config =
        Config { families: vec![Family::V4], answer_rate: None, packet_rate: None, ..Config::default() };
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
            dht.handle(at(u64::from(round) * 5), Input::Heard { from: to, bytes: &reply }, &mut out);
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

fn answer(bencher: Bencher, questions: &[(SocketAddr, Vec<u8>)]) {
    let mut dht = node();
    let mut out = Vec::with_capacity(4);
    let mut secs = 1000;
    bencher.counter(ItemsCount::new(questions.len())).bench_local(|| {
        secs += 60;
        let mut bytes_out = 0;
        for (from, bytes) in questions {
            dht.handle(at(secs), Input::Heard { from: *from, bytes }, &mut out);
            bytes_out += out.len();
            out.clear();
        }
        bytes_out
    });
}

#[divan::bench]
fn answer_find_node(bencher: Bencher) {
    answer(bencher, &questions(|rng| Query::FindNode { target: place(rng), want: None }));
}

#[divan::bench]
fn answer_get_peers(bencher: Bencher) {
    answer(
        bencher,
        &questions(|rng| Query::GetPeers {
            info_hash: place(rng),
            want: None,
            no_seeds: false,
            scrape: false,
        }),
    );
}

/// Takes 2000 torrents with 500 peers each; the memory it holds then is the greatest of `max alloc`.
#[divan::bench(sample_count = 1, sample_size = 1)]
fn keep_a_million_peers(bencher: Bencher) {
    bencher.counter(ItemsCount::new(1_000_000_usize)).bench_local(|| {
        let mut dht = node();
        let mut out = Vec::new();
        let id = NodeId([3; 20]);
        for torrent in 0..2000_u16 {
            let mut hash = [9; 20];
            hash[..2].copy_from_slice(&torrent.to_be_bytes());
            let info_hash = NodeId(hash);
            for peer in 0..500_u32 {
                let from = address(u32::from(torrent) % 60 * 1000 + peer);
                let ask = Query::GetPeers { info_hash, want: None, no_seeds: false, scrape: false };
                let ask = Packet::new(Transaction::from(1), Body::Query(id, ask)).encode();
                dht.handle(at(5000), Input::Heard { from, bytes: &ask }, &mut out);
                let token = out.drain(..).rev().find_map(|output| match output {
                    Output::Send { bytes, .. } => match krpc::read(&bytes).ok()?.body {
                        Body::Reply(reply) => reply.token,
                        _ => None,
                    },
                    _ => None,
                });
                let Some(token) = token else { continue };
                let announce = Query::AnnouncePeer { info_hash, port: Some(1), token, seed: false };
                let announce = Packet::new(Transaction::from(1), Body::Query(id, announce)).encode();
                dht.handle(at(5000), Input::Heard { from, bytes: &announce }, &mut out);
                out.clear();
            }
        }
        assert_eq!(dht.torrents_kept(), 2000);
        dht
    });
}
