//! Fetching one small file from the web, as a person asked for it: a `.torrent`.
//!
//! The first address is the person's own and may lie anywhere. Redirects are a stranger's: at most five,
//! never from the internet into a local network, never away from encryption, never to another scheme.
//! Certificates are always validated. Every byte is counted as it comes.

pub mod client;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::Response;
use tokio::time::timeout;
use url::Url;

use self::client::{Clients, MAX_REDIRECTS, may_use_proxy, redirection, sentence};
use super::Bind;
use super::tracker::ssrf::Reach;
use crate::base::Untrusted;

/// The longest address, first or redirected to, in bytes.
const MAX_URL_LEN: usize = 8192;
/// The most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;

/// The limits of a fetch.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Our addresses to leave from.
    pub bind: Bind,
    /// The most bytes, after inflating.
    pub most: usize,
    /// The most time in all.
    pub deadline: Duration,
    /// The most time for a connection to come about.
    pub connect: Duration,
    /// The longest pause of an answer.
    pub stall: Duration,
}

impl Rules {
    /// A fetch of at most this many bytes that leaves from this address, or from any.
    pub fn new(bind: Option<IpAddr>, most: usize) -> Self {
        let bind = match bind {
            None => Bind::ANY,
            Some(IpAddr::V4(v4)) => Bind { v4: Some(v4), v6: None },
            Some(IpAddr::V6(v6)) => Bind { v4: None, v6: Some(v6) },
        };
        let seconds = Duration::from_secs;
        Self { bind, most, deadline: seconds(60), connect: seconds(15), stall: seconds(20) }
    }
}

/// Why nothing came. What is said of it ends in the name of the host and never holds the whole address,
/// which may carry a passkey.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WebError {
    /// The address cannot be asked at all; a sentence.
    #[error("{0}")]
    Address(String),
    /// Nothing came, or not all; a sentence.
    #[error("{0}")]
    Unreachable(String),
    /// The server does not prove who it is; a sentence.
    #[error("{0}")]
    Tls(String),
    /// The server answered that it does not have it.
    #[error("{host} answers {status}")]
    Status {
        /// The host that answered.
        host: String,
        /// The status with its usual name.
        status: String,
    },
    /// A redirect that is not followed; a sentence.
    #[error("{0}")]
    Redirect(String),
    /// More bytes than are read.
    #[error("the response of {0} is too large")]
    TooLarge(String),
}

/// Fetches what is at an address; `told` hears how many bytes have come, and of how many if the server
/// says so.
pub async fn fetch(url: &str, rules: &Rules, told: impl Fn(u64, Option<u64>)) -> Result<Vec<u8>, WebError> {
    let start = checked(url)?;
    let host = host(&start);
    let late =
        || WebError::Unreachable(format!("{host} did not send it within {} s", rules.deadline.as_secs()));
    timeout(rules.deadline, follow(start, rules, told)).await.unwrap_or_else(|_| Err(late()))
}

/// Reads an address as a person writes it: http or https, with a host.
fn checked(text: &str) -> Result<Url, WebError> {
    let wrong = |why: &str| WebError::Address(format!("the address is not valid: {why}"));
    if text.len() > MAX_URL_LEN {
        return Err(wrong("it is too long"));
    }
    let url = Url::parse(text.trim()).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("it is neither http nor https"));
    }
    if url.host_str().is_none_or(str::is_empty) || url.port() == Some(0) {
        return Err(wrong("it has no host and port"));
    }
    Ok(url)
}

async fn follow(start: Url, rules: &Rules, told: impl Fn(u64, Option<u64>)) -> Result<Vec<u8>, WebError> {
    let clients = Clients::new(rules.bind, rules.connect);
    let mut here = start;
    let mut from = None;
    for _ in 0..=MAX_REDIRECTS {
        let host = host(&here);
        let addrs = addresses(&here, from, rules.bind).await?;
        // Once an answer has come from the internet, the chain stays suspect.
        let global = addrs.is_empty() || addrs.iter().any(|addr| Reach::of(addr.ip()) == Reach::Global);
        from = if global { Some(Reach::Global) } else { from.or(Some(Reach::Local)) };

        let client = clients.to(&here, addrs, &host).map_err(WebError::Tls)?;
        let answer = client.get(here.clone()).send();
        let answer = timeout(rules.connect + rules.stall, answer).await;
        let response = answer
            .map_err(|_| WebError::Unreachable(format!("{host} does not answer")))?
            .map_err(|error| failed(&error, &host))?;
        let Some(location) = redirection(&response) else {
            return read(response, &host, rules, told).await;
        };
        here = redirected(&here, &location)?;
    }
    Err(WebError::Redirect(format!("{} redirects too often", host(&here))))
}

/// The address an answer redirects to.
fn redirected(here: &Url, location: &str) -> Result<Url, WebError> {
    let from = host(here);
    let refused = |why: &str| WebError::Redirect(format!("{from} redirects {why}"));
    let there = here.join(location).map_err(|_| refused("to an address that is not valid"))?;
    match (here.scheme(), there.scheme()) {
        ("https", "http") => Err(refused("from https to http, where anyone could change the response")),
        (_, "http" | "https") => {
            checked(there.as_str()).map_err(|_| refused("to an address that is not valid"))
        }
        _ => Err(refused("to something that is neither http nor https")),
    }
}

