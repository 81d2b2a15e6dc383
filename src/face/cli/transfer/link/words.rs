//! Sentences about who can use a link: only facts that are known.

use std::net::IpAddr;

use crate::app::own_addresses::is_local;
use crate::face::cli::style::{width, wrap};
use crate::proto::magnet::Magnet;

use super::{Given, Links};

/// The separator between the parts of a line.
const BETWEEN: &str = "    ";

impl Links {
    /// Lines about who can use the link, each of one part or of several that may stand beside one another.
    pub(super) fn who(&self, given: &Given, link: &Magnet, port: Option<u16>) -> Vec<Vec<String>> {
        let one = |line: &str| vec![line.to_owned()];
        let mut lines = vec![vec![self.learns(given, link)]];
        if given.keeps_trackers {
            let which = if link.trackers.is_empty() { "trackers" } else { "other trackers" };
            lines.push(vec![format!(
                "The link leaves out its {which}, which may contain your passkey; --tracker URL adds one."
            )]);
        }
        if port.is_some() && link.peers.is_empty() && link.trackers.is_empty() && !self.dht_finds(given) {
            if !self.multicast_finds(given) {
                lines.push(one("The link contains no peer address: the other side needs ours (--peer)."));
                if self.lan {
                    return lines;
                }
            } else if self.lan {
                lines.push(one(
                    "The link contains no peer address: peers on the same network find it by multicast.",
                ));
                return lines;
            } else {
                lines.push(one(
                    "The link contains no peer address: peers outside this network need ours (--peer).",
                ));
            }
        }
        lines.push(self.reach(port));
        lines
    }

    /// The sentence about who learns of the torrent, and who can download it.
    fn learns(&self, given: &Given, link: &Magnet) -> String {
        if self.lan {
            return match (given.private, self.is_here_only()) {
                (true, _) => "Not announced anywhere; only someone with this link can download it.",
                (false, true) => "Not announced outside this machine.",
                (false, false) => "Announced on the local network only.",
            }
            .to_owned();
        }
        let announced = match (self.dht_finds(given), link.trackers.is_empty()) {
            (false, true) => "",
            (false, false) => "; announced to its trackers",
            (true, true) => "; announced to the DHT",
            (true, false) => "; announced to the DHT and its trackers",
        };
        let lan = if self.is_here_only() { "" } else { " --lan keeps it local." };
        format!("Anyone with this link can download{announced}.{lan}")
    }

    /// Whether the distributed hash table leads to us. It does not know of what listens on loopback.
    fn dht_finds(&self, given: &Given) -> bool {
        self.dht && !given.private && !self.is_here_only()
    }

    /// Whether local peer discovery (BEP 14) finds the torrent.
    fn multicast_finds(&self, given: &Given) -> bool {
        self.lsd && !given.private && !self.is_here_only()
    }

    /// Nobody on another machine can reach us.
    fn is_here_only(&self) -> bool {
        !self.addresses.is_empty() && self.addresses.iter().all(IpAddr::is_loopback)
    }

    /// Where we can be reached from.
    fn reach(&self, port: Option<u16>) -> Vec<String> {
        let Some(port) = port else { return vec!["Peers cannot connect to us: no port is open.".to_owned()] };
        if self.addresses.is_empty() {
            return vec![format!("Our own addresses are unknown; peers connect to port {port}.")];
        }
        if self.is_here_only() {
            let why = if self.bound { "" } else { ": no network" };
            return vec![format!("this machine only{why}")];
        }
        let near = "same network: ready".to_owned();
        if self.lan {
            return vec![near];
        }
        let outside = |v6: bool| self.addresses.iter().any(|ip| ip.is_ipv6() == v6 && !is_local(*ip));
        let internet = match (outside(false), outside(true)) {
            (true, _) => format!("port {port} must be open; not yet confirmed from outside"),
            (false, true) => format!("by IPv6 if port {port} is open, by IPv4 if the router forwards it"),
            (false, false) => format!("only if the router forwards port {port} to this machine"),
        };
        vec![near, format!("internet: {internet}")]
    }
}

