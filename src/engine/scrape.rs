//! Scrapes: the swarm sizes that trackers report, without joining the swarm (BEP 48, BEP 15).

use std::time::Duration;

use tokio::task::JoinSet;

use crate::base::{InfoHashes, Untrusted};
use crate::net::tracker::{TrackerConfig, Trackers};
use crate::proto::announce::ScrapeCounts;
use crate::swarm::event::TrackerFailure;

/// The counts of a tracker, or the failure as a sentence, clean for a terminal.
pub type ScrapeResult = Result<ScrapeCounts, String>;

/// Scrapes all trackers at once, within `timeout`. The results are in the order of the URLs.
pub async fn scrape_trackers(
    urls: Vec<String>,
    info_hash: InfoHashes,
    timeout: Duration,
) -> Vec<ScrapeResult> {
    let config = TrackerConfig {
        deadline: timeout,
        connect_timeout: TrackerConfig::default().connect_timeout.min(timeout),
        stall_timeout: TrackerConfig::default().stall_timeout.min(timeout),
        // One lost datagram must not make the tracker fail.
        udp_first_wait: TrackerConfig::default().udp_first_wait.min(timeout / 4),
        ..TrackerConfig::default()
    };
    let trackers = std::sync::Arc::new(Trackers::new(config));
    let mut answers: Vec<ScrapeResult> = vec![Err("the tracker was not asked".to_owned()); urls.len()];
    let mut asking = JoinSet::new();
    for (at, url) in urls.into_iter().enumerate() {
        let trackers = trackers.clone();
        asking.spawn(async move { (at, trackers.scrape(&url, info_hash).await) });
    }
    while let Some(ended) = asking.join_next().await {
        let Ok((at, answer)) = ended else { continue };
        answers[at] = match answer {
            Ok(reply) => Ok(reply.torrents.first().map(|(_, counts)| *counts).unwrap_or_default()),
            Err(TrackerFailure::Refused(words, _)) => Err(format!("the tracker says: {words}")),
            Err(TrackerFailure::Unreachable(sentence)) => Err(Untrusted::new(sentence).clean()),
        };
    }
    answers
}