/// The addresses of the host, as far as it may be reached.
async fn addresses(here: &Url, from: Option<Reach>, bind: Bind) -> Result<Vec<SocketAddr>, WebError> {
    let port = here.port_or_known_default().unwrap_or(80);
    let host = host(here);
    let found: Vec<SocketAddr> = match here.host() {
        Some(url::Host::Ipv4(v4)) => vec![(v4, port).into()],
        Some(url::Host::Ipv6(v6)) => vec![(v6, port).into()],
        Some(url::Host::Domain(name)) => match tokio::net::lookup_host((name, port)).await {
            Ok(found) => found.collect(),
            // Behind a proxy it is usual that names are known to the proxy alone.
            Err(_) if may_use_proxy() => return Ok(Vec::new()),
            Err(_) => return Err(WebError::Unreachable(format!("host not found: {host}"))),
        },
        None => Vec::new(),
    };
    let mut allowed = found;
    if from == Some(Reach::Global) {
        let before = allowed.len();
        allowed.retain(|addr| Reach::of(addr.ip()) == Reach::Global);
        if allowed.is_empty() && before > 0 {
            return Err(WebError::Redirect("a redirect leads from the internet into a local network".into()));
        }
    }
    allowed.retain(|addr| if addr.is_ipv4() { bind.v4.is_some() } else { bind.v6.is_some() });
    if allowed.is_empty() {
        return Err(WebError::Unreachable(format!("{host} has no address that we can use")));
    }
    allowed.truncate(MAX_ADDRESSES);
    Ok(allowed)
}

async fn read(
    mut response: Response,
    host: &str,
    rules: &Rules,
    told: impl Fn(u64, Option<u64>),
) -> Result<Vec<u8>, WebError> {
    let status = response.status();
    if !status.is_success() {
        return Err(WebError::Status { host: host.to_owned(), status: status.to_string() });
    }
    let too_large = || WebError::TooLarge(host.to_owned());
    let size = response.content_length();
    if size.is_some_and(|size| size > rules.most as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    told(0, size);
    while let Some(chunk) = timeout(rules.stall, response.chunk())
        .await
        .map_err(|_| WebError::Unreachable(format!("{host} stopped sending")))?
        .map_err(|error| failed(&error, host))?
    {
        if body.len() + chunk.len() > rules.most {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
        told(body.len() as u64, size);
    }
    Ok(body)
}

/// The server, for sentences: the host, with the port where it is not the usual one.
fn host(url: &Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    Untrusted::new(format!("{}{port}", url.host_str().unwrap_or_default())).fit(100)
}

fn failed(error: &reqwest::Error, host: &str) -> WebError {
    let text = sentence(error, host);
    if text.contains("certificate") || text.contains("encrypted") {
        return WebError::Tls(text.replacen("no connection to", "no safe connection to", 1));
    }
    WebError::Unreachable(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_web_is_asked() {
        for good in ["http://x.example/a.torrent", "HTTPS://user:pass@[::1]:8080/a?b=c"] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in ["ftp://x.example/a", "http://", "http://x.example:0/a", "x", "file:///etc/passwd"] {
            assert!(matches!(checked(bad), Err(WebError::Address(_))), "{bad}");
        }
        assert!(checked(&format!("http://x/{}", "a".repeat(9000))).is_err());
    }

    #[test]
    fn redirects_stay_encrypted_and_on_the_web() {
        let secure = Url::parse("https://x.example/a").unwrap();
        assert_eq!(redirected(&secure, "/b?c").unwrap().as_str(), "https://x.example/b?c");
        for bad in ["http://x.example/a", "ftp://x.example/a", "file:///etc/passwd", "https://[x"] {
            assert!(matches!(redirected(&secure, bad), Err(WebError::Redirect(_))), "{bad}");
        }
        let open = Url::parse("http://x.example/a").unwrap();
        assert!(redirected(&open, "https://y.example/").is_ok());
    }

    #[test]
    fn no_redirect_leads_from_the_internet_into_a_local_network() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let look =
            |text: &str, from, bind| runtime.block_on(addresses(&Url::parse(text).unwrap(), from, bind));
        for local in
            ["http://127.0.0.1/", "http://2130706433/", "http://[::ffff:10.0.0.1]/", "http://localhost/"]
        {
            assert!(look(local, None, Bind::ANY).is_ok(), "{local}");
            assert!(look(local, Some(Reach::Local), Bind::ANY).is_ok(), "{local}");
            let refused = look(local, Some(Reach::Global), Bind::ANY);
            assert!(matches!(refused, Err(WebError::Redirect(_))), "{local}");
        }
        let v6 = Bind { v4: None, ..Bind::ANY };
        assert!(matches!(look("http://127.0.0.1/", None, v6), Err(WebError::Unreachable(_))));
    }

    #[test]
    fn sentences_name_the_host_and_no_more() {
        assert_eq!(host(&Url::parse("https://u:p@x.example:444/key/abc?pass=1").unwrap()), "x.example:444");
        assert_eq!(host(&Url::parse("https://x.example/").unwrap()), "x.example");
    }
}
