//! The metadata phase (BEP 9): requests for the info dictionary, and messages about pieces that are kept for
//! later.

use std::time::Duration;

use super::connections::Connections;
use super::peer::Peer;
use super::swarm::{Swarm, Timer};
use crate::base::{InfoHashes, Moment};
use crate::hash::{sha1, sha256};
use crate::proto::extended::{Extended, MetadataMessage};
use crate::proto::message::Message;
use crate::proto::metainfo::Metainfo;
use crate::swarm::event::{DisconnectReason, Note, Output, PeerKey, Source};
use crate::swarm::metadata::{MetadataDownload, PieceResult};

/// The time without a useful contribution after which a peer may make room for another.
const PROBATION: Duration = Duration::from_secs(10);
/// The beginning of rTorrent's peer ids: the letters of its library, libtorrent.
const RTORRENT: &[u8] = b"-lt";

impl MetadataDownload {
    /// Handles a message about pieces, which is kept until their number is known.
    pub(super) fn handle_message(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        message: Message,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        let fast = peer.fast();
        match message {
            Message::Have(_) | Message::Bitfield(_) | Message::HaveAll | Message::HaveNone => {}
            Message::Request(wanted) => {
                if fast {
                    swarm.send(now, key, Message::Reject(wanted), out);
                }
                return self.strike(swarm, now, key, out);
            }
            // These messages are cheap, but never needed often.
            _ => {
                match message {
                    Message::Choke => peer.chokes_us = true,
                    Message::Unchoke => peer.chokes_us = false,
                    Message::Interested => peer.wants = true,
                    Message::NotInterested => peer.wants = false,
                    _ => {}
                }
                self.strike(swarm, now, key, out);
            }
        }
        let Some(peer) = swarm.peers.get_mut(&key) else { return };
        match peer.early.as_mut().map(|early| early.record(message, fast)) {
            Some(Ok(true)) => show_interest(swarm, now, key, out),
            Some(Ok(false)) => self.strike(swarm, now, key, out),
            Some(Err(_)) => self.close(swarm, now, key, DisconnectReason::Protocol, out),
            None => {}
        }
    }

    /// Handles an extended message.
    pub(super) fn handle_extended(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        message: Extended,
        out: &mut Vec<Output>,
    ) {
        match message {
            Extended::Metadata(MetadataMessage::Data { piece, total, bytes }) => {
                self.handle_piece(swarm, now, key, (piece, total, bytes), out);
            }
            Extended::Metadata(MetadataMessage::Reject(piece)) => {
                if !self.record_reject(now, key, piece) {
                    self.strike(swarm, now, key, out);
                }
                self.request(swarm, now, out);
            }
            Extended::DontHave(piece) => {
                let early = swarm.peers.get_mut(&key).and_then(|peer| peer.early.as_mut());
                if early.is_some_and(|early| early.record_lost(piece).is_err()) {
                    return self.close(swarm, now, key, DisconnectReason::Protocol, out);
                }
                self.strike(swarm, now, key, out);
            }
            _ => self.strike(swarm, now, key, out),
        }
    }

    /// Handles the offer of the info dictionary in a peer's extension handshake.
    pub(super) fn handle_offer(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = swarm.peers.get(&key).filter(|peer| peer.metadata_id.is_some()) else { return };
        let Some(size) = peer.metadata_size.filter(|_| !self.found) else { return };
        if !self.add_offer(now, key, size) {
            // The claimed length is false, or the dictionary is too long for us.
            self.too_long = self.too_long.saturating_add(1);
            return self.close(swarm, now, key, DisconnectReason::Useless, out);
        }
        self.distrust_accused(key, peer.address_owner());
        if peer.id.0.starts_with(RTORRENT) {
            // rTorrent 0.9 stops reading from us when it is asked for a piece while another is pending.
            self.limit_to_one(key);
        }
        self.request(swarm, now, out);
    }

    /// Requests pieces of the info dictionary from all peers that may be asked.
    pub(super) fn request(&mut self, swarm: &mut Swarm, now: Moment, out: &mut Vec<Output>) {
        if self.found || swarm.paused {
            return;
        }
        for (key, pieces) in self.choose_requests(now) {
            request_of(swarm, now, key, pieces, out);
        }
    }

    /// Handles a received piece of the info dictionary.
    fn handle_piece(
        &mut self,
        swarm: &mut Swarm,
        now: Moment,
        key: PeerKey,
        (piece, total, bytes): (u32, Option<u32>, Vec<u8>),
        out: &mut Vec<Output>,
    ) {
        if let Some(peer) = swarm.peers.get_mut(&key) {
            peer.metadata_received = peer.metadata_received.saturating_add(bytes.len() as u64);
        }
        match self.receive_piece(now, key, piece, total, bytes) {
            PieceResult::Accepted => request_of(swarm, now, key, self.choose_requests_from(now, key), out),
            // A piece requested from two peers arrives twice.
            PieceResult::Unneeded => {
                if !self.found {
                    request_of(swarm, now, key, self.choose_requests_from(now, key), out);
                }
                self.strike(swarm, now, key, out);
            }
            PieceResult::Invalid => self.close(swarm, now, key, DisconnectReason::Protocol, out),
            PieceResult::Complete(_, whole) if matches_info_hash(swarm.config.info_hash, &whole) => {
                self.complete(swarm, now, whole, out);
            }
            PieceResult::Complete(attempt, _) => {
                if let Some(liar) = self.reject_attempt(attempt)
                    && let Some(who) = swarm.peers.get(&liar).map(Peer::address_owner)
                {
                    if self.accuse(now, liar, who) {
                        self.ban(swarm, now, who, out);
                    } else if let Some(peer) = swarm.peers.get(&liar) {
                        out.push(Output::Note(Note::WrongMetadata(peer.addr)));
                    }
                }
                self.request(swarm, now, out);
            }
        }
    }

