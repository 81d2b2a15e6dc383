//! Magnet links (BEP 9, BEP 53): parsing and writing.

mod read;

use std::fmt;
use std::net::{SocketAddr, SocketAddrV6};
use std::ops::RangeInclusive;

use super::metainfo::Metainfo;
use super::percent;
use crate::base::{InfoHashes, Untrusted};

pub use read::{MagnetError, MagnetNote};

/// A magnet link. Its [`Display`](fmt::Display) form is the link, which is always printable ASCII.
///
/// ```
/// use torr::{base::InfoHashes, proto::magnet::Magnet};
/// let link = Magnet::new(InfoHashes::from_v1([0xab; 20])).to_string();
/// assert_eq!(link, format!("magnet:?xt=urn:btih:{}", "ab".repeat(20)));
/// assert_eq!(Magnet::parse(&link), Ok(Magnet::new(InfoHashes::from_v1([0xab; 20]))));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Magnet {
    /// The info-hash; that of a hybrid torrent has both versions (BEP 52).
    pub info_hash: InfoHashes,
    /// The name to show until the metadata is downloaded.
    pub name: Option<Untrusted>,
    /// Tracker URLs, none twice.
    pub trackers: Vec<Untrusted>,
    /// Web seed URLs (BEP 19).
    pub web_seeds: Vec<Untrusted>,
    /// Addresses of peers.
    pub peers: Vec<SocketAddr>,
    /// Peers given by host name and port.
    pub named_peers: Vec<(Untrusted, u16)>,
    /// The numbers of the files to download, counted from 0 (BEP 53); all files if empty.
    pub select: Vec<RangeInclusive<u32>>,
}

impl Magnet {
    /// Makes a link with an info-hash alone.
    pub const fn new(info_hash: InfoHashes) -> Self {
        Self {
            info_hash,
            name: None,
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            peers: Vec::new(),
            named_peers: Vec::new(),
            select: Vec::new(),
        }
    }

    /// Makes a link with a torrent's name, trackers and web seeds.
    pub fn of(torrent: &Metainfo) -> Self {
        Self {
            name: Some(torrent.name().clone()),
            trackers: torrent.extras().trackers.concat(),
            web_seeds: torrent.extras().web_seeds.clone(),
            ..Self::new(torrent.info_hash())
        }
    }

    /// Parses a link. Parts that are unusable and not vital are left out.
    pub fn parse(link: &str) -> Result<Self, MagnetError> {
        Self::parse_with_notes(link).map(|(magnet, _)| magnet)
    }

    /// Parses a link, and reports the parts that were left out.
    pub fn parse_with_notes(link: &str) -> Result<(Self, Vec<MagnetNote>), MagnetError> {
        read::read(link)
    }
}

impl fmt::Display for Magnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "magnet:?";
        let mut part = |key: &str, value: &str| {
            let part = format!("{between}{key}={value}");
            between = "&";
            f.write_str(&part)
        };
        if let Some(digest) = self.info_hash.v1() {
            part("xt", &format!("urn:btih:{}", InfoHashes::from_v1(digest)))?;
        }
        if let Some(digest) = self.info_hash.v2() {
            // The multihash prefix: SHA-256, 32 bytes.
            part("xt", &format!("urn:btmh:1220{}", InfoHashes::from_v2(digest)))?;
        }
        let encoded = |text: &str| {
            let mut out = String::new();
            percent::encode(text.as_bytes(), &mut out);
            out
        };
        if let Some(name) = &self.name {
            part("dn", &encoded(name.raw()))?;
        }
        for tracker in &self.trackers {
            part("tr", &encoded(tracker.raw()))?;
        }
        for seed in &self.web_seeds {
            part("ws", &encoded(seed.raw()))?;
        }
        for peer in &self.peers {
            part("x.pe", &global(*peer).to_string())?;
        }
        for (host, port) in &self.named_peers {
            part("x.pe", &format!("{}:{port}", encoded(host.raw())))?;
        }
        if !self.select.is_empty() {
            let ranges = self.select.iter().map(|range| match (range.start(), range.end()) {
                (from, to) if from == to => from.to_string(),
                (from, to) => format!("{from}-{to}"),
            });
            part("so", &ranges.collect::<Vec<_>>().join(","))?;
        }
        Ok(())
    }
}

/// Removes the scope and flow label of an IPv6 address, which mean nothing on other machines.
fn global(peer: SocketAddr) -> SocketAddr {
    match peer {
        SocketAddr::V4(_) => peer,
        SocketAddr::V6(v6) => SocketAddrV6::new(*v6.ip(), v6.port(), 0, 0).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_tells_everything_once() {
        let magnet = Magnet {
            name: Some("é & \u{1b}".into()),
            trackers: vec!["udp://t:1/a?b".into(), "http://u".into()],
            web_seeds: vec!["http://w/".into()],
            peers: vec!["1.2.3.4:5".parse().unwrap(), "[::1]:6".parse().unwrap()],
            named_peers: vec![("peer.example".into(), 7)],
            select: vec![0..=0, 4..=6],
            ..Magnet::new(InfoHashes::hybrid([1; 20], [2; 32]))
        };
        assert_eq!(
            magnet.to_string(),
            format!(
                "magnet:?xt=urn:btih:{}&xt=urn:btmh:1220{}&dn=%C3%A9%20%26%20%1B&tr=udp%3A%2F%2Ft%3A1%2Fa%3Fb\
                 &tr=http%3A%2F%2Fu&ws=http%3A%2F%2Fw%2F&x.pe=1.2.3.4:5&x.pe=[::1]:6&x.pe=peer.example:7&so=0,4-6",
                "01".repeat(20),
                "02".repeat(32)
            )
        );
    }

    #[test]
    fn a_torrent_has_a_link() {
        let bytes =
            b"d8:announce3:u:a4:infod6:lengthi1e4:name1:n12:piece lengthi9e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
        let torrent = Metainfo::parse(bytes).unwrap();
        let link = Magnet::of(&torrent).to_string();
        assert_eq!(link, format!("magnet:?xt=urn:btih:{}&dn=n&tr=u%3Aa", torrent.info_hash()));
    }
}
