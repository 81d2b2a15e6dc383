//! The host of a node: it gives facts to the torrent and does for its orders what the engine does.

use torr::proto::announce::AnnounceEvent;
use torr::proto::message::Message;
use torr::swarm::Torrent;
use torr::swarm::event::{DisconnectReason, Input, Note, Output, PeerKey, TorrentCommand};

use super::disk::Outcome;
use super::plan::address_of;
use super::script::Reaction;
use super::world::{Event, World};

use std::time::Duration;

use torr::base::{Moment, Piece};

/// A client that wants to be woken this often without time passing is caught in a loop.
const MAX_SPINS: u32 = 50;
/// From the last piece of the info dictionary until the content is open.
const OPENING: Duration = Duration::from_millis(50);
/// Characters of a line of the log.
const MAX_LINE: usize = 300;
/// The parts of a torrent are compared with the ledger once in so many facts.
const AUDIT: u64 = 64;

/// Prints a line of the log, without the rest of what is long.
fn print(now: Moment, line: &str) {
    eprintln!("{:?} {}", now.since_start(), line.chars().take(MAX_LINE).collect::<String>());
}

impl World {
    /// A node hears a fact; its orders are checked and carried out.
    pub fn hear(&mut self, at: usize, input: Input) {
        let now = self.now;
        let node = &mut self.nodes[at];
        let Some(torrent) = &mut node.torrent else { return };
        if self.log == Some(at) {
            print(now, &format!("hears {input:?}"));
        }
        let changed =
            matches!(input, Input::PieceVerified { .. } | Input::PieceLost { .. } | Input::Command(_));
        self.changed |= changed;
        if let (false, Input::MessageReceived { message: Message::Extended { body, .. }, .. }) =
            (node.ledger.is_open(), &input)
        {
            node.tally.early += body.len() as u64;
        }
        node.ledger.fact(&input);
        let mut orders = std::mem::take(&mut self.orders);
        torrent.handle(now, input, &mut orders);
        if changed && torrent.is_open() && torrent.have() != node.ledger.have() {
            self.fail(at, "it does not have what was verified");
        }
        self.carry_out_all(at, orders);
    }

    /// The content of a torrent is opened: its pieces are known from now on.
    pub(super) fn open_content(&mut self, at: usize, life: u64) {
        let now = self.now;
        let node = &mut self.nodes[at];
        if node.lives != life {
            return;
        }
        if self.log == Some(at) {
            print(now, "opens the content");
        }
        let mut orders = std::mem::take(&mut self.orders);
        let setup = node.setup(&self.geometry);
        let Some(torrent) = &mut node.torrent else { return };
        node.ledger.open_content();
        torrent.handle(now, Input::ContentOpened(Box::new(setup)), &mut orders);
        node.tally.opened = Some(now);
        node.tally.opened_with = node.ledger.peers().collect();
        node.tally.closed_by_opening +=
            orders.iter().filter(|order| matches!(order, Output::Close { .. })).count() as u32;
        self.changed = true;
        self.carry_out_all(at, orders);
    }

    /// Checks and carries out what was ordered, and plans when the torrent is woken.
    fn carry_out_all(&mut self, at: usize, mut orders: Vec<Output>) {
        let now = self.now;
        for order in orders.drain(..) {
            if self.log == Some(at) {
                print(now, &format!("orders {order:?}"));
            }
            self.trace.ordered(now, at, &order);
            if let Err(sentence) = self.nodes[at].ledger.order(now, &order) {
                self.fail(at, &sentence);
            }
            self.carry_out(at, order);
        }
        self.orders = orders;
        self.steps += 1;
        self.check(at);
        let node = &mut self.nodes[at];
        if node.completed.is_none() && node.ledger.is_complete() {
            node.completed = Some(now);
            if let Some(stays) = node.plan.stays {
                self.heap.put(now + stays, Event::Go(at));
            }
        }
        let node = &mut self.nodes[at];
        let deadline = node.torrent.as_ref().and_then(Torrent::deadline);
        if let Some(deadline) = deadline.map(|at| at.max(now))
            && node.wake.is_none_or(|wake| deadline < wake)
        {
            node.wake = Some(deadline);
            self.heap.put(deadline, Event::Wake(at));
        }
    }

    /// Checks that hold when everything that follows from a fact has been ordered.
    fn check(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let mut verdict = node.ledger.settled();
        if let Some(torrent) = &node.torrent {
            if let Some(bytes) = metadata_bytes(torrent, self.now).filter(|&bytes| bytes > node.tally.early) {
                verdict = Err(format!("{bytes} bytes of metadata, and {} came", node.tally.early));
            }
            if self.steps.is_multiple_of(AUDIT) {
                let debts: Vec<_> = torrent.peers(self.now).map(|peer| (peer.key, peer.owes)).collect();
                verdict = verdict.and_then(|()| node.ledger.agrees(&debts));
            }
        }
        if let Err(sentence) = verdict {
            self.fail(at, &sentence);
        }
    }

