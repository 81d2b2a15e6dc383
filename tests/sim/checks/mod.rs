//! Checks that hold at every step, whatever the weather: a ledger that one node's facts and orders are
//! booked in, and that refuses an order that is not lawful.

mod pieces;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use torr::base::{Bitfield, Block, Geometry, Moment, Piece, RUN_LEN, Span};
use torr::proto::extended::Extension;
use torr::proto::extended::pex::{PexFlags, PexMessage};
use torr::proto::message::{Message, Wanted};
use torr::swarm::event::{DisconnectReason, Input, Note, Output, PeerKey, Priority, TorrentCommand};

/// The most blocks one peer may owe.
const MAX_OWED: u32 = 500;
/// The most peers that may owe the same block.
const MAX_ASKERS: usize = 3;
/// The same address is not dialled again before this time.
const DIAL_PAUSE: Duration = Duration::from_secs(60);
/// The same for who is connected to nobody, and was connected to that machine since the last dial.
const LONELY_PAUSE: Duration = Duration::from_secs(10);

/// The most peers that one message adds or drops, and the time between two of them (BEP 11).
const MAX_TOLD: usize = 50;
const TOLD_PAUSE: Duration = Duration::from_secs(60);

/// One end of a connection as its node must see it.
#[derive(Clone)]
#[allow(clippy::struct_excessive_bools, reason = "the state of each side, as BEP 3 names it")]
struct Side {
    addr: SocketAddr,
    fast: bool,
    they_choke: bool,
    we_choke: bool,
    they_have: Bitfield,
    they_allow: BTreeSet<u32>,
    we_allow: BTreeSet<u32>,
    owes: u32,
    /// How often each span was requested and not answered: each request has one answer (BEP 6).
    requests: BTreeMap<(u32, u32, u32), u32>,
    /// Ordered to go out and not reported as sent.
    serving: Vec<Span>,
    said_pieces: bool,
    /// When we last told of other peers (BEP 11).
    told_at: Option<Moment>,
}

#[derive(Clone, Default)]
struct Open {
    asked: u32,
    landed: BTreeSet<u32>,
    verifying: bool,
}

/// The books of one node.
#[derive(Clone)]
pub struct Ledger {
    geometry: Arc<Geometry>,
    /// The info dictionary is known and the content open.
    opened: bool,
    liars: Arc<BTreeSet<IpAddr>>,
    have: Bitfield,
    wanted: Bitfield,
    open: BTreeMap<Piece, Open>,
    open_bytes: u64,
    askers: BTreeMap<Block, Vec<PeerKey>>,
    peers: BTreeMap<PeerKey, Side>,
    budget: u64,
    max_peers: usize,
    banned: BTreeSet<IpAddr>,
    dialled: BTreeMap<SocketAddr, Moment>,
    dialling: BTreeSet<SocketAddr>,
    /// Machines with which there was a connection, until they are dialled.
    met: BTreeSet<IpAddr>,
    fresh: Vec<Block>,
}

type Verdict = Result<(), String>;

fn ensure(lawful: bool, sentence: impl FnOnce() -> String) -> Verdict {
    if lawful { Ok(()) } else { Err(sentence()) }
}

fn key(wanted: Wanted) -> (u32, u32, u32) {
    (wanted.piece, wanted.begin, wanted.len)
}

impl Side {
    /// One request of this span is answered. Says whether there was one.
    fn answer(&mut self, wanted: Wanted) -> bool {
        let Some(times) = self.requests.get_mut(&key(wanted)) else { return false };
        *times -= 1;
        if *times == 0 {
            self.requests.remove(&key(wanted));
        }
        true
    }
}

impl Ledger {
    pub fn new(
        geometry: Arc<Geometry>,
        liars: Arc<BTreeSet<IpAddr>>,
        have: Bitfield,
        wanted: Bitfield,
        budget: u64,
        max_peers: usize,
        opened: bool,
    ) -> Self {
        Self {
            geometry,
            opened,
            liars,
            have,
            wanted,
            open: BTreeMap::new(),
            open_bytes: 0,
            askers: BTreeMap::new(),
            peers: BTreeMap::new(),
            budget,
            max_peers,
            banned: BTreeSet::new(),
            dialled: BTreeMap::new(),
            dialling: BTreeSet::new(),
            met: BTreeSet::new(),
            fresh: Vec::new(),
        }
    }

