//! Where torr keeps what it remembers, and the port it remembers.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::args::global::{GlobalArgs, parse_profile};
use crate::app::Error;

/// The ports of which one is chosen once: those that no program is registered for.
const PORTS: std::ops::RangeInclusive<u16> = 49_152..=65_534;

/// The state directory: the flag, `TORR_STATE_DIR`, `$XDG_STATE_HOME/torr`, `~/.local/state/torr`.
/// Nothing where there is not even a home.
pub fn directory(flag: Option<&Path>) -> Option<PathBuf> {
    let var = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    flag.map(Path::to_owned)
        .or_else(|| var("TORR_STATE_DIR"))
        .or_else(|| var("XDG_STATE_HOME").filter(absolute).map(|base| base.join("torr")))
        .or_else(|| var("HOME").filter(absolute).map(|home| home.join(".local/state/torr")))
}

/// Settles what the flags of everywhere and the environment say about profile and state, so that
/// from here on the flags alone say it. A profile has a state of its own below that of everybody, unless
/// the flag names a directory.
pub fn settle(global: &mut GlobalArgs) -> Result<(), Error> {
    if global.profile.is_none()
        && let Some(name) = env::var_os("TORR_PROFILE").filter(|name| !name.is_empty())
    {
        let name = parse_profile(&name.to_string_lossy());
        global.profile = Some(name.map_err(|why| Error::usage(format!("TORR_PROFILE: {why}")))?);
    }
    if let (Some(profile), None) = (&global.profile, &global.state_dir) {
        global.state_dir = directory(None).map(|base| base.join("profiles").join(profile));
    }
    Ok(())
}

/// The port that was chosen in an earlier run, or a new one that is remembered from here on: it is
/// what a user may have opened in a router.
pub fn port(directory: &Path) -> Option<u16> {
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
    fn a_profile_has_a_state_of_its_own() {
        let mut global = GlobalArgs { profile: Some("work".to_owned()), ..GlobalArgs::default() };
        settle(&mut global).unwrap();
        assert!(global.state_dir.is_none_or(|dir| dir.ends_with("profiles/work")));
        let mut global = GlobalArgs {
            profile: Some("work".to_owned()),
            state_dir: Some("/x".into()),
            ..GlobalArgs::default()
        };
        settle(&mut global).unwrap();
        assert_eq!(global.state_dir, Some("/x".into()));
    }

    #[test]
    fn a_port_is_chosen_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = port(dir.path()).unwrap();
        assert!(PORTS.contains(&first));
        assert_eq!(port(dir.path()), Some(first));
        fs::write(dir.path().join("port"), "6881").unwrap();
        assert!(PORTS.contains(&port(dir.path()).unwrap()));
    }
}
