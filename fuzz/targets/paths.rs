//! Paths of files that a stranger names.

use std::collections::BTreeSet;

use torr::proto::paths::{resolve, safe_name};

/// One path a line, with slashes between its components.
pub fn run(data: &[u8]) {
    let files: Vec<Vec<&[u8]>> =
        data.split(|&byte| byte == b'\n').map(|line| line.split(|&byte| byte == b'/').collect()).collect();
    for component in files.iter().flatten() {
        let name = safe_name(component);
        is_safe(&name);
        assert_eq!(safe_name(name.as_bytes()), name, "a safe name is left as it is");
    }
    let paths = resolve(files.iter().map(|file| file.iter().copied())).expect("there are few directories");
    assert_eq!(paths.len(), files.len());
    let all: BTreeSet<&str> = paths.iter().map(torr::proto::SafePath::as_str).collect();
    assert_eq!(all.len(), files.len(), "no two files are one");
    for path in &paths {
        path.components().for_each(is_safe);
        let mut inner = path.as_str();
        while let Some((folder, _)) = inner.rsplit_once('/') {
            assert!(!all.contains(folder), "{folder} is a file and a directory");
            inner = folder;
        }
        path.with_root(data).components().for_each(is_safe);
    }
}

/// Panics unless a component leads nowhere else, shows what it is, and is a name everywhere.
pub fn is_safe(name: &str) {
    assert!((1..=255).contains(&name.len()), "{name:?}");
    assert!(name != "." && name != ".." && !name.ends_with(['.', ' ']), "{name:?}");
    let bad = |c: char| {
        c.is_control() || matches!(c, '/' | '\\' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!name.contains(bad), "{name:?}");
}
