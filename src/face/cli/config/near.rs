//! The key that was probably meant.

use super::keys;

/// Names longer than this resemble nothing.
const LONGEST: usize = 48;

/// The key most like this name, full or without its section, if it is like any.
pub fn key(name: &str) -> Option<&'static str> {
    let full = keys::names().iter().map(String::as_str);
    let best = nearest(name, full.clone());
    let last = name.rsplit('.').next().unwrap_or(name);
    // The right name in the wrong section, or in none.
    best.or_else(|| {
        let wanted =
            nearest(last, full.clone().filter_map(|full| full.split_once('.')).map(|(_, name)| name))?;
        full.clone().find(|full| full.split_once('.').is_some_and(|(_, name)| name == wanted))
    })
}

/// The word most like this one, if one is: about a third of the letters may be wrong.
pub fn nearest<'a>(word: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let most = (word.chars().count() / 3).clamp(1, 4);
    let ranked = among.map(|other| (distance(word, other), other));
    ranked.min_by_key(|(far, _)| *far).filter(|(far, _)| *far <= most).map(|(_, other)| other)
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
    fn the_nearest_key_is_found_or_none() {
        assert_eq!(key("network.prot"), Some("network.port"));
        assert_eq!(key("limits.dwn"), Some("limits.down"));
        assert_eq!(key("dht"), Some("network.dht"));
        assert_eq!(key("limits.port"), Some("network.port"));
        assert_eq!(key("ui.colour_of_the_sky"), None);
        assert_eq!(key(&"x".repeat(100_000)), None);
    }
}
