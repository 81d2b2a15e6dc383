//! The table of keys.

use std::sync::LazyLock;

pub use super::key_id::KeyId;
use super::kind::{Kind, Value};

impl KeyId {
    /// The row of the table.
    pub fn key(self) -> &'static Key {
        &KEYS[self as usize]
    }
}

/// One key of the configuration.
#[derive(PartialEq, Debug)]
pub struct Key {
    /// The name in the program.
    pub id: KeyId,
    /// The table of the file that holds the key.
    pub section: &'static str,
    /// The name within the section.
    pub name: &'static str,
    /// The values that are allowed.
    pub kind: Kind,
    /// The default as a file has it.
    default: &'static str,
    /// The purpose, in one line.
    pub about: &'static str,
    /// Whether this version of torr acts on the key. The others are known and checked, so that files of other
    /// versions work.
    pub used: bool,
}

impl Key {
    /// Section and name: `network.port`.
    pub fn full(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The variable that sets it: `TORR_NETWORK_PORT`.
    pub fn variable(&self) -> String {
        format!("TORR_{}_{}", self.section, self.name).to_ascii_uppercase()
    }

    /// The default.
    pub fn default(&self) -> Value {
        let value = self.default.parse().ok().and_then(|value| Value::from_toml(&value));
        value.expect("the defaults of the table are written as in a file")
    }
}

/// Each section with its subject.
pub const SECTIONS: [(&str, &str); 8] = [
    ("paths", "Directories. Paths are absolute or begin with ~/"),
    ("network", "Network"),
    ("limits", "Limits"),
    ("seeding", "Seeding"),
    ("remove", "Removing torrents"),
    ("ui", "Full-screen view"),
    ("daemon", "Daemon"),
    ("hooks", "Hooks: a program and its arguments, without a shell"),
];

const fn key(
    id: KeyId,
    section: &'static str,
    name: &'static str,
    kind: Kind,
    default: &'static str,
    about: &'static str,
) -> Key {
    Key { id, section, name, kind, default, about, used: true }
}

/// A key that a later version acts on.
const fn later(
    id: KeyId,
    section: &'static str,
    name: &'static str,
    kind: Kind,
    default: &'static str,
    about: &'static str,
) -> Key {
    Key { used: false, ..key(id, section, name, kind, default, about) }
}

const PEERS: Kind = Kind::Number { min: 1, max: 10_000 };

/// The table of keys, in the order in which they are shown.
pub static KEYS: [Key; 40] = [
    later(
        KeyId::PathsDownloads,
        "paths",
        "downloads",
        Kind::Path,
        r#""~/Downloads""#,
        "download directory; torr get saves to the current directory regardless",
    ),
    later(
        KeyId::PathsIncomplete,
        "paths",
        "incomplete",
        Kind::Path,
        r#""""#,
        "directory for unfinished downloads; empty: the download directory",
    ),
    later(KeyId::PathsWatch, "paths", "watch", Kind::Paths, "[]", "directories to watch for torrent files"),
    key(
        KeyId::NetworkPort,
        "network",
        "port",
        Kind::Number { min: 0, max: 65_535 },
        "0",
        "port to listen on for peers, if it is free; 0: pick one and remember it",
    ),
    key(
        KeyId::NetworkBind,
        "network",
        "bind",
        Kind::Bind,
        r#""""#,
        "local address or network interface to use; empty: all",
    ),
    later(
        KeyId::NetworkEncryption,
        "network",
        "encryption",
        Kind::Choice(&["prefer", "require", "off"]),
        r#""off""#,
        "encrypt connections; not supported: prefer has no effect, require prevents all transfers",
    ),
    key(
        KeyId::NetworkDht,
        "network",
        "dht",
        Kind::Switch,
        "true",
        "find peers through the distributed hash table (DHT)",
    ),
    key(
        KeyId::NetworkDhtBootstrap,
        "network",
        "dht_bootstrap",
        Kind::Hosts,
        r#"["router.bittorrent.com:6881", "dht.transmissionbt.com:6881", "dht.libtorrent.org:25401", "router.utorrent.com:6881"]"#,
        "nodes to join the DHT through while few others are known; []: none",
    ),
    key(KeyId::NetworkPex, "network", "pex", Kind::Switch, "true", "find peers through peer exchange (PEX)"),
    key(KeyId::NetworkLsd, "network", "lsd", Kind::Switch, "true", "find peers on the local network (LSD)"),
    later(KeyId::NetworkUpnp, "network", "upnp", Kind::Switch, "true", "map the port on the router"),
    later(KeyId::NetworkUtp, "network", "utp", Kind::Switch, "true", "use uTP in addition to TCP"),
    key(KeyId::NetworkIpv6, "network", "ipv6", Kind::Switch, "true", "use IPv6 in addition to IPv4"),
    later(
        KeyId::NetworkProxy,
        "network",
        "proxy",
        Kind::Proxy,
        r#""""#,
        "proxy; not supported: setting one prevents all transfers",
    ),
    key(
        KeyId::LimitsDown,
        "limits",
        "down",
        Kind::Rate,
        r#""none""#,
        "download rate limit, in bytes per second",
    ),
    key(KeyId::LimitsUp, "limits", "up", Kind::Rate, r#""none""#, "upload rate limit, in bytes per second"),
    later(
        KeyId::LimitsAltDown,
        "limits",
        "alt_down",
        Kind::Rate,
        r#""500K""#,
        "alternative download rate limit",
    ),
    later(KeyId::LimitsAltUp, "limits", "alt_up", Kind::Rate, r#""100K""#, "alternative upload rate limit"),
    key(
        KeyId::LimitsActiveDownloads,
        "limits",
        "active_downloads",
        Kind::Number { min: 1, max: 1000 },
        "5",
        "maximum number of simultaneous downloads",
    ),
    key(
        KeyId::LimitsPeersPerTorrent,
        "limits",
        "peers_per_torrent",
        PEERS,
        "100",
        "maximum number of connections per torrent",
    ),
    key(
        KeyId::LimitsPeersTotal,
        "limits",
        "peers_total",
        PEERS,
        "400",
        "maximum number of connections overall",
    ),
    later(
        KeyId::LimitsMinFreeSpace,
        "limits",
        "min_free_space",
        Kind::Size,
        r#""1GiB""#,
        "pause downloads if less disk space than this is free",
    ),
    later(
        KeyId::SeedingRatio,
        "seeding",
        "ratio",
        Kind::Ratio,
        "2.0",
        "stop seeding at this ratio; 0: no limit; torr seed ignores it",
    ),
    later(
        KeyId::SeedingTime,
        "seeding",
        "time",
        Kind::Time,
        r#""none""#,
        "stop seeding after this long; torr seed ignores it",
    ),
    key(
        KeyId::SeedingGet,
        "seeding",
        "get",
        Kind::After,
        r#""off""#,
        "how long torr get seeds after a download, like --seed",
    ),
    later(
        KeyId::RemoveDefault,
        "remove",
        "default",
        Kind::Choice(&["keep", "trash"]),
        r#""keep""#,
        "what to do with the files",
    ),
    later(
        KeyId::RemoveUndoSeconds,
        "remove",
        "undo_seconds",
        Kind::Number { min: 0, max: 3600 },
        "10",
        "how long removing can be undone",
    ),
    later(
        KeyId::UiTheme,
        "ui",
        "theme",
        Kind::Text,
        r#""terminal""#,
        "theme; terminal: the terminal's own 16 colours",
    ),
    later(
        KeyId::UiUnicode,
        "ui",
        "unicode",
        Kind::Choice(&["auto", "full", "basic", "ascii"]),
        r#""auto""#,
        "character set to draw with",
    ),
    later(
        KeyId::UiGraph,
        "ui",
        "graph",
        Kind::Choice(&["block", "braille", "ascii", "off"]),
        r#""block""#,
        "style of graphs",
    ),
    later(KeyId::UiColumns, "ui", "columns", Kind::Text, r#""auto""#, "columns of the torrent list"),
    later(
        KeyId::UiUnits,
        "ui",
        "units",
        Kind::Choice(&["binary", "si"]),
        r#""binary""#,
        "binary (KiB) or SI (kB) units",
    ),
    later(KeyId::UiFps, "ui", "fps", Kind::Number { min: 1, max: 60 }, "10", "maximum redraws per second"),
    later(KeyId::UiMouse, "ui", "mouse", Kind::Switch, "true", "enable the mouse"),
    later(
        KeyId::UiOnQuit,
        "ui",
        "on_quit",
        Kind::Choice(&["ask", "stop", "background"]),
        r#""ask""#,
        "what to do with running transfers on quit",
    ),
    later(
        KeyId::UiNotify,
        "ui",
        "notify",
        Kind::Choices(&["toast", "bell", "title", "desktop", "command"]),
        r#"["toast"]"#,
        "how to announce a finished download",
    ),
    later(
        KeyId::UiAccessible,
        "ui",
        "accessible",
        Kind::Switch,
        "false",
        "print lines of text for screen readers instead of drawing a screen",
    ),
    later(
        KeyId::DaemonHttp,
        "daemon",
        "http",
        Kind::Listen,
        r#""""#,
        "address of the HTTP interface; empty: none",
    ),
    later(
        KeyId::DaemonTokenFile,
        "daemon",
        "token_file",
        Kind::Path,
        r#""""#,
        "file with the access token for the HTTP interface",
    ),
    later(KeyId::HooksDone, "hooks", "done", Kind::Command, "[]", "run after each download"),
];

static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| KEYS.iter().map(Key::full).collect());

/// The names of all keys, in the order of the table.
pub fn names() -> &'static [String] {
    &NAMES
}

/// The sections of the keys that torr acts on: name, subject, keys.
pub fn used() -> impl Iterator<Item = (&'static str, &'static str, Vec<&'static Key>)> {
    let keys =
        |section| KEYS.iter().filter(move |key| key.used && key.section == section).collect::<Vec<_>>();
    SECTIONS
        .into_iter()
        .map(move |(section, about)| (section, about, keys(section)))
        .filter(|(_, _, keys)| !keys.is_empty())
}

/// Finds a key by its full name.
pub fn find(name: &str) -> Option<&'static Key> {
    NAMES.iter().position(|known| known == name).map(|at| &KEYS[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_names_its_row() {
        for (at, key) in KEYS.iter().enumerate() {
            assert_eq!((key.id as usize, key.id.key()), (at, key));
        }
    }

    #[test]
    fn the_table_is_in_order_and_names_nothing_twice() {
        let sections: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
        let rank =
            |key: &Key| sections.iter().position(|name| *name == key.section).expect("a known section");
        assert!(KEYS.is_sorted_by_key(rank));
        let mut names: Vec<String> = KEYS.iter().map(Key::variable).collect();
        // These mean something else.
        for other in ["CONFIG", "STATE_DIR", "SOCKET", "LOG", "COLOR", "ASCII", "PROFILE"] {
            names.push(format!("TORR_{other}"));
        }
        names.sort();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }

    #[test]
    fn the_table_begins_with_the_usual_nodes() {
        let nodes = crate::engine::dht::BOOTSTRAP.map(String::from).to_vec();
        assert_eq!(KeyId::NetworkDhtBootstrap.key().default(), Value::List(nodes));
    }

    #[test]
    fn descriptions_are_one_plain_line() {
        for key in &KEYS {
            assert!(
                key.about.is_ascii() && key.about.len() < 110 && !key.about.ends_with('.'),
                "{}",
                key.full()
            );
        }
    }
}
