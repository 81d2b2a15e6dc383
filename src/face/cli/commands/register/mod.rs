//! `torr register`: torr opens magnet links and torrent files of the desktop.

mod defaults;
mod desktop;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde::Serialize;

use crate::app::user_folders;
use crate::app::{Error, ErrorKind, shown};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::ask;
use crate::face::cli::exit::Exit;
use crate::face::cli::json::path_hex;
use crate::face::cli::output::Output;
use desktop::Entry;

/// Systems whose desktops are none that torr knows.
const UNSUPPORTED: bool = cfg!(any(target_os = "macos", target_os = "ios", windows));

/// Make torr the desktop's handler for magnet links and torrent files
///
/// Shows what it will change, asks, then writes torr.desktop and makes torr the default for magnet links and
/// torrent files, which are then downloaded in a terminal. --undo reverts exactly that and restores the
/// previous default. A torr.desktop that torr did not create is never touched.
#[derive(Args, Debug)]
#[command(
    hide = UNSUPPORTED,
    after_help = "Examples:
  torr register --dry-run
  torr register -y
  torr register --undo -y"
)]
pub struct RegisterArgs {
    /// Undo the registration
    #[arg(long)]
    undo: bool,
    /// Show what would be done; change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// The types that torr opens.
const TYPES: [&str; 2] = ["x-scheme-handler/magnet", "application/x-bittorrent"];
/// The name of our entry.
const NAME: &str = "torr.desktop";

/// One thing that is done, as scripts read it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Step {
    /// `write`, `edit`, `remove` or `run`.
    action: &'static str,
    /// The file; nothing for `run`.
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    /// The program and its arguments; nothing for files.
    command: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    undo: bool,
    done: bool,
    steps: &'a [Step],
}

/// Where everything is.
struct Place {
    entry: PathBuf,
    defaults: PathBuf,
}

/// Registers torr, or takes that back.
pub fn run(args: &RegisterArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    if UNSUPPORTED {
        return Err(
            Error::not_yet("torr register on this system").hint("it is for the desktops of Linux and BSD")
        );
    }
    let place = place()?;
    let known = entry_there(&place.entry)?;
    let plan = if args.undo { undoing(&place, known.as_ref())? } else { registering(&place) };
    if plan.is_empty() {
        output.say("torr is not registered; there is nothing to undo");
        return told(args, true, &plan, output);
    }
    for step in &plan {
        output.say(&step.text(args.dry_run));
    }
    if args.dry_run {
        return told(args, false, &plan, output);
    }
    if !ask::mild("Go ahead?", global, output)? {
        output.say("nothing was changed");
        told(args, false, &plan, output)?;
        return Ok(Exit::No);
    }
    match (args.undo, known) {
        (true, Some(entry)) => undo(&place, &entry)?,
        (true, None) => {}
        (false, known) => register(&place, known, output)?,
    }
    output.say(if args.undo {
        "torr no longer opens magnet links and torrent files"
    } else {
        "torr opens magnet links and torrent files now; to undo: torr register --undo"
    });
    told(args, true, &plan, output)
}

fn told(args: &RegisterArgs, done: bool, steps: &[Step], output: &Output) -> Result<Exit, Error> {
    output.event(&Document { schema: "torr.register/1", undo: args.undo, done, steps })?;
    Ok(Exit::Done)
}

fn place() -> Result<Place, Error> {
    let (Some(data), Some(config)) = (user_folders::data_home(), user_folders::config_home()) else {
        return Err(Error::usage("cannot register torr: HOME is not set").hint("set HOME"));
    };
    let defaults = config.join("mimeapps.list");
    // Where it is a link, what it leads to is edited, and the link stays.
    let defaults = fs::canonicalize(&defaults).unwrap_or(defaults);
    Ok(Place { entry: data.join("applications").join(NAME), defaults })
}

/// Our entry if it is there; one of somebody else is a failure.
fn entry_there(path: &Path) -> Result<Option<Entry>, Error> {
    let Some(text) = read(path)? else { return Ok(None) };
    let link = fs::symlink_metadata(path).is_ok_and(|found| !found.is_file());
    if let (Some(entry), false) = (Entry::parse(&text), link) {
        return Ok(Some(entry));
    }
    let message = format!("{} already exists and was not made by torr register", shown(path));
    Err(Error::new(ErrorKind::Disk, "foreign_data", message).hint("move it away if it is not needed"))
}

