//! Links of one request that lead to the same torrent: each may know what the others do not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::app::input::Link;
use crate::proto::magnet::Magnet;

/// The most of anything that is taken from links to one torrent.
const MAX_MERGED: usize = 200;

/// The merged links of a request, by the digits under which peers know a torrent.
#[derive(Clone, Debug, Default)]
pub struct MergedMagnets(BTreeMap<[u8; 20], Magnet>);

impl MergedMagnets {
    /// Of these arguments. A link that cannot be read is told of when its turn comes.
    pub fn of(arguments: &[PathBuf]) -> Self {
        let mut all = BTreeMap::new();
        if arguments.len() < 2 {
            return Self(all);
        }
        for Link { magnet, .. } in arguments.iter().filter_map(|argument| Link::of(argument).ok()?) {
            all.entry(magnet.info_hash.wire()).and_modify(|known| add(known, &magnet)).or_insert(magnet);
        }
        Self(all)
    }

    /// Adds to a link what the others say.
    pub fn complete(&self, link: &mut Magnet) {
        if let Some(all) = self.0.get(&link.info_hash.wire()) {
            add(link, all);
        }
    }
}

/// Adds what another link to the same torrent knows. Which files are chosen is for the first one to say.
fn add(link: &mut Magnet, other: &Magnet) {
    more(&mut link.trackers, &other.trackers);
    more(&mut link.peers, &other.peers);
    more(&mut link.named_peers, &other.named_peers);
    more(&mut link.web_seeds, &other.web_seeds);
    if link.name.is_none() {
        link.name.clone_from(&other.name);
    }
}

fn more<T: Clone + PartialEq>(known: &mut Vec<T>, others: &[T]) {
    for one in others {
        if known.len() < MAX_MERGED && !known.contains(one) {
            known.push(one.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn links_to_one_torrent_share_what_they_know() {
        let link = |rest: &str| format!("magnet:?xt=urn:btih:{}{rest}", "ab".repeat(20));
        let first = link("&tr=udp://a:1&x.pe=192.0.2.1:5&so=0");
        let second = link("&dn=x&tr=udp://a:1&tr=udp://b:1&x.pe=192.0.2.2:5&x.pe=host.example:7&so=1");
        let other = "cd".repeat(20);
        let arguments = [&first, &second, &other, "magnet:?bad", "a.torrent"].map(PathBuf::from);
        let together = MergedMagnets::of(&arguments);
        let complete = |argument: &str| {
            let mut magnet = Link::of(Path::new(argument)).unwrap().unwrap().magnet;
            together.complete(&mut magnet);
            magnet
        };
        let all = complete(&first);
        assert_eq!(all.trackers, ["udp://a:1".into(), "udp://b:1".into()]);
        assert_eq!(all.peers, ["192.0.2.1:5".parse().unwrap(), "192.0.2.2:5".parse().unwrap()]);
        assert_eq!((all.named_peers.len(), all.select, all.name), (1, vec![0..=0], Some("x".into())));
        assert!(complete(&other).trackers.is_empty());
    }
}
