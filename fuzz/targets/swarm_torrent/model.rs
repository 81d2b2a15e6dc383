//! What is known of a torrent from what it was told and what it ordered, and what must hold of both.

mod metadata;
mod saying;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use torr::base::{Bitfield, Block, Moment, Piece, RUN_BLOCKS, Span, is_one};
use torr::proto::extended::{ExtendedHandshake, Extension, decode_dont_have};
use torr::proto::message::Message;
use torr::swarm::Torrent;
use torr::swarm::event::{Input, Note, Output, PeerKey, TorrentCommand, TrackerKey};

use self::metadata::{Metadata, Offer};
use super::super::draws::Draws;
use super::setup::Setup;

pub struct Model {
    pub setup: Setup,
    /// The content is open.
    pub is_open: bool,
    pub metadata: Metadata,
    pub have: Bitfield,
    pub peers: BTreeMap<PeerKey, Peer>,
    pub dials: Vec<SocketAddr>,
    pub announces: Vec<TrackerKey>,
    pub scrapes: Vec<TrackerKey>,
    /// Blocks that were called off, or whose peer has left: they may have come before that was known.
    late: Vec<(PeerKey, Block)>,
    /// What has landed of each piece that is open, how many of its blocks have left memory, and whether it is taken in
    /// runs.
    landed: BTreeMap<Piece, (BTreeSet<u32>, u32, bool)>,
    /// Blocks that have just come, until it is said which of them are of use.
    just_landed: Vec<Block>,
    /// Pieces to be verified, and whether the digests of their blocks are to be told.
    verifying: Vec<(Piece, bool)>,
    /// Addresses that the peers of a private torrent may have.
    open: BTreeSet<SocketAddr>,
    /// Peers come from trackers and the user only.
    private: bool,
    budget: u64,
    paused: bool,
}

/// A connection.
pub struct Peer {
    fast: bool,
    extended: bool,
    addr: SocketAddr,
    incoming: bool,
    pub offer: Offer,
    chokes_us: bool,
    allowed_us: BTreeSet<u32>,
    told: bool,
    has: BTreeSet<u32>,
    choked: bool,
    allowed: BTreeSet<u32>,
    interested: bool,
    greeted: bool,
    owed: Vec<Block>,
    serving: Vec<Span>,
}

impl Model {
    pub fn new(setup: Setup) -> Self {
        let is_open = setup.sought.is_none();
        Self {
            is_open,
            metadata: Metadata::new(&setup),
            have: if is_open { setup.have.clone() } else { Bitfield::EMPTY },
            private: setup.config.private,
            setup,
            peers: BTreeMap::new(),
            dials: Vec::new(),
            announces: Vec::new(),
            scrapes: Vec::new(),
            late: Vec::new(),
            landed: BTreeMap::new(),
            just_landed: Vec::new(),
            verifying: Vec::new(),
            open: BTreeSet::new(),
            budget: 64 << 20,
            paused: false,
        }
    }

    pub fn pieces(&self) -> u32 {
        self.setup.geometry.piece_count()
    }

    /// The number of pieces, once the torrent knows it.
    pub fn known_pieces(&self) -> Option<u32> {
        self.is_open.then(|| self.pieces())
    }

    /// A block that some peer is asked for.
    pub fn owed_block(&self, draws: &mut Draws<'_>) -> Option<(PeerKey, Block)> {
        let owing: Vec<_> = self.peers.iter().filter(|(_, peer)| !peer.owed.is_empty()).collect();
        let (key, peer) = *owing.get(draws.below(owing.len()))?;
        Some((*key, peer.owed[draws.below(peer.owed.len())]))
    }

    /// This block, and those a peer is asked for after it.
    pub fn owed_of(&self, key: PeerKey, block: Block, most: usize) -> Vec<Block> {
        let owed = self.peers.get(&key).map_or(&[][..], |peer| &peer.owed);
        owed.iter().skip_while(|&&other| other != block).take(most).copied().collect()
    }

    pub fn late_block(&mut self, draws: &mut Draws<'_>) -> Option<(PeerKey, Block)> {
        (!self.late.is_empty()).then(|| self.late.swap_remove(draws.below(self.late.len())))
    }

    pub fn served_span(&self, draws: &mut Draws<'_>) -> Option<(PeerKey, Span)> {
        let served: Vec<_> = self.peers.iter().filter(|(_, peer)| !peer.serving.is_empty()).collect();
        let (key, peer) = *served.get(draws.below(served.len()))?;
        Some((*key, peer.serving[0]))
    }

