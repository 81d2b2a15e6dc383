//! How fast the wire is: the splitter alone, and blocks between two connections over loopback.

#![allow(missing_docs, reason = "benches have no readers but their names")]

use std::hint::black_box;

use divan::counter::BytesCount;
use divan::{Bencher, Divan};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, UnboundedSender, channel, unbounded_channel};
use torr::base::{BLOCK_LEN, Block, Geometry};
use torr::net::{FromPeer, Limits, PeerConfig, ToPeer, peer};
use torr::proto::message::{Message, Wanted, piece_header};
use torr::proto::splitter::{Split, Splitter};
use torr::store::{BUF_LEN, Pool};
use torr::swarm::event::PeerKey;

fn main() {
    Divan::from_args().main();
}

const MIB: u64 = 1 << 20;

/// Messages as a seed hears them: requests, with a have in between.
#[divan::bench]
fn split_requests(bencher: Bencher) {
    let mut stream = Vec::new();
    for at in 0..10_000 {
        Message::Request(Wanted { piece: at, begin: 0, len: BLOCK_LEN }).encode(&mut stream);
        if at % 8 == 0 {
            Message::Have(at).encode(&mut stream);
        }
    }
    bencher.counter(BytesCount::of_slice(&stream[..])).bench_local(|| {
        let (mut splitter, mut input, mut count) = (Splitter::new(None), &stream[..], 0);
        while let Ok(Some(split)) = splitter.next(&mut input) {
            black_box(&split);
            count += 1;
        }
        count
    });
}

/// Blocks as a leecher hears them; payload is only counted.
#[divan::bench]
fn split_blocks(bencher: Bencher) {
    let mut stream = Vec::new();
    for piece in 0..640 {
        stream.extend(piece_header(Wanted { piece, begin: 0, len: BLOCK_LEN }));
        stream.resize(stream.len() + BLOCK_LEN as usize, 0);
    }
    bencher.counter(BytesCount::of_slice(&stream[..])).bench_local(|| {
        let (mut splitter, mut input) = (Splitter::new(None), &stream[..]);
        while let Ok(Some(Split::Payload(wanted))) = splitter.next(&mut input) {
            input = &input[wanted.len as usize..];
            splitter.moved(wanted.len as usize);
        }
        splitter
    });
}

struct Ends {
    orders: UnboundedSender<ToPeer>,
    reports: Receiver<(PeerKey, FromPeer)>,
}

fn start(stream: TcpStream, pool: &Pool, pieces: u32) -> Ends {
    let (orders, heard) = unbounded_channel();
    let (told, reports) = channel(256);
    let limits = [Limits::new(None, None), Limits::new(None, None)];
    let config = PeerConfig { key: PeerKey(0), fast: true, pieces: Some(pieces), pool: pool.clone(), limits };
    tokio::spawn(peer::run(stream, config, heard, told));
    Ends { orders, reports }
}

/// Keeps 4 MiB of requests out until everything has landed.
async fn fetch(mut ends: Ends, all: &[Block]) {
    let mut runs = all.chunks(16);
    let mut left = all.len();
    for run in runs.by_ref().take(16) {
        let _ = ends.orders.send(ToPeer::Request(run.to_vec()));
    }
    let mut spare = 0;
    while left > 0 {
        if let Some((_, FromPeer::BlocksReceived(burst))) = ends.reports.recv().await {
            left -= burst.len();
            spare += burst.len();
            while spare >= 16 {
                spare -= 16;
                if let Some(run) = runs.next() {
                    let _ = ends.orders.send(ToPeer::Request(run.to_vec()));
                }
            }
        }
    }
}

/// Serves whatever is asked out of buffers that nobody fills.
async fn serve(mut ends: Ends, pool: Pool, shape: Geometry) {
    let mut waiting = Vec::new();
    while let Some((_, report)) = ends.reports.recv().await {
        if let FromPeer::MessageReceived(Message::Request(wanted)) = report {
            waiting.extend(shape.span_at(wanted.piece, wanted.begin, wanted.len));
        }
        if waiting.len() >= 16 || ends.reports.is_empty() {
            let ready = waiting.drain(..).filter_map(|span| {
                let mut buf = pool.try_take()?;
                buf.set_len(span.len() as usize);
                Some((span, buf))
            });
            let _ = ends.orders.send(ToPeer::Serve(ready.collect()));
        }
    }
}

/// One connection, each end on a thread of its own where there are two.
#[divan::bench(sample_count = 5, sample_size = 1, args = [64, 1024])]
fn loopback(bencher: Bencher, mib: u64) {
    let shape = Geometry::single(MIB, mib * MIB).expect("a torrent of whole pieces");
    let all: Vec<Block> = shape.pieces().flat_map(|piece| shape.blocks(piece).collect::<Vec<_>>()).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime with two threads");
    let pool = Pool::new(1024 * BUF_LEN);
    bencher.counter(BytesCount::from(mib * MIB)).bench_local(|| {
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let addr = listener.local_addr().expect("a bound socket");
            let (left, right) = tokio::join!(TcpStream::connect(addr), listener.accept());
            let pieces = shape.piece_count();
            let left = start(left.expect("loopback is up"), &pool, pieces);
            let right = start(right.expect("loopback is up").0, &pool, pieces);
            let seed = tokio::spawn(serve(right, pool.clone(), shape.clone()));
            fetch(left, &all).await;
            seed.await.expect("the seed ends with its connection");
        });
    });
}
