//! Torrents that are named by a magnet link or by their info hash alone: what the link says, and what becomes
//! of it once the torrent's metadata is there.

use std::path::{Path, PathBuf};

use super::{Kind, Torrent};
use crate::app::{Error, ErrorKind};
use crate::base::{InfoHashes, Untrusted};
use crate::engine;
use crate::proto::magnet::{Magnet, MagnetError, MagnetNote};
use crate::proto::metainfo::Metainfo;

/// The most trackers and web seeds of a torrent, of each.
const MAX_KEPT: usize = 200;

/// A link; an info hash is the shortest one.
#[derive(Clone, Debug)]
pub struct Link {
    /// The parsed link.
    pub magnet: Magnet,
    /// Notes on ignored parts of the link.
    pub notes: Vec<MagnetNote>,
    /// As it was given.
    argument: PathBuf,
}

impl Link {
    /// The link in an argument; nothing where the argument names a torrent in another way.
    pub fn of(argument: &Path) -> Result<Option<Self>, Error> {
        let link = match Kind::of(argument) {
            Kind::Magnet(link) => link.to_owned(),
            Kind::Hash(hash) => spelled_out(hash),
            Kind::Stdin | Kind::Web(_) | Kind::File(_) => return Ok(None),
        };
        let (magnet, notes) = Magnet::parse_with_notes(&link).map_err(|error| refused(error, &link))?;
        Ok(Some(Self { magnet, notes, argument: argument.to_owned() }))
    }

    /// Refuses a torrent that nobody could be asked for.
    pub fn can_be_found(&self) -> Result<(), Error> {
        if self.magnet.info_hash.v1().is_some() {
            return Ok(());
        }
        // Whether the torrent has a v1 hash as well is not known before its metadata is.
        let message = "the link has only the v2 info hash, and peers are found by the v1 hash";
        let hint = "for a hybrid torrent, add its xt=urn:btih:; v2-only torrents are not supported yet";
        Err(Error::new(ErrorKind::Input, "malformed", message).hint(hint).about(self.magnet.info_hash))
    }

    /// The display name until the metadata is known: the name in the link, or else the info hash.
    pub fn name(&self) -> Untrusted {
        self.magnet.name.clone().unwrap_or_else(|| Untrusted::new(self.magnet.info_hash.to_string()))
    }

    /// The torrent, if it is remembered from an earlier run. What cannot be read is not remembered.
    pub fn stored(&self, state: Option<&Path>) -> Option<Metainfo> {
        let wire = self.magnet.info_hash.wire();
        let state = state?;
        // A torrent of both versions is remembered by the same digits as by its v1 hash alone.
        let stored = engine::load_stored_metainfo(state, &InfoHashes::from_v1(wire)).ok()??;
        agrees(&self.magnet.info_hash, &stored.info_hash()).then_some(stored)
    }

    /// The torrent with its metadata: the trackers and web seeds of the link are its own from here on.
    pub fn torrent(self, metainfo: Metainfo) -> Torrent {
        let Magnet { trackers, web_seeds, .. } = &self.magnet;
        let mut extras = metainfo.extras().clone();
        for tier in &mut extras.trackers {
            tier.retain(|url| !trackers.contains(url));
        }
        extras.trackers.retain(|tier| !tier.is_empty());
        // A link has no tiers: each tracker is asked by itself.
        extras.trackers.splice(0..0, trackers.iter().map(|url| vec![url.clone()]));
        extras.trackers.truncate(MAX_KEPT);
        extras.web_seeds.retain(|url| !web_seeds.contains(url));
        extras.web_seeds.splice(0..0, web_seeds.iter().cloned());
        extras.web_seeds.truncate(MAX_KEPT);
        let metainfo = metainfo.with_extras(extras);
        let bytes = metainfo.to_bytes();
        Torrent { metainfo, bytes, path: Some(self.argument), link: Some(Box::new(self.magnet)) }
    }
}

/// Why a link is refused, and what to do where that can be told.
fn refused(error: MagnetError, link: &str) -> Error {
    let failure = Error::new(ErrorKind::Input, "malformed", error.to_string());
    match error {
        // Of a link without quotes the shell leaves what stands before the first &.
        MagnetError::NoHash if !link.contains('&') => {
            failure.hint("put the whole link in single quotes; otherwise the shell splits it at each &")
        }
        MagnetError::Percent { .. } | MagnetError::BadV1 | MagnetError::BadV2 | MagnetError::NoHash => {
            failure.hint("copy the link again: it is cut off or damaged")
        }
        MagnetError::NoMagnet | MagnetError::TooLong | MagnetError::TwoTorrents => failure,
    }
}

