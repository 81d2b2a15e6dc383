//! Where a value comes from, and what is wrong there.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::app::{Error, ErrorKind, shown};
use crate::base::Untrusted;

/// Who set a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Nobody.
    Default,
    /// A file, in this line.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1; nothing where the file as a whole is meant.
        line: Option<usize>,
    },
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", shown(path)),
            Self::File { path, line: None } => write!(f, "{}", shown(path)),
            Self::Variable(name) => write!(f, "{}", Untrusted::new(name.as_str())),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// torr starts, and tells it.
    Warning,
    /// torr does not start.
    Error,
}

/// Something that is wrong with the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub origin: Origin,
    /// The key it is about, where it is one of the table.
    pub key: Option<String>,
    /// What is wrong; clean for a terminal.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Problem {
    /// A file cannot be used at all.
    pub fn unread(path: &Path, why: String, hint: &str) -> Self {
        Self {
            severity: Severity::Error,
            origin: Origin::File { path: path.to_owned(), line: None },
            key: None,
            message: why,
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
        }
    }

    /// Where, and what.
    pub fn place_and_message(&self) -> String {
        format!("{}: {}", self.origin, self.message)
    }

    /// Where, what, and what to do, on one line.
    pub fn sentence(&self) -> String {
        let hint = self.hint.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default();
        format!("{}{hint}", self.place_and_message())
    }

    /// The problem as the end of a command that cannot run with it.
    pub fn error(&self) -> Error {
        let error = Error::new(ErrorKind::Usage, "config", self.place_and_message());
        match &self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}