fn registering(place: &Place) -> Vec<Step> {
    let set = match on_path("xdg-mime") {
        Some(_) => Step { action: "run", path: None, path_hex: None, command: Some(xdg_mime()) },
        None => Step::file("edit", &place.defaults),
    };
    vec![Step::file("write", &place.entry), set]
}

fn undoing(place: &Place, known: Option<&Entry>) -> Result<Vec<Step>, Error> {
    let Some(entry) = known else { return Ok(Vec::new()) };
    let text = read(&place.defaults)?;
    let mut steps = Vec::new();
    match text.as_ref().map(|text| (defaults::restore(text, NAME, entry), text)) {
        Some((None, _)) => steps.push(Step::file("remove", &place.defaults)),
        Some((Some(new), old)) if new != *old => steps.push(Step::file("edit", &place.defaults)),
        _ => {}
    }
    steps.push(Step::file("remove", &place.entry));
    Ok(steps)
}

fn register(place: &Place, known: Option<Entry>, output: &Output) -> Result<(), Error> {
    let text = read(&place.defaults)?;
    let before = TYPES.map(|kind| text.as_deref().and_then(|text| defaults::get(text, kind)));
    // What was there before is what was there before the first time.
    let entry = known.unwrap_or_else(|| Entry { before, made: defaults::find_missing(text.as_deref()) });
    write(&place.entry, &entry.text(&program()?))?;
    let told = on_path("xdg-mime").is_some_and(|program| {
        let done = Command::new(program)
            .args(&xdg_mime()[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let done = done.is_ok_and(|status| status.success());
        if !done {
            output.warn(&format!("xdg-mime failed; editing {}", shown(&place.defaults)));
        }
        done
    });
    if told {
        return Ok(());
    }
    let new = TYPES.iter().fold(text.unwrap_or_default(), |text, kind| defaults::set(&text, kind, NAME));
    write(&place.defaults, &new)
}

fn undo(place: &Place, entry: &Entry) -> Result<(), Error> {
    if let Some(text) = read(&place.defaults)? {
        match defaults::restore(&text, NAME, entry) {
            None => remove(&place.defaults)?,
            Some(new) if new != text => write(&place.defaults, &new)?,
            Some(_) => {}
        }
    }
    remove(&place.entry)
}

fn xdg_mime() -> Vec<String> {
    ["xdg-mime", "default", NAME].iter().chain(&TYPES).map(|&word| word.to_owned()).collect()
}

impl Step {
    fn file(action: &'static str, path: &Path) -> Self {
        Self {
            action,
            path: Some(path.to_string_lossy().into_owned()),
            path_hex: path_hex(path),
            command: None,
        }
    }

    fn text(&self, dry: bool) -> String {
        let would = if dry { "would" } else { "will" };
        let what = match (&self.path, &self.command) {
            (Some(path), _) => crate::base::Untrusted::new(path).clean(),
            (None, command) => command.clone().unwrap_or_default().join(" "),
        };
        format!("{would} {} {what}", self.action)
    }
}

/// How the desktop calls this program: by its name where that finds it, by its path elsewhere.
fn program() -> Result<String, Error> {
    let me = env::current_exe().and_then(fs::canonicalize);
    let me = me.map_err(|error| Error::disk("find", Path::new("torr"), &error))?;
    if on_path("torr").and_then(|found| fs::canonicalize(found).ok()).as_ref() == Some(&me) {
        return Ok("torr".to_owned());
    }
    let text = me.to_str().filter(|text| !text.contains(char::is_control));
    let text = text.ok_or_else(|| {
        Error::usage(format!("the desktop cannot start a program named {}", shown(&me)))
            .hint("put torr into a folder of PATH")
    })?;
    Ok(desktop::quoted(text))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let absolute = env::split_paths(&path).filter(|folder| folder.is_absolute());
    absolute.map(|folder| folder.join(name)).find(|program| executable(program))
}

fn executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| {
            Error::new(ErrorKind::Disk, "foreign_data", format!("{} is not text", shown(path)))
                .hint("check the file, and move it away")
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::disk("read", path, &error)),
    }
}

/// Puts the text into the place of the file at once or not at all; its permissions stay.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |error: io::Error| Error::disk("write", path, &error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".torr-new");
    let new = PathBuf::from(new);
    fs::write(&new, text).map_err(failed)?;
    if let Ok(found) = fs::metadata(path) {
        fs::set_permissions(&new, found.permissions()).map_err(failed)?;
    }
    fs::rename(&new, path).map_err(failed)
}

fn remove(path: &Path) -> Result<(), Error> {
    fs::remove_file(path).map_err(|error| Error::disk("remove", path, &error))
}
