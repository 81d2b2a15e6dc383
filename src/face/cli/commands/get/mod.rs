//! `torr get`: download, verify, exit.

mod args;
mod found;
mod inputs;
mod list;
pub mod pick;

use crate::app::Error;
use crate::app::submission::SubmissionBuilder;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::ask;
use crate::face::cli::exit::Exit;
use crate::face::cli::fetching::SubmissionReport;
use crate::face::cli::output::Output;
use crate::face::cli::signals;
use crate::face::cli::transfer::{self, TransferRequest, Verb, session_settings, stream};

pub use args::GetArgs;

use found::Torrents;
use inputs::Arguments;

/// Downloads the torrents of this command line.
pub fn run(args: &GetArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    if args.pick {
        pick::possible(global.no_input, output)?;
    }
    if args.to_stdout {
        stream::allowed(output, args.torrents.len())?;
    }
    let arguments = Arguments::of(args, output)?;
    args.network.refuse_web_seeds()?;
    let settings = session_settings(&args.network, args.lan, global, output)?.with_disk_io(args.disk_io());
    let jobs = args.jobs.map_or(settings.active_downloads(), usize::from);
    let alone = arguments.is_one() || args.list || args.pick;
    let report = Box::new(SubmissionReport { output: output.clone(), alone });
    let options = args.submission_options(&settings, output.stderr_tty);
    let builder = SubmissionBuilder::new(options, settings.clone(), &args.torrents, report);
    let torrents = |arguments| Torrents::of(arguments, &builder, args.patience_first(), jobs, output);
    if args.list {
        let ending = signals::end_at_once(output).tell_scripts();
        let mut torrents = torrents(arguments);
        let ended = list::run(&mut torrents, &builder, &ending, output);
        torrents.stop();
        return ended;
    }
    let mut request = TransferRequest {
        jobs,
        timeout: args.patience(output.stderr_tty),
        path_end: (!args.to_stdout).then_some(if args.print0 { 0 } else { b'\n' }),
        hook: args.hook(),
        // Standard input may be where the torrents come from.
        asks: args.input.is_none() && ask::can_ask(global, output),
        ..TransferRequest::new(Verb::Get, settings, Vec::new())
    };
    if args.pick {
        let mut torrents = torrents(arguments);
        let left = pick::all(&mut torrents, &builder, &mut request, &args.output, output);
        if matches!(left, Ok(None)) {
            request.engine = torrents.into_engine(&request.submissions);
        } else {
            torrents.stop();
        }
        if let Some(exit) = left? {
            return Ok(exit);
        }
    } else if args.to_stdout {
        // One torrent at most is given, and where it fails nothing is left to do.
        for argument in arguments {
            request.submissions.extend(builder.build(&argument?)?);
        }
    } else {
        request.more = Some(builder.build_in_background(arguments)?);
    }
    transfer::run(request, output)
}
