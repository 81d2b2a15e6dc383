//! The file that `torr config init` writes: every key at its default, with what it is for.

use super::keys::{KEYS, SECTIONS};
use super::kind::Value;

/// The most characters of a value in a line.
const LONGEST: usize = 100;

/// The text of the file.
pub fn text() -> String {
    let mut text =
        "# The configuration of torr. Every key is here with its default; what is deleted is at its default,
# too. 'torr config check' says what is wrong, 'torr config show --origin' what is in force and why.
#
# A second set of values that counts while --profile NAME is given stands in sections such as
# [profile.NAME.limits].
"
        .to_owned();
    for (section, about) in SECTIONS {
        text.push_str(&format!("\n# {about}.\n[{section}]\n"));
        for key in KEYS.iter().filter(|key| key.section == section) {
            let later = if key.used { "" } else { " (not used yet)" };
            text.push_str(&format!("# {}{later}\n# Write {}\n", capital(key.about), key.kind.allowed()));
            text.push_str(&format!("{} = {}\n", key.name, in_lines(&key.default())));
        }
    }
    text
}

/// A value as it stands in the file: a list that is too long for a line has a line for each of its items.
fn in_lines(value: &Value) -> String {
    let line = value.to_string();
    match value {
        Value::List(items) if line.len() > LONGEST => {
            let items = items.iter().map(|item| format!("    {},\n", Value::Text(item.clone())));
            format!("[\n{}]", items.collect::<String>())
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

    #[test]
    fn the_file_says_every_default() {
        let content = scan(&text(), Path::new("/c"), None);
        assert_eq!(content.problems, []);
        let found: Vec<_> = content.found.into_iter().map(|found| (found.key, found.value)).collect();
        let defaults: Vec<_> = KEYS.iter().map(|key| (key.id, key.default())).collect();
        assert_eq!(found, defaults);
        assert!(text().lines().all(|line| line.len() <= 130), "lines can be read");
    }
}
