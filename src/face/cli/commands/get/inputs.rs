//! What is asked for, in the order in which it is asked, and how it becomes work.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use crate::app::input::Kind;
use crate::app::{Error, ErrorKind};
use crate::face::cli::output::Output;
use crate::face::cli::transfer::{Arrival, Arrivals, Work};

use super::args::GetArgs;
use super::jobs::SubmissionBuilder;

/// The longest line of a list, in bytes: links may be long.
const MAX_LINE: usize = 5 << 20;
/// The most lines of a list that name a torrent.
const MAX_NAMED: usize = 100_000;
/// Torrents that are ready and wait to be taken.
const READY: usize = 16;
/// Addresses of the web that are asked at once.
const LANES: usize = 4;

/// The torrents of a command line, then those of its list, line by line as they come.
pub struct Arguments {
    given: std::vec::IntoIter<PathBuf>,
    list: Option<List>,
}

impl Arguments {
    /// Those of this command line.
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
        let list = args.input.as_deref().map(|path| List::open(path, output)).transpose()?;
        Ok(Self { given: args.torrents.clone().into_iter(), list })
    }

    /// Those that are given, and those of the list, which may come later.
    pub fn apart(self) -> (Vec<PathBuf>, Self) {
        (self.given.collect(), Self { given: Vec::new().into_iter(), list: self.list })
    }

    /// Whether somebody writes them line by line and waits for what comes of each.
    pub fn are_live(&self) -> bool {
        self.list.as_ref().is_some_and(|list| list.live)
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
        let list = self.list.as_mut()?;
        let next = list.next();
        if next.is_none() || list.ended {
            self.list = None;
        }
        next
    }
}

/// A list of torrents that is read line by line.
struct List {
    path: PathBuf,
    lines: Box<dyn BufRead + Send>,
    named: usize,
    /// Nothing more is read.
    ended: bool,
    /// Somebody writes it line by line and waits for what comes of each.
    live: bool,
}

impl List {
    fn open(path: &Path, output: &Output) -> Result<Self, Error> {
        let live = path == Path::new("-") && io::stdin().is_terminal();
        let lines: Box<dyn BufRead + Send> = if path == Path::new("-") {
            if live {
                output.say("one torrent per line; Ctrl-D ends the list");
            }
            Box::new(BufReader::new(io::stdin()))
        } else {
            let file = File::open(path).map_err(|error| Error::disk("read", path, &error))?;
            Box::new(BufReader::new(file))
        };
        Ok(Self { path: path.to_owned(), lines, named: 0, ended: false, live })
    }

    /// The next line that names a torrent. A line that cannot name any does not keep the others from it.
    fn next(&mut self) -> Option<Result<PathBuf, Error>> {
        loop {
            let mut line = Vec::new();
            let read = (&mut self.lines).take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line);
            if let Err(error) = read {
                self.ended = true;
                return Some(Err(Error::disk("read", &self.path, &error)));
            }
            if line.is_empty() {
                self.ended = true;
                let none = || Err(Error::usage("the list contains no torrent"));
                return (self.named == 0).then(none);
            }
            if line.len() > MAX_LINE {
                self.named += 1;
                self.ended = !line.ends_with(b"\n") && self.lines.skip_until(b'\n').is_err();
                let message = "a line of the list is too long to name a torrent";
                return Some(Err(Error::new(ErrorKind::Input, "malformed", message)));
            }
            let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            self.named += 1;
            if self.named > MAX_NAMED {
                self.ended = true;
                let message = format!("the list contains more than {MAX_NAMED} torrents");
                return Some(Err(Error::new(ErrorKind::Input, "malformed", message)));
            }
            return Some(Ok(path(text)));
        }
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).into()
}

/// Reads all that is asked for, each torrent as soon as it can be: none waits for another that is slow.
pub fn start(arguments: Arguments, maker: SubmissionBuilder) -> Result<Arrivals, Error> {
    let (send, arrivals) = tokio::sync::mpsc::channel(READY);
    let work = move || read_all(arguments, &maker, &send);
    thread::Builder::new().name("torr-inputs".to_owned()).spawn(work).map_err(|error| {
        let why = crate::app::reason(&error);
        Error::new(ErrorKind::Internal, "internal", format!("cannot start: {why}"))
    })?;
    Ok(arrivals)
}

/// Where torrents are handed over.
type Sink = tokio::sync::mpsc::Sender<Arrival>;

fn read_all(arguments: Arguments, maker: &SubmissionBuilder, send: &Sink) {
    let (ask, asked) = mpsc::channel::<PathBuf>();
    let asked = Arc::new(Mutex::new(asked));
    let mut lanes = 0;
    for argument in arguments {
        let made = match argument {
            Ok(argument) if matches!(Kind::of(&argument), Kind::Web(_)) => {
                if lanes < LANES && lane(&asked, maker, send).is_ok() {
                    lanes += 1;
                }
                if lanes > 0 && ask.send(argument.clone()).is_ok() {
                    continue;
                }
                maker.make(&argument)
            }
            Ok(argument) => maker.make(&argument),
            Err(failure) => Err(failure),
        };
        if tell(made, send).is_err() {
            return;
        }
    }
}

/// One more who asks the web, until nothing more is to be asked.
fn lane(
    asked: &Arc<Mutex<mpsc::Receiver<PathBuf>>>,
    maker: &SubmissionBuilder,
    send: &Sink,
) -> io::Result<()> {
    let (asked, maker, send) = (asked.clone(), maker.clone(), send.clone());
    let work = move || {
        loop {
            let next = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(argument) = next else { return };
            if tell(maker.make(&argument), &send).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("torr-fetch".to_owned()).spawn(work).map(|_| ())
}

/// Hands over what was made, unless nobody takes it any more.
fn tell(made: Result<Option<Work>, Error>, send: &Sink) -> Result<(), ()> {
    let arrival = match made {
        Ok(None) => return Ok(()),
        Ok(Some(made)) => Ok(made),
        Err(failure) => Err(failure),
    };
    send.blocking_send(arrival).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &[u8]) -> Vec<Result<PathBuf, Error>> {
        let list = List {
            path: "list".into(),
            lines: Box::new(io::Cursor::new(text.to_vec())),
            named: 0,
            ended: false,
            live: false,
        };
        Arguments { given: vec![PathBuf::from("first")].into_iter(), list: Some(list) }.collect()
    }

    #[test]
    fn a_list_has_comments_blanks_and_any_line_ends() {
        let text = b"\xef\xbb\xbfa.torrent\r\n# no\n\n  b c.torrent  \n\xff\nhttps://x/#y";
        let named: Vec<PathBuf> = named(text).into_iter().map(Result::unwrap).collect();
        let expected: [&[u8]; 5] = [b"first", b"a.torrent", b"b c.torrent", b"\xff", b"https://x/#y"];
        assert_eq!(named, expected.map(path));
    }

    #[test]
    fn a_line_that_cannot_be_used_says_so_and_the_others_go_on() {
        for text in [b"".to_vec(), b"# nothing\n".to_vec(), vec![b'x'; MAX_LINE + 1]] {
            let named = named(&text);
            assert!(named.len() == 2 && named[1].is_err(), "{named:?}");
        }
        let named = named(&[b"a\n".repeat(3), vec![b'x'; 2 * MAX_LINE], b"\nb".to_vec()].concat());
        let good: Vec<bool> = named.iter().map(Result::is_ok).collect();
        assert_eq!(good, [true, true, true, true, false, true]);
        assert_eq!(named[5], Ok("b".into()));
    }
}
