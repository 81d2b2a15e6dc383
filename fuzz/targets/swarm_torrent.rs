//! A torrent, among peers, trackers, disks and users that do anything at any time.
//!
//! Peers are free to say whatever they like, when they like. Our own side keeps to its part: what it reports was
//! ordered before, though perhaps called off meanwhile, since reports and orders cross.

mod model;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use torr::base::{Bitfield, Geometry, InfoHashes, Moment, PeerId, RUN_BLOCKS};
use torr::proto::announce::{AnnounceReply, ScrapeCounts, ScrapeReply};
use torr::proto::extended::pex::{PexFlags, PexMessage};
use torr::proto::extended::{ExtendedHandshake, Extension, MetadataMessage};
use torr::proto::handshake::Reserved;
use torr::proto::message::{Message, Wanted};
use torr::proto::splitter::{Split, Splitter};
use torr::swarm::event::{
    Departure, DialFailure, Hello, Input, Order, PeerKey, Priority, Source, TrackerFailure, TrackerKey, Wish,
};
use torr::swarm::{Config, ContentSetup, Torrent};

use self::model::Model;
use super::draws::Draws;

const HASH: InfoHashes = InfoHashes::from_v1([7; 20]);

/// What a torrent is told at its start that the model has to know, too.
pub struct Setup {
    pub geometry: Arc<Geometry>,
    pub config: Config,
    pub have: Bitfield,
    pub order: Order,
    pub seed_only: bool,
}

/// A torrent that knows what it consists of. Everything about how a torrent is made is here.
fn build(now: Moment, setup: &Setup, seed: u64) -> Torrent {
    let content = ContentSetup {
        order: setup.order,
        seed_only: setup.seed_only,
        ..ContentSetup::new(setup.geometry.clone(), setup.have.clone())
    };
    Torrent::with_content(now, setup.config.clone(), content, seed)
}

fn setup(draws: &mut Draws<'_>) -> Setup {
    let (flags, more) = (draws.byte(), draws.byte());
    let is = |bit: u8| flags & 1 << bit != 0;
    // Short pieces with a shorter last one, or pieces so long that they are taken in runs.
    let geometry = if more & 3 == 3 {
        Geometry::single(3 << 20, 7 << 20)
    } else {
        Geometry::single(65_536, 65_536 * 12 + 20_000)
    };
    let geometry = Arc::new(geometry.expect("a geometry"));
    let pieces = geometry.piece_count();
    let mut have = if is(0) { Bitfield::all(pieces) } else { Bitfield::none(pieces) };
    if is(1) {
        geometry.pieces().filter(|piece| piece.index() % 2 == 0).for_each(|piece| {
            have.insert(piece);
        });
    }
    let config = Config {
        port: if is(2) { 0 } else { 51_413 },
        private: is(3),
        dht: is(4),
        pex: !is(5),
        info: if is(6) { vec![b'x'; 20_000].into() } else { Arc::default() },
        trackers: vec![vec![TrackerKey(0), TrackerKey(1)], vec![TrackerKey(2)]],
        max_peers: 1 + usize::from(more >> 4 & 7),
        upload_limit: is(7).then_some(50_000),
        ..Config::new(HASH, PeerId([0x80; 20]))
    };
    let order = if more & 4 != 0 { Order::InOrder } else { Order::RarestFirst };
    Setup { geometry, config, have, order, seed_only: more & 8 != 0 }
}

pub fn run(data: &[u8]) {
    let mut draws = Draws::new(data);
    let setup = setup(&mut draws);
    let now = Moment::START + Duration::from_secs(1);
    let torrent = build(now, &setup, draws.byte().into());
    let mut world = World { torrent, model: Model::new(setup), now, next: 0 };
    for _ in 0..1000 {
        if draws.is_empty() {
            break;
        }
        world.step(&mut draws);
        world.tick();
    }
    let _ = world.torrent.summary(world.now);
    world.give(Input::Wish(Wish::Stop));
    assert!(world.model.peers.is_empty(), "nobody is left");
    assert!(world.torrent.is_stopped() && world.torrent.deadline().is_none());
    let mut out = Vec::new();
    world.torrent.handle(world.now, Input::Tick, &mut out);
    assert_eq!(out, [], "who has left orders nothing more");
}

struct World {
    torrent: Torrent,
    model: Model,
    now: Moment,
    next: u64,
}

