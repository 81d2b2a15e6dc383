//! The state directory: where torr keeps what it remembers of torrents, and the port it remembers.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::Error;
use crate::base::Untrusted;

/// The ports of which one is chosen once: those that no program is registered for.
const PORTS: std::ops::RangeInclusive<u16> = 49_152..=65_534;

/// The state directory: the one that is given, `TORR_STATE_DIR`, `$XDG_STATE_HOME/torr`, `~/.local/state/torr`.
/// Nothing where there is not even a home.
pub fn locate(given: Option<&Path>) -> Option<PathBuf> {
    let var = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    given
        .map(Path::to_owned)
        .or_else(|| var("TORR_STATE_DIR"))
        .or_else(|| var("XDG_STATE_HOME").filter(absolute).map(|base| base.join("torr")))
        .or_else(|| var("HOME").filter(absolute).map(|home| home.join(".local/state/torr")))
}

/// The state directory of a profile, below that of everybody.
pub fn profile_dir(profile: &str) -> Option<PathBuf> {
    locate(None).map(|base| base.join("profiles").join(profile))
}

/// The profile that `TORR_PROFILE` names.
pub fn profile_of_environment() -> Result<Option<String>, Error> {
    let name = env::var_os("TORR_PROFILE").filter(|name| !name.is_empty());
    let name = name.map(|name| parse_profile(&name.to_string_lossy())).transpose();
    name.map_err(|why| Error::usage(format!("TORR_PROFILE: {why}")))
}

/// Reads the name of a profile, which is also that of a directory.
pub fn parse_profile(text: &str) -> Result<String, String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if (1..=64).contains(&text.len()) && text.bytes().all(good) {
        return Ok(text.to_owned());
    }
    let shown = Untrusted::new(text).fit(64);
    Err(format!("'{shown}' is not a profile name; write letters, digits, - and _, 64 at most"))
}

/// The port that was chosen in an earlier run, or a new one that is remembered from here on: a user may have
/// opened it in a router.
pub fn remembered_port(directory: &Path) -> Option<u16> {
    let file = directory.join("port");
    let known = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
    known.filter(|port| PORTS.contains(port)).or_else(|| {
        let mut chance = [0; 2];
        getrandom::fill(&mut chance).ok()?;
        let span = u32::from(PORTS.end() - PORTS.start()) + 1;
        let port = PORTS.start() + (u32::from(u16::from_ne_bytes(chance)) % span) as u16;
        // Not being able to remember it costs nothing but the memory.
        let _ = fs::create_dir_all(directory).and_then(|()| fs::write(&file, format!("{port}\n")));
        Some(port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_named_as_a_directory_can_be() {
        assert!(parse_profile("work-2_x").is_ok());
        for bad in ["", ".", "..", "a/b", "a b", "\u{1b}", &"x".repeat(65)] {
            assert!(parse_profile(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_port_is_chosen_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = remembered_port(dir.path()).unwrap();
        assert!(PORTS.contains(&first));
        assert_eq!(remembered_port(dir.path()), Some(first));
        fs::write(dir.path().join("port"), "6881").unwrap();
        assert!(PORTS.contains(&remembered_port(dir.path()).unwrap()));
    }
}
