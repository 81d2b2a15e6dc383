//! A torrent file from the web.

use std::cell::Cell;
use std::time::Duration;

use crate::app::{Error, ErrorKind};
use crate::base::Untrusted;
use crate::engine::web::{Rules, WebError, fetch};

use super::{MAX_BYTES, Reading};

/// The bytes of what is at this address.
pub fn bytes(url: &str, reading: &Reading<'_>) -> Result<Vec<u8>, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        let why = crate::app::reason(&error);
        Error::new(ErrorKind::Internal, "internal", format!("cannot start: {why}"))
    })?;
    let rules = Rules::new(reading.bind, MAX_BYTES as usize);
    let address = shown(url);
    let last = Cell::new((0, None));
    let tell = || reading.watch.received(&address, last.get().0, last.get().1);
    let work = async {
        let fetched = fetch(url, &rules, |got, size| {
            last.set((got, size));
            tell();
        });
        tokio::pin!(fetched);
        loop {
            tokio::select! {
                fetched = &mut fetched => return fetched,
                // Nothing may come at all, and that is told too.
                () = tokio::time::sleep(Duration::from_millis(250)) => tell(),
            }
        }
    };
    let fetched = runtime.block_on(work);
    // A look-up of a name that hangs in the system must not hold up the end.
    runtime.shutdown_background();
    reading.watch.ended();
    fetched.map_err(|error| failure(url, &error))
}

/// An address as errors show it: without its query and its user, which may be secrets.
pub fn shown(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or(url);
    let bare = match (bare.find("://"), bare.find('@')) {
        (Some(scheme), Some(user)) if user > scheme && !bare[scheme + 3..user].contains('/') => {
            format!("{}{}", &bare[..scheme + 3], &bare[user + 1..])
        }
        _ => bare.to_owned(),
    };
    Untrusted::new(bare).fit(200)
}

fn failure(url: &str, error: &WebError) -> Error {
    let (kind, word, hint) = match error {
        WebError::Address(_) => (ErrorKind::Input, "bad_address", "write https://HOST/FILE.torrent"),
        WebError::Unreachable(_) => {
            (ErrorKind::Network, "unreachable", "check the address and the network connection")
        }
        WebError::Tls(_) => (
            ErrorKind::Network,
            "tls",
            "the server's certificate is not valid; check the clock of this machine, or get the torrent file another way",
        ),
        WebError::Status { .. } => (
            ErrorKind::Network,
            "http_status",
            "check the address; some sites need a login: download the torrent file with a browser",
        ),
        WebError::Redirect(_) => (ErrorKind::Network, "redirect", "download the torrent file with a browser"),
        WebError::TooLarge(_) => (
            ErrorKind::Input,
            "too_large",
            "a torrent file has at most 16 MiB; is this the address of the data itself?",
        ),
    };
    Error::new(kind, word, format!("cannot fetch {}: {error}", shown(url))).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_their_secrets() {
        assert_eq!(shown("https://x.example/a.torrent?passkey=1#x"), "https://x.example/a.torrent");
        assert_eq!(shown("https://me:secret@x.example/a"), "https://x.example/a");
        assert_eq!(shown("https://x.example/@a"), "https://x.example/@a");
        assert_eq!(shown("http://x/\u{1b}[2J"), "http://x/\\u{1b}[2J");
    }

    #[test]
    fn every_error_says_whose_turn_it_is() {
        let of = |error| failure("http://x/a", &error);
        let status = WebError::Status { host: "x".into(), status: "404 Not Found".into() };
        assert_eq!(of(status.clone()).kind, ErrorKind::Network);
        assert_eq!(of(status).message, "cannot fetch http://x/a: x answers 404 Not Found");
        assert_eq!(of(WebError::TooLarge("x".into())).kind, ErrorKind::Input);
        assert_eq!(of(WebError::Address("x".into())).kind, ErrorKind::Input);
        assert_eq!(of(WebError::Tls("x".into())).word, "tls");
    }
}