/// Lines no wider than this, each behind a blank. Parts that do not fit beside one another stand below one
/// another.
pub(super) fn laid_out(lines: &[Vec<String>], columns: usize) -> Vec<String> {
    let room = columns.saturating_sub(1).max(1);
    let fitting = |parts: &Vec<String>| {
        let line = parts.join(BETWEEN);
        if width(&line) <= room {
            vec![line]
        } else {
            parts.iter().flat_map(|part| wrap(part, room)).collect()
        }
    };
    lines.iter().flat_map(fitting).map(|line| format!(" {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::InfoHashes;

    fn given(private: bool) -> Given {
        Given {
            magnet: Magnet::new(InfoHashes::from_v1([0xab; 20])),
            facts: "1 file".to_owned(),
            private,
            keeps_trackers: false,
            files: Vec::new(),
            path: "x".into(),
        }
    }

    fn links(addresses: &[&str]) -> Links {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Links { addresses, ..Links::default() }
    }

    fn said(links: &Links, given: &Given) -> Vec<String> {
        let mut link = given.magnet.clone();
        if !links.hide_addresses {
            link.peers = links.addresses(Some(5));
        }
        links.who(given, &link, Some(5)).iter().map(|parts| parts.join(BETWEEN)).collect()
    }

    const NOBODY: &str = "The link contains no peer address: the other side needs ours (--peer).";

    #[test]
    fn only_what_is_known_is_said() {
        let open = "Anyone with this link can download. --lan keeps it local.";
        let local = links(&["192.168.1.20"]);
        let forwarded = "same network: ready    internet: only if the router forwards port 5 to this machine";
        assert_eq!(said(&local, &given(false)), [open, forwarded]);
        let dht = Links { dht: true, ..local.clone() };
        assert_eq!(
            said(&dht, &given(false))[0],
            "Anyone with this link can download; announced to the DHT. --lan keeps it local."
        );
        assert_eq!(said(&dht, &given(true))[0], open);
        let both = links(&["192.168.1.20", "203.0.113.40"]);
        assert!(
            said(&both, &given(false))[1].ends_with("port 5 must be open; not yet confirmed from outside")
        );
        assert!(said(&links(&["10.0.0.1", "2001:db8::1"]), &given(false))[1].contains("by IPv6 if port 5"));
        let hidden = Links { hide_addresses: true, ..local.clone() };
        assert_eq!(said(&hidden, &given(false)), [open, NOBODY, forwarded]);
        let heard = Links { lsd: true, ..hidden };
        assert!(said(&heard, &given(false))[1].contains("peers outside this network need ours"));
        assert_eq!(said(&heard, &given(true)), [open, NOBODY, forwarded]);
        assert_eq!(said(&links(&[]), &given(false))[1], NOBODY);
        assert_eq!(local.reach(None), ["Peers cannot connect to us: no port is open."]);
    }

    #[test]
    fn what_listens_on_loopback_is_found_by_nobody_else() {
        let bound = Links { bound: true, dht: true, lsd: true, ..links(&["127.0.0.1"]) };
        assert_eq!(said(&bound, &given(false)), ["Anyone with this link can download.", "this machine only"]);
        let alone = Links { bound: false, lan: true, ..bound };
        let words = ["Not announced outside this machine.", "this machine only: no network"];
        assert_eq!(said(&alone, &given(false)), words);
    }

    #[test]
    fn the_local_network_is_told_only_where_it_is() {
        let lan = Links { lan: true, lsd: true, ..links(&["192.168.1.20", "203.0.113.40"]) };
        let (told, ready) = ("Announced on the local network only.", "same network: ready");
        assert_eq!(said(&lan, &given(false)), [told, ready]);
        assert_eq!(lan.addresses(Some(5)), ["192.168.1.20:5".parse().unwrap()]);
        let none = "The link contains no peer address: peers on the same network find it by multicast.";
        let hidden = Links { hide_addresses: true, ..lan.clone() };
        let outside = Links { addresses: vec!["203.0.113.40".parse().unwrap()], ..lan.clone() };
        for links in [&hidden, &outside] {
            assert_eq!(said(links, &given(false)), [told, none]);
        }
        // A private torrent is not told of by multicast either.
        let secret = "Not announced anywhere; only someone with this link can download it.";
        assert_eq!(said(&lan, &given(true)), [secret, ready]);
        assert_eq!(said(&hidden, &given(true)), [secret, NOBODY]);
    }

    #[test]
    fn trackers_that_are_left_out_are_told_of() {
        let private = Given { keeps_trackers: true, ..given(true) };
        let said = said(&links(&["192.168.1.20"]), &private);
        assert!(said[1].starts_with("The link leaves out its trackers, "), "{said:?}");
    }

    #[test]
    fn lines_are_broken_between_parts_and_then_between_words() {
        let lines = links(&["192.168.1.20"]).who(&given(false), &given(false).magnet, Some(51_999));
        let wide = laid_out(&lines, 100);
        assert_eq!(wide.len(), lines.len());
        let laid = laid_out(&lines, 79);
        assert!(laid.iter().all(|line| width(line) <= 79), "{laid:?}");
        let last = " internet: only if the router forwards port 51999 to this machine";
        assert_eq!(laid[laid.len() - 2..], [" same network: ready", last]);
    }
}
