//! Suggestions for misspelt names.

use super::keys::{KEYS, Key};

/// The longest name that is compared, in bytes.
const MAX_LEN: usize = 48;

/// Finds the key that is most similar to a name with or without section, among those that torr acts on.
pub fn key(name: &str) -> Option<&'static Key> {
    let (section, last) = name.split_once('.').unwrap_or(("", name));
    let used = || KEYS.iter().enumerate().filter(|(_, key)| key.used);
    let close = used().filter_map(|(at, key)| Some((far(section, key.section)? + far(last, key.name)?, at)));
    // Perhaps it is the right name in the wrong section, or in none.
    let elsewhere = || used().filter_map(|(at, key)| Some((far(last, key.name)?, at))).min();
    close.min().or_else(elsewhere).map(|(_, at)| &KEYS[at])
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
    Some(strsim::osa_distance(word, other)).filter(|far| *far <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_the_letters_may_differ() {
        assert_eq!(far("port", "port"), Some(0));
        assert_eq!(far("prot", "port"), Some(1));
        assert_eq!(far("ports", "port"), Some(1));
        assert_eq!(far("", "port"), None);
    }

    #[test]
    fn the_closest_key_is_found_or_none() {
        let found = |name: &str| key(name).map(Key::full);
        for (name, meant) in [
            ("network.prot", "network.port"),
            ("limits.dwn", "limits.down"),
            ("dht", "network.dht"),
            ("limits.port", "network.port"),
        ] {
            assert_eq!(found(name).as_deref(), Some(meant), "{name}");
        }
        assert_eq!(found("ui.colour_of_the_sky"), None);
        assert_eq!(found(&"x".repeat(100_000)), None);
    }

    #[test]
    fn keys_without_effect_are_never_suggested() {
        for unused in KEYS.iter().filter(|key| !key.used) {
            let misspelt = format!("{}x", unused.full());
            assert!(key(&misspelt).is_none_or(|key| key.used), "{misspelt}");
        }
    }
}
