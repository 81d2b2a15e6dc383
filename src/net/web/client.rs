//! HTTP clients that go where they were told and nowhere else: pinned to addresses that were checked,
//! certificates validated, redirects left to the caller.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::LOCATION;
use reqwest::{Client, Response, StatusCode, redirect};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use url::Url;

use crate::base::Untrusted;
use crate::net::Bind;

/// The most redirects that are followed for one request.
pub const MAX_REDIRECTS: usize = 5;
/// The most header lines of an answer.
const MAX_HEADERS: usize = 100;
/// The name that we give ourselves.
const USER_AGENT: &str = concat!("torr/", env!("CARGO_PKG_VERSION"));
/// Where reqwest finds the proxies of the environment.
const PROXY_VARIABLES: [&str; 6] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// Makes clients, one for each hop: requests are rare, so there is no connection worth keeping.
pub struct Clients {
    bind: Bind,
    connect_timeout: Duration,
    // Reading the system's certificates takes a while and is needed by few runs, so it waits for the first https.
    tls: OnceLock<Result<ClientConfig, String>>,
}

impl Clients {
    /// Clients that leave through these addresses.
    pub const fn new(bind: Bind, connect_timeout: Duration) -> Self {
        Self { bind, connect_timeout, tls: OnceLock::new() }
    }

    /// A client for this address, whose host has been looked up; with no address at all it can only go
    /// through a proxy. `who` is whom we ask, as in "the tracker".
    pub fn to(&self, url: &Url, mut addrs: Vec<SocketAddr>, who: &str) -> Result<Client, String> {
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
        if url.scheme() == "https" {
            builder = builder.tls_backend_preconfigured(self.tls.get_or_init(tls).clone()?);
        } else {
            builder = builder.tls_backend_preconfigured(no_tls());
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        builder = builder.dns_resolver(Arc::new(Pinned { host, addrs }));
        builder.build().map_err(|error| sentence(&error, who))
    }
}

/// Whether the environment names a proxy; only the proxy's own rules say for whom.
pub fn may_use_proxy() -> bool {
    PROXY_VARIABLES.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Where an answer sends us instead, if it does.
pub fn redirection(response: &Response) -> Option<String> {
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

/// The innermost cause of an error: the outer ones repeat the address, which may hold a passkey.
/// `who` is whom we asked.
pub fn sentence(error: &reqwest::Error, who: &str) -> String {
    if error.is_timeout() {
        return format!("{who} did not answer in time");
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let beginning = if error.is_connect() {
        format!("no connection to {who}")
    } else if error.is_decode() || error.is_body() {
        format!("the response of {who} was cut off or damaged")
    } else {
        format!("the response of {who} cannot be read")
    };
    if cause.is::<reqwest::Error>() {
        return beginning;
    }
    // The number of an error of the system tells nobody anything.
    let cause = cause.to_string();
    let cause = cause.split(" (os error").next().unwrap_or_default();
    format!("{beginning}: {}", Untrusted::new(cause).fit(200))
}

/// Gives an HTTP client the addresses that were checked, so that a second look-up with another answer
/// cannot lead elsewhere. Other names (that of a proxy) are looked up as usual.
struct Pinned {
    host: String,
    /// Its addresses; with none, only a proxy can reach it.
    addrs: Vec<SocketAddr>,
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