impl World {
    fn give(&mut self, input: Input) {
        let before = self.torrent.held();
        self.model.hear(&input);
        let mut out = Vec::new();
        self.torrent.handle(self.now, input, &mut out);
        for order in out {
            self.model.follow(order);
        }
        self.model.check(&self.torrent, before);
    }

    /// Does what is due. What a fact or a deadline brings about may be due at once, but not for ever.
    fn tick(&mut self) {
        let mut ticks = 0;
        while self.torrent.deadline().is_some_and(|at| at <= self.now) {
            self.give(Input::Tick);
            ticks += 1;
            assert!(ticks < 5, "the torrent ticks without rest");
        }
    }

    fn step(&mut self, draws: &mut Draws<'_>) {
        match draws.below(16) {
            0 | 1 => self.connect(draws),
            2 => self.end(draws),
            3..7 => {
                let Some(peer) = self.peer(draws) else { return };
                let message = self.message(draws);
                self.give(Input::Heard { peer, message });
            }
            7 => self.raw(draws),
            8 | 9 => self.land(draws),
            10 => self.serve(draws),
            11 => self.verify(draws),
            12 => {
                let unit = [1, 20, 700, 11_000][draws.below(4)];
                self.now += Duration::from_millis(unit * u64::from(draws.byte()));
            }
            13 => {
                if let Some(input) = self.wish(draws) {
                    self.give(input);
                }
            }
            14 => self.find(draws),
            _ => self.track(draws),
        }
    }

    fn peer(&self, draws: &mut Draws<'_>) -> Option<PeerKey> {
        let keys: Vec<PeerKey> = self.model.peers.keys().copied().collect();
        keys.get(draws.below(keys.len())).copied()
    }

    fn connect(&mut self, draws: &mut Draws<'_>) {
        self.next += 1;
        let (peer, byte) = (PeerKey(self.next), draws.byte());
        // Ours is among the ids they use.
        let id = PeerId([[1, 2, 3, 0x80, 0x90, 0xa0, 0xb0, 0xff][usize::from(byte & 7)]; 20]);
        let reserved = [
            Reserved::NONE,
            Reserved::NONE.with_fast(),
            Reserved::NONE.with_extended(),
            Reserved::NONE.with_fast().with_extended().with_dht(),
        ][usize::from(byte >> 3 & 3)];
        let hello = Hello { id, reserved };
        let dialled = (byte & 0x80 == 0).then(|| self.model.dials.pop()).flatten();
        let incoming = dialled.is_none();
        let addr = dialled.unwrap_or_else(|| address(draws));
        self.give(Input::Connected { peer, addr, incoming, hello });
    }

    fn end(&mut self, draws: &mut Draws<'_>) {
        if draws.one_in(2) {
            let why = [
                DialFailure::TimedOut,
                DialFailure::Refused,
                DialFailure::Unreachable,
                DialFailure::BadHandshake,
                DialFailure::Ourselves,
                DialFailure::Local,
            ][draws.below(6)];
            if let Some(addr) = self.model.dials.pop() {
                self.give(Input::DialFailed { addr, why });
            }
        } else if let Some(peer) = self.peer(draws) {
            let why = if draws.one_in(2) { Departure::Protocol } else { Departure::Closed };
            self.give(Input::Left { peer, why });
        }
    }

