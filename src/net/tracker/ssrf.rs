//! The trackers that may be asked at all: rules against torrents that make us knock on doors inside
//! somebody's network.
//!
//! A torrent names the hosts we talk to, so a stranger chooses them. The rules are pure: what a name
//! resolves to, and where a redirect came from, are arguments.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The longest address of a tracker, in bytes, first or redirected to.
const MAX_URL_LEN: usize = 4096;

/// Parameters that only we may send in a request (BEP 3). An address that brings one of these would speak in our
/// name, or smuggle parameters to whatever answers on a local port.
const OUR_KEYS: [&str; 13] = [
    "info_hash",
    "peer_id",
    "port",
    "uploaded",
    "downloaded",
    "left",
    "event",
    "key",
    "corrupt",
    "numwant",
    "compact",
    "no_peer_id",
    "trackerid",
];

/// Why a tracker is not asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Forbidden {
    /// The address is not absolute, has no host, or is far too long.
    #[error("the tracker's address is not valid")]
    Malformed,
    /// Neither `http`, `https` nor `udp`.
    #[error("the tracker's address is neither http, https nor udp")]
    Scheme,
    /// A `udp` address names no port, and there is no usual one.
    #[error("the tracker's address names no port")]
    NoPort,
    /// The query contains what only we may say.
    #[error("the tracker's address contains request parameters that only a client may send")]
    QueryKey,
    /// A host on a local network, and a path other than that of a tracker.
    #[error("a tracker on a local network must have the path /announce")]
    LocalPath,
    /// A redirect from the internet into a local network.
    #[error("the tracker redirects into a local network")]
    IntoLocal,
    /// A redirect to something that is neither `http` nor `https`.
    #[error("the tracker redirects to something that is neither http nor https")]
    RedirectScheme,
    /// A redirect from `https` to `http`.
    #[error("the tracker redirects from https to http")]
    Downgrade,
    /// One redirect too many.
    #[error("the tracker redirects too often")]
    RedirectLoop,
}

/// Whether an address belongs to the internet or to some local network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// This machine, the local network, or a range that is not routed.
    Local,
    /// Anything else.
    Global,
}

impl Reach {
    /// Where this address lies. An IPv6 address that carries an IPv4 address (mapped, compatible, NAT64,
    /// 6to4) lies where that one does.
    pub fn of(address: IpAddr) -> Self {
        let local = match address {
            IpAddr::V4(v4) => is_local_v4(v4),
            IpAddr::V6(v6) => carried_v4(v6).map_or_else(|| is_local_v6(v6), is_local_v4),
        };
        if local { Self::Local } else { Self::Global }
    }
}

/// How a tracker is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// HTTP, with or without TLS (BEP 3).
    Http,
    /// UDP (BEP 15).
    Udp,
}

/// The address of a tracker that no rule forbids, as far as its text says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrackerUrl {
    /// The address; its host is in ASCII (punycode) and lower case.
    pub url: Url,
    /// How it is spoken to.
    pub way: Way,
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

impl TrackerUrl {
    /// Reads and checks an address from a torrent, a link or the user.
    pub fn parse(text: &str) -> Result<Self, Forbidden> {
        if text.len() > MAX_URL_LEN {
            return Err(Forbidden::Malformed);
        }
        let url = Url::parse(text.trim()).map_err(|_| Forbidden::Malformed)?;
        let checked = Self::take(url)?;
        if brings_our_keys(&checked.url) {
            return Err(Forbidden::QueryKey);
        }
        Ok(checked)
    }

    /// The address of one request to this tracker, made of the tracker's own.
    pub fn asking(&self, text: &str) -> Result<Self, Forbidden> {
        Self::take(Url::parse(text).map_err(|_| Forbidden::Malformed)?)
    }

    /// The address an answer redirects to. Its query may hold our keys: most trackers that redirect
    /// repeat what we asked.
    pub fn redirected(&self, location: &str) -> Result<Self, Forbidden> {
        if location.len() > MAX_URL_LEN {
            return Err(Forbidden::Malformed);
        }
        let url = self.url.join(location).map_err(|_| Forbidden::Malformed)?;
        match (self.url.scheme(), url.scheme()) {
            ("https", "http") => Err(Forbidden::Downgrade),
            (_, "http" | "https") => Self::take(url),
            _ => Err(Forbidden::RedirectScheme),
        }
    }

