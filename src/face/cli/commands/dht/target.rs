//! The target of a search: a torrent by any of its names, or an id.

use std::path::Path;

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::app::input::{Kind, Link};
use crate::app::{Error, ErrorKind};
use crate::base::{InfoHashes, NodeId, Untrusted};
use crate::face::cli::commands::show;
use crate::face::cli::fetching;
use crate::face::cli::output::Output;
use crate::proto::krpc::Item;

/// The torrent that an info hash, a link or a torrent file names. A private one is refused (BEP 27).
pub fn torrent(argument: &Path, output: &Output) -> Result<InfoHashes, Error> {
    if let Some(link) = Link::of(argument)? {
        return Ok(link.magnet.info_hash);
    }
    refuse_a_slip(argument)?;
    let about = show::look(&fetching::bytes(argument, output)?, argument)?;
    if about.content.is_some_and(|content| content.private) {
        let message = "the torrent is private: torr does not look it up or announce it in the DHT";
        return Err(Error::new(ErrorKind::Usage, "private", message)
            .hint("its peers come only from its trackers; 'torr show --swarm' asks them")
            .about(about.info_hash));
    }
    Ok(about.info_hash)
}

/// The place in the table at which a torrent is found.
pub fn place(torrent: &InfoHashes) -> NodeId {
    NodeId(torrent.wire())
}

/// A word of hexadecimal digits is more likely a hash with a digit too few than the name of a file.
fn refuse_a_slip(argument: &Path) -> Result<(), Error> {
    let text = argument.to_str().map(str::trim).unwrap_or_default();
    let digits = text.len() >= 20 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits && matches!(Kind::of(argument), Kind::File(path) if path.symlink_metadata().is_err()) {
        return Err(malformed(text, "an info hash has 40 (v1) or 64 (v2) hexadecimal digits"));
    }
    Ok(())
}

/// The place of an item: its target, or that of a public key with this salt.
pub fn item(text: &str, salt: &[u8]) -> Result<NodeId, Error> {
    match (digits::<20>(text), digits::<32>(text)) {
        (Some(target), _) => Ok(NodeId(target)),
        (_, Some(key)) => Ok(Item::target_of(&key, salt)),
        _ => Err(malformed(text, "write the 40 digits of a target, or the 64 of a public key")),
    }
}

/// Any place in the table.
pub fn anywhere(text: &str) -> Result<NodeId, Error> {
    digits(text).map(NodeId).ok_or_else(|| malformed(text, "a node id has 40 hexadecimal digits"))
}

/// Exactly so many bytes in hexadecimal.
pub fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok()?.try_into().ok()
}

fn malformed(text: &str, hint: &str) -> Error {
    let shown = Untrusted::new(text).fit(80);
    Error::new(ErrorKind::Input, "malformed", format!("'{shown}' is malformed")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_in_hexadecimal() {
        assert_eq!(digits("00ffAB"), Some([0, 255, 171]));
        for bad in ["", "00ff", "00ffabc", "00ffag", "+1+1+1", "é0ffa"] {
            assert_eq!(digits::<3>(bad), None, "{bad}");
        }
        let key = "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548";
        let place = item(key, b"foobar").unwrap();
        assert_eq!(place.to_string(), "411eba73b6f087ca51a3795d9c8c938d365e32c1", "the vector of BEP 44");
        assert_eq!(item(&place.to_string(), b"x"), Ok(place));
        for bad in ["", "xyz", &key[1..]] {
            assert_eq!(item(bad, b"").unwrap_err().kind, ErrorKind::Input, "{bad}");
            assert_eq!(anywhere(bad).unwrap_err().kind, ErrorKind::Input, "{bad}");
        }
    }

    #[test]
    fn a_hash_with_a_digit_too_few_is_no_file() {
        let failure = refuse_a_slip(Path::new(&"a".repeat(39))).unwrap_err();
        assert_eq!((failure.kind, failure.word), (ErrorKind::Input, "malformed"));
        assert_eq!(refuse_a_slip(Path::new("a.torrent")), Ok(()));
    }
}
