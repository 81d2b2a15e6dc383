//! Magnet links (BEP 9) that torr writes.

use std::fmt;
use std::net::SocketAddr;

use super::metainfo::Metainfo;
use super::percent;
use crate::base::{InfoHash, Untrusted};

/// What a magnet link tells. Its [`Display`](fmt::Display) is the link: printable ASCII whatever is in it.
///
/// ```
/// use torr::{base::InfoHash, proto::magnet::Magnet};
/// let link = Magnet::new(InfoHash::v1([0xab; 20])).to_string();
/// assert_eq!(link, format!("magnet:?xt=urn:btih:{}", "ab".repeat(20)));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Magnet {
    /// Which torrent; one that is v1 and v2 is named by both (BEP 52).
    pub info_hash: InfoHash,
    /// What to call it until its metadata is there.
    pub name: Option<Untrusted>,
    /// Tracker URLs.
    pub trackers: Vec<Untrusted>,
    /// Web seeds of BEP 19.
    pub web_seeds: Vec<Untrusted>,
    /// Addresses of peers.
    pub peers: Vec<SocketAddr>,
}

impl Magnet {
    /// The shortest link: the info-hash alone.
    pub const fn new(info_hash: InfoHash) -> Self {
        Self { info_hash, name: None, trackers: Vec::new(), web_seeds: Vec::new(), peers: Vec::new() }
    }

    /// A link with the name, all trackers and all web seeds of a torrent.
    pub fn of(torrent: &Metainfo) -> Self {
        Self {
            name: Some(torrent.name().clone()),
            trackers: torrent.extras().trackers.concat(),
            web_seeds: torrent.extras().web_seeds.clone(),
            ..Self::new(torrent.info_hash())
        }
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
        if let Some(digest) = self.info_hash.sha1() {
            part("xt", &format!("urn:btih:{}", InfoHash::v1(digest)))?;
        }
        if let Some(digest) = self.info_hash.sha256() {
            // The multihash prefix: SHA-256, 32 bytes.
            part("xt", &format!("urn:btmh:1220{}", InfoHash::v2(digest)))?;
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
            part("x.pe", &peer.to_string())?;
        }
        Ok(())
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
            ..Magnet::new(InfoHash::hybrid([1; 20], [2; 32]))
        };
        assert_eq!(
            magnet.to_string(),
            format!(
                "magnet:?xt=urn:btih:{}&xt=urn:btmh:1220{}&dn=%C3%A9%20%26%20%1B&tr=udp%3A%2F%2Ft%3A1%2Fa%3Fb\
                 &tr=http%3A%2F%2Fu&ws=http%3A%2F%2Fw%2F&x.pe=1.2.3.4:5&x.pe=[::1]:6",
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
