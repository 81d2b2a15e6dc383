//! Questions that can be answered with yes or no.

use std::io::{self, BufRead, IsTerminal};

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
    fn the_flag_answers_and_is_named_where_nobody_can() {
        let output = Output::new(&GlobalArgs::default(), &Environment::default());
        let yes = GlobalArgs { yes: true, ..GlobalArgs::default() };
        assert_eq!(mild("Do it?", &yes, &output), Ok(true));
        let failure = mild("Do it?", &GlobalArgs::default(), &output).unwrap_err();
        assert_eq!((Exit::of(&failure), failure.sentence()), (Exit::Usage, Some("-y answers yes")));
    }
}