    /// A piece of which one more run can be written, but for its last.
    pub fn run_to_settle(&self) -> Option<(Piece, u32)> {
        self.landed.iter().find_map(|(&piece, (blocks, settled, in_runs))| {
            let end = settled + RUN_BLOCKS;
            let whole = (*settled..end).all(|block| blocks.contains(&block));
            let last = end >= self.setup.geometry.blocks_in(piece);
            (whole && !last && *in_runs).then_some((piece, end))
        })
    }

    pub fn piece_to_verify(&self, draws: &mut Draws<'_>) -> Option<(Piece, bool)> {
        self.verifying.get(draws.below(self.verifying.len())).copied()
    }

    /// Takes note of a fact before the torrent hears it.
    pub fn hear(&mut self, input: &Input) {
        self.just_landed.clear();
        self.metadata.hear(input);
        self.peers.values_mut().for_each(|peer| peer.offer.begin());
        match input {
            Input::Connected { peer, addr, incoming, hello } => {
                self.peers.insert(
                    *peer,
                    Peer {
                        fast: hello.reserved.fast(),
                        extended: hello.reserved.extended(),
                        addr: *addr,
                        incoming: *incoming,
                        offer: Offer::default(),
                        chokes_us: true,
                        allowed_us: BTreeSet::new(),
                        told: false,
                        has: BTreeSet::new(),
                        choked: true,
                        allowed: BTreeSet::new(),
                        interested: false,
                        greeted: false,
                        owed: Vec::new(),
                        serving: Vec::new(),
                    },
                );
            }
            Input::Disconnected { peer, .. } => self.gone(*peer),
            Input::ContentOpened(content) => {
                self.is_open = true;
                self.have = content.have.clone();
            }
            Input::MessageReceived { peer, message } => self.said(*peer, message),
            Input::BlocksReceived { peer, blocks } => self.landed(*peer, blocks),
            Input::Sent { peer, spans } | Input::ReadFailed { peer, spans } => {
                if let Some(peer) = self.peers.get_mut(peer) {
                    peer.serving.retain(|span| !spans.contains(span));
                }
            }
            Input::PieceVerified { piece, .. } => {
                self.have.insert(*piece);
                self.done(*piece);
            }
            Input::HashFailed { piece, .. } => self.done(*piece),
            // A piece taken in runs of which some blocks are missing is given up by an order of its own.
            Input::WriteFailed { piece } if self.verifying.iter().any(|(other, _)| other == piece) => {
                self.done(*piece);
            }
            Input::SegmentWritten { piece, blocks } => {
                if let Some((_, settled, _)) = self.landed.get_mut(piece) {
                    *settled = *blocks;
                }
            }
            Input::PieceLost { piece } => {
                self.have.remove(*piece);
                for peer in self.peers.values_mut() {
                    peer.allowed.remove(&piece.index());
                }
            }
            Input::PeersFound { source, addrs } if source.is_open() => self.open.extend(addrs),
            Input::Announced { answer: Ok(reply), .. } => self.open.extend(&reply.peers),
            Input::Budget { bytes } => self.budget = *bytes,
            Input::Command(TorrentCommand::Pause | TorrentCommand::Stop) => self.paused = true,
            Input::Command(TorrentCommand::Resume) => self.paused = false,
            _ => {}
        }
    }

