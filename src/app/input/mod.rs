//! Torrent arguments: a file, standard input, an address on the web. This is the one
//! place where each [`Kind`] becomes a checked torrent.

mod kind;
mod link;
mod list;
mod web;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::{Error, ErrorKind, Remedy, quoted, shown};
use crate::base::Untrusted;
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;

pub use kind::Kind;
pub use link::Link;
pub use list::ArgumentList;

/// The largest torrent file that is read, in bytes.
pub const MAX_BYTES: u64 = 16 << 20;

/// A torrent file that was read and checked.
#[derive(Clone, Debug)]
pub struct Torrent {
    /// The parsed torrent file.
    pub metainfo: Metainfo,
    /// The file as it was read.
    pub bytes: Vec<u8>,
    /// Where it was read from, as it was given; nothing for standard input.
    pub path: Option<PathBuf>,
    /// The link by which it was named, if it was.
    pub link: Option<Box<Magnet>>,
}

impl Torrent {
    /// The torrent as it is written on a command line.
    pub fn argument(&self) -> String {
        self.path.as_deref().map_or_else(|| "-".to_owned(), quoted)
    }

    /// The directory of the torrent file, if it is a file.
    pub fn directory(&self) -> Option<&Path> {
        let path = self.path.as_deref()?;
        let Kind::File(path) = Kind::of(path) else { return None };
        let parent = path.parent()?;
        Some(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
    }
}

/// An argument that was read.
#[derive(Debug)]
pub enum Input {
    /// A torrent.
    Torrent(Box<Torrent>),
    /// A link to a torrent whose metadata is not known.
    Link(Box<Link>),
}

/// How torrents are read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The address the web is asked from, if it is not any.
    pub bind: Option<IpAddr>,
    /// Hears how far a fetch is.
    pub watch: &'a dyn FetchWatch,
}

/// Hears how far the fetch of a torrent file is: what has come, and of how much, if that is known. Told at least
/// four times a second, and once when it is over.
pub trait FetchWatch: fmt::Debug {
    /// So many bytes have come from this address, which is clean for a terminal.
    fn received(&self, address: &str, received: u64, size: Option<u64>);
    /// The fetch is over.
    fn ended(&self);
}

/// Reads a torrent: a file, `-` for standard input, or the address of a torrent file on the web. Anything else is
/// refused by its name. Waits for the web as long as the web may take.
pub fn read(argument: &Path, reading: &Reading<'_>) -> Result<Torrent, Error> {
    checked(argument, bytes(argument, reading)?)
}

/// Reads a torrent that can only be a file; for guesses, which must cost nothing.
pub fn torrent_file(path: &Path) -> Result<Torrent, Error> {
    checked(path, bounded(path, file(path)?)?)
}

/// The bytes of what is said to be a torrent, not looked into and not too many.
pub fn bytes(argument: &Path, reading: &Reading<'_>) -> Result<Vec<u8>, Error> {
    let bytes = match Kind::of(argument) {
        Kind::Stdin => stdin()?,
        Kind::Web(url) => web::bytes(url, reading)?,
        Kind::File(path) => file(path)?,
        Kind::Magnet(_) | Kind::Hash(_) => return Err(only_a_link(argument)),
    };
    bounded(argument, bytes)
}

/// The error for an argument whose bytes are not a torrent.
pub fn malformed(argument: &Path, why: &impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Input, "malformed", format!("{}: {why}", name(argument)))
        .hint("it may be cut off, or something else such as a web page; download the torrent file again")
}

/// The error for a link or info hash where a torrent file is needed.
pub fn only_a_link(argument: &Path) -> Error {
    let link = match Link::of(argument) {
        Err(failure) => return failure,
        Ok(link) => link,
    };
    let what = if matches!(Kind::of(argument), Kind::Hash(_)) { "an info hash" } else { "a magnet link" };
    let failure = Error::usage(format!("{what} only names a torrent; this command needs the torrent file"))
        .remedy(Remedy::FetchTorrentFile(argument.to_owned()));
    match link {
        Some(link) => failure.about(link.magnet.info_hash),
        None => failure,
    }
}

fn checked(argument: &Path, bytes: Vec<u8>) -> Result<Torrent, Error> {
    let metainfo = Metainfo::parse(&bytes).and_then(Metainfo::downloadable);
    let metainfo = metainfo.map_err(|error| malformed(argument, &error))?;
    let path = (argument.as_os_str() != "-").then(|| argument.to_owned());
    Ok(Torrent { metainfo, bytes, path, link: None })
}

