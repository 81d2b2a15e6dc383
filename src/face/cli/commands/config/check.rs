//! `torr config check`.

use serde::Serialize;

use crate::app::config::{Config, Problem, Severity};
use crate::app::{Error, shown};
use crate::base::units;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::config::sources;
use crate::face::cli::exit::Exit;
use crate::face::cli::hint::remedied;
use crate::face::cli::output::Output;
use crate::face::cli::style::Role;

use super::document;

/// Tells everything that is wrong.
pub fn run(global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    #[derive(Serialize)]
    struct Document<P> {
        schema: &'static str,
        ok: bool,
        code: u8,
        files: Vec<String>,
        errors: usize,
        warnings: usize,
        problems: Vec<P>,
    }
    let sources = sources(global);
    let config = Config::load(&sources);
    let unsupported = config.unsupported();
    let problems: Vec<Problem> = config.problems.iter().cloned().chain(unsupported).collect();
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let warnings = problems.len() - errors;
    let exit = if errors == 0 { Exit::Done } else { Exit::Usage };
    let files: Vec<_> =
        sources.files.iter().map(|source| &source.path).filter(|path| path.exists()).collect();
    if output.json {
        output.event(&Document {
            schema: "torr.config.check/1",
            ok: errors == 0,
            code: exit.code(),
            files: files.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
            errors,
            warnings,
            problems: problems.iter().map(document::problem).collect(),
        })?;
        return Ok(exit);
    }
    output.data(problems.iter().map(|problem| told(problem, output)).collect::<String>().as_bytes())?;
    let places: Vec<String> = files.iter().map(|path| shown(path).clean()).collect();
    let places = if places.is_empty() { "no file".to_owned() } else { places.join(", ") };
    let count = |number: usize, one, many| units::plural(number as u64, one, many);
    if problems.is_empty() {
        output.say(&format!("{} nothing is wrong ({places})", output.err.paint(Role::Good, output.err.ok())));
    } else {
        let (errors, warnings) = (count(errors, "error", "errors"), count(warnings, "warning", "warnings"));
        output.say(&format!("{errors}, {warnings} ({places})"));
    }
    Ok(exit)
}

/// A problem as a record, or for people.
pub fn told(problem: &Problem, output: &Output) -> String {
    let hint = problem.remedy.as_ref().and_then(remedied).unwrap_or_default();
    let (word, role) = match problem.severity {
        Severity::Error => ("error", Role::Bad),
        Severity::Warning => ("warning", Role::Warn),
    };
    if output.plain {
        return format!("{word}\t{}\t{}\t{hint}\n", problem.origin, problem.message);
    }
    let hint = if hint.is_empty() { String::new() } else { format!("  {hint}\n") };
    format!("{} {}\n{hint}", output.out.paint(role, &format!("{word}:")), problem.place_and_message())
}
