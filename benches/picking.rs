//! What choosing costs: pieces to begin, counts to keep, and whole torrents that ask.
//!
//! `cargo bench --bench picking`

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use divan::{Bencher, black_box};
use torr::base::{Bitfield, Block, Geometry, InfoHashes, Moment, PeerId, Piece, Rng};
use torr::proto::handshake::Reserved;
use torr::proto::message::Message;
use torr::swarm::event::{Input, Order, Output, PeerHandshake, PeerKey, Priority};
use torr::swarm::parts::picker::{Offer, Picker};
use torr::swarm::parts::rarity::Rarity;
use torr::swarm::{Config, ContentSetup, Torrent};

const PIECES: u32 = 100_000;
const PEERS: u64 = 1_000;
const PIECE_LEN: u64 = 256 << 10;

fn main() {
    divan::main();
}

fn geometry() -> Geometry {
    Geometry::single(PIECE_LEN, u64::from(PIECES) * PIECE_LEN).expect("a possible torrent")
}

/// A set of which about one piece in `n` is a member.
fn one_in(n: u64, geometry: &Geometry, rng: &mut Rng) -> Bitfield {
    let mut set = Bitfield::none(PIECES);
    for piece in geometry.pieces() {
        if rng.one_in(n) {
            set.insert(piece);
        }
    }
    set
}

/// A thousand peers that have half of everything each.
fn crowd() -> (Geometry, Rarity, Rng) {
    let (geometry, mut rng) = (geometry(), Rng::new(1));
    let mut rarity = Rarity::new(PIECES);
    let halves: Vec<Bitfield> = (0..8).map(|_| one_in(2, &geometry, &mut rng)).collect();
    for peer in 0..PEERS {
        for piece in halves[(peer % 8) as usize].iter() {
            rarity.up(piece, &mut rng);
        }
    }
    for piece in geometry.pieces() {
        rarity.put(piece, Priority::Normal, &mut rng);
    }
    (geometry, rarity, rng)
}

/// Begins a piece for a peer that has one piece in `n`.
#[divan::bench(args = [1, 2, 20, 1000])]
fn begin(bencher: Bencher<'_, '_>, n: u64) {
    let (geometry, mut rarity, mut rng) = crowd();
    let has = one_in(n, &geometry, &mut rng);
    let mut picker = Picker::default();
    bencher.bench_local(|| {
        let offer = Offer { has: &has, interesting: has.count(), suggested: &[] };
        let picked = picker.pick(&rarity, &geometry, Order::RarestFirst, 99, offer, &mut rng);
        if let Some(piece) = black_box(picked) {
            rarity.take(piece);
            rarity.put(piece, Priority::Normal, &mut rng);
        }
    });
}

/// Counts one `have`.
#[divan::bench]
fn count_have(bencher: Bencher<'_, '_>) {
    let (geometry, mut rarity, mut rng) = crowd();
    bencher.bench_local(|| {
        let piece = geometry.piece(rng.below(u64::from(PIECES)) as u32).expect("below the count");
        rarity.up(piece, &mut rng);
        rarity.down(piece, &mut rng);
    });
}

/// A block lands and the next ones are asked for, with a thousand peers that send.
#[divan::bench]
fn land_one_block(bencher: Bencher<'_, '_>) {
    let geometry = Arc::new(geometry());
    let mut config = Config::new(InfoHashes::from_v1([1; 20]), PeerId([1; 20]));
    config.max_peers = PEERS as usize;
    let mut now = Moment::START + Duration::from_secs(1);
    let setup = ContentSetup::new(geometry, Bitfield::none(PIECES));
    let mut torrent = Torrent::with_content(now, config, setup, 1);
    let (mut out, mut owed) = (Vec::new(), std::collections::VecDeque::new());
    torrent.handle(now, Input::Budget { bytes: 1 << 30 }, &mut out);
    for n in 0..PEERS {
        let peer = PeerKey(n);
        let addr: SocketAddr = (Ipv4Addr::from(0x0b00_0000 + n as u32), 6881).into();
        let hello = PeerHandshake { id: PeerId([n as u8; 20]), reserved: Reserved::NONE.with_fast() };
        torrent.handle(now, Input::Connected { peer, addr, incoming: true, hello }, &mut out);
        torrent.handle(now, Input::MessageReceived { peer, message: Message::HaveAll }, &mut out);
        torrent.handle(now, Input::MessageReceived { peer, message: Message::Unchoke }, &mut out);
    }
    bencher.bench_local(|| {
        for order in out.drain(..) {
            match order {
                Output::Request { peer, blocks } => {
                    owed.extend(blocks.into_iter().map(|block| (peer, block)));
                }
                Output::Verify { piece, .. } => owed.push_front((PeerKey(u64::MAX), block_of(piece))),
                _ => {}
            }
        }
        now += Duration::from_micros(160);
        let input = match owed.pop_front() {
            Some((PeerKey(u64::MAX), block)) => {
                Input::PieceVerified { piece: block.piece(), digests: Vec::new() }
            }
            Some((peer, block)) => Input::BlocksReceived { peer, blocks: vec![block] },
            None => Input::Tick,
        };
        torrent.handle(now, input, &mut out);
    });
}

fn block_of(piece: Piece) -> Block {
    geometry().block(piece, 0).expect("every piece has a block")
}
