//! Which way a torrent is named.

use std::path::Path;

use crate::base::InfoHashes;

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
    /// The kind of an argument. An existing file is a file, however its name looks; addresses and links
    /// are recognised by how they begin.
    pub fn of(argument: &'a Path) -> Self {
        // As paths, `-` and `-/` are the same.
        if argument.as_os_str() == "-" {
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
    text.parse::<InfoHashes>().is_ok() || (text.len() == 32 && text.bytes().all(base32))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Link;
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
        for file in ["a.torrent", "ab", "http:/x", "https", &"1".repeat(32), "./-", "-/"] {
            assert_eq!(of(file), Kind::File(Path::new(file)), "{file}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn a_hash_is_told_in_every_spelling(hash in "[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|[a-zA-Z2-7]{32}") {
            let path = Path::new(&hash);
            prop_assert_eq!(Kind::of(path), Kind::Hash(&hash));
            prop_assert_eq!(Link::of(path).map(|link| link.is_some()), Ok(true));
        }

        #[test]
        fn any_text_is_told_by_how_it_begins(
            start in "(?i:(http:|https:|magnet:)(//|\\?)?)|-|",
            rest in ".{0,70}",
        ) {
            let text = format!("{start}{rest}");
            let begins = text.trim().to_lowercase();
            match Kind::of(Path::new(&text)) {
                Kind::Stdin => prop_assert_eq!(text, "-"),
                Kind::Web(url) => prop_assert!(begins.starts_with("http") && url == text.trim()),
                Kind::Magnet(link) => prop_assert!(begins.starts_with("magnet:") && link == text.trim()),
                // What is told to be a hash is read as one.
                Kind::Hash(_) => prop_assert!(Link::of(Path::new(&text)).is_ok_and(|link| link.is_some())),
                Kind::File(path) => prop_assert!(path == Path::new(&text) && !begins.starts_with("magnet:")),
            }
        }
    }
}
