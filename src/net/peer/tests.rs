//! Connections over loopback: with each other, and with a scripted peer.

mod exchange;
mod scripted;

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, UnboundedSender, channel, unbounded_channel};

use super::*;
use crate::base::{BLOCK_LEN, Geometry};
use crate::proto::message::Wanted;
use crate::store::BUF_LEN;

/// The bytes of a torrent that nobody has to store: each tells its place.
fn byte(piece: u32, offset: u32) -> u8 {
    (piece.wrapping_mul(31) ^ offset ^ (offset >> 8)) as u8
}

fn bytes(wanted: Wanted) -> Vec<u8> {
    (wanted.begin..wanted.begin + wanted.len).map(|offset| byte(wanted.piece, offset)).collect()
}

fn assert_right(landed: &[(Block, Buf)]) {
    for (block, buf) in landed {
        assert!(**buf == *bytes(block.span().into()), "{block:?} holds other bytes");
    }
}

fn shape(pieces: u64) -> Geometry {
    Geometry::single(16 * u64::from(BLOCK_LEN), pieces * 16 * u64::from(BLOCK_LEN) - 5000).unwrap()
}

fn blocks(shape: &Geometry) -> Vec<Block> {
    shape.pieces().flat_map(|piece| shape.blocks(piece).collect::<Vec<_>>()).collect()
}

/// The driver's ends of a connection.
struct Ends {
    orders: UnboundedSender<ToPeer>,
    reports: Receiver<(PeerKey, FromPeer)>,
    pool: Pool,
}

impl Ends {
    fn order(&self, order: ToPeer) {
        self.orders.send(order).expect("the connection is up");
    }

    /// The next report.
    async fn next(&mut self) -> FromPeer {
        self.try_next().await.expect("the connection is up")
    }

    /// The next report, or nothing once the connection has ended.
    async fn try_next(&mut self) -> Option<FromPeer> {
        let report = tokio::time::timeout(Duration::from_secs(30), self.reports.recv());
        report.await.expect("a report within half a minute").map(|(_, report)| report)
    }

    /// Hears messages and drops what lands until something else is reported.
    async fn end(&mut self) -> DisconnectReason {
        loop {
            if let FromPeer::Disconnected(why) = self.next().await {
                return why;
            }
        }
    }
}

fn start(stream: TcpStream, config: PeerConfig) -> Ends {
    start_with_room(stream, config, 64)
}

fn start_with_room(stream: TcpStream, config: PeerConfig, room: usize) -> Ends {
    let (orders, heard) = unbounded_channel();
    let (told, reports) = channel(room);
    let pool = config.pool.clone();
    tokio::spawn(run(stream, config, heard, told));
    Ends { orders, reports, pool }
}

fn config(pool_bufs: usize) -> PeerConfig {
    PeerConfig {
        key: PeerKey(1),
        fast: false,
        pieces: Some(16),
        pool: Pool::new(pool_bufs * BUF_LEN),
        limits: [Limits::new(None, None), Limits::new(None, None)],
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (left, right) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (left.unwrap(), right.unwrap().0)
}