    /// The pieces that have been verified and not lost.
    pub fn have(&self) -> &Bitfield {
        &self.have
    }

    /// The content was opened.
    pub fn open_content(&mut self) {
        self.opened = true;
    }

    /// Whether the content is open.
    pub fn is_open(&self) -> bool {
        self.opened
    }

    /// Whether it has all it wants.
    pub fn is_complete(&self) -> bool {
        self.opened && !self.have.lacks_some_of(&self.wanted)
    }

    /// The connections it knows of.
    pub fn peers(&self) -> impl Iterator<Item = PeerKey> + '_ {
        self.peers.keys().copied()
    }

    /// How many connections it knows of.
    pub fn peer_count(&self) -> usize {
        self.peers.len()
    }

    /// Books a fact, before the node hears it.
    pub fn fact(&mut self, input: &Input) {
        match input {
            Input::Connected { peer, addr, hello, incoming } => {
                if !incoming {
                    self.dialling.remove(addr);
                }
                self.met.insert(addr.ip());
                let side = Side {
                    addr: *addr,
                    fast: hello.reserved.fast(),
                    they_choke: true,
                    we_choke: true,
                    they_have: Bitfield::none(self.geometry.piece_count()),
                    they_allow: BTreeSet::new(),
                    we_allow: BTreeSet::new(),
                    owes: 0,
                    requests: BTreeMap::new(),
                    serving: Vec::new(),
                    said_pieces: false,
                    told_at: None,
                };
                self.peers.insert(*peer, side);
            }
            Input::DialFailed { addr, .. } => {
                self.dialling.remove(addr);
            }
            Input::MessageReceived { peer, message } => self.heard(*peer, message),
            Input::BlocksReceived { peer, blocks } => {
                for &block in blocks {
                    self.unask(*peer, block);
                    self.fresh.push(block);
                }
            }
            Input::Sent { peer, spans } => {
                if let Some(side) = self.peers.get_mut(peer) {
                    side.serving.retain(|span| !spans.contains(span));
                }
            }
            Input::Disconnected { peer, .. } => self.gone(*peer),
            Input::PieceVerified { piece, .. } => {
                self.have.insert(*piece);
                self.open(*piece, |open| *open = Open::default());
            }
            Input::HashFailed { piece, .. } | Input::WriteFailed { piece } => {
                self.open(*piece, |open| {
                    open.verifying = false;
                    open.landed.clear();
                });
            }
            Input::PieceLost { piece } => {
                self.have.remove(*piece);
            }
            Input::Budget { bytes } => self.budget = *bytes,
            Input::Command(TorrentCommand::Priorities(priorities)) => {
                for (piece, priority) in self.geometry.pieces().zip(priorities) {
                    if *priority == Priority::Skip {
                        self.wanted.remove(piece);
                    } else {
                        self.wanted.insert(piece);
                    }
                }
            }
            _ => {}
        }
    }

    fn heard(&mut self, peer: PeerKey, message: &Message) {
        let pieces = self.geometry.piece_count();
        let Some(side) = self.peers.get_mut(&peer) else { return };
        match message {
            Message::Choke => {
                side.they_choke = true;
                if !side.fast {
                    self.unask_all(peer);
                }
            }
            Message::Unchoke => side.they_choke = false,
            Message::Have(piece) => {
                if let Some(piece) = self.geometry.piece(*piece) {
                    side.they_have.insert(piece);
                }
            }
            Message::Bitfield(bytes) => {
                side.they_have = Bitfield::from_bytes(bytes, pieces).expect("nodes send lawful bitfields");
            }
            Message::HaveAll => side.they_have = Bitfield::all(pieces),
            Message::AllowedFast(piece) => {
                side.they_allow.insert(*piece);
            }
            Message::Request(wanted) => {
                *side.requests.entry(key(*wanted)).or_default() += 1;
            }
            Message::Cancel(wanted) if !side.fast => {
                side.answer(*wanted);
            }
            Message::Reject(w) => {
                if let Some(block) = self.geometry.block_at(w.piece, w.begin, w.len) {
                    self.unask(peer, block);
                }
            }
            _ => {}
        }
    }

    /// Books an order, or says why it is not lawful.
    pub fn order(&mut self, now: Moment, order: &Output) -> Verdict {
        match order {
            Output::Dial { addr } => self.dials(now, *addr),
            Output::Send { peer, message } => self.says(now, *peer, message),
            Output::Request { peer, blocks } => blocks.iter().try_for_each(|&block| self.asks(*peer, block)),
            Output::Cancel { peer, blocks } => {
                self.side(*peer)?;
                for &block in blocks {
                    self.unask(*peer, block);
                }
                Ok(())
            }
            Output::Serve { peer, spans } => spans.iter().try_for_each(|&span| self.serves(*peer, span)),
            Output::CancelServe { peer, spans } => self.unserves(*peer, spans),
            Output::Close { peer, why } => {
                let addr = self.side(*peer)?.addr;
                ensure(*why != DisconnectReason::Protocol || self.liars.contains(&addr.ip()), || {
                    format!("{addr} is said to break the protocol and never lied")
                })?;
                if *why == DisconnectReason::Lied {
                    self.convicts(addr)?;
                }
                self.gone(*peer);
                Ok(())
            }
            Output::Open { piece, .. } => {
                let open = self.open.get(piece);
                let ended = open.is_none_or(|open| open.landed.is_empty() && !open.verifying);
                ensure(ended, || format!("{piece:?} is begun before its last life has ended"))
            }
            Output::Accept { blocks } => blocks.iter().try_for_each(|block| {
                ensure(self.fresh.contains(block), || format!("{block:?} is accepted and did not come"))?;
                let mut new = false;
                self.open(block.piece(), |open| new = open.landed.insert(block.index()));
                ensure(new, || format!("{block:?} is accepted twice"))
            }),
            Output::Verify { piece, .. } => {
                let blocks = self.geometry.blocks_in(*piece);
                let open = self.open.entry(*piece).or_default();
                ensure(!open.verifying, || format!("{piece:?} is verified twice at a time"))?;
                ensure(open.landed.len() as u32 == blocks, || {
                    format!("{piece:?} is verified before it is whole")
                })?;
                open.verifying = true;
                Ok(())
            }
            Output::Discard { piece } => {
                self.open(*piece, |open| open.landed.clear());
                Ok(())
            }
            Output::Note(Note::Banned(addr)) => self.convicts(*addr),
            Output::Note(Note::Finished) => {
                ensure(self.is_complete(), || "it says it has finished, and has not".to_owned())
            }
            Output::Announce { announce, .. } => {
                let range = |p| self.geometry.len_of(p) as u64;
                let held: u64 = self.have.iter().map(range).sum();
                if !self.opened {
                    return ensure(announce.left == u64::MAX, || {
                        "it announces a size it cannot know".to_owned()
                    });
                }
                ensure(announce.left <= self.geometry.total() - held.min(self.geometry.total()), || {
                    format!("it announces {} bytes left and holds {held}", announce.left)
                })
            }
            Output::Scrape { .. }
            | Output::Lookup { .. }
            | Output::AddDhtNode { .. }
            | Output::Metadata(_)
            | Output::Note(_) => Ok(()),
        }
    }

    /// Everything that follows from a fact has been ordered.
    pub fn settled(&mut self) -> Verdict {
        for block in std::mem::take(&mut self.fresh) {
            if let Some(askers) = self.askers.get(&block) {
                return Err(format!("{block:?} is in and still asked of {askers:?}"));
            }
        }
        ensure(self.peers.len() <= self.max_peers + 1, || format!("{} connections", self.peers.len()))
    }

    /// Whether the blocks that each peer owes are those that were asked and neither came nor were taken back, as
    /// the machine counts them.
    pub fn agrees(&self, debts: &[(PeerKey, u32)]) -> Verdict {
        let ours: Vec<_> = self.peers.iter().map(|(&peer, side)| (peer, side.owes)).collect();
        ensure(ours == debts, || format!("peers owe {ours:?}, and the machine says {debts:?}"))
    }

    /// Whether a span that waits may still go out.
    pub fn may_go_out(&self, peer: PeerKey, span: Span) -> Verdict {
        let side = self.side(peer)?;
        ensure(!side.we_choke || side.we_allow.contains(&span.piece().index()), || {
            format!("{span:?} goes out to {peer:?}, which is choked")
        })
    }

    fn dials(&mut self, now: Moment, addr: SocketAddr) -> Verdict {
        ensure(!self.banned.contains(&addr.ip()), || format!("it dials {addr}, which is banned"))?;
        ensure(self.dialling.insert(addr), || format!("it dials {addr} twice at a time"))?;
        let last = self.dialled.insert(addr, now);
        let lonely = self.met.remove(&addr.ip()) && self.peers.is_empty();
        let pause = if lonely { LONELY_PAUSE } else { DIAL_PAUSE };
        ensure(last.is_none_or(|last| now.since(last) >= pause), || {
            format!("it dials {addr} again after {:?}", now.since(last.unwrap_or(now)))
        })?;
        let all = self.peers.len() + self.dialling.len();
        ensure(all <= self.max_peers, || format!("{all} connections and dials are too many"))
    }

    fn says(&mut self, now: Moment, peer: PeerKey, message: &Message) -> Verdict {
        let have = &self.have;
        let Some(side) = self.peers.get_mut(&peer) else {
            return Err(format!("it says {message:?} to {peer:?}, which is not there"));
        };
        let fast_only = matches!(
            message,
            Message::HaveAll
                | Message::HaveNone
                | Message::Reject(_)
                | Message::AllowedFast(_)
                | Message::Suggest(_)
        );
        ensure(side.fast || !fast_only, || format!("{message:?} without the fast extension"))?;
        let of_pieces = matches!(
            message,
            Message::Have(_)
                | Message::Bitfield(_)
                | Message::HaveAll
                | Message::Unchoke
                | Message::AllowedFast(_)
                | Message::Suggest(_)
        );
        ensure(self.opened || !of_pieces, || format!("{message:?} before the pieces are known"))?;
        match message {
            Message::Choke => {
                side.we_choke = true;
                if !side.fast {
                    side.requests.clear();
                }
            }
            Message::Unchoke => side.we_choke = false,
            Message::AllowedFast(piece) => {
                side.we_allow.insert(*piece);
            }
            Message::Reject(wanted) => {
                ensure(side.answer(*wanted), || format!("{wanted:?} is rejected and was not asked"))?;
            }
            Message::Have(piece) => {
                let piece = self.geometry.piece(*piece);
                ensure(piece.is_some_and(|p| have.has(p)), || format!("it claims {piece:?} and has it not"))?;
                side.said_pieces = true;
            }
            Message::Bitfield(bytes) => {
                let claimed = Bitfield::from_bytes(bytes, have.len());
                let true_claim = claimed.is_some_and(|claimed| !have.lacks_some_of(&claimed));
                ensure(true_claim, || "its bitfield claims what it has not".to_owned())?;
                ensure(!side.said_pieces, || "a bitfield is not the first word".to_owned())?;
                side.said_pieces = true;
            }
            Message::HaveAll | Message::HaveNone => {
                let all = matches!(message, Message::HaveAll);
                ensure(!all || have.is_full(), || "it claims all and has not".to_owned())?;
                ensure(!side.said_pieces, || "HaveAll or HaveNone is not the first word".to_owned())?;
                side.said_pieces = true;
            }
            Message::Extended { id, body } if *id == Extension::Pex.our_id() => {
                let told = PexMessage::decode(body).map_err(|error| error.to_string())?;
                ensure(!told.is_empty(), || "it tells of nobody".to_owned())?;
                let most = told.added.len().max(told.dropped.len());
                ensure(most <= MAX_TOLD, || format!("it tells of {most} peers at a time"))?;
                let there = |(addr, _): &(SocketAddr, PexFlags)| addr.ip() == side.addr.ip();
                ensure(!told.added.iter().any(there), || "it tells a peer of itself".to_owned())?;
                let last = side.told_at.replace(now).map(|at| now.since(at));
                ensure(last.is_none_or(|last| last >= TOLD_PAUSE), || {
                    format!("it tells again after {last:?}")
                })?;
            }
            Message::Request(_) | Message::Cancel(_) => {
                return Err(format!("{message:?} is said, not asked or cancelled"));
            }
            _ => {}
        }
        Ok(())
    }

    fn asks(&mut self, peer: PeerKey, block: Block) -> Verdict {
        let piece = block.piece();
        ensure(self.opened, || format!("{block:?} is asked before the pieces are known"))?;
        ensure(!self.have.has(piece), || format!("{block:?} is asked and its piece is there"))?;
        ensure(self.wanted.has(piece), || format!("{block:?} is asked and nobody wants it"))?;
        if let Some(open) = self.open.get(&piece) {
            ensure(!open.verifying, || format!("{block:?} is asked while its piece is verified"))?;
            ensure(!open.landed.contains(&block.index()), || format!("{block:?} is asked and is in"))?;
        }
        let side = self.peers.get_mut(&peer).ok_or_else(|| format!("{block:?} is asked of a stranger"))?;
        ensure(side.they_have.has(piece), || format!("{block:?} is asked of {peer:?}, which has it not"))?;
        ensure(!side.they_choke || side.they_allow.contains(&piece.index()), || {
            format!("{block:?} is asked of {peer:?}, which chokes")
        })?;
        side.owes += 1;
        ensure(side.owes <= MAX_OWED, || format!("{peer:?} owes {} blocks", side.owes))?;
        let askers = self.askers.entry(block).or_default();
        ensure(!askers.contains(&peer), || format!("{block:?} is asked twice of {peer:?}"))?;
        askers.push(peer);
        ensure(askers.len() <= MAX_ASKERS, || format!("{block:?} is asked of {askers:?}"))?;
        self.open(piece, |open| open.asked += 1);
        // Of a long piece only a part is held; what has landed of all is checked as it lands.
        if self.geometry.piece_len() > RUN_LEN as u32 {
            return Ok(());
        }
        let (bytes, budget) = (self.open_bytes, self.budget);
        let one = u64::from(self.geometry.len_of(piece));
        ensure(bytes <= budget.max(one), || format!("{bytes} bytes are open and {budget} are allowed"))
    }

    fn serves(&mut self, peer: PeerKey, span: Span) -> Verdict {
        ensure(self.opened, || format!("{span:?} is served before the pieces are known"))?;
        ensure(self.have.has(span.piece()), || format!("{span:?} is served and not there"))?;
        let side = self.peers.get_mut(&peer).ok_or_else(|| format!("{span:?} is served to a stranger"))?;
        ensure(!side.we_choke || side.we_allow.contains(&span.piece().index()), || {
            format!("{span:?} is served to {peer:?}, which is choked")
        })?;
        side.serving.push(span);
        ensure(side.answer(span.into()), || format!("{span:?} is served and was not asked"))
    }

    fn unserves(&mut self, peer: PeerKey, spans: &[Span]) -> Verdict {
        let side =
            self.peers.get_mut(&peer).ok_or_else(|| format!("an order for {peer:?}, which is not there"))?;
        let back = |span: &Span| spans.is_empty() || spans.contains(span);
        for span in side.serving.extract_if(.., |span| back(span)) {
            *side.requests.entry(key(span.into())).or_default() += 1;
        }
        Ok(())
    }

    fn convicts(&mut self, addr: SocketAddr) -> Verdict {
        self.banned.insert(addr.ip());
        ensure(self.liars.contains(&addr.ip()), || format!("{addr} is banned and never lied"))
    }

    fn side(&self, peer: PeerKey) -> Result<&Side, String> {
        self.peers.get(&peer).ok_or_else(|| format!("an order for {peer:?}, which is not there"))
    }

    fn gone(&mut self, peer: PeerKey) {
        self.unask_all(peer);
        self.peers.remove(&peer);
    }
}