    /// Handles the complete and verified info dictionary.
    fn complete(&mut self, swarm: &mut Swarm, now: Moment, whole: Vec<u8>, out: &mut Vec<Output>) {
        self.finish();
        swarm.timers.stop(Timer::Metadata);
        let metainfo = Metainfo::from_info(&whole).and_then(Metainfo::downloadable);
        if let Ok(metainfo) = &metainfo {
            // A link may name only one of the two swarms of a hybrid torrent.
            let known = swarm.config.info_hash;
            swarm.config.info_hash = known.merge(metainfo.info_hash()).unwrap_or(known);
        }
        if metainfo.as_ref().is_ok_and(Metainfo::is_private) {
            // A private torrent's metadata is not uploaded: those who know its info-hash need not be members.
            self.turn_private(swarm, now, out);
        } else {
            swarm.config.info = whole.into();
        }
        out.push(Output::Metadata(metainfo.map(Box::new)));
        for key in swarm.keys() {
            swarm.send_handshake(now, key, true, out);
        }
    }

    /// Makes the torrent private: from now on peers may come from trackers and the user only (BEP 27).
    fn turn_private(&mut self, swarm: &mut Swarm, now: Moment, out: &mut Vec<Output>) {
        swarm.config.private = true;
        swarm.dht_schedule = None;
        for key in swarm.keys() {
            let Some(peer) = swarm.peers.get(&key) else { continue };
            let source = peer.listens.and_then(|addr| swarm.candidates.source_of(addr));
            let open = source.map_or(peer.incoming, Source::is_open);
            if !open {
                self.close(swarm, now, key, DisconnectReason::Useless, out);
            }
        }
        swarm.candidates.retain_for_private();
    }

    /// Returns the connection to close in favour of another, of those old enough: one that offers nothing;
    /// else one that has sent nothing, the longest claimed dictionary first; else the one with the most
    /// misses. A peer that has sent pieces without a miss stays.
    pub(super) fn spare(&self, swarm: &Swarm, now: Moment) -> Option<PeerKey> {
        let old = swarm.peers.iter().filter(|(_, peer)| now.since(peer.came) >= PROBATION);
        let worth = |key: PeerKey, peer: &Peer| match self.claim(key) {
            None => Some((0, 0)),
            Some((size, _)) if peer.metadata_received == 0 => Some((1, u32::MAX - size)),
            Some((_, 0)) => None,
            Some((_, misses)) => Some((2, u32::MAX - misses)),
        };
        let spare =
            old.filter_map(|(&key, peer)| Some((worth(key, peer)?, swarm.candidates.rank(peer.addr), key)));
        spare.min().map(|(.., key)| key)
    }
}

impl Connections for MetadataDownload {
    /// Allows the pieces requested from the peer to be requested from others.
    fn peer_left(&mut self, _swarm: &mut Swarm, key: PeerKey, _peer: &mut Peer) -> bool {
        let useful = self.found || self.claim(key).is_some_and(|(_, misses)| misses == 0);
        self.remove_peer(key);
        useful
    }
}

/// Sends interested to a peer that has pieces, if we want the content: by the time it unchokes us, the
/// metadata may be known.
fn show_interest(swarm: &mut Swarm, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
    let eager = swarm.config.eager;
    let Some(peer) = swarm.peers.get_mut(&key) else { return };
    let has_any = peer.early.as_ref().is_some_and(|early| early.has_any());
    if eager && !peer.interested && has_any {
        (peer.interested, peer.interest_at) = (true, now);
        swarm.send(now, key, Message::Interested, out);
    }
}

fn request_of(swarm: &mut Swarm, now: Moment, key: PeerKey, pieces: Vec<u32>, out: &mut Vec<Output>) {
    let Some(id) = swarm.peers.get(&key).and_then(|peer| peer.metadata_id) else { return };
    for piece in pieces {
        let body = MetadataMessage::Request(piece).encode();
        swarm.send(now, key, Message::Extended { id, body }, out);
    }
}

/// Whether these bytes are the torrent's info dictionary: they must match every known digest.
fn matches_info_hash(wanted: InfoHashes, bytes: &[u8]) -> bool {
    wanted.v1().is_none_or(|digest| sha1(bytes) == digest)
        && wanted.v2().is_none_or(|digest| sha256(bytes) == digest)
}
