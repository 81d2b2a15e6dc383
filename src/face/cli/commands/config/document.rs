//! Values, origins and problems of the configuration for scripts.

use serde::Serialize;

use crate::app::config::kind::Value;
use crate::app::config::{Origin, Problem, Severity};
use crate::face::cli::hint::remedied;
use crate::face::cli::json::path_hex;

/// A value as JSON.
pub fn value(value: &Value) -> serde_json::Value {
    match value {
        Value::Switch(on) => (*on).into(),
        Value::Number(number) => (*number).into(),
        Value::Decimal(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.clone().into(),
    }
}

/// An origin as JSON.
pub fn origin(origin: &Origin) -> impl Serialize + use<> {
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
    match origin {
        Origin::Default => {}
        Origin::File { path, line } => {
            document.kind = "file";
            document.path = Some(path.to_string_lossy().into_owned());
            document.path_hex = path_hex(path);
            document.line = *line;
        }
        Origin::Variable(name) => {
            document.kind = "variable";
            document.name = Some(name.clone());
        }
        Origin::Flag(name) => {
            document.kind = "flag";
            document.name = Some((*name).to_owned());
        }
    }
    document
}

/// A problem as JSON.
pub fn problem(problem: &Problem) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct Document<O> {
        severity: &'static str,
        origin: O,
        key: Option<String>,
        message: String,
        hint: Option<String>,
    }
    Document {
        severity: match problem.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        },
        origin: origin(&problem.origin),
        key: problem.key.clone(),
        message: problem.message.clone(),
        hint: problem.remedy.as_ref().and_then(remedied),
    }
}
