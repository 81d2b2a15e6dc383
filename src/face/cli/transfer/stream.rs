//! `--to-stdout`: one file goes to standard output while it comes.
//!
//! A plain thread takes the bytes and writes them, so that a reader that is slow or stops holds up nothing
//! but this thread: with it the engine stops reading ahead, while the download goes on into the files.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::oneshot;

use crate::app::door::{ReadOutcome, Reader};
use crate::app::{Error, ErrorKind, reason};
use crate::face::cli::output::Output;

/// How long to wait for a standard output that takes nothing and does not block.
const FULL: Duration = Duration::from_secs(1);

/// How writing to standard output ended.
#[derive(Debug)]
pub enum Streamed {
    /// Every byte of the file is out.
    Whole,
    /// Nobody reads any more.
    Closed,
    /// The torrent ended before the file did; it says why itself.
    Cut,
    /// The bytes could not be read or written.
    Failed(Error),
}

/// Refuses what cannot go to standard output as a file. `torrents` is how many were given.
pub fn allowed(output: &Output, torrents: usize) -> Result<(), Error> {
    if output.json {
        let message = "--to-stdout and --json both write to standard output";
        return Err(Error::usage(message).hint("--progress json writes its events to standard error"));
    }
    if output.stdout_tty {
        let message = "--to-stdout would write the file's bytes to this terminal";
        let hint = "pipe it to a program: torr get FILE.torrent --to-stdout | mpv -";
        return Err(Error::usage(message).hint(hint));
    }
    if torrents > 1 {
        let message = format!("--to-stdout writes one file, but {torrents} torrents were given");
        return Err(Error::usage(message).hint("give one torrent"));
    }
    Ok(())
}

/// Writes what a reader reads.
#[derive(Debug)]
pub struct Stream {
    done: oneshot::Receiver<Streamed>,
}

impl Stream {
    /// Starts writing the file to standard output.
    pub fn start(reader: Reader) -> Result<Self, Error> {
        let failed = |error: &io::Error| {
            Error::new(ErrorKind::Internal, "internal", format!("cannot start to write: {}", reason(error)))
        };
        // Not through the buffer of lines that the rest of the program writes with.
        let out = io::stdout().as_fd().try_clone_to_owned().map_err(|error| failed(&error))?;
        let (tell, done) = oneshot::channel();
        let run = move || {
            // Nobody to tell is no trouble.
            let _ = tell.send(pump(reader, &mut File::from(out)));
        };
        let thread = std::thread::Builder::new().name("torr-stdout".to_owned()).spawn(run);
        thread.map(|_| Self { done }).map_err(|error| failed(&error))
    }

    /// Waits until all is written or nothing more can be. May be dropped and called again, until it has
    /// answered.
    pub async fn ended(&mut self) -> Streamed {
        // The thread ends without a word only by a panic, which has been told.
        (&mut self.done).await.unwrap_or(Streamed::Cut)
    }

    /// Whether whoever read standard output has gone away, even if there is nothing to write now.
    pub fn is_abandoned() -> bool {
        has_no_reader(io::stdout().as_fd())
    }
}

fn has_no_reader(out: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(&out, PollFlags::empty())];
    let polled = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    polled.is_ok() && fds[0].revents().contains(PollFlags::ERR)
}

fn pump(mut reader: Reader, out: &mut File) -> Streamed {
    loop {
        match reader.next_blocking() {
            ReadOutcome::Bytes(chunk) => {
                for slice in chunk.slices() {
                    if let Err(error) = write_all(out, slice) {
                        return Streamed::of(&error);
                    }
                }
            }
            ReadOutcome::End => return Streamed::Whole,
            ReadOutcome::Cut(None) => return Streamed::Cut,
            ReadOutcome::Cut(Some(fault)) => return Streamed::Failed(Error::from(fault)),
        }
    }
}

impl Streamed {
    fn of(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Closed;
        }
        let kind = if error.kind() == io::ErrorKind::StorageFull { "no_space" } else { "io" };
        let message = format!("cannot write to standard output: {}", reason(error));
        Self::Failed(Error::new(ErrorKind::Disk, kind, message))
    }
}

/// Writes all of it, also where standard output was set not to block by somebody who shares it.
fn write_all(out: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let timeout = Timespec { tv_sec: FULL.as_secs() as i64, tv_nsec: 0 };
                // Whatever it says, the next write says it better.
                let _ = poll(&mut [PollFd::new(out, PollFlags::OUT)], Some(&timeout));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::face::cli::args::global::GlobalArgs;
    use crate::face::cli::environment::Environment;

    #[test]
    fn bytes_do_not_go_to_terminals_nor_between_json() {
        let tty = Environment { stdout_tty: true, ..Environment::default() };
        let of = |flags: &GlobalArgs, around: &Environment| allowed(&Output::new(flags, around), 1);
        let refused = of(&GlobalArgs::default(), &tty).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Usage);
        assert!(refused.sentence().unwrap().contains("--to-stdout | mpv -"));
        let json = GlobalArgs { json: true, ..GlobalArgs::default() };
        assert!(of(&json, &Environment::default()).is_err());
        assert!(of(&GlobalArgs::default(), &Environment::default()).is_ok());
    }

    #[test]
    fn a_pipe_whose_reader_has_gone_is_noticed_without_writing() {
        let (reader, writer) = io::pipe().unwrap();
        assert!(!has_no_reader(writer.as_fd()));
        drop(reader);
        assert!(has_no_reader(writer.as_fd()));
        assert!(!has_no_reader(tempfile::tempfile().unwrap().as_fd()), "a file has no reader and needs none");
    }

    #[test]
    fn a_pipe_that_does_not_block_gets_everything() {
        let (mut reader, writer) = io::pipe().unwrap();
        rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
        let expected = bytes.clone();
        let writing = std::thread::spawn(move || {
            let mut out = File::from(std::os::fd::OwnedFd::from(writer));
            write_all(&mut out, &bytes).unwrap();
        });
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        writing.join().unwrap();
        assert!(read == expected);
    }
}
