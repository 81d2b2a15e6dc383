//! Which way a torrent is named.

use std::path::Path;

use crate::base::InfoHash;

/// The ways to name a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind<'a> {
    /// `-`: its bytes come on standard input.
    Stdin,
    /// The address of a torrent file.
    Web(&'a str),
    /// A magnet link.
    Magnet(&'a str),
    /// The info hash alone.
    Hash(&'a str),
    /// A torrent file.
    File(&'a Path),
}

impl<'a> Kind<'a> {
    /// What this argument is. A file that is there is a file, however its name looks; addresses and links
    /// are told by how they begin.
    pub fn of(argument: &'a Path) -> Self {
        if argument == Path::new("-") {
            return Self::Stdin;
        }
        let Some(text) = argument.to_str().map(str::trim) else { return Self::File(argument) };
        let starts =
            |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        if starts("http://") || starts("https://") {
            Self::Web(text)
        } else if starts("magnet:") {
            Self::Magnet(text)
        } else if is_hash(text) && argument.symlink_metadata().is_err() {
            Self::Hash(text)
        } else {
            Self::File(argument)
        }
    }
}

/// 40 hexadecimal digits or 32 letters of base32 (v1), or 64 hexadecimal digits (v2).
fn is_hash(text: &str) -> bool {
    let base32 = |byte: u8| byte.is_ascii_alphabetic() || (b'2'..=b'7').contains(&byte);
    text.parse::<InfoHash>().is_ok() || (text.len() == 32 && text.bytes().all(base32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_told_apart() {
        fn of(text: &str) -> Kind<'_> {
            Kind::of(Path::new(text))
        }
        assert_eq!(of("-"), Kind::Stdin);
        assert_eq!(of("HTTPS://x.example/a?b"), Kind::Web("HTTPS://x.example/a?b"));
        assert_eq!(of("magnet:?xt=urn:btih:x"), Kind::Magnet("magnet:?xt=urn:btih:x"));
        for hash in ["ab".repeat(20), "ab".repeat(32), "abcdefgh".repeat(4), "ABCDEFG7".repeat(4)] {
            assert_eq!(of(&hash), Kind::Hash(&hash));
        }
        for file in ["a.torrent", "ab", "http:/x", "https", &"1".repeat(32), "./-"] {
            assert_eq!(of(file), Kind::File(Path::new(file)), "{file}");
        }
    }
}
