//! Fetching what is bad.

use std::time::Duration;

use crate::app::door::{ContentOptions, ExistingFiles, Priority};
use crate::app::input::Torrent;
use crate::app::location::Top;
use crate::app::quoted;
use crate::app::submission::{Submission, Transfer};
use crate::app::{Error, ErrorKind, shown};
use crate::base::units;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;
use crate::face::cli::transfer::{self, TransferRequest, Verb, session_settings};

use super::{FixArg, Verdict, VerifyArgs, name};
use crate::app::damage::{FileReport, Status};
use crate::app::verification::cut;

/// The patience with which a script waits: it must not hang for ever.
const UNWATCHED: Duration = Duration::from_secs(600);

/// Fetches the pieces that do not match, into the files that are there. What matches stays as it is, and what differs
/// is treated by the rule for existing files.
pub fn fix(
    args: &VerifyArgs,
    verdict: &Verdict<'_>,
    torrent: &Torrent,
    global: &GlobalArgs,
    output: &Output,
) -> Result<Exit, Error> {
    may(args, verdict, torrent)?;
    let mut long = vec![false; verdict.chosen.len()];
    for file in verdict.files.iter().filter(|file| is_long(file, verdict.len_of(file))) {
        long[file.file.0 as usize] = true;
    }
    if args.overwrite && long.contains(&true) {
        cut(&torrent.metainfo, verdict.place, &long)?;
    }
    output.say(&format!("repairing: {} to fetch", units::size(verdict.bad_bytes())));
    args.network.refuse_web_seeds()?;
    // What is remembered of these files says that they are good, or nobody would have had to look.
    let settings = session_settings(&args.network, false, global, output)?.without_state();
    let mut content = ContentOptions::new(verdict.place.root.clone());
    content.existing = match args.existing {
        // Whatever could be lost by this has been looked at before.
        _ if args.overwrite => ExistingFiles::Overwrite,
        FixArg::Check => ExistingFiles::Check,
        FixArg::Repair => ExistingFiles::Repair,
        FixArg::Backup => ExistingFiles::Backup,
    };
    if verdict.chosen.iter().zip(torrent.metainfo.files()).any(|(chosen, file)| !chosen && file.is_stored()) {
        let wanted = |chosen: &bool| if *chosen { Priority::Normal } else { Priority::Skip };
        content.priorities = verdict.chosen.iter().map(wanted).collect();
    }
    let transfer = Transfer::new(torrent.clone(), content, &settings)?;
    let usual = if output.stderr_tty { None } else { Some(UNWATCHED) };
    let submissions = vec![Submission::Transfer(Box::new(transfer))];
    let timeout = args.timeout.or(usual);
    let request = TransferRequest { timeout, ..TransferRequest::new(Verb::Get, settings, submissions) };
    transfer::run(request, output)
}

/// Refuses where repairing would destroy what might be of worth: bytes after the end of a file, and files
/// of another length in which nothing matches, so that they may be something else altogether.
fn may(args: &VerifyArgs, verdict: &Verdict<'_>, torrent: &Torrent) -> Result<(), Error> {
    let id = torrent.metainfo.info_hash();
    if verdict.place.top != Top::Same {
        let own = verdict.place.own(&torrent.metainfo);
        let message = format!("{} does not have the name in the torrent", shown(&own));
        let hint = format!("rename it to {}", torrent.metainfo.name().fit(100));
        return Err(Error::new(ErrorKind::Disk, "renamed", message).hint(hint).about(id));
    }
    if let Some(file) = verdict.files.iter().find(|file| file.status == Status::Blocked) {
        let message = format!("something that is not a file is in the place of {}", name(verdict, file));
        return Err(Error::new(ErrorKind::Disk, "not_plain", message).hint("move it away").about(id));
    }
    let doubtful: Vec<&FileReport> =
        verdict.files.iter().filter(|file| doubtful(file, verdict.len_of(file))).collect();
    match doubtful.as_slice() {
        [first, more @ ..] if !args.overwrite && args.existing == FixArg::Repair => {
            let and = match more.len() {
                0 => String::new(),
                n => format!(" (and {})", units::plural(n as u64, "other file", "other files")),
            };
            let why = match first.found {
                Some(found) if found > verdict.len_of(first) => {
                    "has extra bytes at its end, which would be cut off"
                }
                _ => "matches nowhere and has another length, so it may be something else",
            };
            let message = format!("{}{and} {why}", name(verdict, first));
            let place = quoted(&verdict.place.root);
            let hint = format!(
                "to overwrite it anyway: torr verify --fix --overwrite {} {place}",
                torrent.argument()
            );
            Err(Error::new(ErrorKind::Disk, "foreign_data", message).hint(hint).about(id))
        }
        _ => Ok(()),
    }
}

fn doubtful(file: &FileReport, len: u64) -> bool {
    let nowhere = file.found.is_some_and(|found| found > 0 && found < len && !file.some_good);
    nowhere || is_long(file, len)
}

fn is_long(file: &FileReport, len: u64) -> bool {
    file.found.is_some_and(|found| found > len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::FileIndex;

    #[test]
    fn only_what_might_be_something_else_is_doubtful() {
        let file = |found, some_good| FileReport {
            file: FileIndex(0),
            status: Status::Damaged,
            found,
            bad: Vec::new(),
            pieces: Vec::new(),
            or: Vec::new(),
            some_good,
        };
        for (found, some_good, wanted) in [
            (None, false, false),
            (Some(0), false, false),
            (Some(10), false, false),
            (Some(9), false, true),
            (Some(9), true, false),
            (Some(11), true, true),
        ] {
            assert_eq!(doubtful(&file(found, some_good), 10), wanted, "{found:?} {some_good}");
        }
    }
}
