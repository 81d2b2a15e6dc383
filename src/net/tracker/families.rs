//! One announce over both address families (BEP 7).
//!
//! A tracker knows us under the address it was asked from. Who is asked over IPv6 alone never tells the
//! IPv4 half of the swarm about us, so a tracker that has both kinds of addresses is asked over both.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::proto::announce::AnnounceReply;
use crate::proto::tracker_udp::Family;
use crate::swarm::event::TrackerFailure;

/// How long the slower family is waited for once the faster one has answered: a half that is cut off must not
/// keep back the peers of the other.
const GRACE: Duration = Duration::from_secs(1);

/// Announces over both families at once. One answer is enough; if both come, they are told as one.
pub async fn over_both<F>(announce: impl Fn(Family) -> F) -> Result<AnnounceReply, TrackerFailure>
where
    F: Future<Output = Result<AnnounceReply, TrackerFailure>>,
{
    let (v4, v6) = (Box::pin(announce(Family::V4)), Box::pin(announce(Family::V6)));
    let (first, other) = match select(v4, v6).await {
        Either::Left((first, other)) | Either::Right((first, other)) => (first, other),
    };
    match first {
        Ok(reply) => match tokio::time::timeout(GRACE, other).await {
            Ok(Ok(second)) => Ok(merge(reply, second)),
            Ok(Err(_)) | Err(_) => Ok(reply),
        },
        Err(failure) => other.await.map_err(|second| graver(failure, second)),
    }
}

fn merge(first: AnnounceReply, second: AnnounceReply) -> AnnounceReply {
    let mut peers = first.peers;
    let known: BTreeSet<_> = peers.iter().copied().collect();
    peers.extend(second.peers.into_iter().filter(|peer| !known.contains(peer)));
    AnnounceReply {
        interval: first.interval.max(second.interval),
        claimed_interval: first.claimed_interval.max(second.claimed_interval),
        min_interval: first.min_interval.max(second.min_interval),
        peers,
        seeds: first.seeds.max(second.seeds),
        leechers: first.leechers.max(second.leechers),
        downloaded: first.downloaded.max(second.downloaded),
        external_ip: first.external_ip.or(second.external_ip),
        warning: first.warning.or(second.warning),
        tracker_id: first.tracker_id.or(second.tracker_id),
    }
}

/// The tracker's own words say more than that it cannot be reached the other way.
fn graver(first: TrackerFailure, second: TrackerFailure) -> TrackerFailure {
    if matches!(first, TrackerFailure::Refused(..)) { first } else { second }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(peers: &[&str], seconds: u64, seeds: Option<u32>) -> AnnounceReply {
        let peers = peers.iter().map(|peer| peer.parse().expect("a test address")).collect();
        AnnounceReply { interval: Duration::from_secs(seconds), peers, seeds, ..AnnounceReply::default() }
    }

    fn failure(sentence: &str) -> TrackerFailure {
        TrackerFailure::Unreachable(sentence.to_owned())
    }

    #[tokio::test]
    async fn two_answers_become_one() {
        let both = over_both(|family| async move {
            Ok(match family {
                Family::V4 => reply(&["1.2.3.4:5", "1.2.3.4:6"], 100, Some(3)),
                Family::V6 => reply(&["[2001:db8::1]:5", "1.2.3.4:6"], 200, None),
            })
        })
        .await;
        assert_eq!(both, Ok(reply(&["1.2.3.4:5", "1.2.3.4:6", "[2001:db8::1]:5"], 200, Some(3))));
    }

    #[tokio::test]
    async fn one_answer_is_enough() {
        let alone = || reply(&["1.2.3.4:5"], 100, None);
        let half = over_both(|family| async move {
            match family {
                Family::V4 => Ok(alone()),
                Family::V6 => std::future::pending().await,
            }
        })
        .await;
        assert_eq!(half, Ok(alone()));
        let late = over_both(|family| async move {
            match family {
                Family::V4 => {
                    tokio::task::yield_now().await;
                    Ok(alone())
                }
                Family::V6 => Err(failure("no IPv6 here")),
            }
        })
        .await;
        assert_eq!(late, Ok(alone()));
    }

    #[tokio::test]
    async fn a_refusal_outweighs_silence() {
        let refused = || TrackerFailure::Refused("not yours".into(), None);
        for refusing in [Family::V4, Family::V6] {
            let answer = over_both(|family| async move {
                Err(if family == refusing { refused() } else { failure("dead") })
            })
            .await;
            assert_eq!(answer, Err(refused()));
        }
    }
}
