//! Other names of keys: those they had before, or have in another program. An alias works, with a warning, and
//! `torr config migrate` writes the right name.

use super::keys::{self, Key};

/// A section, a name that somebody may write there, and the right name in that section.
const ALIASES: [(&str, &str, &str); 20] = [
    ("paths", "download", "downloads"),
    ("paths", "download_dir", "downloads"),
    ("paths", "incomplete_dir", "incomplete"),
    ("paths", "watch_dirs", "watch"),
    ("network", "listen_port", "port"),
    ("network", "peer_port", "port"),
    ("network", "interface", "bind"),
    ("network", "bind_address", "bind"),
    ("limits", "download", "down"),
    ("limits", "upload", "up"),
    ("limits", "max_download", "down"),
    ("limits", "max_upload", "up"),
    ("limits", "alt_download", "alt_down"),
    ("limits", "alt_upload", "alt_up"),
    ("limits", "max_active_downloads", "active_downloads"),
    ("limits", "max_peers", "peers_per_torrent"),
    ("limits", "max_peers_total", "peers_total"),
    ("seeding", "ratio_limit", "ratio"),
    ("seeding", "time_limit", "time"),
    ("daemon", "listen", "http"),
];

/// The key that is meant by another name in this section.
pub fn key_of(section: &str, name: &str) -> Option<&'static Key> {
    let (_, _, right) = ALIASES.iter().find(|(at, other, _)| *at == section && *other == name)?;
    keys::find(&format!("{section}.{right}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_means_a_key_and_is_none() {
        for (section, other, right) in ALIASES {
            assert_eq!(key_of(section, other).map(|key| (key.section, key.name)), Some((section, right)));
            assert!(keys::find(&format!("{section}.{other}")).is_none(), "{other}");
        }
    }
}
