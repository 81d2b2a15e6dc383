//! Where a value comes from, and what is wrong there.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::app::shown;
use crate::base::Untrusted;
use crate::face::cli::json::hex;

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

impl Origin {
    /// The origin for scripts.
    pub fn document(&self) -> impl Serialize + use<> {
        #[derive(Serialize)]
        struct Document {
            kind: &'static str,
            path: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            path_hex: Option<String>,
            line: Option<usize>,
            name: Option<String>,
        }
        let mut document = Document { kind: "default", path: None, path_hex: None, line: None, name: None };
        match self {
            Self::Default => {}
            Self::File { path, line } => {
                document.kind = "file";
                document.path = Some(path.to_string_lossy().into_owned());
                document.path_hex = path_hex(path);
                document.line = *line;
            }
            Self::Variable(name) => {
                document.kind = "variable";
                document.name = Some(name.clone());
            }
            Self::Flag(name) => {
                document.kind = "flag";
                document.name = Some((*name).to_owned());
            }
        }
        document
    }
}

/// The bytes of a path that is no text.
pub fn path_hex(path: &Path) -> Option<String> {
    path.to_str().is_none().then(|| hex(path.as_os_str().as_encoded_bytes()))
}

/// How bad a problem is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
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

    /// The problem for scripts.
    pub fn document(&self) -> impl Serialize + use<> {
        #[derive(Serialize)]
        struct Document<O> {
            severity: Severity,
            origin: O,
            key: Option<String>,
            message: String,
            hint: Option<String>,
        }
        Document {
            severity: self.severity,
            origin: self.origin.document(),
            key: self.key.clone(),
            message: self.message.clone(),
            hint: self.hint.clone(),
        }
    }
}