    fn carry_out(&mut self, at: usize, order: Output) {
        let (now, life) = (self.now, self.nodes[at].lives);
        match order {
            Output::Dial { addr } => self.dial(at, addr),
            Output::Send { peer, message } => self.say(at, peer, message),
            Output::Request { peer, blocks } => self.ask(at, peer, &blocks),
            Output::Cancel { peer, blocks } => self.cancel(at, peer, &blocks),
            Output::Serve { peer, spans } => self.serve(at, peer, &spans),
            Output::CancelServe { peer, spans } => {
                let conn = &mut self.conns[peer.0 as usize];
                let side = conn.side(at);
                conn.ways[side].queue.retain(|span| !spans.is_empty() && !spans.contains(span));
            }
            Output::Close { peer, .. } => self.close(peer.0 as usize, at, DisconnectReason::Closed),
            Output::Open { piece, in_runs } => self.nodes[at].disk.open(piece, in_runs),
            Output::Accept { blocks } => {
                for block in blocks {
                    let node = &mut self.nodes[at];
                    let came = node.landed.iter().find(|(other, _)| *other == block);
                    let Some(&(_, content)) = came else { self.fail(at, "it accepts what has not come") };
                    node.disk.land(block, content);
                    self.run_on(at, block.piece());
                }
            }
            Output::Verify { piece, digests } => {
                let done = self.nodes[at].disk.verify(now, &self.geometry, piece, digests);
                self.heap.put(done, Event::Disk(at, life, piece));
            }
            Output::Discard { piece } => self.nodes[at].disk.discard(piece),
            Output::Announce { tracker, announce } => {
                self.nodes[at].tally.announces += 1;
                let from = address_of(at);
                if self.trackers[tracker.0].is_too_soon(now, from, &announce) {
                    self.fail(at, "it announces again within a minute");
                }
                let (delay, answer) = self.trackers[tracker.0].announced(now, &mut self.rng, from, &announce);
                if announce.event != AnnounceEvent::Stopped {
                    self.fact(at, delay, Input::Announced { tracker, answer });
                }
            }
            Output::Lookup { announce, seed } => self.look_up(at, announce, seed),
            Output::AddDhtNode { addr } => {
                self.tell_dht(at, torr::dht::Input::Nodes(torr::dht::Origin::Told, &[addr]));
            }
            Output::Metadata(Ok(metainfo)) => {
                if metainfo.info_hash() != self.metainfo.info_hash() {
                    self.fail(at, "it takes the info dictionary of another torrent");
                }
                self.nodes[at].knows_info = true;
                self.changed = true;
                self.heap.put(now + OPENING, Event::Open(at, life));
            }
            Output::Metadata(Err(error)) => self.fail(at, &format!("the info dictionary is {error}")),
            Output::Note(Note::Banned(addr)) => {
                self.nodes[at].tally.banned.insert(addr.ip());
            }
            Output::Note(Note::HashFailed(piece)) => {
                *self.nodes[at].tally.spoiled.entry(piece).or_default() += 1;
            }
            Output::Scrape { .. } | Output::Note(_) => {}
        }
    }

    pub(super) fn wake(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if node.wake != Some(self.now) {
            return;
        }
        node.wake = None;
        self.hear(at, Input::Tick);
        let node = &mut self.nodes[at];
        node.spins = if node.wake == Some(self.now) { node.spins + 1 } else { 0 };
        if node.spins > MAX_SPINS {
            self.fail(at, "its deadline does not move");
        }
    }

    /// A node hears a fact after this time, if it is still in the same life.
    pub(super) fn fact(&mut self, at: usize, after: Duration, input: Input) {
        let life = self.nodes[at].lives;
        self.heap.put(self.now + after, Event::Fact(at, life, Box::new(input)));
    }

    /// A scripted peer hears a message.
    pub(super) fn script_hears(&mut self, at: usize, peer: PeerKey, message: &Message) {
        let node = &mut self.nodes[at];
        let Some(script) = node.plan.script else { return };
        match script.react(&mut node.rng, self.metainfo.raw_info(), message) {
            Reaction::Say(messages) => messages.into_iter().for_each(|message| self.say(at, peer, message)),
            Reaction::Leave => self.close(peer.0 as usize, at, DisconnectReason::Closed),
        }
    }

    /// Has the disk write the next run of a long piece, if it is there.
    pub(super) fn run_on(&mut self, at: usize, piece: Piece) {
        let node = &mut self.nodes[at];
        if let Some((number, done)) = node.disk.run(self.now, &self.geometry, piece) {
            self.heap.put(done, Event::Run(at, node.lives, number));
        }
    }

    pub(super) fn run_done(&mut self, at: usize, life: u64, number: u64) {
        if self.nodes[at].lives != life {
            return;
        }
        let Some((piece, settled)) = self.nodes[at].disk.run_done(number) else { return };
        if let Some(blocks) = settled {
            self.hear(at, Input::SegmentWritten { piece, blocks });
            self.run_on(at, piece);
        } else {
            self.hear(at, Input::WriteFailed { piece });
            self.hear(at, Input::Command(TorrentCommand::Pause));
        }
    }

    pub(super) fn disk_done(&mut self, at: usize, life: u64, piece: Piece) {
        if self.nodes[at].lives != life {
            return;
        }
        let input = match self.nodes[at].disk.done(piece) {
            Some(Outcome::Verified(digests)) => Input::PieceVerified { piece, digests },
            Some(Outcome::Spoiled(digests)) => Input::HashFailed { piece, digests },
            Some(Outcome::Unwritten) => Input::WriteFailed { piece },
            None => return,
        };
        let unwritten = matches!(input, Input::WriteFailed { .. });
        self.hear(at, input);
        if unwritten {
            self.hear(at, Input::Command(TorrentCommand::Pause));
        }
    }
}

/// Bytes of the info dictionary that have come, of the attempt that has most; nothing once the content is open.
fn metadata_bytes(torrent: &Torrent, now: Moment) -> Option<u64> {
    // The summary of a torrent that moves pieces costs a walk over all of them.
    let metadata = if torrent.is_open() { None } else { torrent.summary(now).metadata };
    metadata.map(|metadata| metadata.progress.map_or(0, |(bytes, _)| bytes))
}
