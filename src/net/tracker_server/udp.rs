//! The tracker's UDP side (BEP 15).
//!
//! Nothing is remembered of a source, and no answer to it is longer than its question, until it has sent back a
//! connection id.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;

use crate::base::InfoHashes;
use crate::proto::announce::{Announce, AnnounceReply, ScrapeCounts};
use crate::proto::tracker_udp::{Family, Request, Response};

use super::{Families, NOT_SERVED, Shared};

/// The longest request that is read; a longer one is cut, and then no request.
const MAX_REQUEST: usize = 8 * 1024;
/// The most bytes of peers in an answer: more would be sent in fragments, which many networks drop.
const MAX_PEER_BYTES: usize = 1200;

/// Serves until dropped.
pub async fn serve(socket: UdpSocket, shared: Arc<Shared>) {
    let mut buffer = vec![0; MAX_REQUEST];
    loop {
        // Errors here tell of earlier answers that did not arrive; nothing follows from them.
        let Ok((length, source)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let Some(response) = respond(&buffer[..length], source, &shared) else { continue };
        let _ = socket.send_to(&response.encode(family(source)), source).await;
    }
}

fn family(source: SocketAddr) -> Family {
    if source.ip().to_canonical().is_ipv4() { Family::V4 } else { Family::V6 }
}

fn respond(datagram: &[u8], source: SocketAddr, shared: &Shared) -> Option<Response> {
    let Ok(request) = Request::decode(datagram) else {
        shared.refuse();
        return None;
    };
    let transaction = request.transaction();
    let (now, ip) = (shared.now(), source.ip());
    let refuse = |reason: &str| {
        shared.refuse();
        Some(Response::Error { transaction, refusal: reason.into() })
    };
    match request {
        Request::Connect { .. } => {
            Some(Response::Connect { transaction, connection: shared.ids.issue(now, ip) })
        }
        Request::Announce { connection, .. } | Request::Scrape { connection, .. }
            if !shared.ids.accepts(now, ip, connection) =>
        {
            refuse("unknown connection id")
        }
        Request::Announce { announce, .. } => match take(&announce, source, shared) {
            Some(reply) => Some(Response::Announce { transaction, reply }),
            None => refuse(NOT_SERVED),
        },
        Request::Scrape { torrents, .. } => {
            Some(Response::Scrape { transaction, counts: scrape(&torrents, shared) })
        }
    }
}

fn take(announce: &Announce, source: SocketAddr, shared: &Shared) -> Option<AnnounceReply> {
    let mut reply = shared.announce(source.ip(), announce, Families::Own)?;
    let peer_bytes = if family(source) == Family::V4 { 6 } else { 18 };
    reply.peers.truncate(MAX_PEER_BYTES / peer_bytes);
    Some(reply)
}

fn scrape(torrents: &[InfoHashes], shared: &Shared) -> Vec<ScrapeCounts> {
    shared.scrape(torrents).into_iter().map(|(_, counts)| counts).collect()
}
