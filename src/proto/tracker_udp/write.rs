//! Encoding of UDP tracker datagrams.

use std::net::IpAddr;

use super::URL_DATA;
use crate::proto::announce::{Announce, AnnounceEvent, left_or_block};

pub(super) fn head(out: &mut Vec<u8>, connection: u64, action: u32, transaction: u32) {
    out.extend(connection.to_be_bytes());
    out.extend(action.to_be_bytes());
    out.extend(transaction.to_be_bytes());
}

pub(super) fn put_announce(out: &mut Vec<u8>, announce: &Announce) {
    out.extend(announce.info_hash.wire());
    out.extend(announce.peer_id.0);
    out.extend(announce.downloaded.to_be_bytes());
    out.extend(left_or_block(announce.left).to_be_bytes());
    out.extend(announce.uploaded.to_be_bytes());
    let event: u32 = match announce.event {
        AnnounceEvent::None => 0,
        AnnounceEvent::Completed => 1,
        AnnounceEvent::Started => 2,
        AnnounceEvent::Stopped => 3,
    };
    out.extend(event.to_be_bytes());
    match announce.ip {
        Some(IpAddr::V4(ip)) => out.extend(ip.octets()),
        Some(IpAddr::V6(_)) | None => out.extend([0; 4]),
    }
    out.extend(announce.key.to_be_bytes());
    // Minus one asks for the tracker's default.
    let wanted = announce.numwant.map_or(-1, |n| i32::try_from(n).unwrap_or(i32::MAX));
    out.extend(wanted.to_be_bytes());
    out.extend(announce.port.to_be_bytes());
}

pub(super) fn put_url_data(out: &mut Vec<u8>, url_data: &[u8]) {
    for part in url_data.chunks(255) {
        out.extend([URL_DATA, part.len() as u8]);
        out.extend(part);
    }
}
