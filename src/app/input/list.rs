//! Lists of torrents: an argument on each line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};

use crate::app::{Error, ErrorKind};

/// The longest line of a list, in bytes: links may be long.
const MAX_LINE: usize = 5 << 20;
/// The most lines of a list that name a torrent.
const MAX_NAMED: usize = 100_000;

/// The arguments of a list, line by line as they come. `#` begins a comment.
pub struct ArgumentList {
    path: PathBuf,
    lines: Box<dyn BufRead + Send>,
    named: usize,
    ended: bool,
    live: bool,
}

impl ArgumentList {
    /// Opens a list; `-` is standard input.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let stdin = path == Path::new("-");
        let lines: Box<dyn BufRead + Send> = if stdin {
            Box::new(BufReader::new(io::stdin()))
        } else {
            let file = File::open(path).map_err(|error| Error::disk("read", path, &error))?;
            Box::new(BufReader::new(file))
        };
        let live = stdin && io::stdin().is_terminal();
        Ok(Self { path: path.to_owned(), lines, named: 0, ended: false, live })
    }

    /// Whether a person writes the list line by line, and waits for what comes of each.
    pub const fn is_live(&self) -> bool {
        self.live
    }
}

impl Iterator for ArgumentList {
    type Item = Result<PathBuf, Error>;

    /// The next line that names a torrent. A line that cannot name any does not keep the others from it.
    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
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
        None
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &[u8]) -> Vec<Result<PathBuf, Error>> {
        let lines = Box::new(io::Cursor::new(text.to_vec()));
        ArgumentList { path: "list".into(), lines, named: 0, ended: false, live: false }.collect()
    }

    #[test]
    fn a_list_has_comments_blanks_and_any_line_ends() {
        let text = b"\xef\xbb\xbfa.torrent\r\n# no\n\n  b c.torrent  \n\xff\nhttps://x/#y";
        let named: Vec<PathBuf> = named(text).into_iter().map(Result::unwrap).collect();
        let expected: [&[u8]; 4] = [b"a.torrent", b"b c.torrent", b"\xff", b"https://x/#y"];
        assert_eq!(named, expected.map(path));
    }

    #[test]
    fn a_line_that_cannot_be_used_says_so_and_the_others_go_on() {
        for text in [b"".to_vec(), b"# nothing\n".to_vec(), vec![b'x'; MAX_LINE + 1]] {
            let named = named(&text);
            assert!(named.len() == 1 && named[0].is_err(), "{named:?}");
        }
        let named = named(&[b"a\n".repeat(3), vec![b'x'; 2 * MAX_LINE], b"\nb".to_vec()].concat());
        let good: Vec<bool> = named.iter().map(Result::is_ok).collect();
        assert_eq!(good, [true, true, true, false, true]);
        assert_eq!(named[4], Ok("b".into()));
    }
}
