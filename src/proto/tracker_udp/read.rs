//! Decoding of UDP tracker datagrams.

use std::net::{IpAddr, Ipv4Addr};

use super::{Family, NOTHING, URL_DATA};
use crate::base::{InfoHashes, PeerId, Sha1Digest};
use crate::proto::announce::{
    Announce, AnnounceEvent, AnnounceReply, ScrapeCounts, clamp_interval, count, is_dialable,
};
use crate::proto::tracker_http::{MAX_PEERS, compact_v4, compact_v6};

/// A reader that takes values from the front of a datagram.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    pub fn i32(&mut self) -> Option<i64> {
        self.take().map(i32::from_be_bytes).map(i64::from)
    }

    pub fn counts(&mut self) -> Option<ScrapeCounts> {
        let [seeds, downloaded, leechers] = [count(self.i32()?), count(self.i32()?), count(self.i32()?)];
        Some(ScrapeCounts { seeds, downloaded, leechers })
    }

    /// Reads an announce; `None` if it is too short. An unknown event counts as none.
    pub fn announce(&mut self) -> Option<Announce> {
        let info_hash: Sha1Digest = self.take()?;
        let peer_id = PeerId(self.take()?);
        let (downloaded, left, uploaded) = (self.u64()?, self.u64()?, self.u64()?);
        let event = match self.u32()? {
            1 => AnnounceEvent::Completed,
            2 => AnnounceEvent::Started,
            3 => AnnounceEvent::Stopped,
            _ => AnnounceEvent::None,
        };
        let ip = Some(Ipv4Addr::from(self.u32()?)).filter(|ip| !ip.is_unspecified()).map(IpAddr::V4);
        let key = self.u32()?;
        let numwant = count(self.i32()?);
        let port = self.u16()?;
        Some(Announce {
            info_hash: InfoHashes::from_v1(info_hash),
            peer_id,
            port,
            uploaded,
            downloaded,
            left,
            event,
            key,
            numwant,
            ip,
            tracker_id: None,
        })
    }

    /// Reads the URL data of all options (BEP 41); `None` if an option is cut off. Reading stops at the end
    /// mark (0) or at an unknown option, whose length cannot be known.
    pub fn url_data(&mut self) -> Option<Vec<u8>> {
        let mut data = Vec::new();
        while let Some(kind) = self.take::<1>() {
            match kind[0] {
                NOTHING => {}
                URL_DATA => {
                    let [len] = self.take()?;
                    data.extend(self.0.get(..usize::from(len))?);
                    self.0 = &self.0[usize::from(len)..];
                }
                _ => break,
            }
        }
        Some(data)
    }

    pub fn announce_reply(&mut self, family: Family) -> Option<AnnounceReply> {
        let interval = self.i32()?;
        let (leechers, seeds) = (count(self.i32()?), count(self.i32()?));
        let (entry, peers): (usize, Vec<_>) = match family {
            Family::V4 => (6, compact_v4(self.0).filter(is_dialable).take(MAX_PEERS).collect()),
            Family::V6 => (18, compact_v6(self.0).filter(is_dialable).take(MAX_PEERS).collect()),
        };
        self.0.len().is_multiple_of(entry).then(|| AnnounceReply {
            interval: clamp_interval(Some(interval)),
            claimed_interval: Some(interval),
            peers,
            seeds,
            leechers,
            ..AnnounceReply::default()
        })
    }
}