    fn said(&mut self, key: PeerKey, message: &Message) {
        let pieces = self.pieces();
        let Some(peer) = self.peers.get_mut(&key) else { return };
        match message {
            Message::Choke => {
                peer.chokes_us = true;
                if !peer.fast {
                    let void = std::mem::take(&mut peer.owed);
                    self.late.extend(void.into_iter().map(|block| (key, block)));
                }
            }
            Message::Unchoke => peer.chokes_us = false,
            Message::Have(piece) => {
                peer.has.insert(*piece);
            }
            Message::Bitfield(bits) => {
                if !peer.told {
                    peer.has.clear();
                }
                peer.told = true;
                let has = |piece: &u32| {
                    bits.get(*piece as usize / 8).is_some_and(|byte| byte & 0x80 >> (piece % 8) != 0)
                };
                peer.has.extend((0..pieces).filter(has));
            }
            Message::HaveAll => {
                peer.told = true;
                peer.has.extend(0..pieces);
            }
            Message::HaveNone => {
                peer.told = true;
                peer.has.clear();
            }
            Message::Reject(wanted) => {
                let block = self.setup.geometry.block_at(wanted.piece, wanted.begin, wanted.len);
                peer.owed.retain(|&owed| Some(owed) != block);
            }
            Message::AllowedFast(piece) => {
                peer.allowed_us.insert(*piece);
            }
            Message::Extended { id, body } if *id == Extension::DontHave.our_id() => {
                if let Some(piece) = decode_dont_have(body) {
                    peer.has.remove(&piece);
                }
            }
            Message::Extended { id, body } if *id == Extension::Metadata.our_id() => {
                peer.offer.answered(body);
            }
            Message::Extended { id: 0, body } => {
                // Its handshake said nothing of extensions, but here they are.
                peer.extended = true;
                let Ok(hand) = ExtendedHandshake::decode(body) else { return };
                peer.offer.shaken(&hand);
                // Who calls us may say where it can be called.
                let port = hand.port.filter(|_| peer.incoming);
                self.open.extend(port.map(|port| SocketAddr::new(peer.addr.ip(), port)));
            }
            _ => {}
        }
    }

