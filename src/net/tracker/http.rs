//! One request to an HTTP tracker: every hop checked, every byte counted.
//!
//! Each hop gets a client of its own, pinned to the addresses that were just checked. Announces are minutes
//! apart, so there is no connection worth keeping.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::{Response, StatusCode};

use crate::net::Bind;
use crate::net::web::client::{Clients, MAX_REDIRECTS, may_use_proxy, redirection, sentence};

use super::resolve::{Families, ResolveError, resolve};
use super::ssrf::{Forbidden, Reach, TrackerUrl};

/// The longest answer that is read, after inflating.
pub const MAX_BODY: usize = 1024 * 1024;
/// Whom errors speak of.
const WHO: &str = "the tracker";

/// An answer, whatever its status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// The address of the last hop, where all hops were on this machine or the local network.
    pub near: Option<IpAddr>,
    /// The status of the last hop.
    pub status: StatusCode,
    /// The inflated body.
    pub body: Vec<u8>,
}

/// The way to HTTP trackers.
pub struct Http {
    clients: Clients,
    stall_timeout: Duration,
}

impl Http {
    /// A way that leaves through these addresses.
    pub const fn new(bind: Bind, connect_timeout: Duration, stall_timeout: Duration) -> Self {
        Self { clients: Clients::new(bind, connect_timeout), stall_timeout }
    }

    /// Fetches what is at this address, following redirects as far as the rules allow. Errors are sentences.
    pub async fn get(&self, start: TrackerUrl, families: Families) -> Result<Page, String> {
        let mut here = start;
        let mut from = None;
        for _ in 0..=MAX_REDIRECTS {
            let addrs = addresses(&here, from, families).await?;
            // Once an answer has come from the internet, the chain stays suspect.
            let global = addrs.is_empty() || addrs.iter().any(|addr| Reach::of(addr.ip()) == Reach::Global);
            from = if global { Some(Reach::Global) } else { from.or(Some(Reach::Local)) };

            let near = addrs.first().map(SocketAddr::ip).filter(|_| from == Some(Reach::Local));
            let request = self.clients.to(&here.url, addrs, WHO)?.get(here.url.clone());
            let response = request.send().await.map_err(|error| sentence(&error, WHO))?;
            let Some(location) = redirection(&response) else { return self.read(response, near).await };
            here = here.redirected(&location).map_err(|why| why.to_string())?;
        }
        Err(Forbidden::RedirectLoop.to_string())
    }

    async fn read(&self, mut response: Response, near: Option<IpAddr>) -> Result<Page, String> {
        let status = response.status();
        let mut body = Vec::new();
        // What frames a body is not counted as part of it, so a body that does not grow has to end too.
        while let Some(chunk) = tokio::time::timeout(self.stall_timeout, response.chunk())
            .await
            .map_err(|_| "the tracker's response stalled".to_owned())?
            .map_err(|error| sentence(&error, WHO))?
        {
            if body.len() + chunk.len() > MAX_BODY {
                return Err("the tracker's response is larger than 1 MiB".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Page { near, status, body })
    }
}

async fn addresses(
    here: &TrackerUrl,
    from: Option<Reach>,
    families: Families,
) -> Result<Vec<SocketAddr>, String> {
    match resolve(here, from, families).await {
        Ok(addrs) => Ok(addrs),
        // Behind a proxy it is usual that names are known to the proxy alone. Pinned to no address at all,
        // the client can only go through it.
        Err(ResolveError::Unknown) if may_use_proxy() => Ok(Vec::new()),
        Err(why) => Err(why.to_string()),
    }
}
