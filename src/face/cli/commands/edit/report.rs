//! The report on a changed torrent file.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::create::target::Target;
use super::words;
use crate::app::{Error, shown};
use crate::base::InfoHashes;
use crate::face::cli::json::hex;
use crate::face::cli::output::Output;
use crate::face::cli::style::Role;
use crate::proto::metainfo::Field;

/// The report on a changed torrent file.
#[derive(Debug)]
pub struct Report<'a> {
    /// The info-hash before the change.
    pub before: InfoHashes,
    /// The info-hash after the change.
    pub after: InfoHashes,
    /// The changed fields.
    pub changed: &'a [Field],
    /// Where the new file is.
    pub target: &'a Target,
    /// Where the old one is.
    pub backup: Option<PathBuf>,
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    path: Option<String>,
    written: bool,
    backup: Option<String>,
    changed: Vec<&'static str>,
    info_hash_changed: bool,
    old_info_hash: Option<String>,
    old_info_hash_v2: Option<String>,
    info_hash: Option<String>,
    info_hash_v2: Option<String>,
}

impl Report<'_> {
    /// Tells it.
    pub fn tell(&self, in_place: bool, output: &Output) -> Result<(), Error> {
        let written = !(in_place && self.changed.is_empty());
        let path = self.target.path().map(absolute);
        let v1 = |hash: InfoHashes| hash.v1().map(|digest| hex(&digest));
        let v2 = |hash: InfoHashes| hash.v2().map(|digest| hex(&digest));
        let text = |path: &Path| path.to_string_lossy().into_owned();
        output.event(&Document {
            schema: "torr.edit/1",
            path: path.as_deref().map(text),
            written,
            backup: self.backup.as_deref().map(text),
            changed: self.changed.iter().map(|field| field.name()).collect(),
            info_hash_changed: self.before != self.after,
            old_info_hash: v1(self.before),
            old_info_hash_v2: v2(self.before),
            info_hash: v1(self.after),
            info_hash_v2: v2(self.after),
        })?;
        self.words(written, output);
        if let Some(path) = path
            && !output.stdout_tty
            && !output.json
            && output.quiet < 2
        {
            output.path(&path, b'\n')?;
        }
        Ok(())
    }

    fn words(&self, written: bool, output: &Output) {
        let fields: Vec<&str> = self.changed.iter().map(|&field| words(field)).collect();
        let what = if fields.is_empty() {
            "nothing changed".to_owned()
        } else {
            format!("changed {}", fields.join(", "))
        };
        if self.before != self.after {
            output.warn("the info hash changed: this is another torrent, with a swarm of its own");
            for (label, hash) in [("  old  ", self.before), ("  new  ", self.after)] {
                for line in lines(hash) {
                    output.say(&format!("{label}{line}"));
                }
            }
        }
        let ok = output.err.paint(Role::Good, output.err.ok());
        let place = match self.target.path() {
            None => "standard output".to_owned(),
            Some(path) => shown(path).clean(),
        };
        let line =
            if written { format!("{ok} {place}  {what}") } else { format!("{ok} {what}, nothing written") };
        output.say(&line);
        if let Some(backup) = &self.backup {
            output.say(&format!("  the old one is {}", shown(backup)));
        }
    }
}

/// The hashes of each version.
fn lines(hash: InfoHashes) -> Vec<String> {
    let v1 = hash.v1().map(|digest| format!("{}   v1", hex(&digest)));
    let v2 = hash.v2().map(|digest| format!("{}   v2", hex(&digest)));
    v1.into_iter().chain(v2).collect()
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
