//! Asking trackers: one door for HTTP (BEP 3, 7, 23, 24, 31, 48) and UDP (BEP 15, 41).
//!
//! The addresses come from torrents, so from strangers: `ssrf` says which of them may be asked, `resolve`
//! applies that to what a name resolves to. Every request runs on its own and may be dropped at any await.

mod families;
mod http;
mod lanes;
mod resolve;
pub mod ssrf;
mod udp;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::{InfoHashes, is_near, means_the_same};
use crate::net::Bind;
use crate::net::web::client::may_use_proxy;
use crate::proto::announce::{Announce, AnnounceEvent, AnnounceReply, Refusal, Retry, ScrapeReply};
use crate::proto::tracker_http;
use crate::swarm::event::TrackerFailure;

use families::over_both;
use http::{Http, Page};
use lanes::Lanes;
use resolve::{Families, resolve};
use ssrf::{TrackerUrl, Way};
use udp::Udp;

/// How trackers are asked.
#[derive(Clone, Debug)]
pub struct TrackerConfig {
    /// Our addresses to ask from. Trackers without an address of their families are not asked.
    pub bind: Bind,
    /// How long a request may take in all.
    pub deadline: Duration,
    /// How long the goodbye (`stopped`) may take in all.
    pub stopped_deadline: Duration,
    /// How long a TCP connection may take to come about.
    pub connect_timeout: Duration,
    /// How long the body of an HTTP answer may pause.
    pub stall_timeout: Duration,
    /// How long the first answer of a UDP tracker is waited for; doubled with each round (BEP 15).
    pub udp_first_wait: Duration,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            bind: Bind::ANY,
            deadline: Duration::from_secs(60),
            stopped_deadline: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(10),
            udp_first_wait: Duration::from_secs(15),
        }
    }
}

/// The way to all trackers. Requests run side by side; one dead tracker delays no other.
pub struct Trackers {
    config: TrackerConfig,
    http: Http,
    udp: Udp,
    lanes: Lanes,
}

impl Trackers {
    /// A way to trackers. Opens nothing yet.
    pub fn new(config: TrackerConfig) -> Self {
        Self {
            http: Http::new(config.bind, config.connect_timeout, config.stall_timeout),
            udp: Udp::new(config.bind, config.udp_first_wait),
            lanes: Lanes::default(),
            config,
        }
    }

    /// Announces to the tracker at this address. A refusal that is to be for ever (BEP 31) says
    /// [`Duration::MAX`].
    pub async fn announce(&self, url: &str, announce: &Announce) -> Result<AnnounceReply, TrackerFailure> {
        let deadline = match announce.event {
            AnnounceEvent::Stopped => self.config.stopped_deadline,
            _ => self.config.deadline,
        };
        let tracker = parse(url)?;
        self.within(deadline, &tracker, async {
            if self.has_both(&tracker).await {
                return over_both(|family| self.announce_over(&tracker, Families::only(family), announce))
                    .await;
            }
            self.announce_over(&tracker, Families::of(self.config.bind), announce).await
        })
        .await
    }

    /// Asks the tracker at this address how many peers a torrent has. The answer is about that torrent only.
    pub async fn scrape(&self, url: &str, info_hash: InfoHashes) -> Result<ScrapeReply, TrackerFailure> {
        let tracker = parse(url)?;
        let families = Families::of(self.config.bind);
        let mut reply = self
            .within(self.config.deadline, &tracker, async {
                match tracker.way {
                    Way::Http => {
                        let url = tracker_http::scrape_url(tracker.url.as_str(), &[info_hash]);
                        let page = self.fetch(&tracker, families, url).await?;
                        read(&page, tracker_http::read_scrape)
                    }
                    Way::Udp => self.udp.scrape(&tracker, families, info_hash).await,
                }
            })
            .await?;
        reply.torrents.retain(|(hash, _)| hash.wire() == info_hash.wire());
        if reply.torrents.is_empty() {
            return Err(unreachable("the tracker's response does not mention the torrent"));
        }
        Ok(reply)
    }

