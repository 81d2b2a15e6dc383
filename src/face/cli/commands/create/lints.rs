//! What is allowed in a torrent and seldom meant.

use crate::store::ScannedFile;

/// What the lints look at.
pub struct Facts<'a> {
    /// Bytes of a piece.
    pub piece_len: u32,
    /// Peers come from trackers only.
    pub private: bool,
    /// How many trackers there are.
    pub trackers: usize,
    /// The files.
    pub files: &'a [ScannedFile],
}

/// A sentence for each, with its name at the end.
pub fn find(facts: &Facts<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if !facts.piece_len.is_power_of_two() {
        found.push(
            "the piece size is no power of two, which some clients do not take (uneven-piece)".to_owned(),
        );
    }
    if facts.private && facts.trackers == 0 {
        found.push("a private torrent without a tracker finds no peers (private-without-tracker)".to_owned());
    }
    let count = |bad: &dyn Fn(&[String]) -> bool| facts.files.iter().filter(|file| bad(&file.names)).count();
    let long = count(&|names| names.iter().map(|name| name.len() + 1).sum::<usize>() > 200);
    if long > 0 {
        found.push(format!("{long} of the paths are too long for some systems (path-too-long)"));
    }
    let odd = count(&|names| names.iter().any(|name| !portable(name)));
    if odd > 0 {
        found.push(format!("{odd} of the paths have names that Windows does not take (name-not-portable)"));
    }
    found
}

fn portable(name: &str) -> bool {
    let reserved = ["con", "prn", "aux", "nul"];
    let stem = name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    let numbered = ["com", "lpt"].iter().any(|port| {
        stem.strip_prefix(port)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
    });
    let odd = |c: char| c.is_control() || "<>:\"\\|?*".contains(c);
    !(name.ends_with(['.', ' ']) || name.contains(odd) || reserved.contains(&stem.as_str()) || numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seldom_meant_is_found() {
        let file = |path: &str| ScannedFile {
            path: path.into(),
            names: path.split('/').map(str::to_owned).collect(),
            len: 1,
            executable: false,
        };
        let files = [file("a/CON.txt"), file("a/ok"), file("b?")];
        let found = find(&Facts { piece_len: 48 << 10, private: true, trackers: 0, files: &files });
        assert_eq!(found.len(), 3);
        assert!(found[2].starts_with("2 of the paths"));
        assert!(
            find(&Facts { piece_len: 1 << 20, private: true, trackers: 1, files: &files[1..2] }).is_empty()
        );
        assert!(portable("common") && portable("com") && !portable("COM1.x") && !portable("x."));
    }
}