/// Not more bytes than are read, and no web page, which servers give in place of almost anything.
fn bounded(argument: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("{} is too large for a torrent (more than 16 MiB)", name(argument));
        return Err(Error::new(ErrorKind::Input, "too_large", message));
    }
    if is_web_page(&bytes) {
        let message = format!("{} is a web page, not a torrent file", name(argument));
        let hint = "open it in a browser and copy the address of the torrent file itself";
        return Err(Error::new(ErrorKind::Input, "not_a_torrent", message).hint(hint));
    }
    Ok(bytes)
}

/// How sentences name what is read from there.
fn name(argument: &Path) -> Untrusted {
    match Kind::of(argument) {
        Kind::Stdin => Untrusted::new("standard input"),
        Kind::Web(url) => Untrusted::new(web::shown(url)),
        Kind::Magnet(_) | Kind::Hash(_) | Kind::File(_) => shown(argument),
    }
}

fn is_web_page(bytes: &[u8]) -> bool {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let starts = |tag: &[u8]| start.get(..tag.len()).is_some_and(|s| s.eq_ignore_ascii_case(tag));
    starts(b"<!doctype") || starts(b"<html") || starts(b"<head") || starts(b"<?xml")
}

fn stdin() -> Result<Vec<u8>, Error> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Error::usage(
            "- reads a torrent file from standard input, but standard input is a terminal",
        )
        .remedy(Remedy::PipeTorrentFile));
    }
    read_some(&mut stdin.lock()).map_err(|error| Error::disk("read", Path::new("standard input"), &error))
}

fn file(path: &Path) -> Result<Vec<u8>, Error> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let message = format!("{} is a directory, not a torrent file", shown(path));
            return Err(Error::new(ErrorKind::Input, "not_a_torrent", message)
                .remedy(Remedy::ShareFolder(path.to_owned())));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("torrent file not found: {}", shown(path));
            let hint = "check the path; a torrent is a file, a magnet link, an info hash, a URL, or - for standard input";
            return Err(Error::new(ErrorKind::Input, "not_found", message).hint(hint));
        }
        Err(error) => return Err(Error::disk("read", path, &error)),
    }
    let read = File::open(path).and_then(|mut file| read_some(&mut file));
    read.map_err(|error| Error::disk("read", path, &error))
}

/// Reads one byte more than is allowed at most, so that too much can be told from enough.
fn read_some(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Unwatched;

    impl FetchWatch for Unwatched {
        fn received(&self, _: &str, _: u64, _: Option<u64>) {}
        fn ended(&self) {}
    }

    fn refused(text: &str) -> Error {
        read(Path::new(text), &Reading { bind: None, watch: &Unwatched }).unwrap_err()
    }

    #[test]
    fn what_is_no_torrent_file_is_refused_by_its_name() {
        assert_eq!(refused("magnet:?xt=urn:btih:x").word, "malformed");
        let failure = refused(&"ab".repeat(20));
        assert_eq!(failure.message, "an info hash only names a torrent; this command needs the torrent file");
        assert_eq!(failure.remedy.as_deref(), Some(&Remedy::FetchTorrentFile("ab".repeat(20).into())));
        let failure = refused("http://x.example:0/a.torrent");
        assert_eq!((failure.kind, failure.word), (ErrorKind::Input, "bad_address"));
        let failure = refused("/nowhere/a.torrent");
        assert_eq!((failure.kind, failure.word), (ErrorKind::Input, "not_found"));
        let failure = refused("/tmp");
        assert_eq!(
            (failure.kind, failure.remedy.as_deref()),
            (ErrorKind::Input, Some(&Remedy::ShareFolder("/tmp".into())))
        );
    }

    #[test]
    fn web_pages_are_known_from_afar() {
        for page in ["<!DOCTYPE html><p>", "\n <HTML>", "\u{feff}<html>"] {
            assert!(is_web_page(page.as_bytes()), "{page}");
        }
        assert!(!is_web_page(b"d4:infode") && !is_web_page(b"<") && !is_web_page(b""));
    }

    #[test]
    fn only_files_lie_in_a_directory() {
        let from = |path: &str| Torrent {
            metainfo: Metainfo::parse(SMALL).unwrap(),
            bytes: SMALL.to_vec(),
            path: Some(path.into()),
            link: None,
        };
        assert_eq!(from("a.torrent").directory(), Some(Path::new(".")));
        assert_eq!(from("x/a.torrent").directory(), Some(Path::new("x")));
        assert_eq!(from("https://x.example/a.torrent").directory(), None);
    }

    const SMALL: &[u8] =
        b"d4:infod6:lengthi3e4:name1:b12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
}
