//! The environment as configuration: `TORR_<SECTION>_<KEY>`.

use std::ffi::OsString;

use super::file::{Content, Found};
use super::keys::{KEYS, Key, SECTIONS};
use super::origin::{Origin, Problem, Severity};
use super::suggest;
use crate::app::Remedy;
use crate::base::Untrusted;

/// Reads the variables that name keys. An empty variable counts as unset, as everywhere.
pub fn scan(variables: &[(OsString, OsString)]) -> Content {
    let mut content = Content::default();
    let names: Vec<String> = KEYS.iter().map(Key::variable).collect();
    for (name, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
        let Some(name) = name.to_str().filter(|name| is_ours(name)) else { continue };
        let origin = Origin::Variable(name.to_owned());
        let Some(at) = names.iter().position(|known| known == name) else {
            let used = KEYS.iter().zip(&names).filter(|(key, _)| key.used);
            let near = suggest::closest(name, used.map(|(_, name)| name.as_str()));
            content.problems.push(Problem {
                severity: Severity::Warning,
                origin,
                key: None,
                message: "there is no such key".to_owned(),
                remedy: near.map(|near| Remedy::Sentence(format!("did you mean {near}?"))),
            });
            continue;
        };
        let key = &KEYS[at];
        let text = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned());
        match text.and_then(|text| key.kind.read(text)) {
            Ok(value) => content.found.push(Found { key: key.id, value, origin }),
            Err(hint) => content.problems.push(Problem {
                severity: Severity::Error,
                origin,
                key: Some(key.full()),
                message: format!(
                    "{} cannot be '{}'",
                    key.full(),
                    Untrusted::new(value.to_string_lossy()).fit(60)
                ),
                remedy: Some(Remedy::Sentence(hint)),
            }),
        }
    }
    content
}

/// Whether a name is `TORR_` and a section. Others are no keys: `TORR_CONFIG`, `TORR_LOG`, or those of other
/// programs.
fn is_ours(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("TORR_") else { return false };
    SECTIONS.iter().any(|(section, _)| {
        let rest = rest.get(..section.len()).zip(rest.get(section.len()..));
        rest.is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(section)
                && rest.starts_with('_')
                && start.chars().all(char::is_uppercase)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::kind::Value;

    fn of(pairs: &[(&str, &str)]) -> Content {
        scan(&pairs.iter().map(|(name, value)| (name.into(), value.into())).collect::<Vec<_>>())
    }

    #[test]
    fn variables_are_keys_in_capitals() {
        let content = of(&[
            ("TORR_NETWORK_PORT", "51999"),
            ("TORR_LIMITS_PEERS_TOTAL", "7"),
            ("TORR_PATHS_WATCH", "[\"/a\", \"/b\"]"),
            ("TORR_LIMITS_DOWN", ""),
            ("TORR_CONFIG", "x"),
            ("TORR_UI", "x"),
            ("PATH", "x"),
            ("TORR_NAME", "x"),
        ]);
        assert_eq!(content.problems, []);
        let values: Vec<&Value> = content.found.iter().map(|found| &found.value).collect();
        assert_eq!(
            values,
            [&Value::Number(51_999), &Value::Number(7), &Value::List(vec!["/a".into(), "/b".into()])]
        );
    }

    #[test]
    fn slips_are_told() {
        let content = of(&[("TORR_NETWORK_PROT", "1"), ("TORR_NETWORK_PORT", "x\u{1b}")]);
        assert_eq!(content.found, []);
        let told: Vec<String> = content.problems.iter().map(Problem::sentence).collect();
        assert_eq!(
            told,
            [
                "TORR_NETWORK_PROT: there is no such key; did you mean TORR_NETWORK_PORT?",
                "TORR_NETWORK_PORT: network.port cannot be 'x\\u{1b}'; write a whole number from 0 to 65535",
            ]
        );
        assert_eq!(content.problems[0].severity, Severity::Warning);
        assert_eq!(content.problems[1].severity, Severity::Error);
    }
}
