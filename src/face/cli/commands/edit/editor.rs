//! The values of a torrent in an editor of the person's choice.
//!
//! An editor is run wherever `VISUAL` or `EDITOR` names one, so that a script may stand in for a person;
//! only a person is asked whether a page that is wrong shall be opened again.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::page::{page, read};
use crate::app::{Error, ErrorKind, reason};
use crate::base::{Untrusted, units};
use crate::face::cli::output::Output;
use crate::face::cli::signals::AtOnce;
use crate::proto::metainfo::{Edit, Fields};

/// The largest page that is read back, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// The values as they are after the editor was closed.
pub fn edited(
    edit: &Edit,
    wanted: &Fields,
    no_input: bool,
    ending: &AtOnce,
    output: &Output,
) -> Result<Fields, Error> {
    if no_input {
        return Err(Error::usage("--editor cannot be used with --no-input")
            .hint("'torr help edit' lists a flag for each value"));
    }
    let var = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = var("VISUAL").or_else(|| var("EDITOR")).ok_or_else(|| {
        Error::usage("neither VISUAL nor EDITOR names an editor")
            .hint("set one, as in EDITOR=nano torr edit …")
    })?;
    let title = format!("{}, info hash {}", wanted.name.fit(100), edit.info_hash());
    let draft = Draft::new(&page(wanted, &title), ending)?;
    loop {
        run(&editor, &draft.path, ending, output)?;
        let text = draft.text()?;
        let wrong = match read(&text, wanted) {
            Ok(fields) => return Ok(fields.unwrap_or_else(|| wanted.clone())),
            Err(wrong) => wrong,
        };
        if !again(&wrong.to_string(), output) {
            return Err(Error::usage(format!("the page from the editor cannot be used: {wrong}"))
                .hint("nothing was written"));
        }
    }
}

/// Whether a person wants to mend it.
fn again(wrong: &str, output: &Output) -> bool {
    if !io::stdin().is_terminal() || !output.stderr_tty {
        return false;
    }
    crate::face::cli::stderr::write(&format!("{}\nopen the editor again? [Y/n] ", output.err.own(wrong)));
    let mut answer = String::new();
    let heard = io::stdin().lock().read_line(&mut answer);
    matches!(heard, Ok(1..)) && !answer.trim().to_ascii_lowercase().starts_with('n')
}

/// Runs the editor through a shell, as `EDITOR` may hold flags, and waits for its end.
fn run(editor: &str, file: &Path, ending: &AtOnce, output: &Output) -> Result<(), Error> {
    let shown = Untrusted::new(editor).fit(100);
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$@\"")).arg(editor).arg(file);
    if !output.stdout_tty {
        // Our standard output is for data.
        let stderr = io::stderr().as_fd().try_clone_to_owned();
        command.stdout(stderr.map_or_else(|_| Stdio::null(), Stdio::from));
    }
    let ended = ending.lend(|| command.status()).map_err(|error| {
        Error::new(ErrorKind::Usage, "editor", format!("cannot run the editor {shown}: {}", reason(&error)))
    })?;
    if ended.success() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, "editor", format!("the editor {shown} failed ({ended})"))
        .hint("nothing was written"))
}

/// The page as a file that nobody else may read, gone in the end.
struct Draft<'a> {
    path: PathBuf,
    ending: &'a AtOnce,
}

impl<'a> Draft<'a> {
    fn new(text: &str, ending: &'a AtOnce) -> Result<Self, Error> {
        let folder = std::env::temp_dir();
        for number in 0..1000 {
            let path = folder.join(format!("torr-edit-{}-{number}.toml", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(mut file) => {
                    ending.remove_at_end(Some(path.clone()));
                    let draft = Self { path, ending };
                    file.write_all(text.as_bytes())
                        .map_err(|error| Error::disk("write", &draft.path, &error))?;
                    return Ok(draft);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::disk("write", &path, &error)),
            }
        }
        Err(Error::disk("write", &folder, &io::ErrorKind::AlreadyExists.into()))
    }

    fn text(&self) -> Result<String, Error> {
        let len = fs::metadata(&self.path).map_err(|error| Error::disk("read", &self.path, &error))?.len();
        if len > MAX_BYTES {
            let message = format!("the page from the editor has {}", units::size(len));
            return Err(Error::usage(message).hint("nothing was written"));
        }
        let bytes = fs::read(&self.path).map_err(|error| Error::disk("read", &self.path, &error))?;
        String::from_utf8(bytes)
            .map_err(|_| Error::usage("the page from the editor is not UTF-8").hint("nothing was written"))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // An editor may have left its own copies; this one is ours to remove.
        let _ = fs::remove_file(&self.path);
        self.ending.remove_at_end(None);
    }
}
