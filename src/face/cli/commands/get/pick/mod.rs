//! `torr get --pick`: a person chooses the files of each torrent before anything is begun.

mod model;
mod nodes;
mod screen;
mod view;

use std::io::{self, IsTerminal};
use std::path::Path;

use crate::app::input::Torrent;
use crate::app::submission::{Submission, SubmissionBuilder};
use crate::app::{Error, ErrorKind};
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;
use crate::face::cli::signals::Watch;
use crate::face::cli::transfer::{self, LookupAction, Prompt, TransferRequest};

use model::Picker;
use screen::End;
use view::Frame;

use super::found::Torrents;

pub use screen::restore;

/// Whether anybody is there who could choose.
pub fn possible(no_input: bool, output: &Output) -> Result<(), Error> {
    let hint = "choose with --select; --list shows the files";
    if no_input {
        return Err(Error::usage("--pick cannot be used with --no-input").hint(hint));
    }
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    if !io::stdin().is_terminal() || !output.stderr_tty || dumb {
        return Err(Error::usage("--pick needs a terminal to show the files on").hint(hint));
    }
    Ok(())
}

/// Reads all torrents, has their files chosen and adds them to the request; or nothing, and the end of the process. Ctrl-C
/// skips one that is looked for; the others, and what was chosen of them, are kept.
pub fn all(
    torrents: &mut Torrents<'_>,
    builder: &SubmissionBuilder,
    request: &mut TransferRequest,
    folder: &Path,
    output: &Output,
) -> Result<Option<Exit>, Error> {
    let watch = Watch::start(restore);
    let mut chosen: Vec<(Torrent, Vec<bool>)> = Vec::new();
    while let Some(torrent) = torrents.next(&watch) {
        let wanted = torrent.and_then(|torrent| {
            let wanted = builder.wanted_files(&torrent)?;
            Ok((torrent, wanted))
        });
        if let Some(exit) = watch.seen() {
            return left(request, exit, output).map(Some);
        }
        match wanted {
            Ok((torrent, mut wanted)) => {
                let frame =
                    Frame { name: torrent.metainfo.name().clone(), free: free(folder), style: output.err };
                let mut picker = Picker::new(&torrent.metainfo, &wanted);
                match screen::choose(&mut picker, &frame, &watch)? {
                    End::Start => {}
                    End::Leave(exit) => return left(request, exit, output).map(Some),
                }
                picker.mark(&mut wanted);
                chosen.push((torrent, wanted));
            }
            Err(failure)
                if failure.kind == ErrorKind::Interrupted && chosen.is_empty() && torrents.are_over() =>
            {
                return left(request, Exit::of(&failure), output).map(Some);
            }
            Err(failure) => {
                output.fail(&failure);
                request.outcomes.failed(&failure);
            }
        }
    }
    for (torrent, wanted) in chosen {
        match builder.transfer(torrent, &wanted) {
            Ok(transfer) => request.submissions.push(Submission::Transfer(Box::new(transfer))),
            Err(failure) => {
                output.fail(&failure);
                request.outcomes.failed(&failure);
            }
        }
    }
    Ok(None)
}

impl Prompt for Watch {
    fn waits(&self, begins: bool) {
        self.away(begins);
    }

    fn can_skip(&self) -> bool {
        true
    }

    fn action(&self) -> LookupAction {
        match self.seen() {
            Some(_) => LookupAction::Stop,
            None if self.was_pressed() => LookupAction::Skip,
            None => LookupAction::Wait,
        }
    }
}

fn left(request: &TransferRequest, exit: Exit, output: &Output) -> Result<Exit, Error> {
    output.say("cancelled; torr downloaded nothing");
    transfer::summary(request.verb, &request.outcomes, exit, output)?;
    Ok(exit)
}

/// Bytes that are free where this folder is or will be.
fn free(folder: &Path) -> Option<u64> {
    let folder = std::path::absolute(folder).ok()?;
    let there = folder.ancestors().find(|folder| folder.is_dir())?;
    let system = rustix::fs::statvfs(there).ok()?;
    Some(system.f_bavail.saturating_mul(system.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::metainfo::{Attributes, Content, Draft, DraftFile, Extras, Metainfo};

    /// A torrent `t` of these files.
    pub fn torrent(files: &[(&str, u64)]) -> Metainfo {
        let total: u64 = files.iter().map(|(_, len)| len).sum();
        let file = |&(path, len): &(&str, u64)| DraftFile {
            path: path.split('/').map(str::to_owned).collect(),
            len,
            attributes: Attributes::NONE,
        };
        let draft = Draft {
            name: "t".to_owned(),
            content: Content::Several(files.iter().map(file).collect()),
            piece_len: 1 << 20,
            digests: vec![0; total.div_ceil(1 << 20) as usize * 20],
            private: false,
            source: None,
            extras: Extras::default(),
        };
        Metainfo::parse(&draft.to_bytes()).unwrap()
    }

    #[test]
    fn free_space_is_that_of_the_first_folder_there_is() {
        let dir = tempfile::tempdir().unwrap();
        assert!(free(&dir.path().join("not/yet/there")).is_some_and(|free| free > 0));
    }
}
