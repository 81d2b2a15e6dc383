//! A simulated world of one search, honest peers and liars, in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::*;
use crate::base::Rng;
use crate::proto::extended::{MAX_METADATA, metadata_piece_len};
use crate::swarm::event::{Departure, DialFailure, Note, Source};
use crate::swarm::torrent::phase::Phase;

/// What a peer does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    Honest,
    /// Claims the right length; every piece is wrong.
    Wrong,
    /// Claims the right length; one piece is wrong.
    AlmostRight,
    /// Claims this length, and sends as much.
    Length(u32),
    /// Claims 2^31 bytes.
    Bomb,
    /// Claims the right length and never answers.
    Mute,
    /// Claims the longest that is taken, and answers now and then.
    Dripper,
    /// Claims this length, and answers now and then.
    DripperOf(u32),
    /// Turns everything down.
    Refuser,
    /// Sends pieces of impossible lengths.
    Cutter,
    /// Hangs up when it is asked.
    Leaver,
    /// Sends pieces nobody asked for, and a new length each time.
    Babbler,
}

impl Manner {
    /// The liars by number: every kind, again and again.
    pub fn liar(n: u32, size: u32) -> Self {
        match n % 11 {
            0 => Self::Wrong,
            1 => Self::AlmostRight,
            2 => Self::Length(size + 1 + n),
            3 => Self::Length(size.saturating_sub(n + 1).max(1)),
            4 => Self::Bomb,
            5 => Self::Mute,
            6 => Self::Dripper,
            7 => Self::Refuser,
            8 => Self::Cutter,
            9 => Self::Leaver,
            _ => Self::Babbler,
        }
    }
}

enum Event {
    Wake,
    Hear(Input),
    /// A message reaches a peer.
    Said(PeerKey, Message),
}

pub struct World {
    torrent: Torrent,
    info: Vec<u8>,
    rng: Rng,
    pub now: Moment,
    heap: BTreeMap<(Moment, u64), Event>,
    count: u64,
    manners: BTreeMap<SocketAddr, Manner>,
    conns: BTreeMap<PeerKey, SocketAddr>,
    banned: BTreeSet<SocketAddr>,
    received: u64,
    pub found: Option<bool>,
    pub trace: u64,
}

fn addr_of(n: u32) -> SocketAddr {
    ([11, (n >> 8) as u8, n as u8, 1], 6881).into()
}

impl World {
    /// A search that knows these peers from the start.
    pub fn new(seed: u64, metainfo: &Metainfo, manners: &[Manner]) -> Self {
        let mut rng = Rng::new(seed);
        let config = Config { max_peers: 30, ..config(metainfo.info_hash()) };
        let now = Moment::START;
        let mut world = Self {
            torrent: Torrent::new(now, config, rng.next_u64()),
            info: metainfo.raw_info().to_vec(),
            rng,
            now,
            heap: BTreeMap::new(),
            count: 0,
            manners: BTreeMap::new(),
            conns: BTreeMap::new(),
            banned: BTreeSet::new(),
            received: 0,
            found: None,
            trace: seed,
        };
        for (n, &manner) in manners.iter().enumerate() {
            world.manners.insert(addr_of(n as u32), manner);
        }
        let addrs = world.manners.keys().copied().collect();
        world.put(now, Event::Hear(Input::Found { source: Source::Tracker, addrs }));
        world
    }

    /// One more peer, of which the search hears at once.
    pub fn come(&mut self, manner: Manner) {
        let addr = addr_of(self.manners.len() as u32);
        self.manners.insert(addr, manner);
        self.hear(Input::Found { source: Source::Tracker, addrs: vec![addr] });
    }

