//! A torrent, among peers, trackers, disks and users that do anything at any time.
//!
//! Peers are free to say whatever they like, when they like. Our own side keeps to its part: what it reports was
//! ordered before, though perhaps called off meanwhile, since reports and orders cross.

mod model;
mod setup;
mod talk;

use std::time::Duration;

use torr::base::{Moment, PeerId, RUN_BLOCKS};
use torr::proto::announce::{AnnounceReply, ScrapeCounts, ScrapeReply};
use torr::proto::handshake::Reserved;
use torr::proto::message::Message;
use torr::proto::splitter::{Split, Splitter};
use torr::swarm::Torrent;
use torr::swarm::event::{
    DialFailure, DisconnectReason, Input, Order, PeerHandshake, PeerKey, Priority, Source, TorrentCommand,
    TrackerFailure,
};

use self::model::Model;
use self::setup::Setup;
use self::talk::address;
use super::draws::Draws;

/// An honest peer that comes to a torrent without metadata gives it within this time.
const RESCUE_TIME: Duration = Duration::from_secs(900);

pub fn run(data: &[u8]) {
    let mut draws = Draws::new(data);
    let setup = Setup::new(&mut draws);
    let now = Moment::START + Duration::from_secs(1);
    let torrent = setup.build(now, draws.byte().into());
    let mut world = World { torrent, model: Model::new(setup), now, next: 0 };
    for _ in 0..1000 {
        if draws.is_empty() {
            break;
        }
        world.step(&mut draws);
        world.tick();
    }
    let _ = world.torrent.summary(world.now);
    if world.model.setup.rescued && !world.model.is_open && !world.model.metadata.is_found {
        world.rescue();
    }
    world.give(Input::Command(TorrentCommand::Stop));
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
        self.model.check(self.now, &self.torrent, before);
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
                let message = self.model.message(peer, draws);
                self.give(Input::MessageReceived { peer, message });
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

    /// An honest peer comes and all others are silent: the metadata is found, whatever has happened before.
    fn rescue(&mut self) {
        let sought = self.model.setup.sought.expect("it lacks the metadata");
        self.give(Input::Command(TorrentCommand::Resume));
        let end = self.now + RESCUE_TIME;
        let mut honest = PeerKey(0);
        while !self.model.metadata.is_found {
            assert!(self.now < end, "an honest peer is not asked");
            if !self.model.peers.contains_key(&honest) {
                self.next += 1;
                honest = PeerKey(self.next);
                let hello = PeerHandshake { id: PeerId([9; 20]), reserved: Reserved::NONE.with_extended() };
                let addr = ([12, 0, 0, 1], 6881).into();
                self.give(Input::Connected { peer: honest, addr, incoming: true, hello });
                self.give(Input::MessageReceived { peer: honest, message: talk::offer(sought.len() as u32) });
            }
            self.give(Input::MessageReceived { peer: honest, message: Message::KeepAlive });
            while let Some(piece) = self.model.peers.get(&honest).and_then(|peer| peer.offer.asked.first()) {
                let message = talk::metadata_piece(sought, *piece);
                self.give(Input::MessageReceived { peer: honest, message });
            }
            self.now += Duration::from_secs(1);
            self.tick();
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
        let hello = PeerHandshake { id, reserved };
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
            let why = if draws.one_in(2) { DisconnectReason::Protocol } else { DisconnectReason::Closed };
            self.give(Input::Disconnected { peer, why });
        }
    }

    /// Bytes as they come from the network.
    fn raw(&mut self, draws: &mut Draws<'_>) {
        let Some(peer) = self.peer(draws) else { return };
        let mut splitter = Splitter::new(self.model.known_pieces());
        let mut bytes = draws.string();
        while let Ok(Some(Split::Message(message))) = splitter.next(&mut bytes) {
            self.give(Input::MessageReceived { peer, message });
        }
    }

    fn land(&mut self, draws: &mut Draws<'_>) {
        let how = draws.byte();
        if !self.model.is_open {
            if let Some(peer) = self.peer(draws) {
                self.give(Input::Wasted { peer, bytes: u64::from(how) << 6 });
            }
            return;
        }
        let block = if how < 240 { self.model.owed_block(draws) } else { self.model.late_block(draws) };
        let Some((peer, block)) = block else { return };
        match how {
            // As many as came in one burst.
            0..200 => {
                let blocks = self.model.owed_of(peer, block, 1 + usize::from(how) / 8);
                self.give(Input::BlocksReceived { peer, blocks });
            }
            200..254 => self.give(Input::BlocksReceived { peer, blocks: vec![block] }),
            _ => self.give(Input::Wasted { peer, bytes: block.len().into() }),
        }
    }

    fn serve(&mut self, draws: &mut Draws<'_>) {
        let how = draws.byte();
        match self.model.served_span(draws) {
            Some((peer, span)) if how < 230 => self.give(Input::Sent { peer, spans: vec![span] }),
            Some((peer, span)) => self.give(Input::ReadFailed { peer, spans: vec![span] }),
            None => {
                if let Some(peer) = self.peer(draws) {
                    self.give(Input::Drained { peer });
                }
            }
        }
    }

    /// Hashes a piece. Before that, finds the metadata and opens the content.
    fn verify(&mut self, draws: &mut Draws<'_>) {
        let how = draws.byte();
        if !self.model.is_open {
            let metadata = &self.model.metadata;
            if !metadata.is_found && self.model.setup.rescued && how < 128 {
                self.rescue();
            } else if metadata.is_usable || (!metadata.is_found && how == 255) {
                // The user may have the metadata from elsewhere.
                let content = self.model.setup.content();
                self.give(Input::ContentOpened(Box::new(content)));
            }
            return;
        }
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
            _ if digests => Input::PieceVerified { piece, digests: each.collect() },
            _ => Input::PieceVerified { piece, digests: Vec::new() },
        });
    }

    fn wish(&mut self, draws: &mut Draws<'_>) -> Option<Input> {
        let byte = u32::from(draws.byte());
        let wish = match draws.below(12) {
            0 => TorrentCommand::Pause,
            1 | 2 => TorrentCommand::Resume,
            3 => {
                let all = [Priority::Normal, Priority::Skip, Priority::Low, Priority::High];
                let pieces = 0..self.model.pieces();
                TorrentCommand::Priorities(pieces.map(|_| all[draws.below(4)]).collect())
            }
            4 => TorrentCommand::Order(if byte < 128 { Order::InOrder } else { Order::RarestFirst }),
            5 => TorrentCommand::Ahead(byte % 16..byte / 8),
            6 => TorrentCommand::Announce,
            7 => TorrentCommand::UploadLimit((byte > 0).then_some(u64::from(byte) * 1000)),
            8 => return Some(Input::Budget { bytes: u64::from(byte) << 15 }),
            9 => {
                let held: Vec<_> = self.model.have.iter().collect();
                return held.get(draws.below(held.len())).map(|&piece| Input::PieceLost { piece });
            }
            10 => return Some(Input::LookedUp { answered: byte % 4, peers: byte / 64 }),
            _ => return Some(Input::Tick),
        };
        Some(Input::Command(wish))
    }

    fn find(&mut self, draws: &mut Draws<'_>) {
        let source = [Source::User, Source::Tracker, Source::Dht, Source::Pex, Source::Lsd, Source::Resume];
        let source = source[draws.below(6)];
        let addrs = (0..draws.below(12)).map(|_| address(draws)).collect();
        self.give(Input::PeersFound { source, addrs });
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
            let hash = self.model.setup.config.info_hash;
            let counts = ScrapeCounts { seeds: Some(how.into()), downloaded: None, leechers: Some(1) };
            let answer = failure.map_or(Ok(ScrapeReply { torrents: vec![(hash, counts)] }), Err);
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
