//! What stands where a torrent is asked for.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::{Failure, shown};
use super::exit::Exit;
use crate::base::{InfoHash, Untrusted};
use crate::proto::metainfo::Metainfo;

/// The largest torrent file that is read, in bytes.
const MOST_BYTES: u64 = 16 << 20;

/// A torrent file that was read and checked.
#[derive(Clone, Debug)]
pub struct Torrent {
    /// What it says.
    pub metainfo: Metainfo,
    /// Where it was read from; nothing for standard input.
    pub path: Option<PathBuf>,
}

impl Torrent {
    /// The torrent as it is written on a command line.
    pub fn argument(&self) -> String {
        self.path.as_deref().map_or_else(|| "-".to_owned(), quoted)
    }

    /// The directory of the torrent file.
    pub fn directory(&self) -> Option<&Path> {
        let parent = self.path.as_deref()?.parent()?;
        Some(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
    }
}

/// Reads a torrent: a file, or `-` for standard input. What is something else is refused by its name.
pub fn torrent(argument: &Path) -> Result<Torrent, Failure> {
    let bytes = bytes(argument)?;
    let metainfo = Metainfo::parse(&bytes).map_err(|error| malformed(argument, &error))?;
    let path = (argument != Path::new("-")).then(|| argument.to_owned());
    Ok(Torrent { metainfo, path })
}

/// The bytes of what is said to be a torrent file, unread and not too many.
pub fn bytes(argument: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = if argument == Path::new("-") {
        bounded(&mut io::stdin().lock())
            .map_err(|error| Failure::disk("read", Path::new("standard input"), &error))?
    } else {
        file(argument)?
    };
    if bytes.len() as u64 > MOST_BYTES {
        let message = format!("{} is too large for a torrent (more than 16 MiB)", name(argument));
        return Err(Failure::new(Exit::Input, "malformed", message));
    }
    Ok(bytes)
}

/// What was read is no torrent.
pub fn malformed(argument: &Path, why: &impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Input, "malformed", format!("{}: {why}", name(argument)))
        .hint("it may be cut off or something else, such as a web page; fetch the torrent file again")
}

fn name(argument: &Path) -> Untrusted {
    if argument == Path::new("-") { Untrusted::new("standard input") } else { shown(argument) }
}

/// A path as it can be pasted into a shell.
pub fn quoted(path: &Path) -> String {
    let text = shown(path).clean();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%~=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn file(path: &Path) -> Result<Vec<u8>, Failure> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let message = format!("{} is a directory, not a torrent file", shown(path));
            let hint =
                format!("to share a folder: torr create {}, then torr seed the torrent file", quoted(path));
            return Err(Failure::new(Exit::Input, "not_a_torrent", message).hint(hint));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(not_there(path)),
        Err(error) => return Err(Failure::disk("read", path, &error)),
    }
    let read = File::open(path).and_then(|mut file| bounded(&mut file));
    read.map_err(|error| Failure::disk("read", path, &error))
}

/// No such file: perhaps it is another way to name a torrent, one that has to be looked for in the
/// network.
fn not_there(path: &Path) -> Failure {
    let text = path.to_string_lossy();
    let starts =
        |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let base32 = text.len() == 32 && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let what = if starts("magnet:") {
        "a magnet link"
    } else if starts("http://") || starts("https://") {
        "the address of a torrent"
    } else if text.parse::<InfoHash>().is_ok() || base32 {
        "an info hash"
    } else {
        let message = format!("there is no torrent file {}", shown(path));
        return Failure::new(Exit::Input, "not_found", message);
    };
    Failure::not_yet(what).hint("use a .torrent file: torr get FILE.torrent")
}

/// Reads one byte more than is allowed at most, so that too much can be told from enough.
fn bounded(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_torrent_file_is_refused_by_its_name() {
        let refused = |text: &str| torrent(Path::new(text)).unwrap_err();
        assert_eq!(refused("magnet:?xt=urn:btih:x").message, "a magnet link is not available yet");
        assert_eq!(refused("https://x.example/a.torrent").exit, Exit::Usage);
        assert_eq!(refused(&"ab".repeat(20)).message, "an info hash is not available yet");
        let failure = refused("/nowhere/a.torrent");
        assert_eq!((failure.exit, failure.kind), (Exit::Input, "not_found"));
        let failure = refused("/tmp");
        assert_eq!(
            (failure.exit, failure.hint.as_deref()),
            (Exit::Input, Some("to share a folder: torr create /tmp, then torr seed the torrent file"))
        );
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        assert_eq!(quoted(Path::new("a/b.torrent")), "a/b.torrent");
        assert_eq!(quoted(Path::new("it's here")), "'it'\\''s here'");
    }
}
