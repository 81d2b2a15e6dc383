//! `torr edit`: another torrent file with some values changed and all else as it was.

mod change;
mod editor;
mod page;
mod report;
mod source;

use std::path::PathBuf;

use clap::Args;

use crate::app::making::values::tracker_url;
use crate::app::making::values::{Tier, plain_name, tier, web_seed};
use crate::app::{Error, ErrorKind, shown};
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;
use crate::face::cli::signals;
use crate::proto::metainfo::{Edit, EditError, Field};

use super::create::target::Target;
use source::Source;

/// Change the trackers, comment and other fields of a torrent file
///
/// Writes a new file, NAME.edited.torrent next to the old one unless -o or --in-place is given. Everything
/// else stays identical to the byte. Changing the name, the source or the private flag changes the info hash
/// and so makes a different torrent with its own swarm. An empty TEXT removes the field. Trackers are
/// replaced first, then removed, then added.
///
/// With --in-place, the old file is kept as FILE.bak, or as FILE.bak2 and so on if that exists.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr edit photos.torrent --comment 'summer 2026' --tracker udp://tracker.example.org:6969
  torr edit photos.torrent --in-place --replace-tracker udp://old.example:1 udp://new.example:1
  torr edit photos.torrent --private -o private.torrent
  torr edit photos.torrent --editor")]
pub struct EditArgs {
    /// Torrent file; - reads it from standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write the new torrent file to OUT; - for standard output [default: NAME.edited.torrent next to FILE]
    #[arg(short, long, value_name = "OUT", conflicts_with = "in_place")]
    output: Option<PathBuf>,
    /// Change FILE itself; keep the old one as a backup
    #[arg(long)]
    in_place: bool,
    /// Overwrite OUT if it exists
    #[arg(short, long)]
    force: bool,
    /// Add a tracker as the last tier; write a,b for two in the same tier; can be repeated
    #[arg(short, long, value_name = "URL", value_parser = tier)]
    tracker: Vec<Tier>,
    /// Remove a tracker; all removes every tracker; can be repeated
    #[arg(long, value_name = "URL")]
    remove_tracker: Vec<String>,
    /// Replace a tracker; can be repeated
    #[arg(long, value_names = ["OLD", "NEW"], num_args = 2)]
    replace_tracker: Vec<String>,
    /// Add a web seed; can be repeated
    #[arg(long, value_name = "URL", value_parser = web_seed)]
    web_seed: Vec<String>,
    /// Remove a web seed; all removes every web seed; can be repeated
    #[arg(long, value_name = "URL")]
    remove_web_seed: Vec<String>,
    /// Set the comment
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Set the creating program
    #[arg(long, value_name = "TEXT")]
    created_by: Option<String>,
    /// Leave out the creation date
    #[arg(long)]
    no_date: bool,
    /// Set the name
    #[arg(long, value_name = "NAME", value_parser = plain_name, help_heading = "Changes the info hash")]
    name: Option<String>,
    /// Make the torrent private: peers come only from the trackers (BEP 27)
    #[arg(long, conflicts_with = "public", help_heading = "Changes the info hash")]
    private: bool,
    /// Make the torrent public: peers may come from anywhere
    #[arg(long, help_heading = "Changes the info hash")]
    public: bool,
    /// Set where the torrent is first published
    #[arg(long, value_name = "TEXT", help_heading = "Changes the info hash")]
    source: Option<String>,
    /// Edit the result of the other flags in $VISUAL or $EDITOR
    #[arg(long)]
    editor: bool,
}

impl EditArgs {
    /// Whether anything is asked for.
    fn is_idle(&self) -> bool {
        let lists = [&self.remove_tracker, &self.replace_tracker, &self.web_seed, &self.remove_web_seed];
        let texts = [&self.comment, &self.created_by, &self.name, &self.source];
        let flags = self.no_date || self.private || self.public || self.editor;
        !flags
            && self.tracker.is_empty()
            && lists.iter().all(|list| list.is_empty())
            && texts.iter().all(|text| text.is_none())
    }
}

