//! Suggestions for misspelt names.

use super::keys;

/// The longest name that is compared, in bytes.
const MAX_LEN: usize = 48;

/// Finds the key that is most similar to a name with or without section.
pub fn key(name: &str) -> Option<&'static str> {
    let (section, last) = name.split_once('.').unwrap_or(("", name));
    let full = keys::names().iter().filter_map(|full| Some((full.as_str(), full.split_once('.')?)));
    let close =
        full.clone().filter_map(|(full, (at, known))| Some((far(section, at)? + far(last, known)?, full)));
    // Perhaps it is the right name in the wrong section, or in none.
    let elsewhere = || full.clone().filter_map(|(full, (_, known))| Some((far(last, known)?, full))).min();
    close.min().or_else(elsewhere).map(|(_, full)| full)
}

/// Finds the most similar word, unless none is similar.
pub fn closest<'a>(word: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    among.filter_map(|other| Some((far(word, other)?, other))).min().map(|(_, other)| other)
}

/// The distance of two words, if it is small enough: a third of the letters may differ.
fn far(word: &str, other: &str) -> Option<usize> {
    if word.len() > MAX_LEN {
        return None;
    }
    let max = (word.chars().count() / 3).clamp(1, 4);
    Some(distance(word, other)).filter(|far| *far <= max)
}

/// Counts the letters that are inserted, deleted, changed, or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut min = changed.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                let before: &Vec<usize> = &before;
                min = min.min(before[j - 2] + 1);
            }
            row.push(min);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_hand_are_close() {
        assert_eq!(distance("port", "port"), 0);
        assert_eq!(distance("prot", "port"), 1);
        assert_eq!(distance("", "port"), 4);
        assert_eq!(distance("ports", "port"), 1);
    }

    #[test]
    fn the_closest_key_is_found_or_none() {
        assert_eq!(key("network.prot"), Some("network.port"));
        assert_eq!(key("limits.dwn"), Some("limits.down"));
        assert_eq!(key("dht"), Some("network.dht"));
        assert_eq!(key("limits.port"), Some("network.port"));
        assert_eq!(key("ui.colour_of_the_sky"), None);
        assert_eq!(key(&"x".repeat(100_000)), None);
    }
}
