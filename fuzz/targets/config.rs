//! The configuration file.

use std::collections::BTreeMap;
use std::path::Path;

use torr::app::config::file::scan;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("config.toml");
    let content = scan(text, path, None);
    // A hundred problems are told, and an error whatever stands before it.
    assert!(content.problems.len() <= 101);
    assert!(content.problems.iter().all(|problem| !problem.place_and_message().is_empty()));
    let mut values = BTreeMap::new();
    for found in content.found {
        values.insert(found.key, found.value);
    }
    let lines = values.iter().map(|(key, value)| format!("{} = {}\n", key.key().full(), value.to_toml()));
    let again = scan(&lines.collect::<String>(), path, None);
    assert_eq!(again.problems, [], "what was accepted is good");
    let back: BTreeMap<_, _> = again.found.into_iter().map(|found| (found.key, found.value)).collect();
    assert_eq!(back, values, "what was accepted is accepted again");
    // Every profile is checked; the one in use adds to the rest.
    let work = scan(text, path, Some("work"));
    assert!(work.found.len() >= values.len() && work.problems.len() == content.problems.len());
}
