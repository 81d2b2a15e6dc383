//! Changes to a file that keep the rest of it: order, comments, line ends.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{Document, DocumentMut, Item, Table};

use super::aliases;
use super::file::{PROFILE, pairs};
use super::keys::Key;
use super::kind::Value;
use crate::app::{Error, ErrorKind, shown};
use crate::store::write_atomic;

/// Sets a key in the text of a file, in the sections of a profile or in the others.
pub fn with_value(text: &str, profile: Option<&str>, key: &Key, value: &Value) -> Result<String, String> {
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let mut table: &mut dyn toml_edit::TableLike = document.as_table_mut();
    let path: Vec<&str> = profile.map_or_else(Vec::new, |name| vec![PROFILE, name]);
    for name in &path {
        table = below(table, name, true)?;
    }
    table = below(table, key.section, false)?;
    let mut new = value.to_toml();
    match table.get_mut(key.name) {
        Some(Item::Value(old)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        Some(_) => return Err(format!("{} is no plain value there", key.full())),
        None => {
            table.insert(key.name, Item::Value(new));
        }
    }
    let written = document.to_string();
    Ok(if text.contains("\r\n") { written.replace("\r\n", "\n").replace('\n', "\r\n") } else { written })
}

/// Finds the table of this name, or makes it.
fn below<'a>(
    table: &'a mut dyn toml_edit::TableLike,
    name: &str,
    implicit: bool,
) -> Result<&'a mut dyn toml_edit::TableLike, String> {
    let item = table.entry(name).or_insert_with(|| {
        let mut made = Table::new();
        made.set_implicit(implicit);
        Item::Table(made)
    });
    item.as_table_like_mut().ok_or_else(|| format!("{name} is no table there"))
}

/// An alias that was replaced, or could not be because the right name is there as well.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Renaming {
    /// The line, counted from 1.
    pub line: usize,
    /// The alias: `limits.download`.
    pub from: String,
    /// The right name: `limits.down`.
    pub to: String,
    /// Whether the alias was replaced.
    pub done: bool,
}

/// Replaces every alias in the text of a file by the right name.
pub fn migrated(text: &str) -> Result<(String, Vec<Renaming>), String> {
    let document = Document::parse(text).map_err(|error| error.message().to_owned())?;
    let mut renamings = Vec::new();
    let mut cuts = Vec::new();
    let root = document.as_table();
    let mut scopes: Vec<(String, &dyn toml_edit::TableLike)> = vec![(String::new(), root)];
    if let Some(profiles) = root.get(PROFILE).and_then(Item::as_table_like) {
        for (name, item) in pairs(profiles) {
            scopes.extend(item.as_table_like().map(|table| (format!("{PROFILE}.{}.", name.get()), table)));
        }
    }
    for (prefix, scope) in scopes {
        for (section, item) in pairs(scope) {
            let Some(table) = item.as_table_like() else { continue };
            let mut taken: Vec<&str> = Vec::new();
            for (key, _) in pairs(table) {
                let Some(meant) = aliases::key_of(section.get(), key.get()) else { continue };
                let Some(span) = key.span() else { continue };
                let done = !table.contains_key(meant.name) && !taken.contains(&meant.name);
                taken.push(meant.name);
                renamings.push(Renaming {
                    line: 1 + text[..span.start].matches('\n').count(),
                    from: format!("{prefix}{}.{}", section.get(), key.get()),
                    to: format!("{prefix}{}", meant.full()),
                    done,
                });
                if done {
                    cuts.push((span, meant.name));
                }
            }
        }
    }
    cuts.sort_by_key(|(span, _)| span.start);
    let mut new = text.to_owned();
    for (span, name) in cuts.into_iter().rev() {
        new.replace_range(span, name);
    }
    renamings.sort_by_key(|renaming| renaming.line);
    Ok((new, renamings))
}

/// Writes a file whole or not at all. Symbolic links are followed, permissions stay.
pub fn save(path: &Path, text: &str, overwrite: bool) -> Result<(), Error> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Some(folder) = real.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| Error::disk("create", folder, &error))?;
    }
    let mode = fs::metadata(&real).ok().map(|found| found.permissions());
    write_atomic(&real, text.as_bytes(), overwrite)?;
    match mode {
        Some(mode) => fs::set_permissions(&real, mode).map_err(|error| Error::disk("write", &real, &error)),
        None => Ok(()),
    }
}