    /// Lets time pass until it is found or the time is over.
    pub fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while self.found.is_none()
            && let Some(next) = self.heap.first_entry()
            && next.key().0 <= end
        {
            let ((at, _), event) = next.remove_entry();
            self.now = at;
            match event {
                Event::Wake => {
                    if self.torrent.deadline().is_some_and(|due| due <= at) {
                        self.hear(Input::Tick);
                    }
                }
                Event::Hear(input) => self.arrives(input),
                Event::Said(peer, message) => self.said(peer, &message),
            }
        }
        if self.found.is_none() {
            self.now = end;
        }
    }

    fn put(&mut self, at: Moment, event: Event) {
        self.count += 1;
        self.heap.insert((at, self.count), event);
    }

    fn after(&mut self, event: Event) {
        let delay = Duration::from_millis(10 + self.rng.below(150));
        self.put(self.now + delay, event);
    }

    /// A fact reaches the search, unless the connection has ended meanwhile.
    fn arrives(&mut self, input: Input) {
        match &input {
            Input::Heard { peer, .. } | Input::Left { peer, .. } if !self.conns.contains_key(peer) => return,
            Input::Connected { peer, addr, .. } => drop(self.conns.insert(*peer, *addr)),
            Input::Left { peer, .. } => drop(self.conns.remove(peer)),
            _ => {}
        }
        let stands = if let Input::Connected { peer, .. } = &input { Some(*peer) } else { None };
        if let Input::Heard { message: Message::Extended { body, .. }, .. } = &input {
            self.received += body.len() as u64;
        }
        self.hear(input);
        if let Some(peer) = stands.filter(|peer| self.conns.contains_key(peer)) {
            self.greet(peer);
        }
    }

    fn hear(&mut self, input: Input) {
        let mut out = Vec::new();
        self.torrent.handle(self.now, input, &mut out);
        let Phase::Metadata(download) = &self.torrent.phase else { panic!("nobody has opened it") };
        let held = download.held();
        assert!(held <= self.received && held <= 2 * u64::from(MAX_METADATA), "it holds {held} bytes");
        for order in out {
            self.carry_out(order);
        }
        if let Some(at) = self.torrent.deadline() {
            self.put(at.max(self.now), Event::Wake);
        }
    }

    fn carry_out(&mut self, order: Output) {
        self.note(&order);
        match order {
            Output::Dial { addr } => {
                self.count += 1;
                let (peer, mut id) = (PeerKey(self.count), [0x90; 20]);
                assert!(!self.banned.contains(&addr), "{addr} is banned, and dialled");
                id[..2].copy_from_slice(&[addr.to_string().len() as u8, self.count as u8]);
                let hello = Hello { id: PeerId(id), reserved: modern() };
                let fact = if self.manners.contains_key(&addr) {
                    Input::Connected { peer, addr, incoming: false, hello }
                } else {
                    Input::DialFailed { addr, why: DialFailure::TimedOut }
                };
                self.after(Event::Hear(fact));
            }
            Output::Say { peer, message } => {
                assert!(self.conns.contains_key(&peer), "it speaks to one that is gone");
                assert!(!matches!(message, Message::Interested | Message::Bitfield(_)));
                self.after(Event::Said(peer, message));
            }
            Output::Close { peer, .. } => drop(self.conns.remove(&peer)),
            Output::Note(Note::Banned(addr)) => {
                assert_ne!(self.manners[&addr], Manner::Honest, "an honest peer is banned");
                self.banned.insert(addr);
            }
            Output::Metadata(found) => self.found = Some(found.is_ok()),
            _ => {}
        }
    }

    /// Everything that is ordered, in one number.
    fn note(&mut self, order: &Output) {
        let text = format!("{:?} {order:?}", self.now.since_start());
        for byte in text.bytes() {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn reply(&mut self, peer: PeerKey, message: Message) {
        self.after(Event::Hear(Input::Heard { peer, message }));
    }

    fn greet(&mut self, peer: PeerKey) {
        let manner = self.manners[&self.conns[&peer]];
        let size = self.info.len() as u32;
        let size = match manner {
            Manner::Length(size) | Manner::DripperOf(size) => size,
            Manner::Bomb => 1 << 31,
            Manner::Dripper => MAX_METADATA,
            _ => size,
        };
        self.reply(peer, hand(Some(size)));
    }

    /// A peer hears what the search says.
    fn said(&mut self, peer: PeerKey, message: &Message) {
        let Some(addr) = self.conns.get(&peer) else { return };
        let Message::Extended { id: THEIRS, body } = message else { return };
        let Ok(MetadataMessage::Request(piece)) = MetadataMessage::decode(body) else { return };
        let wrong = |len: u32, total| MetadataMessage::Data { piece, total, bytes: vec![b'x'; len as usize] };
        let size = self.info.len() as u32;
        let answer = match self.manners[addr] {
            Manner::Honest => data(&self.info, piece),
            Manner::AlmostRight if piece != 1 => data(&self.info, piece),
            Manner::Wrong | Manner::AlmostRight => to_us(&wrong(metadata_piece_len(size, piece), Some(size))),
            Manner::Length(size) => to_us(&wrong(metadata_piece_len(size, piece).max(1), Some(size))),
            Manner::Bomb | Manner::Mute => return,
            Manner::Dripper | Manner::DripperOf(_) if self.rng.below(20) > 0 => return,
            Manner::Dripper | Manner::DripperOf(_) => to_us(&wrong(16_384, None)),
            Manner::Refuser => to_us(&MetadataMessage::Reject(piece)),
            Manner::Cutter => to_us(&wrong(7, Some(size))),
            Manner::Leaver => {
                return self.after(Event::Hear(Input::Left { peer, why: Departure::Closed }));
            }
            Manner::Babbler => {
                let new = hand(Some(1 + self.rng.below(1 << 24) as u32));
                self.reply(peer, new);
                to_us(&MetadataMessage::Data { piece: piece + 1, total: None, bytes: vec![0; 16_384] })
            }
        };
        self.reply(peer, answer);
    }
}