    fn landed(&mut self, key: PeerKey, blocks: &[Block]) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.owed.retain(|block| !blocks.contains(block));
        self.just_landed.extend(blocks);
    }

    /// A piece is verified or given up: nothing of it is held.
    fn done(&mut self, piece: Piece) {
        self.landed.remove(&piece);
        self.verifying.retain(|(other, _)| *other != piece);
    }

    fn gone(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.remove(&key) {
            self.late.extend(peer.owed.into_iter().map(|block| (key, block)));
        }
        let old = self.late.len().saturating_sub(64);
        self.late.drain(..old);
    }

    /// Carries out an order, which must be one that can be carried out.
    pub fn follow(&mut self, order: Output) {
        assert!(self.is_open || !is_about_pieces(&order), "{order:?} before the content is open");
        match order {
            Output::Dial { addr } => {
                assert!(!self.paused && is_one(addr), "{addr} is dialled");
                assert!(!self.dials.contains(&addr), "{addr} is dialled twice at once");
                assert!(
                    self.peers.len() + self.dials.len() < self.setup.config.max_peers,
                    "all places are taken"
                );
                assert!(
                    !self.private || self.open.contains(&addr),
                    "peers of a private torrent come from its trackers"
                );
                self.dials.push(addr);
            }
            Output::Send { peer, message } => self.say(peer, &message),
            Output::Request { peer, blocks } => self.ask(peer, &blocks),
            Output::Cancel { peer: key, blocks } => {
                let peer = self.peers.get_mut(&key).expect("a cancel goes to a peer");
                for block in blocks {
                    assert!(peer.owed.contains(&block), "what is not owed cannot be taken back");
                    peer.owed.retain(|&owed| owed != block);
                    self.late.push((key, block));
                }
            }
            Output::Serve { peer, spans } => self.serve(peer, spans),
            Output::CancelServe { peer, spans } => {
                let peer = self.peers.get_mut(&peer).expect("an unserve goes to a peer");
                peer.serving.retain(|span| !(spans.is_empty() || spans.contains(span)));
            }
            Output::Close { peer, .. } => {
                assert!(self.peers.contains_key(&peer), "only what is open is closed");
                self.gone(peer);
            }
            Output::Open { piece, in_runs } => {
                let before = self.landed.insert(piece, (BTreeSet::new(), 0, in_runs));
                assert!(before.is_none(), "the last life of the piece has ended");
            }
            Output::Accept { blocks } => {
                let mut came = std::mem::take(&mut self.just_landed).into_iter();
                for block in blocks {
                    assert!(came.any(|other| other == block), "it has just come, in this order");
                    let (landed, settled, _) =
                        self.landed.get_mut(&block.piece()).expect("its piece is open");
                    assert!(block.index() >= *settled, "what is written is not taken again");
                    assert!(landed.insert(block.index()), "it is taken once");
                }
            }
            Output::Verify { piece, digests } => {
                let blocks = self.landed.get(&piece).map_or(0, |(blocks, ..)| blocks.len());
                assert_eq!(blocks as u32, self.setup.geometry.blocks_in(piece), "all of it has landed");
                assert!(!self.verifying.iter().any(|(other, _)| *other == piece), "it is verified once");
                assert!(!self.have.has(piece), "what we have is not verified again");
                self.verifying.push((piece, digests));
            }
            Output::Discard { piece } => {
                self.done(piece);
            }
            Output::Announce { tracker, announce } => {
                assert!(tracker.0 < 3);
                assert_eq!(announce.left == 0, self.is_open && self.have.is_full(), "a seed lacks nothing");
                self.announces.push(tracker);
            }
            Output::Scrape { tracker } => {
                assert!(tracker.0 < 3);
                self.scrapes.push(tracker);
            }
            Output::Lookup { .. } | Output::AddDhtNode { .. } => {
                assert!(self.setup.config.dht && !self.private, "the DHT is not used");
            }
            Output::Metadata(found) => {
                assert!(!self.is_open, "a torrent that is known fetches no metadata");
                self.metadata.found(found.as_deref());
                self.private |= found.is_ok_and(|metainfo| metainfo.is_private());
            }
            Output::Note(_) => {}
        }
    }

    fn ask(&mut self, key: PeerKey, blocks: &[Block]) {
        let peer = self.peers.get_mut(&key).expect("a request goes to a peer");
        assert!(!blocks.is_empty() && !self.paused);
        for &block in blocks {
            let piece = block.piece();
            assert!(!self.have.has(piece), "what we have is not asked for");
            assert!(peer.has.contains(&piece.index()), "what it has not is not asked for");
            let allowed = peer.fast && peer.allowed_us.contains(&piece.index());
            assert!(!peer.chokes_us || allowed, "a peer that chokes us is not asked");
            assert!(!peer.owed.contains(&block), "it is asked once");
            let landed = self.landed.get(&piece).is_some_and(|(blocks, ..)| blocks.contains(&block.index()));
            assert!(!landed, "what has landed is not asked for");
            peer.owed.push(block);
        }
        assert!(peer.owed.len() <= 2000, "pipelines are bounded");
    }

    fn serve(&mut self, key: PeerKey, spans: Vec<Span>) {
        let peer = self.peers.get_mut(&key).expect("blocks are served to a peer");
        for span in spans {
            assert!(self.have.has(span.piece()), "only what we have is served");
            assert!(
                !peer.choked || peer.allowed.contains(&span.piece().index()),
                "nothing is served to the choked"
            );
            assert!(!peer.serving.contains(&span), "it is served once");
            peer.serving.push(span);
        }
        assert!(peer.serving.len() <= 500);
    }

    /// What holds after every fact.
    pub fn check(&self, now: Moment, torrent: &Torrent, held_before: u64) {
        assert_eq!(torrent.is_open(), self.is_open);
        assert_eq!(torrent.is_private(), self.private);
        let refused = |peer: &&Peer| self.private && !peer.incoming && !self.open.contains(&peer.addr);
        assert!(
            !self.peers.values().any(|peer| refused(&peer)),
            "peers of a private torrent come from its trackers"
        );
        if !self.is_open {
            self.metadata.check(&torrent.summary(now));
        }
        assert_eq!(torrent.have(), &self.have, "the pieces are those that were verified and not lost");
        let one = u64::from(self.setup.geometry.piece_len());
        assert!(torrent.held() <= self.budget.max(held_before).max(one), "{} bytes are held", torrent.held());
        let landed: u64 = self
            .landed
            .iter()
            .map(|(&piece, (blocks, settled, _))| {
                let blocks =
                    blocks.range(*settled..).filter_map(|&block| self.setup.geometry.block(piece, block));
                blocks.map(|block| u64::from(block.len())).sum::<u64>()
            })
            .sum();
        assert!(landed <= torrent.held(), "{landed} bytes have landed, {} are held", torrent.held());
        assert!(self.peers.len() <= self.setup.config.max_peers, "connections are bounded");
    }
}

/// Whether an order means something only if the pieces are known.
fn is_about_pieces(order: &Output) -> bool {
    matches!(
        order,
        Output::Request { .. }
            | Output::Cancel { .. }
            | Output::Serve { .. }
            | Output::CancelServe { .. }
            | Output::Open { .. }
            | Output::Accept { .. }
            | Output::Verify { .. }
            | Output::Discard { .. }
            | Output::Note(Note::Finished | Note::HashFailed(_))
    )
}
