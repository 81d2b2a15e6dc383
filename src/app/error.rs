//! The error of a request: one sentence, its kind, and its remedy.

use std::io;
use std::path::Path;

use super::remedy::Remedy;
use crate::base::{InfoHashes, Untrusted};

/// The kind of an error. A face turns it into an exit code, a status or a colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// All ran well, and the answer is no.
    Answer,
    /// The request or the configuration makes no sense, or names a port or address that cannot be used.
    Usage,
    /// The input is missing, is no torrent, or is malformed.
    Input,
    /// The network gave nothing in the time allowed.
    Network,
    /// The disk: no space, no permission, a device error, or foreign data in the way.
    Disk,
    /// No daemon, or it refused us.
    Daemon,
    /// Already running, or the torrent is active already.
    Busy,
    /// A bug.
    Internal,
    /// The user interrupted it.
    Interrupted,
    /// The system asked us to end.
    Terminated,
    /// Nobody reads what we write any more.
    Closed,
}

/// The end of a request that could not be met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// The kind of the error.
    pub kind: ErrorKind,
    /// The word for scripts, e.g. `no_peers`.
    pub word: &'static str,
    /// The sentence, clean for a terminal. Empty where there is nothing to say.
    pub message: String,
    /// The remedy, if there is one.
    pub remedy: Option<Box<Remedy>>,
    /// The torrent it is about, where there is one.
    pub torrent: Option<InfoHashes>,
}

impl Error {
    /// A failure without hint. The message must be clean: text from outside goes through [`Untrusted`].
    pub fn new(kind: ErrorKind, word: &'static str, message: impl Into<String>) -> Self {
        Self { kind, word, message: message.into(), remedy: None, torrent: None }
    }

    /// The same with what to do about it, in a sentence.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        self.remedy(Remedy::Sentence(hint.into()))
    }

    /// The same with what to do about it.
    pub fn remedy(mut self, remedy: impl Into<Remedy>) -> Self {
        self.remedy = Some(Box::new(remedy.into()));
        self
    }

    /// The sentence that says what to do, where no face has words of its own for it.
    pub fn sentence(&self) -> Option<&str> {
        match self.remedy.as_deref() {
            Some(Remedy::Sentence(text)) => Some(text),
            _ => None,
        }
    }

    /// The same, about this torrent.
    pub fn about(mut self, id: InfoHashes) -> Self {
        self.torrent = Some(id);
        self
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, "usage", message)
    }

    /// Something that this version of torr cannot do.
    pub fn not_yet(what: &str) -> Self {
        Self::new(ErrorKind::Usage, "not_available", format!("{what} is not available yet"))
    }

    /// Nobody reads our standard output any more; there is nothing to say and nobody to say it to.
    pub fn closed() -> Self {
        Self::new(ErrorKind::Closed, "closed", "")
    }

    /// The disk refused something: `verb` as in "read", "write", "create".
    pub fn disk(verb: &str, path: &Path, error: &io::Error) -> Self {
        let (word, hint) = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                ("permission", Some("choose another location, or change its permissions"))
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                ("permission", Some("this file system is read-only; choose another location"))
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ("no_space", Some("free some space, or choose another disk"))
            }
            io::ErrorKind::NotFound => ("not_found", Some("check the path")),
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                ("not_plain", Some("a file is in the place of a folder; choose another location"))
            }
            _ => ("io", None),
        };
        let message = format!("cannot {verb} {}: {}", shown(path), reason(error));
        let error = Self::new(ErrorKind::Disk, word, message);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// A path as people see it.
pub fn shown(path: &Path) -> Untrusted {
    Untrusted::new(path.to_string_lossy())
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

/// The system's text of an error, without its number and beginning in lower case.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::StorageFull => "no space left".to_owned(),
        _ => {
            let text = Untrusted::new(error.to_string()).clean();
            let text = text.split(" (os error").next().unwrap_or(&text);
            let mut chars = text.chars();
            chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_put_in_our_words() {
        assert_eq!(reason(&io::Error::from_raw_os_error(21)), "is a directory");
        let error =
            Error::disk("write", Path::new("/x/a\u{1b}b"), &io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(error.message, "cannot write /x/a\\u{1b}b: permission denied");
        assert_eq!((error.kind, error.word), (ErrorKind::Disk, "permission"));
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        assert_eq!(quoted(Path::new("a/b.torrent")), "a/b.torrent");
        assert_eq!(quoted(Path::new("it's here")), "'it'\\''s here'");
    }
}
