//! The key that was probably meant.

use super::keys;

/// Names longer than this resemble nothing.
const LONGEST: usize = 48;

/// The key most like this name, full or without its section, if it is like any.
pub fn key(name: &str) -> Option<&'static str> {
    let (section, last) = name.split_once('.').unwrap_or(("", name));
    let full = keys::names().iter().filter_map(|full| Some((full.as_str(), full.split_once('.')?)));
    let near =
        full.clone().filter_map(|(full, (at, known))| Some((far(section, at)? + far(last, known)?, full)));
    // Perhaps it is the right name in the wrong section, or in none.
    let elsewhere = || full.clone().filter_map(|(full, (_, known))| Some((far(last, known)?, full))).min();
    near.min().or_else(elsewhere).map(|(_, full)| full)
}

/// The word most like this one, if one is.
pub fn closest<'a>(word: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    among.filter_map(|other| Some((far(word, other)?, other))).min().map(|(_, other)| other)
}

/// How far two words are from each other, unless it is too far: a third of the letters may be wrong.
fn far(word: &str, other: &str) -> Option<usize> {
    if word.len() > LONGEST {
        return None;
    }
    let most = (word.chars().count() / 3).clamp(1, 4);
    Some(distance(word, other)).filter(|far| *far <= most)
}

/// How many letters have to be put in, taken out, changed, or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                let before: &Vec<usize> = &before;
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
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
