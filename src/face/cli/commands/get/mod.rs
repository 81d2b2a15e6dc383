//! `torr get`: download, verify, exit.

mod args;
mod found;
mod inputs;
mod jobs;
mod list;
mod merge;
pub mod pick;

use crate::app::Error;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;
use crate::face::cli::signals;
use crate::face::cli::transfer::{self, Plan, Setup, Verb, stream};

pub use args::GetArgs;
pub use jobs::torrent_name;

use found::Torrents;
use inputs::Arguments;
use jobs::SubmissionBuilder;

/// Gets them.
pub fn run(args: &GetArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    if args.pick {
        pick::possible(global.no_input, output)?;
    }
    if args.to_stdout {
        stream::allowed(output, args.torrents.len())?;
    }
    let arguments = Arguments::of(args, output)?;
    let setup = Setup::new(&args.network, global, output)?.local(args.lan);
    let maker = SubmissionBuilder::new(args, &setup, arguments.is_one() || args.list || args.pick, output);
    let jobs = setup.jobs(args.jobs);
    let patience = args.patience(output.stderr_tty);
    if args.list {
        let ending = signals::end_at_once(output).tell_scripts();
        let mut torrents = Torrents::of(arguments, &maker, &setup, args.patience_first(), jobs, output);
        let ended = list::run(&mut torrents, &maker, &ending, output);
        torrents.stop();
        return ended;
    }
    let mut plan = Plan {
        timeout: patience,
        path_end: (!args.to_stdout).then_some(if args.print0 { 0 } else { b'\n' }),
        run: args.run.clone(),
        ..Plan::new(Verb::Get)
    };
    if args.pick {
        let mut torrents = Torrents::of(arguments, &maker, &setup, args.patience_first(), jobs, output);
        let left = pick::all(&mut torrents, &maker, &mut plan, &args.output, output);
        if matches!(left, Ok(None)) {
            plan.engine = torrents.into_engine(&plan.works);
        } else {
            torrents.stop();
        }
        if let Some(exit) = left? {
            return Ok(exit);
        }
    } else if args.to_stdout {
        // One torrent at most is given, and where it fails nothing is left to do.
        for argument in arguments {
            plan.works.extend(maker.make(&argument?)?);
        }
    } else {
        plan.more = Some(inputs::start(arguments, maker)?);
    }
    transfer::run(plan, &setup, jobs, output)
}