/// Changes it.
pub fn run(args: &EditArgs, no_input: bool, output: &Output) -> Result<Exit, Error> {
    if args.is_idle() {
        return Err(Error::usage("there is nothing to change")
            .hint("'torr help edit' lists what can be changed; --editor opens it in an editor"));
    }
    for url in args.replace_tracker.iter().skip(1).step_by(2) {
        tracker_url(url).map_err(|error| Error::usage(format!("--replace-tracker: {error}")))?;
    }
    let source = Source::read(&args.file)?;
    let target = target(args, &source, output)?;
    let mut edit = Edit::new(&source.bytes).map_err(|error| source.malformed(&error))?;
    if edit.trailing() > 0 {
        output.warn(&format!("dropped {} bytes after the end of the torrent", edit.trailing()));
    }
    let before = edit.info_hash();
    let mut wanted = change::wanted(args, edit.fields(), output)?;
    if args.editor {
        wanted = editor::edited(&edit, &wanted, no_input, &signals::end_at_once(output), output)?;
    } else {
        signals::end_at_once(output);
    }
    if args.private && wanted.trackers.is_empty() {
        output.warn("a private torrent without a tracker finds no peers");
    }
    let changed = edit.apply(&wanted).map_err(|error| refused(&source, &error))?;
    let bytes = edit.to_bytes();
    let in_place = args.in_place && !changed.is_empty();
    let mut backup = None;
    if in_place {
        backup = Some(source.keep()?);
    }
    if in_place || !args.in_place {
        target.write(&bytes, args.force || args.in_place, output)?;
    }
    if let (true, Some(path)) = (in_place, target.path()) {
        source.same_rights(path);
    }
    let report =
        report::Report { before, after: edit.info_hash(), changed: &changed, target: &target, backup };
    report.tell(args.in_place, output)?;
    Ok(Exit::Done)
}

/// Where the new file goes.
fn target(args: &EditArgs, source: &Source, output: &Output) -> Result<Target, Error> {
    let Some(path) = &source.path else {
        if args.in_place || args.output.is_none() {
            return Err(Error::usage(
                "a torrent from standard input needs -o OUT, or -o - for standard output",
            ));
        }
        let target = Target::new(args.output.as_deref(), "edited.torrent".into());
        target.check(args.force, output)?;
        return Ok(target);
    };
    if args.in_place {
        return Ok(Target::File(path.clone()));
    }
    let mut usual = source.given.file_stem().unwrap_or_default().to_owned();
    usual.push(".edited.torrent");
    let target = Target::new(args.output.as_deref(), source.given.with_file_name(usual));
    if target == Target::Stdout && output.stdout_tty {
        return Err(Error::usage("torr does not write a torrent file to a terminal")
            .hint("write it to a file with -o FILE"));
    }
    let itself = target.path().and_then(|path| std::fs::canonicalize(path).ok());
    if itself.is_some_and(|itself| itself == *path) {
        let message = format!("{} is the torrent file itself", shown(&source.given));
        return Err(Error::usage(message).hint("to change it, with a copy of the old one: --in-place"));
    }
    target.check(args.force, output)?;
    Ok(target)
}

fn refused(source: &Source, error: &EditError) -> Error {
    match error {
        EditError::Malformed(_) => Error::new(
            ErrorKind::Input,
            "malformed",
            format!("cannot make this change to {}: {error}", source.shown()),
        ),
        EditError::Unsorted | EditError::NamesDiffer => {
            Error::new(ErrorKind::Input, "not_editable", format!("{}: {error}", source.shown()))
                .hint("trackers, web seeds, comment and date can be changed")
        }
    }
}

/// Returns the name of a field for messages.
fn words(field: Field) -> &'static str {
    match field {
        Field::Trackers => "trackers",
        Field::WebSeeds => "web seeds",
        Field::Comment => "comment",
        Field::CreatedBy => "created by",
        Field::CreationDate => "creation date",
        Field::Name => "name",
        Field::Private => "private",
        Field::Source => "source",
    }
}
