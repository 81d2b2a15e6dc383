//! What went wrong, in one sentence, and apart from it what to do.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::exit::Exit;
use crate::base::{InfoHashes, Untrusted};

/// The end of a command that could not do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What the process ends with.
    pub exit: Exit,
    /// The word for scripts, e.g. `no_peers`.
    pub kind: &'static str,
    /// What happened, on what; clean for a terminal. Empty where there is nothing to say.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The torrent it is about, where there is one.
    pub torrent: Option<InfoHashes>,
}

impl Failure {
    /// A failure without hint. The message must be clean: text from outside goes through [`Untrusted`].
    pub fn new(exit: Exit, kind: &'static str, message: impl Into<String>) -> Self {
        Self { exit, kind, message: message.into(), hint: None, torrent: None }
    }

    /// The same with what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, about this torrent.
    pub fn about(mut self, id: InfoHashes) -> Self {
        self.torrent = Some(id);
        self
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// Something that this version of torr cannot do.
    pub fn not_yet(what: &str) -> Self {
        Self::new(Exit::Usage, "not_available", format!("{what} is not available yet"))
    }

    /// Nobody reads our standard output any more; there is nothing to say and nobody to say it to.
    pub fn closed() -> Self {
        Self::new(Exit::Pipe, "closed", "")
    }

    /// The disk refused something: `verb` as in "read", "write", "create".
    pub fn disk(verb: &str, path: &Path, error: &io::Error) -> Self {
        let (kind, hint) = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                ("permission", Some("choose another place, or change its permissions"))
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                ("permission", Some("this file system is read-only; choose another place"))
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ("no_space", Some("free some space, or choose another disk"))
            }
            io::ErrorKind::NotFound => ("not_found", Some("look whether the path is right")),
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                ("not_plain", Some("a file is where a folder has to be; choose another place"))
            }
            _ => ("io", None),
        };
        let message = format!("cannot {verb} {}: {}", shown(path), reason(error));
        Self { hint: hint.map(str::to_owned), ..Self::new(Exit::Disk, kind, message) }
    }

    /// The document that stands on standard output under `--json`.
    pub fn document(&self) -> impl Serialize {
        #[derive(Serialize)]
        struct Document<'a> {
            schema: &'static str,
            ok: bool,
            code: u8,
            kind: &'static str,
            message: &'a str,
            hint: Option<&'a str>,
            torrent: Option<String>,
        }
        Document {
            schema: "torr.error/1",
            ok: false,
            code: self.exit.code(),
            kind: self.kind,
            message: &self.message,
            hint: self.hint.as_deref(),
            torrent: self.torrent.map(|id| id.to_string()),
        }
    }
}

/// A path as people see it.
pub fn shown(path: &Path) -> Untrusted {
    Untrusted::new(path.to_string_lossy())
}

/// What the system says about an error, without its number and beginning in lower case.
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
    fn an_error_document_has_the_promised_fields_in_order() {
        let failure = Failure::new(Exit::Network, "no_peers", "nobody answered")
            .hint("try later")
            .about(InfoHashes::from_v1([0xab; 20]));
        assert_eq!(
            serde_json::to_string(&failure.document()).unwrap(),
            format!(
                r#"{{"schema":"torr.error/1","ok":false,"code":4,"kind":"no_peers","message":"nobody answered","hint":"try later","torrent":"{}"}}"#,
                "ab".repeat(20)
            )
        );
    }

    #[test]
    fn what_the_system_says_is_put_in_our_words() {
        let error = io::Error::from_raw_os_error(21);
        assert_eq!(reason(&error), "is a directory");
        let failure = Failure::disk(
            "write",
            Path::new("/x/a\u{1b}b"),
            &io::Error::from(io::ErrorKind::PermissionDenied),
        );
        assert_eq!(failure.message, "cannot write /x/a\\u{1b}b: permission denied");
        assert_eq!((failure.exit, failure.kind), (Exit::Disk, "permission"));
    }
}
