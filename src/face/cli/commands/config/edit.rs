//! `torr config edit`: the editor works on a copy, so that the file never holds what torr could not read.

use std::fs;
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::app::config::change::save;
use crate::app::config::{Config, Origin, Problem, Severity, file, template};
use crate::app::quoted;
use crate::app::{Error, ErrorKind, reason, shown};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::hint::remedied;
use crate::face::cli::json::path_hex;
use crate::face::cli::output::Output;
use crate::face::cli::stderr;

use super::{target, text_of};

/// Opens the file in an editor until it is right or the person gives up.
pub fn run(global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    #[derive(Serialize)]
    struct Document {
        schema: &'static str,
        ok: bool,
        path: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        path_hex: Option<String>,
        changed: bool,
    }
    let path = target(global)?;
    if global.no_input || !io::stdin().is_terminal() || !output.stderr_tty {
        let hint = format!(
            "torr config set KEY VALUE needs none; or change {} yourself and run torr config check",
            shown(&path)
        );
        return Err(Error::usage("torr config edit needs a terminal and may have to ask").hint(hint));
    }
    let editor = editor()?;
    let old = text_of(&path)?;
    let begin = old.clone().unwrap_or_else(template::text);
    let copy = Copy::new(&begin)?;
    let changed = match edited(&editor, &copy, output)? {
        Some(text) if text != begin => {
            if text_of(&path)? != old {
                let message = format!("{} was changed by somebody else meanwhile", shown(&path));
                let hint = format!("your text is kept in {}", quoted(&copy.keep()));
                return Err(Error::new(ErrorKind::Disk, "changed_on_disk", message).hint(hint));
            }
            if let Err(failure) = save(&path, &text, true) {
                let hint = format!("your text is kept in {}", quoted(&copy.keep()));
                return Err(failure.hint(hint));
            }
            output.say(&format!("saved {}", shown(&path)));
            true
        }
        Some(_) => {
            output.say(&format!("nothing is changed in {}", shown(&path)));
            false
        }
        None => {
            let hint = format!("your text is kept in {}", quoted(&copy.keep()));
            let message = format!("{} is as it was", shown(&path));
            return Err(Error::new(ErrorKind::Usage, "config", message).hint(hint));
        }
    };
    output.event(&Document {
        schema: "torr.config.edit/1",
        ok: true,
        path: path.to_string_lossy().into_owned(),
        path_hex: path_hex(&path),
        changed,
    })?;
    Ok(Exit::Done)
}

/// The text once nothing in it is an error; nothing if the person gives up.
fn edited(editor: &str, copy: &Copy, output: &Output) -> Result<Option<String>, Error> {
    loop {
        open(editor, &copy.file)?;
        let (text, problems) = match file::read(&copy.file) {
            file::Read::Text(text) => {
                let config = Config::of(file::scan(&text, &copy.file, None));
                let problems = config.problems.iter().cloned().chain(config.unsupported()).collect();
                (Some(text), problems)
            }
            file::Read::Problem(problem) => (None, vec![problem]),
            file::Read::Absent => return Ok(None),
        };
        // The line is what helps; the copy has a name nobody needs.
        for problem in &problems {
            let line = match &problem.origin {
                Origin::File { line: Some(line), .. } => format!("line {line}: "),
                _ => String::new(),
            };
            let hint = problem
                .remedy
                .as_ref()
                .and_then(remedied)
                .map(|hint| format!("; {hint}"))
                .unwrap_or_default();
            let text = format!("{line}{}{hint}", problem.message);
            match problem.severity {
                Severity::Warning => output.warn(&text),
                Severity::Error => output.live.above(&format!("error: {}\n", output.err.own(&text))),
            }
        }
        let wrong = |problem: &Problem| problem.severity == Severity::Error;
        match text {
            Some(text) if !problems.iter().any(wrong) => return Ok(Some(text)),
            _ if ask()? => {}
            _ => return Ok(None),
        }
    }
}

fn editor() -> Result<String, Error> {
    let var = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    var("VISUAL").or_else(|| var("EDITOR")).ok_or_else(|| {
        Error::usage("neither VISUAL nor EDITOR names an editor")
            .hint("for example: EDITOR=nano torr config edit; or torr config set KEY VALUE")
    })
}

/// Runs the editor as other programs do: through the shell, for the variable may hold arguments.
fn open(editor: &str, file: &Path) -> Result<(), Error> {
    let status =
        Command::new("/bin/sh").arg("-c").arg(format!("{editor} \"$@\"")).arg("torr").arg(file).status();
    let why = match status {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => {
            status.code().map_or_else(|| "it was killed".to_owned(), |code| format!("it ended with {code}"))
        }
        Err(error) => reason(&error),
    };
    let shown = crate::base::Untrusted::new(editor).fit(80);
    Err(Error::new(ErrorKind::Usage, "editor", format!("the editor '{shown}' failed: {why}"))
        .hint("nothing was saved; VISUAL or EDITOR says which editor is used"))
}

fn ask() -> Result<bool, Error> {
    stderr::write("Edit again? [Y/n] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Error::disk("read", Path::new("standard input"), &error))?;
    // Nothing at all is the end of the input, not an empty line.
    Ok(!answer.is_empty() && !answer.trim().to_ascii_lowercase().starts_with('n'))
}

/// The copy that the editor works on, in a folder that only its owner can look into.
struct Copy {
    folder: PathBuf,
    file: PathBuf,
    kept: std::cell::Cell<bool>,
}

impl Copy {
    fn new(text: &str) -> Result<Self, Error> {
        use std::os::unix::fs::DirBuilderExt;
        let mut chance = [0; 8];
        getrandom::fill(&mut chance).map_err(|error| {
            Error::new(ErrorKind::Internal, "internal", format!("no randomness: {error}"))
        })?;
        let name = format!("torr-config-{}", crate::face::cli::json::hex(&chance));
        let folder = std::env::temp_dir().join(name);
        let failed = |error: io::Error| Error::disk("create", &folder, &error);
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
        let file = folder.join("config.toml");
        let copy = Self { file, folder: folder.clone(), kept: false.into() };
        fs::write(&copy.file, text).map_err(|error| Error::disk("write", &copy.file, &error))?;
        Ok(copy)
    }

    /// Leaves it there.
    fn keep(&self) -> PathBuf {
        self.kept.set(true);
        self.file.clone()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if !self.kept.get() {
            // Editors leave backups beside the file; the folder is ours alone.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
