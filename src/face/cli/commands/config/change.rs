//! `torr config set`, `migrate` and `init`.

use std::path::Path;

use serde::Serialize;

use crate::app::config::change::{back_up, migrated, save, with_value};
use crate::app::config::keys::Key;
use crate::app::config::kind::Value;
use crate::app::config::{Config, Setting, Support, file, template};
use crate::app::{Error, ErrorKind, shown};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::config::sources;
use crate::face::cli::exit::Exit;
use crate::face::cli::json::path_hex;
use crate::face::cli::output::Output;

use super::{document, target, text_of, unfit};

/// Sets one key in the file.
pub fn set(key: &'static Key, words: &[String], global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    #[derive(Serialize)]
    struct Document {
        schema: &'static str,
        ok: bool,
        key: String,
        value: serde_json::Value,
        path: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        path_hex: Option<String>,
        created: bool,
        in_force: bool,
    }
    let path = target(global)?;
    let value = value(key, words)?;
    let profile = global.profile.as_deref();
    let old = text_of(&path)?;
    let text = with_value(old.as_deref().unwrap_or_default(), profile, key, &value)
        .map_err(|why| unfit(&path, &why))?;
    // What was written is read back before it takes the place of anything.
    let read = file::scan(&text, &path, profile);
    let full = key.full();
    let there = read.found.iter().rev().find(|found| found.key == key.id);
    if there.is_none_or(|found| found.value != value) || text.len() as u64 > file::MAX_BYTES {
        return Err(unfit(&path, "the value would not be read back from there"));
    }
    save(&path, &text, true)?;
    let place = profile.map_or_else(String::new, |name| format!(" of the profile {name}"));
    output.say(&format!("{full} = {value}{place} in {}", shown(&path)));
    let config = Config::load(&sources(global));
    let setting = config.setting(key.id);
    let in_force = setting.value == value;
    if !in_force {
        output.warn(&format!("{} is stronger: there it is {}", setting.origin, setting.value));
    }
    match (Setting { key, value: value.clone(), origin: setting.origin.clone() }).support() {
        Support::Full => {}
        Support::NoEffect => output.warn(&format!("{full} has no effect in this version")),
        Support::Refused => output.warn(&format!("{full} is not available in this version")),
    }
    output.event(&Document {
        schema: "torr.config.set/1",
        ok: true,
        key: full,
        value: document::value(&value),
        path: path.to_string_lossy().into_owned(),
        path_hex: path_hex(&path),
        created: old.is_none(),
        in_force,
    })?;
    Ok(Exit::Done)
}

fn value(key: &Key, words: &[String]) -> Result<Value, Error> {
    let wrong = |written: &str, hint: String| {
        let written = crate::base::Untrusted::new(written).fit(60);
        Error::usage(format!("{} cannot be '{written}'", key.full())).hint(hint)
    };
    match words {
        [one] => key.kind.read(one).map_err(|hint| wrong(one, hint)),
        several if key.kind.is_list() => {
            let value = Value::List(several.to_vec());
            key.kind.check(&value).map(|()| value).map_err(|hint| wrong(&several.join(" "), hint))
        }
        several => Err(wrong(&several.join(" "), format!("write {}, as one word", key.kind.allowed()))),
    }
}

/// Corrects the names of keys.
pub fn migrate(global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    #[derive(Serialize)]
    struct Row {
        line: usize,
        from: String,
        to: String,
        done: bool,
    }
    #[derive(Serialize)]
    struct Document {
        schema: &'static str,
        ok: bool,
        code: u8,
        path: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        path_hex: Option<String>,
        backup: Option<String>,
        renamed: Vec<Row>,
    }
    let path = target(global)?;
    let old = text_of(&path)?;
    let (text, renamings) = match &old {
        Some(old) => migrated(old).map_err(|why| unfit(&path, &why))?,
        None => (String::new(), Vec::new()),
    };
    let mut backup = None;
    if let Some(old) = old.as_deref().filter(|old| *old != text) {
        backup = Some(back_up(&path, old)?);
        save(&path, &text, true)?;
    }
    for renaming in &renamings {
        let place = format!("{}:{}", shown(&path), renaming.line);
        if renaming.done {
            output.say(&format!("{place}: {} is {} now", renaming.from, renaming.to));
        } else {
            output.warn(&format!("{place}: {} stays, for {} is there as well", renaming.from, renaming.to));
        }
    }
    match &backup {
        Some(backup) => output.say(&format!("the old file is kept as {}", shown(backup))),
        None if renamings.is_empty() => output.say(&format!("nothing to do in {}", shown(&path))),
        None => {}
    }
    let exit = if renamings.iter().all(|renaming| renaming.done) { Exit::Done } else { Exit::No };
    let row = |renaming: crate::app::config::change::Renaming| Row {
        line: renaming.line,
        from: renaming.from,
        to: renaming.to,
        done: renaming.done,
    };
    output.event(&Document {
        schema: "torr.config.migrate/1",
        ok: exit == Exit::Done,
        code: exit.code(),
        path: path.to_string_lossy().into_owned(),
        path_hex: path_hex(&path),
        backup: backup.map(|path| path.to_string_lossy().into_owned()),
        renamed: renamings.into_iter().map(row).collect(),
    })?;
    Ok(exit)
}

/// Writes the file with every default.
pub fn init(force: bool, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    #[derive(Serialize)]
    struct Document {
        schema: &'static str,
        ok: bool,
        path: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        path_hex: Option<String>,
        backup: Option<String>,
    }
    let path = target(global)?;
    let mut backup = None;
    if path.symlink_metadata().is_ok() {
        if !force {
            let message = format!("{} already exists", shown(&path));
            return Err(Error::new(ErrorKind::Disk, "exists", message).hint(
                "'torr config edit' changes it, --force writes a new one and keeps the old one as .bak",
            ));
        }
        if let Some(old) = text_of(&path)? {
            backup = Some(back_up(&path, &old)?);
        }
    }
    save(&path, &template::text(), force)?;
    if let Some(backup) = &backup {
        output.say(&format!("the old file is kept as {}", shown(backup)));
    }
    if output.json {
        output.event(&Document {
            schema: "torr.config.init/1",
            ok: true,
            path: path.to_string_lossy().into_owned(),
            path_hex: path_hex(&path),
            backup: backup.map(|path| path.to_string_lossy().into_owned()),
        })?;
    } else {
        written(&path, output)?;
    }
    Ok(Exit::Done)
}

/// A sentence for people; the bare path for a program.
fn written(path: &Path, output: &Output) -> Result<(), Error> {
    if output.stdout_tty {
        output.say(&format!("{} has every key at its default; 'torr config edit' opens it", shown(path)));
        Ok(())
    } else {
        output.path(path, b'\n')
    }
}
