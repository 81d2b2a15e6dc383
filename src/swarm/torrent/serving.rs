//! Uploads: requests of peers, and upload slots.

use std::time::Duration;

use crate::base::{Moment, Piece, Span};
use crate::proto::message::{Message, Wanted};

use super::connections::Connections;
use super::content::Content;
use super::peer::{MAX_REQUESTS, Peer, SERVE_AHEAD};
use super::swarm::Swarm;
use crate::swarm::event::{Output, PeerKey};
use crate::swarm::parts::allowed_fast::{ALLOWED, allowed_fast};
use crate::swarm::parts::choker::{Choker, Contender, slots};

/// The time after a choke within which requests may still arrive that were sent before it.
const CROSSING: Duration = Duration::from_secs(30);
/// The time within which a second change of interest counts as a strike.
const FICKLE: Duration = Duration::from_secs(1);
/// The number of times that a peer may request each block of an allowed-fast piece.
const FAST_TIMES: u32 = 3;

impl Content {
    /// Handles interested and not interested.
    pub(super) fn wanted(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        wants: bool,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        if peer.wants == wants {
            return;
        }
        let fickle = now.since(peer.interest_at) < FICKLE && now.since(peer.came) >= FICKLE;
        peer.wants = wants;
        peer.interest_at = now;
        if fickle {
            self.strike(swarm, now, key, out);
        }
        swarm.fill_slots(now, out);
        self.close_if_useless(swarm, now, key, out);
    }

    pub(super) fn requested(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        wanted: Wanted,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        let span = self.geometry.span_at(wanted.piece, wanted.begin, wanted.len);
        let held = span.filter(|span| self.progress.have().has(span.piece()));
        let blocks = held.map_or(0, |span| self.geometry.blocks_in(span.piece()));
        let known = |span: &Span| peer.queue.contains(span) || peer.serving.contains(span);
        let room = peer.queue.len() + peer.serving.len() < MAX_REQUESTS;
        match held {
            Some(span) if room && !known(&span) && (!peer.choked || allowed(peer, span.piece(), blocks)) => {
                peer.queue.push_back(span);
                swarm.serve(key, out);
            }
            _ => {
                // A request that crossed with our choke is no fault of the peer.
                let crossed = peer.choked && held.is_some() && now.since(peer.choked_at) < CROSSING;
                if peer.fast() {
                    swarm.send(now, key, Message::Reject(wanted), out);
                }
                if !crossed {
                    self.strike(swarm, now, key, out);
                }
            }
        }
    }

    pub(super) fn cancelled(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        wanted: Wanted,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        let Some(span) = self.geometry.span_at(wanted.piece, wanted.begin, wanted.len) else {
            return self.strike(swarm, now, key, out);
        };
        let fast = peer.fast();
        if let Some(at) = peer.queue.iter().position(|&waiting| waiting == span) {
            peer.queue.remove(at);
        } else if forget_served(peer, span) {
            out.push(Output::CancelServe { peer: key, spans: vec![span] });
        } else {
            // The cancel may have crossed with the block.
            return self.strike(swarm, now, key, out);
        }
        if fast {
            swarm.send(now, key, Message::Reject(wanted), out);
        }
        swarm.serve(key, out);
    }

    /// Sends the allowed-fast pieces (BEP 6) to a peer that has few pieces.
    pub(super) fn allow_fast(&self, swarm: &mut Swarm, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let info_hash = swarm.config.info_hash.wire();
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        if !peer.fast() || peer.has.count() as usize >= ALLOWED || !peer.allowed.is_empty() {
            return;
        }
        let mut set = allowed_fast(peer.addr.ip(), info_hash, &self.geometry, ALLOWED);
        set.retain(|&piece| self.progress.have().has(piece) && !peer.has.has(piece));
        peer.allowed = set.iter().map(|&piece| (piece, 0)).collect();
        for piece in set {
            swarm.send(now, key, Message::AllowedFast(piece.index()), out);
        }
    }

    /// Runs a round of the choker.
    pub(super) fn rechoke(&mut self, swarm: &mut Swarm, now: Moment, out: &mut Vec<Output>) {
        if swarm.paused {
            return;
        }
        let contenders = swarm.contenders(now);
        let chosen = self.choker.round(now, swarm.finished, swarm.slots(now), &contenders, &mut swarm.rng);
        let chosen: std::collections::BTreeSet<PeerKey> = chosen.into_iter().collect();
        for key in swarm.keys() {
            let Some(peer) = swarm.peers.get(&key) else { continue };
            match (peer.choked, chosen.contains(&key)) {
                (true, true) => swarm.unchoke(now, key, out),
                (false, false) => swarm.choke(now, key, out),
                _ => {}
            }
        }
    }
}

