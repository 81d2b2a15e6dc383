//! From a tracker's name to the addresses that may be connected to.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

use super::ssrf::{Reach, TrackerUrl};

/// The most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;

/// Resolves a tracker's host and keeps the addresses that no rule forbids. `from` is where the answer
/// came from that redirected here; `bind` is the address we are told to use, whose family is then the only one.
/// Errors are sentences.
pub async fn resolve(
    tracker: &TrackerUrl,
    from: Option<Reach>,
    bind: Option<IpAddr>,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let found: Vec<SocketAddr> = match &tracker.host {
        Host::Ipv4(v4) => vec![(*v4, tracker.port).into()],
        Host::Ipv6(v6) => vec![(*v6, tracker.port).into()],
        Host::Domain(name) => {
            let answer = tokio::net::lookup_host((name.as_str(), tracker.port)).await;
            answer.map_err(|_| ResolveError::Unknown)?.collect()
        }
    };
    if found.is_empty() {
        return Err(ResolveError::Unknown);
    }
    let mut allowed: Vec<SocketAddr> = Vec::new();
    let mut refusal = None;
    for addr in found {
        match tracker.may_reach(addr.ip(), from) {
            Ok(()) if !allowed.contains(&addr) => allowed.push(addr),
            Ok(()) => {}
            Err(why) => refusal = Some(why),
        }
    }
    if let (true, Some(why)) = (allowed.is_empty(), refusal) {
        return Err(ResolveError::Refused(why.to_string()));
    }
    allowed.retain(|addr| bind.is_none_or(|ours| ours.is_ipv4() == addr.is_ipv4()));
    if allowed.is_empty() {
        return Err(ResolveError::Refused(
            "the tracker has no address of the kind we are bound to".to_owned(),
        ));
    }
    allowed.truncate(MAX_ADDRESSES);
    Ok(allowed)
}

/// Why there is no address to connect to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ResolveError {
    /// The name is not known here. A proxy may know it.
    Unknown,
    /// There are addresses, and none may be used; a sentence.
    Refused(String),
}

impl std::fmt::Display for ResolveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("the tracker's name does not resolve"),
            Self::Refused(sentence) => f.write_str(sentence),
        }
    }
}

/// Gives an HTTP client the addresses that were checked, so that a second look-up with another answer
/// cannot lead elsewhere. Other names (that of a proxy) are looked up as usual.
pub struct Pinned {
    /// The name.
    pub host: String,
    /// Its addresses; with none, only a proxy can reach it.
    pub addrs: Vec<SocketAddr>,
}

impl Resolve for Pinned {
    fn resolve(&self, name: Name) -> Resolving {
        if name.as_str().eq_ignore_ascii_case(&self.host) {
            let addrs: Addrs = Box::new(self.addrs.clone().into_iter());
            return Box::pin(std::future::ready(Ok(addrs)));
        }
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addrs: Addrs = Box::new(found.into_iter());
            Ok(addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &str, from: Option<Reach>, bind: Option<&str>) -> Result<Vec<SocketAddr>, ResolveError> {
        let tracker = TrackerUrl::parse(text).expect("a test address");
        let bind = bind.map(|ip| ip.parse().expect("a test address"));
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(resolve(&tracker, from, bind))
    }

    #[test]
    fn the_rules_are_applied_to_what_a_name_resolves_to() {
        assert!(look("http://localhost:80/announce", None, None).is_ok_and(|found| !found.is_empty()));
        for (text, from) in [
            ("http://localhost:80/admin", None),
            ("http://localhost:80/announce", Some(Reach::Global)),
            ("http://[::ffff:127.0.0.1]/announce", Some(Reach::Global)),
            ("http://127.1/", None),
        ] {
            assert!(matches!(look(text, from, None), Err(ResolveError::Refused(_))), "{text}");
        }
    }

    #[test]
    fn a_bound_client_stays_in_its_family() {
        assert!(look("http://127.0.0.1:80/announce", None, Some("127.0.0.1")).is_ok());
        assert!(matches!(
            look("http://127.0.0.1:80/announce", None, Some("::1")),
            Err(ResolveError::Refused(_))
        ));
    }
}
