//! Reports of peers, disk and trackers, translated to inputs of the state machine.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::upload_reads::UploadReads;
use super::{Driver, DriverEvent, PeerLink};
use crate::net::{FromPeer, PeerConfig, ToPeer, peer};
use crate::proto::message::Message;
use crate::swarm::event::{DialFailure, Input, PeerHandshake, PeerKey};

impl Driver {
    /// Handles a report of a peer's task.
    pub(super) fn handle_report(&mut self, (peer, report): (PeerKey, FromPeer)) {
        if !self.peers.contains_key(&peer) {
            return;
        }
        match report {
            FromPeer::MessageReceived(message) => {
                let choked = message == Message::Choke;
                self.handle_input(Input::MessageReceived { peer, message });
                if choked && let Some(link) = self.peers.get(&peer) {
                    link.send(ToPeer::ChokeSeen);
                }
            }
            FromPeer::BlocksReceived(blocks) => self.handle_blocks(peer, blocks),
            FromPeer::Wasted(bytes) => self.handle_input(Input::Wasted { peer, bytes }),
            FromPeer::Sent(spans) => self.handle_input(Input::Sent { peer, spans }),
            FromPeer::Drained => self.handle_input(Input::Drained { peer }),
            FromPeer::Disconnected(why) => {
                self.peers.remove(&peer);
                self.handle_input(Input::Disconnected { peer, why });
            }
        }
    }

    /// Handles the result of an output.
    pub(super) fn handle_event(&mut self, event: DriverEvent) {
        match event {
            DriverEvent::Dialled { addr, result: Ok((stream, hello)) } => {
                self.add_peer(stream, addr, false, hello);
            }
            DriverEvent::Dialled { addr, result: Err(why) } => {
                self.handle_input(Input::DialFailed { addr, why });
            }
            DriverEvent::Checking(bytes) => self.checking_began(bytes),
            DriverEvent::Opened(opened) => self.content_opened(*opened),
            DriverEvent::Ready(ready) => self.disk_ready(ready),
            DriverEvent::Piece(outcome) => self.handle_piece_outcome(outcome),
            DriverEvent::Segment(outcome) => self.handle_segment_outcome(outcome),
            DriverEvent::BlocksSaved(lent, saved) => self.blocks_saved(lent, &saved),
            DriverEvent::Confirmed(confirmed) => self.files_confirmed(confirmed),
            DriverEvent::ReadDone { peer, result } => self.handle_read_result(peer, result),
            DriverEvent::Input(input) => {
                if matches!(input, Input::Announced { .. }) {
                    self.announcing = self.announcing.saturating_sub(1);
                }
                self.handle_input(input);
            }
            DriverEvent::RetryRead { peer } => self.retry_read(peer),
            DriverEvent::ReaderAt(at) => self.read_to(at),
            DriverEvent::Saved(error) => self.save_done(error),
            DriverEvent::Flushed(flushed) => self.flush_done(flushed),
            DriverEvent::OpenFilesChecked(found) => self.open_files_checked(found),
        }
    }

    pub(super) fn add_peer(
        &mut self,
        stream: TcpStream,
        addr: SocketAddr,
        incoming: bool,
        hello: PeerHandshake,
    ) {
        let Some(permit) = self.shared.permits.acquire() else {
            if !incoming {
                self.handle_input(Input::DialFailed { addr, why: DialFailure::Local });
            }
            return;
        };
        let key = self.shared.next_peer();
        let (orders, inbox) = mpsc::unbounded_channel();
        let config = PeerConfig {
            key,
            fast: hello.reserved.fast(),
            pieces: self.metainfo.as_ref().map(|metainfo| metainfo.geometry().piece_count()),
            pool: self.shared.memory.pool.clone(),
            limits: [self.shared.network.limits.clone(), self.limits.clone()],
        };
        tokio::spawn(peer::run(stream, config, inbox, self.to.reports.clone()));
        self.peers.insert(key, PeerLink { orders, reads: UploadReads::default(), _permit: permit });
        self.handle_input(Input::Connected { peer: key, addr, incoming, hello });
    }
}

impl PeerLink {
    /// Sends an order to the peer's task. A task that has just ended reports that itself.
    pub(super) fn send(&self, order: ToPeer) {
        let _ = self.orders.send(order);
    }
}