    /// A message that means something, most of the time.
    fn message(&self, draws: &mut Draws<'_>) -> Message {
        let piece = |draws: &mut Draws<'_>| draws.below(self.model.pieces() as usize + 1) as u32;
        let wanted = |draws: &mut Draws<'_>| {
            let piece = piece(draws);
            let (begin, len) = (u32::from(draws.byte()) << 14, draws.byte());
            let len = if len < 200 { 16_384 } else { u32::from(len) * 300 };
            Wanted { piece, begin: begin % (1 << 22), len }
        };
        match draws.below(24) {
            0 => Message::Choke,
            1..4 => Message::Unchoke,
            4 | 5 => Message::Interested,
            6 => Message::NotInterested,
            7 | 8 => Message::Have(piece(draws)),
            9 => {
                let len = self.model.pieces().div_ceil(8) as usize;
                let mut bits = draws.bytes(len).to_vec();
                bits.resize(len, 0);
                if let (Some(last), extra @ 1..) = (bits.last_mut(), self.model.pieces() % 8) {
                    *last &= 0xff << (8 - extra);
                }
                Message::Bitfield(bits)
            }
            10..13 => Message::Request(wanted(draws)),
            13 => Message::Cancel(wanted(draws)),
            14 => self
                .model
                .owed_block(draws)
                .map_or(Message::KeepAlive, |(_, block)| Message::Reject(block.span().into())),
            15 => Message::Suggest(piece(draws)),
            16 | 17 => Message::AllowedFast(piece(draws)),
            18 | 19 => Message::HaveAll,
            20 => Message::HaveNone,
            21 => Message::Port(draws.u16()),
            22 => extended(draws),
            _ => Message::Extended {
                id: Extension::DontHave.our_id(),
                body: piece(draws).to_be_bytes().to_vec(),
            },
        }
    }

    /// Bytes as they come from the network.
    fn raw(&mut self, draws: &mut Draws<'_>) {
        let Some(peer) = self.peer(draws) else { return };
        let mut splitter = Splitter::new(Some(self.model.pieces()));
        let mut bytes = draws.string();
        while let Ok(Some(Split::Message(message))) = splitter.next(&mut bytes) {
            self.give(Input::Heard { peer, message });
        }
    }

    fn land(&mut self, draws: &mut Draws<'_>) {
        let how = draws.byte();
        let block = if how < 240 { self.model.owed_block(draws) } else { self.model.late_block(draws) };
        let Some((peer, block)) = block else { return };
        match how {
            // As many as came in one burst.
            0..200 => {
                let blocks = self.model.owed_of(peer, block, 1 + usize::from(how) / 8);
                self.give(Input::Landed { peer, blocks });
            }
            200..254 => self.give(Input::Landed { peer, blocks: vec![block] }),
            _ => self.give(Input::Wasted { peer, bytes: block.len().into() }),
        }
    }

    fn serve(&mut self, draws: &mut Draws<'_>) {
        let how = draws.byte();
        match self.model.served_span(draws) {
            Some((peer, span)) if how < 230 => self.give(Input::Sent { peer, spans: vec![span] }),
            Some((peer, span)) => self.give(Input::Unserved { peer, spans: vec![span] }),
            None => {
                if let Some(peer) = self.peer(draws) {
                    self.give(Input::Drained { peer });
                }
            }
        }
    }

    fn verify(&mut self, draws: &mut Draws<'_>) {
        let how = draws.byte();
        if let Some((piece, blocks)) = self.model.run_to_settle() {
            return self.give(match how {
                0..250 => Input::SegmentWritten { piece, blocks },
                _ => Input::WriteFailed { piece },
            });
        }
        let Some((piece, digests)) = self.model.piece_to_verify(draws) else { return };
        // Blocks come out in one of two ways, so that liars can be told from others.
        let count = self.model.setup.geometry.blocks_in(piece).min(4 * RUN_BLOCKS);
        let wrong = how % 16;
        let each = (13..13 + count).map(|block| [u8::from(block == u32::from(wrong)); 20]);
        self.give(match wrong {
            12 => Input::WriteFailed { piece },
            13.. => Input::HashFailed { piece, digests: each.collect() },
            _ if digests => Input::Verified { piece, digests: each.collect() },
            _ => Input::Verified { piece, digests: Vec::new() },
        });
    }

    fn wish(&mut self, draws: &mut Draws<'_>) -> Option<Input> {
        let byte = u32::from(draws.byte());
        let wish = match draws.below(12) {
            0 => Wish::Pause,
            1 | 2 => Wish::Resume,
            3 => {
                let all = [Priority::Normal, Priority::Skip, Priority::Low, Priority::High];
                let pieces = 0..self.model.pieces();
                Wish::Priorities(pieces.map(|_| all[draws.below(4)]).collect())
            }
            4 => Wish::Order(if byte < 128 { Order::InOrder } else { Order::RarestFirst }),
            5 => Wish::Ahead(byte % 16..byte / 8),
            6 => Wish::Announce,
            7 => Wish::UploadLimit((byte > 0).then_some(u64::from(byte) * 1000)),
            8 => return Some(Input::Budget { bytes: u64::from(byte) << 15 }),
            9 => {
                let held: Vec<_> = self.model.have.iter().collect();
                return held.get(draws.below(held.len())).map(|&piece| Input::Lost { piece });
            }
            10 => return Some(Input::LookedUp { answered: byte % 4, peers: byte / 64 }),
            _ => return Some(Input::Tick),
        };
        Some(Input::Wish(wish))
    }

    fn find(&mut self, draws: &mut Draws<'_>) {
        let source = [Source::User, Source::Tracker, Source::Dht, Source::Pex, Source::Lsd, Source::Resume];
        let source = source[draws.below(6)];
        let addrs = (0..draws.below(12)).map(|_| address(draws)).collect();
        self.give(Input::Found { source, addrs });
    }

    fn track(&mut self, draws: &mut Draws<'_>) {
        let scraped = draws.one_in(3);
        let list = if scraped { &mut self.model.scrapes } else { &mut self.model.announces };
        if list.is_empty() {
            return;
        }
        let tracker = list.swap_remove(draws.below(list.len()));
        let how = draws.byte();
        let failure = match how {
            0..160 => None,
            160..200 => Some(TrackerFailure::Unreachable("x".to_owned())),
            _ => Some(TrackerFailure::Refused(
                "x".into(),
                (how > 220).then(|| Duration::from_secs(draws.u16().into())),
            )),
        };
        if scraped {
            let counts = ScrapeCounts { seeds: Some(how.into()), downloaded: None, leechers: Some(1) };
            let answer = failure.map_or(Ok(ScrapeReply { torrents: vec![(HASH, counts)] }), Err);
            return self.give(Input::Scraped { tracker, answer });
        }
        let answer = failure.map_or_else(
            || {
                Ok(AnnounceReply {
                    interval: Duration::from_secs(60 + u64::from(draws.u16())),
                    min_interval: (how > 100).then(|| Duration::from_secs(60)),
                    peers: (0..draws.below(6)).map(|_| address(draws)).collect(),
                    external_ip: (how > 140).then(|| address(draws).ip()),
                    warning: (how > 150).then(|| "x".into()),
                    tracker_id: (how > 80).then(|| vec![how]),
                    ..AnnounceReply::default()
                })
            },
            Err,
        );
        self.give(Input::Announced { tracker, answer });
    }
}

