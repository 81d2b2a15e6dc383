//! `torr config path`, `show` and `get`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::app::config::keys::{Key, SECTIONS};
use crate::app::config::kind::Value;
use crate::app::config::places;
use crate::app::config::{Config, Origin, Setting, Support};
use crate::app::{Error, shown};
use crate::base::Untrusted;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::config::load;
use crate::face::cli::exit::Exit;
use crate::face::cli::json::path_hex;
use crate::face::cli::output::Output;
use crate::face::cli::style::{Role, pad, width};

use super::document;

/// Lists every path in use.
pub fn path(global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    #[derive(Serialize)]
    struct Row {
        what: &'static str,
        path: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        path_hex: Option<String>,
        exists: bool,
    }
    #[derive(Serialize)]
    struct Document {
        schema: &'static str,
        profile: Option<String>,
        paths: Vec<Row>,
    }
    let paths = paths(global);
    if output.json {
        let row = |(what, path): &(&'static str, PathBuf)| Row {
            what,
            path: path.to_string_lossy().into_owned(),
            path_hex: path_hex(path),
            exists: path.exists(),
        };
        let profile = global.profile.clone();
        let paths = paths.iter().map(row).collect();
        output.event(&Document { schema: "torr.config.path/1", profile, paths })?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for (what, path) in &paths {
        let there = path.exists();
        if output.plain {
            text.push_str(&format!("{what}\t{}\t{}\n", shown(path), if there { "yes" } else { "no" }));
        } else {
            let gone = if there { "" } else { "   (not there)" };
            let what = pad(&what.replace('_', " "), 14);
            text.push_str(&format!("{what} {}{}\n", shown(path), output.out.paint(Role::Dim, gone)));
        }
    }
    output.data(text.as_bytes())?;
    Ok(Exit::Done)
}

fn paths(global: &GlobalArgs) -> Vec<(&'static str, PathBuf)> {
    let mut paths = Vec::new();
    if !global.no_config {
        paths.push(("system_config", PathBuf::from(places::SYSTEM)));
        paths.extend(places::user().map(|source| ("user_config", source.path)));
        paths.extend(global.config.clone().map(|path| ("given_config", path)));
    }
    if let Some(state) = global.state_dir() {
        paths.push(("state", state.clone()));
        paths.push(("port", state.join("port")));
    }
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    paths.into_iter().map(|(what, path)| (what, absolute(path))).collect()
}

/// Prints the keys that torr acts on, and the others that are set.
pub fn show(origin: bool, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    #[derive(Serialize)]
    struct Document<S> {
        schema: &'static str,
        profile: Option<String>,
        settings: Vec<S>,
    }
    let config = load(global, output)?;
    let listed = config.settings.iter().filter(|setting| is_listed(setting));
    if output.json {
        let settings = listed.map(row).collect();
        output.event(&Document {
            schema: "torr.config.show/1",
            profile: global.profile.clone(),
            settings,
        })?;
    } else if output.plain {
        let lines = listed.map(|setting| {
            let (value, default) = (one_line(&setting.value), one_line(&setting.key.default()));
            format!("{}\t{value}\t{default}\t{}\n", setting.key.full(), setting.origin)
        });
        output.data(lines.collect::<String>().as_bytes())?;
    } else {
        output.data(sections(&config, origin, output).as_bytes())?;
    }
    Ok(Exit::Done)
}

/// Prints one value, bare; the items of a list one per line.
pub fn get(key: &'static Key, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    #[derive(Serialize)]
    struct Document<S> {
        schema: &'static str,
        #[serde(flatten)]
        setting: S,
    }
    let config = load(global, output)?;
    let setting = config.setting(key.id);
    if output.json {
        output.event(&Document { schema: "torr.config.get/1", setting: row(setting) })?;
        return Ok(Exit::Done);
    }
    match &setting.value {
        Value::List(items) => {
            for item in items {
                output.line(&Untrusted::new(item.as_str()).clean())?;
            }
        }
        value => output.line(&Untrusted::new(value.plain()).clean())?,
    }
    Ok(Exit::Done)
}

/// Whether a setting is worth showing: torr acts on it, or somebody set it.
fn is_listed(setting: &Setting) -> bool {
    setting.key.used || setting.origin != Origin::Default
}

/// A setting for scripts.
fn row(setting: &Setting) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct Document<O> {
        key: String,
        kind: &'static str,
        value: serde_json::Value,
        /// Bytes, bytes per second or seconds; nothing for no limit and for what is no amount.
        amount: Option<u64>,
        default: serde_json::Value,
        origin: O,
        used: bool,
        about: &'static str,
    }
    let key = setting.key;
    Document {
        key: key.full(),
        kind: key.kind.word(),
        value: document::value(&setting.value),
        amount: key.kind.amount(&setting.value),
        default: document::value(&key.default()),
        origin: document::origin(&setting.origin),
        used: key.used,
        about: key.about,
    }
}

/// The keys as a file has them, with remarks behind.
fn sections(config: &Config, origin: bool, output: &Output) -> String {
    let mut text = String::new();
    for (section, _) in SECTIONS {
        let of_section = |setting: &&Setting| setting.key.section == section && is_listed(setting);
        let settings: Vec<&Setting> = config.settings.iter().filter(of_section).collect();
        if settings.is_empty() {
            continue;
        }
        let gap = if text.is_empty() { "" } else { "\n" };
        text.push_str(&format!("{gap}{}\n", output.out.paint(Role::Strong, &format!("[{section}]"))));
        for setting in settings {
            let line = format!("{} = {}", setting.key.name, setting.value);
            let mut remarks = Vec::new();
            if origin {
                remarks.push(short(&setting.origin));
            }
            if setting.value != setting.key.default() {
                remarks.push(format!("default {}", setting.key.default()));
            }
            match setting.support() {
                Support::Full => {}
                Support::NoEffect => remarks.push("no effect in this version".to_owned()),
                Support::Refused => remarks.push("not available in this version".to_owned()),
            }
            if remarks.is_empty() {
                text.push_str(&format!("{line}\n"));
            } else {
                let remark = output.out.paint(Role::Dim, &format!("# {}", remarks.join("; ")));
                text.push_str(&format!("{}  {remark}\n", pad(&line, 28.max(width(&line)))));
            }
        }
    }
    text
}

fn short(origin: &Origin) -> String {
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    match (origin, home) {
        (Origin::File { path, line: Some(line) }, Some(home)) if path.starts_with(&home) => {
            let below = path.strip_prefix(&home).unwrap_or(path);
            format!("{}:{line}", shown(&Path::new("~").join(below)))
        }
        _ => origin.to_string(),
    }
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Text(text) => Untrusted::new(text.as_str()).clean(),
        other => other.to_string(),
    }
}