impl Swarm {
    /// Orders the next spans to be sent, if few are left in the send queue.
    fn serve(&mut self, key: PeerKey, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.serving_bytes >= SERVE_AHEAD / 2 || peer.queue.is_empty() {
            return;
        }
        let mut spans = Vec::new();
        while peer.serving_bytes < SERVE_AHEAD
            && let Some(span) = peer.queue.pop_front()
        {
            peer.serving_bytes += u64::from(span.len());
            peer.serving.push_back(span);
            spans.push(span);
        }
        out.push(Output::Serve { peer: key, spans });
    }

    pub fn sent(&mut self, now: Moment, key: PeerKey, spans: &[Span], out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        for &span in spans {
            forget_served(peer, span);
            peer.up.add(now, u64::from(span.len()));
            self.counters.up.add(now, u64::from(span.len()));
        }
        peer.sent_at = now;
        self.serve(key, out);
    }

    /// Handles spans that could not be read at the moment: the requests are rejected, or repeated by the
    /// peer.
    pub fn unserved(&mut self, now: Moment, key: PeerKey, spans: &[Span], out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let gone: Vec<Span> = spans.iter().copied().filter(|&span| forget_served(peer, span)).collect();
        if peer.fast() {
            for span in gone {
                self.send(now, key, Message::Reject(span.into()), out);
            }
        }
        self.serve(key, out);
    }

    /// Withdraws a piece from a peer: its requests for the piece are rejected.
    pub fn withdraw(&mut self, now: Moment, key: PeerKey, piece: Piece, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.allowed.retain(|&(allowed, _)| allowed != piece);
        let served: Vec<Span> = peer.serving.iter().filter(|span| span.piece() == piece).copied().collect();
        let waiting: Vec<Span> = peer.queue.iter().filter(|span| span.piece() == piece).copied().collect();
        peer.queue.retain(|span| span.piece() != piece);
        for &span in &served {
            forget_served(peer, span);
        }
        let fast = peer.fast();
        if !served.is_empty() {
            out.push(Output::CancelServe { peer: key, spans: served.clone() });
        }
        for span in served.into_iter().chain(waiting).filter(|_| fast) {
            self.send(now, key, Message::Reject(span.into()), out);
        }
        self.serve(key, out);
    }

    fn slots(&self, now: Moment) -> usize {
        slots(self.config.upload_limit, self.counters.up.rate(now))
    }

    fn contenders(&self, now: Moment) -> Vec<Contender> {
        let wanting = self.peers.iter().filter(|(_, peer)| peer.wants && !peer.is_seed());
        let contenders = wanting.map(|(&key, peer)| Contender {
            peer: key,
            unchoked: !peer.choked,
            since: peer.choked_at,
            came: peer.came,
            gives: peer.down.rate(now),
            takes: peer.up.rate(now),
            got: peer.up.total() - peer.sent_before,
            snubbed: peer.pipeline.is_snubbed(),
        });
        contenders.collect()
    }

    fn unchoke(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.choked = false;
            peer.choked_at = now;
            peer.sent_before = peer.up.total();
            self.send(now, key, Message::Unchoke, out);
        }
    }

    fn choke(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.choked = true;
        peer.choked_at = now;
        let fast = peer.fast();
        let mut void: Vec<Span> = peer.serving.drain(..).collect();
        void.extend(peer.queue.drain(..));
        peer.serving_bytes = 0;
        self.send(now, key, Message::Choke, out);
        if !void.is_empty() {
            out.push(Output::CancelServe { peer: key, spans: Vec::new() });
        }
        for span in void.into_iter().filter(|_| fast) {
            self.send(now, key, Message::Reject(span.into()), out);
        }
    }

    /// Assigns free upload slots at once.
    pub fn fill_slots(&mut self, now: Moment, out: &mut Vec<Output>) {
        if self.paused {
            return;
        }
        let slots = self.slots(now);
        let mut contenders = self.contenders(now);
        let mut taken = contenders.iter().filter(|c| c.unchoked).count();
        while taken < slots
            && let Some(next) = Choker::next(now, self.finished, &contenders)
        {
            self.unchoke(now, next, out);
            contenders.retain(|c| c.peer != next);
            taken += 1;
        }
    }
}

/// Whether a choked peer may request another block of an allowed-fast piece (BEP 6). Counts the request.
fn allowed(peer: &mut Peer, piece: Piece, blocks: u32) -> bool {
    let entry = peer.allowed.iter_mut().find(|(allowed, _)| *allowed == piece);
    entry.is_some_and(|(_, times)| {
        *times += 1;
        *times <= blocks * FAST_TIMES
    })
}

fn forget_served(peer: &mut Peer, span: Span) -> bool {
    let Some(at) = peer.serving.iter().position(|&served| served == span) else { return false };
    peer.serving.remove(at);
    peer.serving_bytes -= u64::from(span.len());
    true
}
