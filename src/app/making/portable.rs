//! Names that every common file system can hold.

/// Whether a file of this name can be made anywhere: not where Windows keeps the name for a device, drops
/// its last character, or forbids one.
pub fn portable(name: &str) -> bool {
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
    fn devices_and_their_likes_are_told_apart() {
        for name in ["common", "com", "com10", "a.con", ".nul", "über", "lpt"] {
            assert!(portable(name), "{name}");
        }
        for name in ["con", "NUL.txt", "COM1.x", "lpt9", "x.", "x ", "a:b", "what?", "a\tb"] {
            assert!(!portable(name), "{name}");
        }
    }
}
