//! From a tracker's name to the addresses that may be connected to.

use std::net::{IpAddr, SocketAddr};

use tokio::sync::Semaphore;
use url::Host;

use crate::net::Bind;
use crate::proto::tracker_udp::Family;

use super::ssrf::{Reach, TrackerUrl};

/// The most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;
/// So many names are looked up at once: each takes a thread for as long as the system tries.
static NAMES: Semaphore = Semaphore::const_new(32);

/// Resolves a tracker's host and keeps the addresses that no rule forbids. `from` is where the answer
/// came from that redirected here; addresses outside of `families` are left out.
pub async fn resolve(
    tracker: &TrackerUrl,
    from: Option<Reach>,
    families: Families,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let found: Vec<SocketAddr> = match &tracker.host {
        Host::Ipv4(v4) => vec![(*v4, tracker.port).into()],
        Host::Ipv6(v6) => vec![(*v6, tracker.port).into()],
        Host::Domain(name) => {
            let _lane = NAMES.acquire().await;
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
    allowed.retain(|addr| families.contain(addr.ip()));
    if allowed.is_empty() {
        return Err(ResolveError::Refused("the tracker has no address that we can use".to_owned()));
    }
    allowed.truncate(MAX_ADDRESSES);
    Ok(allowed)
}

/// The families whose addresses may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Families {
    v4: bool,
    v6: bool,
}

impl Families {
    /// Those that can be reached from these addresses of ours.
    pub fn of(bind: Bind) -> Self {
        Self { v4: bind.v4.is_some(), v6: bind.v6.is_some() }
    }

    /// This one alone.
    pub fn only(family: Family) -> Self {
        Self { v4: family == Family::V4, v6: family == Family::V6 }
    }

    fn contain(self, ip: IpAddr) -> bool {
        if ip.is_ipv4() { self.v4 } else { self.v6 }
    }
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
            Self::Unknown => f.write_str("the tracker's host was not found"),
            Self::Refused(sentence) => f.write_str(sentence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &str, from: Option<Reach>, bind: Bind) -> Result<Vec<SocketAddr>, ResolveError> {
        let tracker = TrackerUrl::parse(text).expect("a test address");
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(resolve(&tracker, from, Families::of(bind)))
    }

    #[test]
    fn the_rules_are_applied_to_what_a_name_resolves_to() {
        assert!(look("http://localhost:80/announce", None, Bind::ANY).is_ok_and(|found| !found.is_empty()));
        for (text, from) in [
            ("http://localhost:80/admin", None),
            ("http://localhost:80/announce", Some(Reach::Global)),
            ("http://[::ffff:127.0.0.1]/announce", Some(Reach::Global)),
            ("http://127.1/", None),
        ] {
            assert!(matches!(look(text, from, Bind::ANY), Err(ResolveError::Refused(_))), "{text}");
        }
    }

    #[test]
    fn a_bound_client_stays_in_its_family() {
        let (v4, v6) = (Bind { v6: None, ..Bind::ANY }, Bind { v4: None, ..Bind::ANY });
        assert!(look("http://127.0.0.1:80/announce", None, v4).is_ok());
        assert!(look("http://[::1]:80/announce", None, v6).is_ok());
        for (text, bind) in [("http://127.0.0.1:80/announce", v6), ("http://[::1]:80/announce", v4)] {
            assert!(matches!(look(text, None, bind), Err(ResolveError::Refused(_))), "{text}");
        }
    }
}
