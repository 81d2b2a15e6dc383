//! Values that go into a torrent file: trackers, web seeds, nodes, names, sizes of pieces.

use std::fmt;

use crate::base::{MAX_PIECE_LEN, Untrusted, units};

/// One tier of trackers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tier(pub Vec<String>);

/// A size, or whatever suits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PieceSize(pub Option<u32>);

/// A node of the distributed hash table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node(pub String, pub u16);

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') {
            write!(f, "[{}]:{}", self.0, self.1)
        } else {
            write!(f, "{}:{}", self.0, self.1)
        }
    }
}

/// Reads the trackers of one tier, with commas between.
pub fn tier(text: &str) -> Result<Tier, String> {
    text.split(',').map(|url| tracker_url(url.trim())).collect::<Result<_, _>>().map(Tier)
}

/// Reads the URL of a tracker: http, https or udp, with a host.
pub fn tracker_url(text: &str) -> Result<String, String> {
    let wrong = |why: &str| format!("{why}; write udp://HOST:PORT or http(s)://HOST/announce");
    let url = url::Url::parse(text).map_err(|error| wrong(&format!("not a URL ({error})")))?;
    if !matches!(url.scheme(), "http" | "https" | "udp") {
        return Err(wrong("the scheme of a tracker must be http, https or udp"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("the URL has no host"));
    }
    if url.scheme() == "udp" && url.port().is_none() {
        return Err(wrong("a udp tracker needs a port"));
    }
    Ok(text.to_owned())
}

/// Reads a size of pieces.
pub fn piece_size(text: &str) -> Result<PieceSize, String> {
    if text.eq_ignore_ascii_case("auto") {
        return Ok(PieceSize(None));
    }
    let size = units::parse_size(text).map_err(|error| error.to_string())?;
    let size = u32::try_from(size)
        .ok()
        .filter(|&size| (16 << 10..=MAX_PIECE_LEN).contains(&size) && size % (16 << 10) == 0);
    size.map(|size| PieceSize(Some(size)))
        .ok_or_else(|| "a piece size must be a multiple of 16 KiB, up to 511 MiB".to_owned())
}

/// Reads the URL of a web seed: http or https, with a host.
pub fn web_seed(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| format!("not a URL ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("a web seed is http://HOST/… or https://HOST/…".to_owned());
    }
    Ok(text.to_owned())
}

/// Reads a node as `HOST:PORT`; an address of IPv6 stands in brackets.
pub fn node(text: &str) -> Result<Node, String> {
    let wrong = || format!("'{}' is not a node; write HOST:PORT", Untrusted::new(text));
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().ok().filter(|&port| port > 0).ok_or_else(wrong)?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?.to_string(),
        None => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            if host.is_empty() || !host.chars().all(plain) {
                return Err(wrong());
            }
            host.to_owned()
        }
    };
    Ok(Node(host, port))
}

/// Reads a name that a file or a folder can bear.
pub fn plain_name(text: &str) -> Result<String, String> {
    let bad = text.is_empty() || text == "." || text == ".." || text.contains(['/', '\0']);
    if bad {
        Err("the name of a torrent must be a plain name without a slash".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_and_sizes_are_read() {
        assert_eq!(tier("udp://a:1, http://b/announce").unwrap().0, ["udp://a:1", "http://b/announce"]);
        assert!(tier("udp://a:1,").is_err());
        assert_eq!(piece_size("auto"), Ok(PieceSize(None)));
        assert_eq!(piece_size("256K"), Ok(PieceSize(Some(262_144))));
        for bad in ["0", "1000", "17K", "1T", "x"] {
            assert!(piece_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nodes_web_seeds_and_names_are_checked_at_once() {
        assert_eq!(node("router.example:6881"), Ok(Node("router.example".into(), 6881)));
        assert_eq!(node("[2001:DB8::1]:1"), Ok(Node("2001:db8::1".into(), 1)));
        for bad in ["", "a", "a:0", ":1", "a:70000", "a b:1", "[x]:1", "::1:1"] {
            assert!(node(bad).is_err(), "{bad}");
        }
        assert!(web_seed("https://w.example/x/").is_ok() && web_seed("http://[::1]:1").is_ok());
        for bad in ["", "w.example", "ftp://w.example/", "file:///etc", "http://"] {
            assert!(web_seed(bad).is_err(), "{bad}");
        }
        assert!(plain_name("a b…").is_ok());
        for bad in ["", ".", "..", "a/b", "a\0"] {
            assert!(plain_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn trackers_are_checked_at_once() {
        for good in ["udp://t.example:6969", "http://t.example/announce", "https://[::1]:1/announce"] {
            assert_eq!(tracker_url(good), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "t.example",
            "udp://t.example",
            "ftp://t.example/announce",
            "file:///etc/passwd",
            "udp://:80",
        ] {
            assert!(tracker_url(bad).is_err(), "{bad}");
        }
    }
}