/// An address among few, so that they meet again: of the Internet, of the local network, and some that cannot be.
fn address(draws: &mut Draws<'_>) -> SocketAddr {
    let byte = draws.byte();
    let port = [6881, 6881, 6882, 0][usize::from(byte >> 4 & 3)];
    let n = byte & 7;
    match byte >> 6 {
        0 | 1 => ([11, 0, n, 1], port).into(),
        2 => ([0x2a00, u16::from(n), 0, 0, 0, 0, 0, 1], port).into(),
        _ => ([[127, 0, 0, 1], [192, 168, 0, n], [0, 0, 0, 0], [239, 0, 0, n]][usize::from(n & 3)], port)
            .into(),
    }
}

fn extended(draws: &mut Draws<'_>) -> Message {
    match draws.below(5) {
        0 | 1 => {
            let flags = draws.byte();
            let hand = ExtendedHandshake {
                ids: Extension::ALL.into_iter().map(|extension| (extension, draws.byte() % 5)).collect(),
                metadata_size: (flags & 1 != 0).then(|| draws.u32()),
                port: Some(6881).filter(|_| flags & 2 != 0),
                reqq: (flags & 4 != 0).then(|| draws.u16().into()),
                upload_only: (flags & 8 != 0).then_some(flags & 16 != 0),
                client: Some("x".into()),
                your_ip: None,
            };
            Message::Extended { id: 0, body: hand.encode() }
        }
        2 => {
            let added = (0..draws.below(8)).map(|_| (address(draws), PexFlags(draws.byte()))).collect();
            let dropped = (0..draws.below(3)).map(|_| address(draws)).collect();
            Message::Extended { id: Extension::Pex.our_id(), body: PexMessage { added, dropped }.encode() }
        }
        3 => {
            let piece = u32::from(draws.byte() % 4);
            let message = [MetadataMessage::Request(piece), MetadataMessage::Reject(piece)];
            Message::Extended { id: Extension::Metadata.our_id(), body: message[draws.below(2)].encode() }
        }
        _ => Message::Extended { id: draws.byte() % 8, body: draws.string().to_vec() },
    }
}
