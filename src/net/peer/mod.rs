//! The task of one connection to a peer.
//!
//! The driver of a torrent orders through a [`ToPeer`] channel of each peer, and hears through one
//! [`FromPeer`] channel that all its peers share. Orders are never waited for in the driver, reports
//! are: while the driver lags behind, the task stops reading and TCP slows the other side down.

mod intake;
mod outbox;
mod outstanding;
mod reports;
mod task;
#[cfg(test)]
mod tests;

use tokio::net::TcpStream;
use tokio::sync::mpsc::{Sender, UnboundedReceiver};

use super::limit::Limits;
use crate::base::{Block, Span};
use crate::proto::message::Message;
use crate::store::{Buf, Pool};
use crate::swarm::event::{DisconnectReason, PeerKey};

/// An order to a connection.
#[derive(Debug)]
pub enum ToPeer {
    /// Send this message.
    Send(Message),
    /// Request these blocks and expect them, in this order.
    Request(Vec<Block>),
    /// Take back these requests. Whatever still comes of them is waste.
    Cancel(Vec<Block>),
    /// Send these bytes, whose length is that of the span; `Sent` follows for each that went out.
    Serve(Vec<(Span, Buf)>),
    /// Do not send these spans if they have not begun to go out; empty for all. They are not
    /// reported as `Sent`.
    CancelServe(Vec<Span>),
    /// The torrent knows of a choke that was heard. To be sent once for each `Heard(Choke)`, after the
    /// orders that were given in ignorance of it: until then `Ask` is ignored, because without the
    /// fast extension a choke forgets all requests (BEP 3). With it this order means nothing.
    ChokeSeen,
    /// End the connection; no `Left` follows, unless it is under way already.
    Close,
}

/// A report of a connection.
#[derive(Debug)]
pub enum FromPeer {
    /// A message came in.
    MessageReceived(Message),
    /// Blocks that were asked for came in, in this order; each buffer holds exactly its block.
    BlocksReceived(Vec<(Block, Buf)>),
    /// So many bytes of payload came in that nobody had asked for (any more).
    Wasted(u64),
    /// These spans went out.
    Sent(Vec<Span>),
    /// Messages of extensions were said, and all that was said so far has gone out.
    Drained,
    /// The connection ended by itself; the last report of this peer.
    Disconnected(DisconnectReason),
}

/// The settings of a connection.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// The name under which it reports.
    pub key: PeerKey,
    /// Whether both sides speak the fast extension (BEP 6).
    pub fast: bool,
    /// The number of pieces of the torrent, if it is known: it bounds a bitfield.
    pub pieces: Option<u32>,
    /// Where buffers for blocks come from.
    pub pool: Pool,
    /// The limits of the session and of the torrent.
    pub limits: [Limits; 2],
}

/// Serves a connection, just behind the handshakes, until it ends or the driver closes it or goes away.
pub async fn run(
    stream: TcpStream,
    config: PeerConfig,
    orders: UnboundedReceiver<ToPeer>,
    reports: Sender<(PeerKey, FromPeer)>,
) {
    task::Task::new(stream, &config, orders, reports).run().await;
}
