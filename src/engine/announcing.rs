//! Announces to trackers, one for each swarm of a torrent.

use super::network::Network;
use crate::proto::announce::{Announce, AnnounceReply};
use crate::swarm::event::TrackerFailure;

impl Network {
    /// Announces a torrent to a tracker. A hybrid torrent belongs to two swarms (BEP 52): the reply is that
    /// of the first swarm, with the peers of both.
    pub(super) async fn announce(
        &self,
        url: &str,
        announce: &Announce,
    ) -> Result<AnnounceReply, TrackerFailure> {
        let mut swarms =
            announce.info_hash.swarms().map(|info_hash| Announce { info_hash, ..announce.clone() });
        let (Some(first), Some(second)) = (swarms.next(), swarms.next()) else {
            return self.trackers.announce(url, announce).await;
        };
        let answers = tokio::join!(self.trackers.announce(url, &first), self.trackers.announce(url, &second));
        match answers {
            (Ok(mut first), Ok(second)) => {
                let new: Vec<_> =
                    second.peers.into_iter().filter(|peer| !first.peers.contains(peer)).collect();
                first.peers.extend(new);
                (first.seeds, first.leechers) =
                    (first.seeds.max(second.seeds), first.leechers.max(second.leechers));
                Ok(first)
            }
            // A tracker may know only one of the swarms.
            (Err(_), Ok(second)) => Ok(second),
            (first, Err(_)) => first,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::*;
    use crate::base::{InfoHashes, PeerId};
    use crate::engine::config::EngineConfig;
    use crate::engine::shared::Shared;
    use crate::proto::announce::AnnounceEvent;

    /// A tracker that knows these peers, each under one info-hash, and refuses other info-hashes.
    async fn tracker(known: Vec<(&'static str, u8)>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/announce", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let known = known.clone();
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.unwrap());
                    }
                    let head = String::from_utf8(head).unwrap();
                    let body = match known.iter().find(|(name, _)| head.contains(&name.repeat(20))) {
                        Some(&(_, peer)) => {
                            [b"d8:intervali1800e5:peers6:\x7f\0\0".as_slice(), &[peer, 0, 7], b"e"].concat()
                        }
                        None => b"d14:failure reason12:unregisterede".to_vec(),
                    };
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                    let _ = stream.write_all(&[answer.as_bytes(), &body].concat()).await;
                });
            }
        });
        url
    }

    #[tokio::test]
    async fn a_hybrid_torrent_is_announced_to_both_of_its_swarms() {
        let config = EngineConfig { bind: Some([127, 0, 0, 1].into()), ..EngineConfig::default() };
        let shared = Shared::start(config, mpsc::unbounded_channel().0).await.expect("loopback is there");
        let announce = |info_hash| Announce {
            info_hash,
            peer_id: PeerId([9; 20]),
            port: 6881,
            uploaded: 0,
            downloaded: 0,
            left: 1,
            event: AnnounceEvent::Started,
            key: 7,
            numwant: None,
            ip: None,
            tracker_id: None,
        };
        let (hybrid, old) = (InfoHashes::hybrid([1; 20], [2; 32]), InfoHashes::from_v1([1; 20]));
        let (first, second) = (("%01", 1), ("%02", 2));
        let cases = [
            (vec![first, second], hybrid, vec![1, 2]),
            (vec![first], hybrid, vec![1]),
            (vec![second], hybrid, vec![2]),
            (vec![first, second], old, vec![1]),
            (vec![], hybrid, vec![]),
        ];
        for (known, torrent, right) in cases {
            let url = tracker(known).await;
            let answer =
                timeout(Duration::from_secs(20), shared.network.announce(&url, &announce(torrent))).await;
            let answer = answer.expect("in time");
            assert_eq!(answer.is_ok(), !right.is_empty(), "{answer:?}");
            let peers = answer.map(|reply| reply.peers).unwrap_or_default();
            let peers: BTreeSet<String> = peers.iter().map(ToString::to_string).collect();
            assert_eq!(peers, right.iter().map(|n| format!("127.0.0.{n}:7")).collect());
        }
        shared.stop().await;
    }
}
