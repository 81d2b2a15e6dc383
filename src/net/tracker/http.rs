//! One request to an HTTP tracker: every hop checked, every byte counted.
//!
//! Each hop gets a client of its own, pinned to the addresses that were just checked. Announces are minutes
//! apart, so there is no connection worth keeping.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::LOCATION;
use reqwest::{Client, Response, StatusCode, redirect};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;

use crate::base::Untrusted;
use crate::net::Bind;

use super::resolve::{Families, Pinned, ResolveError, resolve};
use super::ssrf::{Forbidden, MAX_REDIRECTS, Reach, TrackerUrl};

/// The longest answer that is read, after inflating.
pub const MAX_BODY: usize = 1024 * 1024;
/// The most header lines of an answer.
const MAX_HEADERS: usize = 100;
/// What we call ourselves.
const USER_AGENT: &str = concat!("torr/", env!("CARGO_PKG_VERSION"));
/// Where reqwest finds the proxies of the environment.
const PROXY_VARIABLES: [&str; 6] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// An answer, whatever its status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// The status of the last hop.
    pub status: StatusCode,
    /// The inflated body.
    pub body: Vec<u8>,
}

/// The way to HTTP trackers.
pub struct Http {
    bind: Bind,
    connect_timeout: Duration,
    stall_timeout: Duration,
    // Reading the system's certificates takes a while and is needed by few runs, so it waits for the first https.
    tls: OnceLock<Result<ClientConfig, String>>,
}

impl Http {
    /// A way that leaves through these addresses.
    pub fn new(bind: Bind, connect_timeout: Duration, stall_timeout: Duration) -> Self {
        Self { bind, connect_timeout, stall_timeout, tls: OnceLock::new() }
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

            let request = self.client(&here, addrs)?.get(here.url.clone());
            let response = request.send().await.map_err(|error| sentence(&error))?;
            let Some(location) = redirection(&response) else { return self.read(response).await };
            here = here.redirected(&location).map_err(|why| why.to_string())?;
        }
        Err(Forbidden::RedirectLoop.to_string())
    }

    async fn read(&self, mut response: Response) -> Result<Page, String> {
        let status = response.status();
        let mut body = Vec::new();
        // What frames a body is not counted as part of it, so a body that does not grow has to end too.
        while let Some(chunk) = tokio::time::timeout(self.stall_timeout, response.chunk())
            .await
            .map_err(|_| "the tracker's answer stalls".to_owned())?
            .map_err(|error| sentence(&error))?
        {
            if body.len() + chunk.len() > MAX_BODY {
                return Err("the tracker's answer is larger than 1 MiB".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Page { status, body })
    }

    fn client(&self, here: &TrackerUrl, mut addrs: Vec<SocketAddr>) -> Result<Client, String> {
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .http1_only()
            .http1_max_headers(MAX_HEADERS)
            .pool_max_idle_per_host(0)
            .connect_timeout(self.connect_timeout);
        if let (Some(&first), true) = (addrs.first(), self.bind != Bind::ANY) {
            // A client leaves through one address, so it goes to one family.
            addrs.retain(|addr| addr.is_ipv4() == first.is_ipv4());
            builder = builder.local_address(self.bind.towards(first));
        }
        if addrs.iter().any(|addr| addr.ip().to_canonical().is_loopback()) {
            builder = builder.no_proxy();
        }
        if here.url.scheme() == "https" {
            builder = builder.tls_backend_preconfigured(self.tls.get_or_init(tls).clone()?);
        } else {
            builder = builder.tls_backend_preconfigured(no_tls());
        }
        let host = here.url.host_str().unwrap_or_default().to_owned();
        builder = builder.dns_resolver(Arc::new(Pinned { host, addrs }));
        builder.build().map_err(|error| sentence(&error))
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

/// Whether the environment names a proxy; only the proxy's own rules say for whom.
pub fn may_use_proxy() -> bool {
    PROXY_VARIABLES.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn redirection(response: &Response) -> Option<String> {
    let moved = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    let location = response.headers().get(LOCATION).filter(|_| moved.contains(&response.status()))?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

fn tls() -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|error| format!("encrypted connections are not possible: {error}"))?;
    Ok(builder.with_no_client_auth())
}

/// A configuration that trusts nobody, for clients that must not encrypt anyway: making one costs nothing.
fn no_tls() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider speaks the default versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// What went wrong, from its innermost cause: the outer ones repeat the address, which may hold a passkey.
fn sentence(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "the tracker did not answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let beginning = if error.is_connect() {
        "no connection to the tracker"
    } else if error.is_decode() || error.is_body() {
        "the tracker's answer broke off or is damaged"
    } else {
        "the tracker's answer cannot be read"
    };
    if cause.is::<reqwest::Error>() {
        return beginning.to_owned();
    }
    format!("{beginning}: {}", Untrusted::new(cause.to_string()).fit(200))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_certificates_are_read_or_their_absence_is_a_sentence() {
        if let Err(sentence) = tls() {
            assert!(sentence.starts_with("encrypted connections are not possible"), "{sentence}");
        }
    }
}