    async fn announce_over(
        &self,
        tracker: &TrackerUrl,
        families: Families,
        announce: &Announce,
    ) -> Result<AnnounceReply, TrackerFailure> {
        match tracker.way {
            Way::Http => {
                let url = tracker_http::announce_url(tracker.url.as_str(), announce);
                let page = self.fetch(tracker, families, url).await?;
                let mut reply = read(&page, tracker_http::read_announce)?;
                reply.peers.retain(|peer| is_meant(peer.ip(), page.near));
                Ok(reply)
            }
            Way::Udp => self.udp.announce(tracker, families, announce).await,
        }
    }

    /// Whether the tracker has addresses of both families that we may use. Behind a proxy we have but one address.
    async fn has_both(&self, tracker: &TrackerUrl) -> bool {
        if tracker.way == Way::Http && may_use_proxy() {
            return false;
        }
        let addrs = resolve(tracker, None, Families::of(self.config.bind)).await.unwrap_or_default();
        addrs.iter().any(SocketAddr::is_ipv4) && addrs.iter().any(SocketAddr::is_ipv6)
    }

    /// Runs a request within its time, of which waiting for a lane is part.
    async fn within<T>(
        &self,
        deadline: Duration,
        tracker: &TrackerUrl,
        request: impl Future<Output = Result<T, TrackerFailure>>,
    ) -> Result<T, TrackerFailure> {
        let lane = format!("{}://{}:{}", tracker.url.scheme(), tracker.host, tracker.port);
        let run = async {
            let _lane = self.lanes.enter(lane).await;
            request.await
        };
        tokio::time::timeout(deadline, run)
            .await
            .unwrap_or_else(|_| Err(unreachable(TrackerFailure::NO_ANSWER)))
    }

    async fn fetch(
        &self,
        tracker: &TrackerUrl,
        families: Families,
        url: Result<String, tracker_http::UrlError>,
    ) -> Result<Page, TrackerFailure> {
        let url = url.map_err(|why| unreachable(why.to_string()))?;
        let there = tracker.asking(&url).map_err(|why| unreachable(why.to_string()))?;
        self.http.get(there, families).await.map_err(unreachable)
    }
}

/// Whether a peer can be what a tracker at this address means by it. One on the Internet cannot know our own network,
/// and could have us knock at every door of it.
fn is_meant(peer: IpAddr, tracker: Option<IpAddr>) -> bool {
    tracker.map_or(!is_near(peer), |tracker| means_the_same(peer, tracker))
}

fn parse(url: &str) -> Result<TrackerUrl, TrackerFailure> {
    TrackerUrl::parse(url).map_err(|why| unreachable(why.to_string()))
}

/// Reads a page. A refusal counts whatever the status; anything else only with a status of success.
fn read<T>(
    page: &Page,
    read: impl FnOnce(&[u8]) -> Result<T, tracker_http::ReplyError>,
) -> Result<T, TrackerFailure> {
    match read(&page.body) {
        Err(tracker_http::ReplyError::Refused(refusal)) => Err(refused(refusal)),
        _ if !page.status.is_success() => {
            Err(unreachable(format!("the tracker answered with HTTP {}", page.status)))
        }
        Ok(reply) => Ok(reply),
        Err(_) if page.body.trim_ascii_start().starts_with(b"<") => {
            Err(unreachable("the tracker answered with a web page"))
        }
        Err(why) => Err(unreachable(why.to_string())),
    }
}

fn refused(refusal: Refusal) -> TrackerFailure {
    let again = refusal.retry.map(|retry| match retry {
        Retry::After(time) => time,
        Retry::Never => Duration::MAX,
    });
    TrackerFailure::Refused(refusal.reason, again)
}

fn unreachable(sentence: impl Into<String>) -> TrackerFailure {
    TrackerFailure::Unreachable(sentence.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracker_far_away_cannot_mean_our_neighbours() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for near in ["127.0.0.1", "192.168.1.20", "fd00::1"] {
            assert!(!is_meant(ip(near), None) && !is_meant(ip(near), Some(ip("8.8.8.8"))), "{near}");
            assert!(is_meant(ip(near), Some(ip("127.0.0.1"))), "{near}");
        }
        assert!(is_meant(ip("192.168.1.20"), Some(ip("192.168.1.1"))));
        assert!(is_meant(ip("9.9.9.9"), None) && is_meant(ip("9.9.9.9"), Some(ip("192.168.1.1"))));
    }
}