    /// Whether a connection to `address`, which is what the host resolves to, is allowed.
    /// `from` is where the answer came from that redirected here, if one did.
    pub fn may_reach(&self, address: IpAddr, from: Option<Reach>) -> Result<(), Forbidden> {
        if Reach::of(address) == Reach::Global {
            return Ok(());
        }
        if from == Some(Reach::Global) {
            return Err(Forbidden::IntoLocal);
        }
        let tracker_path = match self.way {
            Way::Http => ["/announce", "/scrape"].contains(&self.url.path()),
            // A UDP request carries the path only behind a handshake that nothing but a tracker passes, so
            // the short form without any is harmless.
            Way::Udp => ["", "/", "/announce", "/scrape"].contains(&self.url.path()),
        };
        if tracker_path { Ok(()) } else { Err(Forbidden::LocalPath) }
    }

    fn take(mut url: Url) -> Result<Self, Forbidden> {
        let way = match url.scheme() {
            "http" | "https" => Way::Http,
            "udp" => Way::Udp,
            _ => return Err(Forbidden::Scheme),
        };
        url.set_fragment(None);
        // Hosts of schemes the URL standard does not know are kept as they are written; here they become
        // what they would be in `http`: an IP address, or a name in punycode.
        let host =
            Host::parse(url.host_str().ok_or(Forbidden::Malformed)?).map_err(|_| Forbidden::Malformed)?;
        let port = url.port_or_known_default().filter(|&port| port != 0).ok_or(Forbidden::NoPort)?;
        Ok(Self { url, way, host, port })
    }
}

fn brings_our_keys(url: &Url) -> bool {
    let query = url.query().unwrap_or_default();
    query.split(['&', ';']).any(|pair| {
        url::form_urlencoded::parse(pair.as_bytes())
            .any(|(key, _)| OUR_KEYS.iter().any(|ours| key.trim().eq_ignore_ascii_case(ours)))
    })
}

fn is_local_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    // In this order: this network, private, loopback, multicast and reserved; shared by carriers; link-local;
    // private; protocol assignments; private; benchmarks.
    matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0)
            | (192, 168, _)
            | (198, 18..=19, _)
    )
}

fn is_local_v6(address: Ipv6Addr) -> bool {
    let first = address.segments()[0];
    address.is_loopback()
        || address.is_unspecified()
        // Unique local, link-local and the site-local addresses of old, multicast.
        || first & 0xfe00 == 0xfc00
        || first & 0xff80 == 0xfe80
        || first & 0xff00 == 0xff00
        // Local NAT64 prefixes (RFC 8215).
        || address.segments()[..3] == [0x64, 0xff9b, 1]
}

fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        // Mapped, NAT64, 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => (high, low),
        // Compatible, unless it is `::` or `::1`.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => (high, low),
        _ => return None,
    };
    Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("a test address")
    }

    fn url(text: &str) -> TrackerUrl {
        TrackerUrl::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn local_addresses_are_known_in_every_disguise() {
        for text in [
            "127.0.0.1",
            "127.255.255.255",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fdff::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
        ] {
            assert_eq!(Reach::of(ip(text)), Reach::Local, "{text}");
        }
        for text in [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert_eq!(Reach::of(ip(text)), Reach::Global, "{text}");
        }
    }

    #[test]
    fn other_schemes_are_refused() {
        for text in [
            "file:///etc/passwd",
            "ftp://example.org/announce",
            "gopher://example.org:70/announce",
            "ws://example.org/announce",
            "wss://tracker.example.org/",
            "javascript:alert(1)",
            "data:,x",
            "unix:/run/x",
        ] {
            assert!(TrackerUrl::parse(text).is_err(), "{text}");
        }
        for text in ["", "example.org", "/announce", "http://", "udp://", "http://[::1", "http://a b/"] {
            assert!(TrackerUrl::parse(text).is_err(), "{text}");
        }
        assert_eq!(TrackerUrl::parse(&format!("http://a/{}", "x".repeat(5000))), Err(Forbidden::Malformed));
    }

    #[test]
    fn a_udp_tracker_needs_a_port() {
        assert_eq!(TrackerUrl::parse("udp://tracker.example.org/announce"), Err(Forbidden::NoPort));
        assert_eq!(TrackerUrl::parse("udp://tracker.example.org:0/announce"), Err(Forbidden::NoPort));
        assert_eq!(url("udp://tracker.example.org:6969").port, 6969);
        assert_eq!(url("https://tracker.example.org").port, 443);
    }

    #[test]
    fn our_own_keys_may_not_come_with_the_address() {
        for query in [
            "info_hash=x",
            "INFO_HASH=x",
            "a=b&Event=stopped",
            "a=b;left=0",
            "%69nfo_hash=x",
            "port",
            "peer%5Fid=1",
            "x=%26&key=3",
            "+key=3",
        ] {
            let text = format!("http://example.org/announce?{query}");
            assert_eq!(TrackerUrl::parse(&text), Err(Forbidden::QueryKey), "{query}");
        }
        for query in ["passkey=0123", "x=info_hash", "auth=a&uid=1", "support=port"] {
            url(&format!("http://example.org/announce?{query}"));
        }
    }

    #[test]
    fn a_local_tracker_must_look_like_one() {
        let local = ip("192.168.1.1");
        for text in [
            "http://router/announce",
            "http://router:8080/announce?passkey=1",
            "http://router/scrape",
            "udp://router:1",
            "udp://router:1/",
            "udp://router:1/announce",
        ] {
            assert_eq!(url(text).may_reach(local, None), Ok(()), "{text}");
        }
        for text in [
            "http://router/",
            "http://router/reboot",
            "http://router/announce/",
            "http://router/announce.php",
            "http://router/x/announce",
            "http://router/Announce",
            "http://router//announce",
            "udp://router:1/x",
        ] {
            assert_eq!(url(text).may_reach(local, None), Err(Forbidden::LocalPath), "{text}");
            assert_eq!(url(text).may_reach(ip("8.8.8.8"), None), Ok(()), "{text}");
        }
        // The path is compared after dots are resolved, as the server will see it.
        assert_eq!(url("http://router/announce/../reboot").may_reach(local, None), Err(Forbidden::LocalPath));
    }

    #[test]
    fn no_redirect_leads_from_the_internet_into_a_local_network() {
        let start = url("http://tracker.example.org/announce");
        for location in [
            "http://127.0.0.1/announce",
            "http://169.254.169.254/announce",
            "http://[::1]/announce",
            "//localhost/announce",
            "http://2130706433/announce",
            "http://0x7f.1/announce",
            "http://intranet/announce",
        ] {
            let next = start.redirected(location).expect("the text alone is fine");
            let there = match next.host {
                Host::Ipv4(v4) => IpAddr::V4(v4),
                Host::Ipv6(v6) => IpAddr::V6(v6),
                Host::Domain(_) => ip("127.0.0.1"),
            };
            assert_eq!(next.may_reach(there, Some(Reach::Global)), Err(Forbidden::IntoLocal), "{location}");
            assert_eq!(next.may_reach(there, Some(Reach::Local)), Ok(()), "{location}");
        }
        let next = start.redirected("http://127.0.0.1/admin").expect("the text alone is fine");
        assert_eq!(next.may_reach(ip("127.0.0.1"), Some(Reach::Local)), Err(Forbidden::LocalPath));
    }

    #[test]
    fn a_redirect_stays_with_http_and_does_not_lose_encryption() {
        let start = url("https://tracker.example.org/announce");
        for location in
            ["file:///etc/passwd", "ftp://example.org/", "udp://example.org:1/announce", "gopher://x/"]
        {
            assert_eq!(start.redirected(location), Err(Forbidden::RedirectScheme), "{location}");
        }
        assert_eq!(start.redirected("http://tracker.example.org/announce"), Err(Forbidden::Downgrade));
        let next = start.redirected("/other?info_hash=1").expect("a relative redirect");
        assert_eq!(next.url.as_str(), "https://tracker.example.org/other?info_hash=1");
        // Line breaks cannot travel into the next request: the parser removes them.
        let next = start.redirected("/a\r\nHost: x").expect("line breaks are dropped");
        assert_eq!(next.url.path(), "/aHost:%20x");
    }

    #[test]
    fn hosts_are_punycode_whatever_the_scheme() {
        for scheme in ["http", "udp"] {
            let host = url(&format!("{scheme}://Bücher.example:80/announce")).host;
            assert_eq!(host, Host::Domain("xn--bcher-kva.example".to_owned()), "{scheme}");
            let host = url(&format!("{scheme}://127.1:80/announce")).host;
            assert_eq!(host, Host::<String>::Ipv4(Ipv4Addr::LOCALHOST), "{scheme}");
        }
    }
}