/// Whether a torrent is the one that is meant, as far as the link names it.
fn agrees(asked: &InfoHashes, found: &InfoHashes) -> bool {
    asked.v2().is_none_or(|digest| found.v2().is_none_or(|found| found == digest))
}

/// The link that says no more than an info hash.
fn spelled_out(hash: &str) -> String {
    let kind = if hash.len() == 64 { "btmh:1220" } else { "btih:" };
    format!("magnet:?xt=urn:{kind}{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::single_file;
    use crate::store::{Change, TorrentStore};

    fn link(text: &str) -> Link {
        Link::of(Path::new(text)).unwrap().unwrap()
    }

    #[test]
    fn links_and_hashes_are_told_from_files() {
        let of = |text: &str| link(text).magnet.to_string();
        let v1 = format!("magnet:?xt=urn:btih:{}", "ab".repeat(20));
        assert_eq!([of(&v1), of(&"AB".repeat(20))], [v1.clone(), v1]);
        assert_eq!(of(&"ab".repeat(32)), format!("magnet:?xt=urn:btmh:1220{}", "ab".repeat(32)));
        assert_eq!(of(&"a".repeat(32)), format!("magnet:?xt=urn:btih:{}", "0".repeat(40)));
        for other in ["a.torrent", "-", "https://x.example/a", "1111"] {
            assert!(Link::of(Path::new(other)).unwrap().is_none(), "{other}");
        }
        let failed = |text: &str| Link::of(Path::new(text)).unwrap_err();
        let failure = failed("magnet:?dn=x");
        assert_eq!((failure.kind, failure.word), (ErrorKind::Input, "malformed"));
        // Quotes help only against a shell that took the link apart.
        let quotes = |text: &str| failed(text).sentence().is_some_and(|hint| hint.contains("quotes"));
        assert!(quotes("magnet:?dn=x") && quotes("magnet:?xt=urn:sha1:x"));
        for other in
            ["magnet:?dn=x&tr=udp://t:1", "magnet:?xt=urn:btih:x", "magnet:?xt=urn:btih:%z", "magnet:x"]
        {
            assert!(!quotes(other), "{other}");
        }
    }

    #[test]
    fn a_torrent_that_is_named_by_its_v2_hash_alone_is_refused() {
        assert!(link(&"ab".repeat(20)).can_be_found().is_ok());
        let failure = link(&"ab".repeat(32)).can_be_found().unwrap_err();
        assert!(failure.message.contains("only the v2 info hash"), "{}", failure.message);
        assert!(failure.sentence().unwrap().contains("xt=urn:btih:"));
    }

    #[test]
    fn what_the_link_knows_goes_into_the_torrent() {
        let torrent = single_file("x");
        let text = format!(
            "magnet:?xt=urn:btih:{}&tr=udp://a:1&tr=udp://b:1&ws=http://w/&so=0&x.pe=1.2.3.4:5",
            torrent.info_hash()
        );
        let found = link(&text).torrent(torrent.clone());
        let again = Metainfo::parse(&found.bytes).unwrap();
        assert_eq!(again, found.metainfo);
        assert_eq!(again.extras().trackers, [vec!["udp://a:1".into()], vec!["udp://b:1".into()]]);
        assert_eq!(again.extras().web_seeds, ["http://w/".into()]);
        assert_eq!(found.link.as_ref().unwrap().select, [0..=0]);
        // What is known already is not said twice.
        let twice = link(&text).torrent(again.clone());
        assert_eq!(twice.metainfo, again);
    }

    #[test]
    fn what_was_had_before_is_remembered() {
        let state = tempfile::tempdir().unwrap();
        let torrent = single_file("x");
        let (v1, hash) = (torrent.info_hash().v1().unwrap(), torrent.info_hash().to_string());
        assert!(link(&hash).stored(Some(state.path())).is_none() && link(&hash).stored(None).is_none());
        let remember = Change::TorrentFile(torrent.info_hash(), torrent.to_bytes());
        TorrentStore::in_state_dir(state.path()).save(&[remember]).unwrap();
        assert_eq!(link(&hash).stored(Some(state.path())).as_ref(), Some(&torrent));
        let both = Magnet::new(InfoHashes::hybrid(v1, [7; 32])).to_string();
        assert_eq!(link(&both).stored(Some(state.path())).as_ref(), Some(&torrent));
        assert!(link(&"ab".repeat(20)).stored(Some(state.path())).is_none());
    }
}
