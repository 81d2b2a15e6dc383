//! The program that runs after each download: with its arguments and no shell. Facts about the download
//! are in its environment and never in the command.

use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::sync::mpsc;

use super::command_line::Words;
use super::config::Origin;
use super::{Error, ErrorKind, Remedy, reason, shown};
use crate::base::{InfoHashes, Untrusted};

/// The longest line of a program that is shown whole, in bytes.
const MAX_LINE: u64 = 4096;

/// A program to run after each download.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hook {
    /// The program and its arguments.
    pub command: Words,
    /// The place that asked for it; errors name it.
    pub origin: Origin,
}

/// The destination of what a program prints.
#[derive(Clone)]
pub enum HookOutput {
    /// Standard error of this process.
    Stderr,
    /// A function that takes it line by line, clean for a terminal.
    Lines(Arc<dyn Fn(&str) + Send + Sync>),
}

/// The programs that run after downloads.
pub struct Hooks {
    hook: Option<Hook>,
    output: HookOutput,
    running: Vec<Arc<Mutex<Running>>>,
    tell: mpsc::UnboundedSender<Result<(), Error>>,
    ends: mpsc::UnboundedReceiver<Result<(), Error>>,
    open: usize,
}

/// One program; its child is taken when it has ended, and its number means nothing from then on.
struct Running(Option<Child>);

impl Hooks {
    /// Runs this hook after each download, if there is one.
    pub fn new(hook: Option<Hook>, output: HookOutput) -> Self {
        let (tell, ends) = mpsc::unbounded_channel();
        Self { hook, output, running: Vec::new(), tell, ends, open: 0 }
    }

    /// Starts the program for a download that is complete and lies here.
    pub fn start(&mut self, torrent: InfoHashes, name: &Untrusted, path: &Path) -> Result<(), Error> {
        let Some(Hook { command: words, origin }) = &self.hook else { return Ok(()) };
        let run = HookRun { torrent, name: name.clone(), program: words.program().to_owned() };
        let mut command = Command::new(words.program());
        command
            .args(words.arguments())
            .env("TORR_NAME", without_zero(name.raw()))
            .env("TORR_PATH", path)
            .env("TORR_INFOHASH", torrent.to_string())
            .stdin(Stdio::null());
        let started = redirect(&mut command, &self.output).and_then(|()| command.spawn());
        // The streams that the command holds would keep its readers waiting for an end.
        drop(command);
        let child = started.map_err(|error| run.failure(&format!("cannot be run: {}", reason(&error))))?;
        let pid = Pid::from_child(&child);
        let running = Arc::new(Mutex::new(Running(Some(child))));
        self.running.push(running.clone());
        self.open += 1;
        let tell = self.tell.clone();
        let wait = move || {
            let ended = wait(pid, &running);
            let _ = tell.send(run.result(ended));
        };
        thread::Builder::new().name("torr-run".to_owned()).spawn(wait).map(|_| ()).map_err(|error| {
            self.open -= 1;
            let message = format!("cannot wait for {origin}: {}", reason(&error));
            Error::new(ErrorKind::Internal, "internal", message)
        })
    }

    /// Whether nothing runs.
    pub const fn are_idle(&self) -> bool {
        self.open == 0
    }

    /// Waits for the next one to end and says how it did; for ever where nothing runs.
    pub async fn ended(&mut self) -> Result<(), Error> {
        let ended = self.ends.recv().await;
        self.open = self.open.saturating_sub(1);
        ended.unwrap_or(Ok(()))
    }

    /// Asks all that run to end.
    pub fn stop(&self) {
        for running in &self.running {
            if let Running(Some(child)) = &*lock(running) {
                // One that does not want to end is left alone.
                let _ = kill_process(Pid::from_child(child), Signal::TERM);
            }
        }
    }
}

fn lock(running: &Mutex<Running>) -> std::sync::MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the end, and only then takes the child away, so that nobody signals a stranger.
fn wait(pid: Pid, running: &Mutex<Running>) -> io::Result<ExitStatus> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
    let child = lock(running).0.take();
    child.map_or_else(|| Err(io::ErrorKind::NotFound.into()), |mut child| child.wait())
}

/// Sends both outputs of a program to one destination.
fn redirect(command: &mut Command, output: &HookOutput) -> io::Result<()> {
    let HookOutput::Lines(take) = output else {
        let stderr = || io::stderr().as_fd().try_clone_to_owned().map(Stdio::from);
        command.stdout(stderr()?).stderr(stderr()?);
        return Ok(());
    };
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let take = take.clone();
    let read = move || {
        let mut reader = BufReader::new(reader);
        loop {
            let mut line = Vec::new();
            match (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => take(&Untrusted::from_bytes(line.trim_ascii_end()).clean()),
            }
        }
    };
    thread::Builder::new().name("torr-run-out".to_owned()).spawn(read).map(|_| ())
}

/// A name as it may stand in an environment.
fn without_zero(name: &str) -> String {
    name.replace('\0', "\u{fffd}")
}

/// One run of a program, for the error if it fails.
struct HookRun {
    torrent: InfoHashes,
    name: Untrusted,
    program: String,
}

impl HookRun {
    fn result(&self, ended: io::Result<ExitStatus>) -> Result<(), Error> {
        let status = ended.map_err(|error| self.failure(&format!("is lost: {}", reason(&error))))?;
        match status.code() {
            Some(0) => Ok(()),
            Some(code) => Err(self.failure(&format!("ended with exit code {code}"))),
            None => Err(self.failure("was killed by a signal")),
        }
    }

    fn failure(&self, what: &str) -> Error {
        let program = shown(Path::new(&self.program)).fit(80);
        let message = format!("{}: {program} {what}", self.name.fit(80));
        Error::new(ErrorKind::Answer, "run_failed", message).remedy(Remedy::HookFailed).about(self.torrent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::command_line::words;

    #[tokio::test]
    async fn a_program_hears_of_the_download_and_its_lines_are_handed_over() {
        let (send, lines) = std::sync::mpsc::channel();
        let run = async |command: &str| {
            let hook = Hook { command: words(command).unwrap(), origin: Origin::Flag("--flag") };
            let send = send.clone();
            let output = HookOutput::Lines(Arc::new(move |line| drop(send.send(line.to_owned()))));
            let mut hooks = Hooks::new(Some(hook), output);
            hooks.start(InfoHashes::from_v1([8; 20]), &"film".into(), Path::new("/d/film"))?;
            assert!(!hooks.are_idle());
            hooks.ended().await
        };
        assert_eq!(run("sh -c 'echo \"$TORR_NAME $TORR_PATH\"; echo $TORR_INFOHASH >&2'").await, Ok(()));
        assert_eq!(
            [lines.recv().unwrap(), lines.recv().unwrap()],
            ["film /d/film".to_owned(), "08".repeat(20)]
        );
        let failed = run("sh -c 'exit 3'").await.unwrap_err();
        assert_eq!(failed.message, "film: sh ended with exit code 3");
        assert_eq!(failed.remedy.as_deref(), Some(&Remedy::HookFailed));
        assert_eq!(run("/nowhere/x").await.unwrap_err().word, "run_failed");
    }
}