/// Writes the text of a file beside it, under a free name: `config.toml.bak`, or with a number.
pub fn back_up(path: &Path, text: &str) -> Result<PathBuf, Error> {
    let named = |end: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let names = std::iter::once(".bak".to_owned()).chain((1..1000).map(|number| format!(".bak.{number}")));
    for name in names.map(named) {
        if name.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            save(&name, text, false)?;
            return Ok(name);
        }
    }
    let message = format!("there are a thousand copies of {} already", shown(path));
    Err(Error::new(ErrorKind::Disk, "exists", message).hint("delete those that nobody needs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::keys;

    fn set(text: &str, profile: Option<&str>, name: &str, value: &str) -> Result<String, String> {
        let key = keys::find(name).unwrap();
        with_value(text, profile, key, &key.kind.read(value).unwrap())
    }

    #[test]
    fn a_value_is_set_and_all_else_stays() {
        let text = "# top\n\n[limits]   # how much\nup = \"1M\"      # slow line\n# the end\ndown = '2M'\n\n[network]\nport = 1\n";
        assert_eq!(set(text, None, "limits.up", "none"), Ok(text.replace("\"1M\" ", "\"none\" ")));
        assert_eq!(
            set(text, None, "limits.peers_total", "9"),
            Ok(text.replace("'2M'\n", "'2M'\npeers_total = 9\n"))
        );
        assert_eq!(set(text, None, "ui.mouse", "off"), Ok(format!("{text}\n[ui]\nmouse = false\n")));
        assert_eq!(set("", None, "ui.mouse", "off"), Ok("[ui]\nmouse = false\n".to_owned()));
        assert_eq!(
            set("", Some("work"), "network.port", "7"),
            Ok("[profile.work.network]\nport = 7\n".to_owned())
        );
        assert_eq!(
            set("network = { port = 1 }\n", None, "network.port", "7"),
            Ok("network = { port = 7 }\n".to_owned())
        );
        assert_eq!(
            set("network.port = 1\r\n", None, "network.ipv6", "no"),
            Ok("network.port = 1\r\nnetwork.ipv6 = false\r\n".to_owned())
        );
        assert_eq!(
            set("", None, "hooks.done", r#"["/bin/x", "a \" b"]"#),
            Ok("[hooks]\ndone = [\"/bin/x\", 'a \" b']\n".to_owned())
        );
    }

    #[test]
    fn what_stands_in_the_way_is_not_overwritten() {
        assert!(set("network = 5", None, "network.port", "7").is_err());
        assert!(set("[network.port]\na = 1", None, "network.port", "7").is_err());
        assert!(set("[network", None, "network.port", "7").is_err());
    }

    #[test]
    fn names_are_corrected_and_all_else_stays() {
        let text = "# a\n[limits]\n  \"download\" = \"1M\" # fast\nmax_peers=5\nupload = \"2M\"\nup = \"3M\"\n\n[profile.x]\nnetwork.interface = \"lo\"\n";
        let (new, renamings) = migrated(text).unwrap();
        let expected = text
            .replace("\"download\"", "down")
            .replace("max_peers", "peers_per_torrent")
            .replace("network.interface", "network.bind");
        assert_eq!(new, expected);
        let told: Vec<String> = renamings
            .iter()
            .map(|renaming| format!("{} {} {} {}", renaming.line, renaming.from, renaming.to, renaming.done))
            .collect();
        assert_eq!(
            told,
            [
                "3 limits.download limits.down true",
                "4 limits.max_peers limits.peers_per_torrent true",
                "5 limits.upload limits.up false",
                "9 profile.x.network.interface profile.x.network.bind true",
            ]
        );
        assert_eq!(migrated(&new).unwrap().1.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("dotfiles.toml"), dir.path().join("config.toml"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        save(&link, "new", true).unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(back_up(&link, "a").unwrap(), dir.path().join("config.toml.bak"));
        assert_eq!(back_up(&link, "b").unwrap(), dir.path().join("config.toml.bak.1"));
    }
}
