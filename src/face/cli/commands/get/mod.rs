//! `torr get`: download, verify, exit.

mod args;
mod inputs;
mod jobs;
mod list;
pub mod pick;

use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::error::Failure;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;
use crate::face::cli::signals;
use crate::face::cli::transfer::{Outcomes, Plan, Setup, Verb, stream};

pub use args::GetArgs;

use inputs::Arguments;
use jobs::Maker;

/// Gets them.
pub fn run(args: &GetArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Failure> {
    if args.pick {
        pick::possible(global.no_input, output)?;
    }
    if args.to_stdout {
        stream::allowed(output, args.torrents.len())?;
    }
    let arguments = Arguments::of(args, output)?;
    let setup = Setup::new(&args.network, global, output)?;
    let maker = Maker::new(args, &setup, arguments.is_one() || args.list || args.pick, output);
    if args.list {
        signals::end_at_once(output);
        return list::run(arguments, &maker, output);
    }
    let mut plan = Plan {
        verb: Verb::Get,
        jobs: Vec::new(),
        more: None,
        outcomes: Outcomes::default(),
        timeout: args.patience(output.stderr_tty),
        path_end: (!args.to_stdout).then_some(if args.print0 { 0 } else { b'\n' }),
        stream: None,
        run: args.run.clone(),
        links: None,
    };
    if args.pick {
        if let Some(left) = pick::all(arguments, &maker, &mut plan, &args.output, output)? {
            return Ok(left);
        }
    } else if args.to_stdout {
        // What goes to standard output has to be known before anything does.
        for argument in arguments {
            let Some((mut add, job)) = maker.make(&argument?)?.map(|made| *made) else { continue };
            plan.stream = Some(stream::of_only_file(&mut add)?);
            plan.jobs.push((add, job));
        }
    } else {
        plan.more = Some(inputs::start(arguments, maker)?);
    }
    setup.run(plan, setup.jobs(args.jobs), output)
}
