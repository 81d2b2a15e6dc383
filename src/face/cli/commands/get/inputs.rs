//! The torrents of a command line, in the order in which they are asked for.

use std::path::{Path, PathBuf};

use crate::app::Error;
use crate::app::input::ArgumentList;
use crate::face::cli::output::Output;

use super::args::GetArgs;

/// The torrents of a command line, then those of its list, line by line as they come.
pub struct Arguments {
    given: std::vec::IntoIter<PathBuf>,
    list: Option<ArgumentList>,
}

impl Arguments {
    /// Checks the torrents of this command line, and opens its list.
    pub fn of(args: &GetArgs, output: &Output) -> Result<Self, Error> {
        let stdin = Path::new("-");
        let uses = args.torrents.iter().filter(|path| *path == stdin).count();
        if uses + usize::from(args.input.as_deref() == Some(stdin)) > 1 {
            return Err(Error::usage("standard input (-) was given twice, but can be read only once"));
        }
        if let (Some(_), count @ 2..) = (&args.name, args.torrents.len()) {
            let message = format!("--name renames one torrent, but {count} were given");
            return Err(Error::usage(message).hint("leave --name out, or get them one by one"));
        }
        if let Some(Some(file)) = &args.torrent_only {
            if file == stdin {
                let hint = "to standard output: torr magnet LINK --fetch -o -";
                return Err(Error::usage("--torrent-only writes a file").hint(hint));
            }
            if args.torrents.len() > 1 || args.input.is_some() {
                let message = "--torrent-only=FILE names one file, but several torrents were given";
                return Err(Error::usage(message).hint("write --torrent-only alone: each gets its own name"));
            }
        }
        let list = args.input.as_deref().map(ArgumentList::open).transpose()?;
        if list.as_ref().is_some_and(ArgumentList::is_live) {
            output.say("one torrent per line; Ctrl-D ends the list");
        }
        Ok(Self { given: args.torrents.clone().into_iter(), list })
    }

    /// Splits off the torrents that are given from those of the list, which may come later.
    pub fn apart(self) -> (Vec<PathBuf>, Self) {
        (self.given.collect(), Self { given: Vec::new().into_iter(), list: self.list })
    }

    /// Whether somebody writes the list line by line and waits for what comes of each.
    pub fn are_live(&self) -> bool {
        self.list.as_ref().is_some_and(ArgumentList::is_live)
    }

    /// Whether there is one and no more.
    pub fn is_one(&self) -> bool {
        self.list.is_none() && self.given.len() == 1
    }
}

impl Iterator for Arguments {
    type Item = Result<PathBuf, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(argument) = self.given.next() {
            return Some(Ok(argument));
        }
        let next = self.list.as_mut()?.next();
        if next.is_none() {
            self.list = None;
        }
        next
    }
}
