//! The file that `torr config init` writes: every key that torr acts on at its default, with its purpose.

use std::fmt::Write;

use super::keys;
use super::kind::Value;

/// The longest value that stays on one line, in bytes.
const MAX_VALUE: usize = 100;

/// The text of the file.
pub fn text() -> String {
    let mut text =
        "# The configuration of torr, with every key at its default. Keys can be left out.
# 'torr config check' checks this file, 'torr config show --origin' prints the values in force and their origins.
#
# Sections such as [profile.NAME.limits] override the others while --profile NAME is given.
"
        .to_owned();
    for (section, about, keys) in keys::used() {
        let _ = write!(text, "\n# {about}.\n[{section}]\n");
        for key in keys {
            let _ = write!(text, "# {}\n# Write {}\n", capital(key.about), key.kind.allowed());
            let _ = writeln!(text, "{} = {}", key.name, in_lines(&key.default()));
        }
    }
    text
}

/// A value as it stands in the file: a list that is too long for a line has a line for each of its items.
fn in_lines(value: &Value) -> String {
    let line = value.to_string();
    match value {
        Value::List(items) if line.len() > MAX_VALUE => {
            let items: Vec<String> =
                items.iter().map(|item| format!("    {},", Value::Text(item.clone()))).collect();
            format!("[\n{}\n]", items.join("\n"))
        }
        _ => line,
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::app::config::file::scan;
    use crate::app::config::keys::KEYS;

    #[test]
    fn the_file_holds_every_key_that_is_used_at_its_default() {
        let content = scan(&text(), Path::new("/c"), None);
        assert_eq!(content.problems, []);
        let found: Vec<_> = content.found.into_iter().map(|found| (found.key, found.value)).collect();
        let defaults: Vec<_> =
            KEYS.iter().filter(|key| key.used).map(|key| (key.id, key.default())).collect();
        assert_eq!(found, defaults);
        assert!(text().lines().all(|line| line.len() <= 130), "lines can be read");
    }
}
