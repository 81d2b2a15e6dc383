//! Origins of values, and problems of the places they come from.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::app::{Error, ErrorKind, Remedy, shown};
use crate::base::Untrusted;

/// The place that set a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The table of keys.
    Default,
    /// A line of a file.
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

/// The severity of a problem.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// A problem that torr reports, and runs.
    Warning,
    /// A problem with which torr does not run.
    Error,
}

/// A problem of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The severity.
    pub severity: Severity,
    /// The place of the problem.
    pub origin: Origin,
    /// The full name of the key, if the problem is about one of the table.
    pub key: Option<String>,
    /// The problem in words; clean for a terminal.
    pub message: String,
    /// The remedy.
    pub remedy: Option<Remedy>,
}

impl Problem {
    /// The problem of a file that cannot be used at all.
    pub fn unread(path: &Path, why: String, remedy: Option<Remedy>) -> Self {
        Self {
            severity: Severity::Error,
            origin: Origin::File { path: path.to_owned(), line: None },
            key: None,
            message: why,
            remedy,
        }
    }

    /// The place and the problem.
    pub fn place_and_message(&self) -> String {
        format!("{}: {}", self.origin, self.message)
    }

    /// The place, the problem and the remedy, on one line.
    #[cfg(test)]
    pub(super) fn sentence(&self) -> String {
        let remedy = match &self.remedy {
            None => String::new(),
            Some(Remedy::Sentence(text)) => format!("; {text}"),
            Some(remedy) => format!("; {remedy:?}"),
        };
        format!("{}{remedy}", self.place_and_message())
    }

    /// The problem as the end of a command that cannot run with it.
    pub fn error(&self) -> Error {
        let error = Error::new(ErrorKind::Usage, "config", self.place_and_message());
        match &self.remedy {
            Some(remedy) => error.remedy(remedy.clone()),
            None => error,
        }
    }
}
