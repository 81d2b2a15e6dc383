//! Questions to the person at the terminal.

use std::io::{self, BufRead, IsTerminal};
use std::thread;

use tokio::sync::oneshot;

use super::args::global::GlobalArgs;
use super::output::Output;
use super::stderr;
use crate::app::Error;

/// Asks whether to do something harmless: `question` as in "Write these files?". Where nobody can
/// answer, or nobody wants to be asked, the failure names the flag that answers.
pub fn mild(question: &str, global: &GlobalArgs, output: &Output) -> Result<bool, Error> {
    if global.yes {
        return Ok(true);
    }
    if global.no_input || !io::stdin().is_terminal() || !output.stderr_tty {
        return Err(nobody(question));
    }
    stderr::write(&format!("{question} [y/N] "));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|_| nobody(question))?;
    if !answer.ends_with('\n') {
        stderr::write("\n");
    }
    Ok(is_yes(&answer))
}

/// The treatment of files that differ from their torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Different {
    /// Keep them and stop.
    Keep,
    /// Replace the bytes that differ.
    Repair,
    /// Keep the old files under another name.
    Backup,
}

/// Whether somebody can be asked something that risks data: `-y` does not answer that.
pub fn can_ask(global: &GlobalArgs, output: &Output) -> bool {
    let wanted = !(global.yes || global.no_input || output.json || output.quiet > 0);
    wanted && output.stderr_tty && io::stdin().is_terminal()
}

/// Asks what to do with files that differ, and waits for the answer on a thread of its own. Without a clear answer
/// everything is kept.
pub fn different(what: &str) -> oneshot::Receiver<Different> {
    stderr::write(&format!(
        "{what}\n  k  keep it as it is and stop\n  r  repair: replace only the bytes that differ\n  b  backup: keep the \
         old file as NAME.before-torr and download it again\nWhat to do? [K/r/b] "
    ));
    let (send, answer) = oneshot::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let answer = match io::stdin().lock().read_line(&mut line) {
            Ok(_) => choice(&line),
            Err(_) => Different::Keep,
        };
        let _ = send.send(answer);
    });
    answer
}

fn choice(answer: &str) -> Different {
    match answer.trim().to_ascii_lowercase().as_str() {
        "r" | "repair" => Different::Repair,
        "b" | "backup" => Different::Backup,
        _ => Different::Keep,
    }
}

fn nobody(question: &str) -> Error {
    Error::usage(format!("cannot ask without a terminal: {question}")).hint("-y answers yes")
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::cli::environment::Environment;
    use crate::face::cli::exit::Exit;

    #[test]
    fn only_yes_is_yes() {
        for (answer, yes) in [("y\n", true), ("YES\n", true), ("\n", false), ("", false), ("yeah\n", false)] {
            assert_eq!(is_yes(answer), yes, "{answer:?}");
        }
    }

    #[test]
    fn without_a_clear_answer_files_that_differ_are_kept() {
        for (answer, wanted) in [
            ("r\n", Different::Repair),
            (" Backup \n", Different::Backup),
            ("k\n", Different::Keep),
            ("y\n", Different::Keep),
            ("\n", Different::Keep),
            ("", Different::Keep),
        ] {
            assert_eq!(choice(answer), wanted, "{answer:?}");
        }
    }

    #[test]
    fn the_flag_answers_and_is_named_where_nobody_can() {
        let output = Output::new(&GlobalArgs::default(), &Environment::default());
        let yes = GlobalArgs { yes: true, ..GlobalArgs::default() };
        assert_eq!(mild("Do it?", &yes, &output), Ok(true));
        let failure = mild("Do it?", &GlobalArgs::default(), &output).unwrap_err();
        assert_eq!((Exit::of(&failure), failure.sentence()), (Exit::Usage, Some("-y answers yes")));
    }
}
