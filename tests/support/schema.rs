//! JSON that torr prints is checked against the schemas kept beside the command line, one file for
//! each value of its `schema` field: `torr.get/1` is described by `torr.get.1.json`.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Fails unless the document names a schema that is kept and agrees with it.
pub fn check(document: &Value) {
    let name = document["schema"].as_str().unwrap_or_else(|| panic!("no schema is named: {document}"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/face/cli/schemas")
        .join(format!("{}.json", name.replace('/', ".")));
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let schema: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{} at '{}'", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{document}\n{}", errors.join("\n"));
}

/// Checks each line of a stream of events, and returns them.
pub fn check_lines(output: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let documents: Vec<Value> = output.lines().map(parse).collect();
    documents.iter().for_each(check);
    documents
}
