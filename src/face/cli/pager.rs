//! Long texts, one screen at a time.

use std::env;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use tokio::signal::unix::{SignalKind, signal};

use super::output::Output;
use super::style::width;
use crate::app::Error;

/// The pager for long texts if `PAGER` is not set.
const USUAL: &str = "less";

/// Writes text to standard output. On a terminal that it does not fit it goes through `$PAGER`, unless
/// that is empty or `cat`.
pub fn show(output: &Output, text: &str) -> Result<(), Error> {
    let Some(pager) = pager(output, text) else { return output.data(text.as_bytes()) };
    let Some(mut child) = start(&pager) else { return output.data(text.as_bytes()) };
    // Ctrl-C is for the pager while it runs: were we gone, it would fight with the shell for the keys.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().ok();
    let _held = runtime.as_ref().and_then(|runtime| {
        let _inside = runtime.enter();
        signal(SignalKind::interrupt()).ok()
    });
    if let Some(mut stdin) = child.stdin.take() {
        // Who has seen enough closes the pager before the end.
        let _ = stdin.write_all(text.as_bytes());
    }
    match child.wait() {
        // The shell's word for a command that is not there.
        Ok(ended) if ended.code() == Some(127) => output.data(text.as_bytes()),
        _ => Ok(()),
    }
}

/// The command that is to show the text, where one is.
fn pager(output: &Output, text: &str) -> Option<String> {
    let rows = crossterm::terminal::window_size().ok().map(|size| usize::from(size.rows));
    let rows = rows.filter(|&rows| rows > 0)?;
    if !output.stdout_tty || lines(text, output.columns()) < rows {
        return None;
    }
    match env::var("PAGER") {
        Ok(wish) => chosen(&wish),
        Err(_) => there(USUAL).then(|| USUAL.to_owned()),
    }
}

/// The pager a user wants, if any.
fn chosen(wish: &str) -> Option<String> {
    let pager = wish.trim();
    (!pager.is_empty() && pager != "cat").then(|| pager.to_owned())
}

/// Whether there is a program of this name.
fn there(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// The command is the user's own and may have arguments, so it is for the shell to read.
fn start(pager: &str) -> Option<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", pager]).stdin(Stdio::piped());
    for (name, value) in [("LESS", "FRX"), ("LV", "-c")] {
        if env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
    command.spawn().ok()
}

/// The rows a text takes on a terminal that breaks its lines.
fn lines(text: &str, columns: usize) -> usize {
    let seen = |line: &str| width(&without_colours(line)).div_ceil(columns).max(1);
    text.lines().map(seen).sum()
}

fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, after)| after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pager_can_be_wished_for() {
        assert_eq!(chosen("more -x").as_deref(), Some("more -x"));
        for wish in ["", " ", "cat"] {
            assert_eq!(chosen(wish), None);
        }
    }

    #[test]
    fn lines_are_counted_as_they_are_seen() {
        assert_eq!(lines("a\n\nb\n", 10), 3);
        assert_eq!(lines(&"x".repeat(21), 10), 3);
        assert_eq!(lines("\u{1b}[2m0123456789\u{1b}[0m\n", 10), 1);
    }
}
