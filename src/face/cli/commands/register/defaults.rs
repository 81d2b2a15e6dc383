//! Which program opens what: the section `[Default Applications]` of `mimeapps.list`. Whatever else
//! stands in the file stays as it is.

use super::TYPES;
use super::desktop::{Entry, Made};

const SECTION: &str = "[Default Applications]";

/// Returns the parts that a file lacks for holding a default.
pub fn find_missing(text: Option<&str>) -> Made {
    match text {
        None => Made::File,
        Some(text) if section(text).is_none() => Made::Section,
        Some(_) => Made::Nothing,
    }
}

/// The default for a type, as it is written.
pub fn get(text: &str, kind: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    line(&lines, kind).and_then(|at| lines[at].split_once('=')).map(|(_, value)| value.trim().to_owned())
}

/// The text with this default for a type.
pub fn set(text: &str, kind: &str, value: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let new = format!("{kind}={value}");
    if let Some(at) = line(&lines, kind) {
        lines[at] = &new;
    } else if let Some((begin, _)) = section(text) {
        lines.insert(begin + 1, &new);
    } else {
        if !lines.is_empty() {
            lines.push("");
        }
        lines.extend([SECTION, new.as_str()]);
    }
    joined(&lines)
}

/// The text as it was before our entry became the default where it still is; nothing if the file
/// itself was not there before and nobody else wrote to it.
pub fn restore(text: &str, name: &str, entry: &Entry) -> Option<String> {
    let mut text = text.to_owned();
    for (kind, before) in TYPES.iter().zip(&entry.before) {
        let ours = get(&text, kind).is_some_and(|value| value.trim_end_matches(';') == name);
        if !ours {
            continue;
        }
        text = match before {
            Some(before) => set(&text, kind, before),
            None => without(&text, kind),
        };
    }
    if entry.made != Made::Nothing {
        text = without_empty_section(&text);
    }
    let gone = entry.made == Made::File && text.trim().is_empty();
    (!gone).then_some(text)
}

/// Where the section begins and ends, in lines: from its heading up to the next one.
fn section(text: &str) -> Option<(usize, usize)> {
    let begin = text.lines().position(|line| line.trim() == SECTION)?;
    let next = text.lines().skip(begin + 1).position(|line| line.trim_start().starts_with('['));
    Some((begin, next.map_or(text.lines().count(), |next| begin + 1 + next)))
}

/// The line that has the default for a type.
fn line(lines: &[&str], kind: &str) -> Option<usize> {
    let (begin, end) = section(&lines.join("\n"))?;
    let has = |line: &&str| line.split_once('=').is_some_and(|(key, _)| key.trim() == kind);
    lines.get(begin + 1..end)?.iter().position(has).map(|at| begin + 1 + at)
}

fn without(text: &str, kind: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    if let Some(at) = line(&lines, kind) {
        lines.remove(at);
    }
    joined(&lines)
}

fn without_empty_section(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    if let Some((begin, end)) = section(text)
        && lines[begin + 1..end].iter().all(|line| line.trim().is_empty())
    {
        lines.drain(begin..end);
        if end > begin && lines.get(begin.wrapping_sub(1)).is_some_and(|line| line.is_empty()) {
            lines.remove(begin - 1);
        }
    }
    joined(&lines)
}

fn joined(lines: &[&str]) -> String {
    if lines.is_empty() { String::new() } else { lines.join("\n") + "\n" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "torr.desktop";

    fn registered(text: Option<&str>) -> (String, Entry) {
        let before = TYPES.map(|kind| text.and_then(|text| get(text, kind)));
        let entry = Entry { before, made: find_missing(text) };
        let new = TYPES.iter().fold(text.unwrap_or_default().to_owned(), |text, kind| set(&text, kind, NAME));
        (new, entry)
    }

    #[test]
    fn what_is_set_is_taken_back_to_the_byte() {
        for before in [
            None,
            Some("[Added Associations]\ntext/plain=vi.desktop;\n"),
            Some("[Default Applications]\ntext/plain=vi.desktop\n"),
            Some(
                "[Default Applications]\nx-scheme-handler/magnet=a.desktop;b.desktop;\nimage/png=c.desktop\n\n[Added Associations]\nx-scheme-handler/magnet=z.desktop\n",
            ),
            Some("# mine\n\n[Default Applications]\n\n[Removed Associations]\na/b=c\n"),
            Some("[Default Applications]\n application/x-bittorrent = a.desktop\n"),
        ] {
            let (after, entry) = registered(before);
            for kind in TYPES {
                assert_eq!(get(&after, kind).as_deref(), Some(NAME), "{after}");
            }
            let back = restore(&after, NAME, &entry);
            if before.is_some_and(|text| text.contains(" = ")) {
                // Only the blanks around the sign go.
                assert_eq!(
                    back.as_deref(),
                    Some("[Default Applications]\napplication/x-bittorrent=a.desktop\n")
                );
            } else {
                assert_eq!(back.as_deref(), before);
            }
        }
    }

    #[test]
    fn what_others_chose_since_then_stays() {
        let (after, entry) = registered(None);
        let chosen = set(&after, TYPES[0], "other.desktop");
        let back = restore(&chosen, NAME, &entry).unwrap();
        assert_eq!(back, "[Default Applications]\nx-scheme-handler/magnet=other.desktop\n");
        assert_eq!(restore(&back, NAME, &entry).as_deref(), Some(back.as_str()));
    }
}
