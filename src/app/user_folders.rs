//! The user's folders, as the base directory specification of freedesktop.org has them.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most bytes of `user-dirs.dirs` that are read.
const MAX_BYTES: u64 = 64 << 10;

/// Where configuration is kept: `$XDG_CONFIG_HOME` or `~/.config`.
pub fn config_home() -> Option<PathBuf> {
    base(&|name| env::var_os(name), "XDG_CONFIG_HOME", ".config")
}

/// Where data is kept: `$XDG_DATA_HOME` or `~/.local/share`.
pub fn data_home() -> Option<PathBuf> {
    base(&|name| env::var_os(name), "XDG_DATA_HOME", ".local/share")
}

/// Where torr keeps what can be found again: `$XDG_CACHE_HOME/torr` or `~/.cache/torr`.
pub fn cache() -> Option<PathBuf> {
    base(&|name| env::var_os(name), "XDG_CACHE_HOME", ".cache").map(|base| base.join("torr"))
}

/// Where downloads go: the folder the desktop names, or `~/Downloads`, or the current one.
pub fn downloads() -> PathBuf {
    let home = env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let named = || {
        let file = File::open(config_home()?.join("user-dirs.dirs")).ok()?;
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
        download_dir(&text, home.as_deref()?)
    };
    let usual = || home.as_deref().map(|home| home.join("Downloads"));
    let found =
        [named(), usual()].into_iter().flatten().find(|path| fs::metadata(path).is_ok_and(|at| at.is_dir()));
    found.unwrap_or_else(|| PathBuf::from("."))
}

/// The folder that `name` sets, or the usual one below the home.
fn base(var: &dyn Fn(&str) -> Option<OsString>, name: &str, usual: &str) -> Option<PathBuf> {
    let absolute = |name: &str| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(name).or_else(|| absolute("HOME").map(|home| home.join(usual)))
}

/// Reads the download folder from `user-dirs.dirs`: a line such as `XDG_DOWNLOAD_DIR="$HOME/Downloads"`.
fn download_dir(text: &str, home: &Path) -> Option<PathBuf> {
    let value = text.lines().find_map(|line| line.trim().strip_prefix("XDG_DOWNLOAD_DIR="))?;
    let value = value.trim().strip_prefix('"')?.strip_suffix('"')?;
    match value.strip_prefix("$HOME") {
        Some(rest) => Some(home.join(rest.trim_start_matches('/'))),
        None => Some(PathBuf::from(value)).filter(|path| path.is_absolute()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_counts_if_it_is_absolute() {
        let with = |value: &'static str| {
            move |name: &str| match name {
                "XDG_DATA_HOME" => Some(OsString::from(value)),
                "HOME" => Some(OsString::from("/home/u")),
                _ => None,
            }
        };
        let of = |value| base(&with(value), "XDG_DATA_HOME", ".local/share");
        assert_eq!(of("/data"), Some(PathBuf::from("/data")));
        assert_eq!(of("data"), Some(PathBuf::from("/home/u/.local/share")));
        assert_eq!(base(&|_| None, "XDG_DATA_HOME", ".local/share"), None);
    }

    #[test]
    fn the_desktop_names_the_folder_for_downloads() {
        let of = |text| download_dir(text, Path::new("/home/u"));
        assert_eq!(of("# x\nXDG_DOWNLOAD_DIR=\"$HOME/Dl\"\n"), Some(PathBuf::from("/home/u/Dl")));
        assert_eq!(of("XDG_DOWNLOAD_DIR=\"/big\""), Some(PathBuf::from("/big")));
        assert_eq!(of("XDG_DOWNLOAD_DIR=\"big\""), None);
        assert_eq!(of(""), None);
    }
}
