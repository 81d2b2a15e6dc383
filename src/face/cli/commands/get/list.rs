//! `torr get --list`: the files with their numbers, and nothing else.

use serde::Serialize;

use crate::app::selection::{Listed, listed};
use crate::app::submission::SubmissionBuilder;
use crate::app::{Error, ErrorKind};
use crate::face::cli::commands::show;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;
use crate::face::cli::signals::AtOnce;
use crate::face::cli::transfer::{LookupAction, Outcomes, Prompt};
use crate::face::cli::tree;
use crate::proto::metainfo::Metainfo;

use super::found::Torrents;

/// Lists the files of each torrent as it is read; those that the flags select, documents also say which they
/// do not. Before a person Ctrl-C skips one that is looked for.
pub fn run(
    torrents: &mut Torrents<'_>,
    builder: &SubmissionBuilder,
    ending: &AtOnce,
    output: &Output,
) -> Result<Exit, Error> {
    let mut outcomes = Outcomes::default();
    let reader = Reader { ending, watches: output.stderr_tty };
    while let Some(torrent) = torrents.next(&reader) {
        let told = torrent.and_then(|torrent| {
            let wanted = builder.wanted_files(&torrent)?;
            list(&torrent.metainfo, &wanted, outcomes.done > 0, output)?;
            outcomes.done();
            Ok(())
        });
        match told {
            Ok(()) => {}
            Err(failure) if failure.kind == ErrorKind::Closed => return Err(failure),
            Err(failure) => {
                output.fail(&failure);
                outcomes.failed(&failure);
            }
        }
    }
    Ok(outcomes.exit())
}

/// The reader of the list.
struct Reader<'a> {
    ending: &'a AtOnce,
    /// The reader is a person.
    watches: bool,
}

impl Prompt for Reader<'_> {
    fn waits(&self, begins: bool) {
        if self.watches {
            self.ending.lend_out(begins);
        }
    }

    fn can_skip(&self) -> bool {
        self.watches
    }

    fn action(&self) -> LookupAction {
        if self.ending.was_pressed() { LookupAction::Skip } else { LookupAction::Wait }
    }
}

/// One file of a torrent, for scripts.
#[derive(Serialize)]
struct Line<'a> {
    index: usize,
    path: &'a str,
    size: u64,
    selected: bool,
}

/// The files of one torrent, for scripts.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    torrent: String,
    name: &'a str,
    size: u64,
    selected_size: u64,
    files: Vec<Line<'a>>,
}

fn list(torrent: &Metainfo, wanted: &[bool], more: bool, output: &Output) -> Result<(), Error> {
    if output.json {
        return output.event(&document(torrent, wanted));
    }
    let selected = listed(torrent).filter(|file| wanted.get(file.number - 1).copied().unwrap_or(true));
    if output.plain {
        return output.data(selected.map(|file| show::plain_file(&file)).collect::<String>().as_bytes());
    }
    let lines = tree::lines_of(selected, output.out, output.columns(), usize::MAX);
    let between = if more { "\n" } else { "" };
    output.data(format!("{between}{}\n", lines.join("\n")).as_bytes())
}

fn document<'a>(torrent: &'a Metainfo, wanted: &[bool]) -> Document<'a> {
    let line = |file: Listed<'a>| Line {
        index: file.number,
        path: file.path,
        size: file.len,
        selected: wanted.get(file.number - 1).copied().unwrap_or(true),
    };
    let files: Vec<Line<'a>> = listed(torrent).map(line).collect();
    Document {
        schema: "torr.get.list/1",
        torrent: torrent.info_hash().to_string(),
        name: torrent.name().raw(),
        size: files.iter().map(|file| file.size).sum(),
        selected_size: files.iter().filter(|file| file.selected).map(|file| file.size).sum(),
        files,
    }
}
