//! Ctrl-C and its relatives.

use std::io;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Exit;
use super::output::Output;
use crate::app::{Error, ErrorKind};

/// Two signals within this time are one: `timeout` signals both the program and its group, a terminal that
/// goes away is told of by the shell and by the system. The second of a person comes later.
const ECHO: Duration = Duration::from_millis(500);

/// The signals that ask us to stop.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    told: Told,
}

/// When the last signal came that was no echo.
#[derive(Debug, Default)]
struct Told(Option<Instant>);

impl Told {
    /// Whether a signal that comes now is another one.
    fn is_new(&mut self, now: Instant) -> bool {
        let new = self.0.is_none_or(|last| now.duration_since(last) >= ECHO);
        if new {
            self.0 = Some(now);
        }
        new
    }
}

impl Signals {
    /// Takes the signals over; from here on they no longer end the process by themselves. Needs a
    /// tokio runtime.
    pub fn take() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            told: Told::default(),
        })
    }

    /// Waits for the next one and says what the process then ends with. May be dropped and called again.
    pub async fn next(&mut self) -> Exit {
        loop {
            let exit = tokio::select! {
                _ = self.interrupt.recv() => Exit::Interrupted,
                _ = self.terminate.recv() => Exit::Terminated,
                _ = self.hangup.recv() => Exit::Terminated,
            };
            if self.told.is_new(Instant::now()) {
                return exit;
            }
        }
    }
}

/// Changes of the terminal's size.
#[derive(Debug)]
pub struct Resizes(Option<Signal>);

impl Resizes {
    /// Watches for them, if it is wanted and the system lets us. Needs a tokio runtime.
    pub fn watch(wanted: bool) -> Self {
        Self(if wanted { signal(SignalKind::window_change()).ok() } else { None })
    }

    /// Waits for the next one, for ever if none are watched for.
    pub async fn next(&mut self) {
        let change = match &mut self.0 {
            Some(changes) => changes.recv().await,
            None => None,
        };
        if change.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// Held while something is put in place; an end at once waits for it.
static PUTTING: Mutex<()> = Mutex::new(());

/// A guard during which a signal ends the process at once. Clones share it.
#[derive(Clone, Debug)]
pub struct AtOnce {
    whose: Arc<AtomicU8>,
    /// A file of ours that nobody needs afterwards.
    litter: Arc<Mutex<Option<PathBuf>>>,
    /// Ctrl-C was heard while it was lent.
    lent: Arc<AtomicBool>,
    /// Scripts hear of the end in a document.
    tells: Arc<AtomicBool>,
}

/// Any signal ends the process.
const OURS: u8 = 0;
/// Ctrl-C is meant for a program that we run, or for a part of the work.
const LENT: u8 = 1;
/// Signals are somebody else's.
const LEFT: u8 = 2;

impl AtOnce {
    /// From here on signals are somebody else's.
    pub fn leave(&self) {
        self.whose.store(LEFT, Ordering::SeqCst);
    }

    /// Leaves Ctrl-C to a program that is run for the person, such as an editor, until the work is done.
    pub fn lend<T>(&self, work: impl FnOnce() -> T) -> T {
        self.lend_out(true);
        let done = work();
        self.lend_out(false);
        done
    }

    /// The same for work that says itself when it begins and when it is done.
    pub fn lend_out(&self, begins: bool) {
        self.lent.store(false, Ordering::SeqCst);
        self.whose.store(if begins { LENT } else { OURS }, Ordering::SeqCst);
    }

    /// Whether Ctrl-C was pressed since it was lent or this was last asked.
    pub fn was_pressed(&self) -> bool {
        self.lent.swap(false, Ordering::SeqCst)
    }

    /// Has scripts hear of the end by a document, where none was begun.
    pub fn tell_scripts(self) -> Self {
        self.tells.store(true, Ordering::SeqCst);
        self
    }

    /// Has a file removed if a signal ends the process; the one that was named before is not.
    pub fn remove_at_end(&self, file: Option<PathBuf>) {
        *self.litter.lock().unwrap_or_else(PoisonError::into_inner) = file;
    }

    /// A signal has come: ends the process, unless it is not ours.
    fn heard(&self, exit: Exit, output: &Output) {
        let _quiet = PUTTING.lock().unwrap_or_else(PoisonError::into_inner);
        let whose = self.whose.load(Ordering::SeqCst);
        if whose == LENT && exit == Exit::Interrupted {
            self.lent.store(true, Ordering::SeqCst);
            return;
        }
        if whose == LEFT {
            return;
        }
        if let Some(litter) = &*self.litter.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = std::fs::remove_file(litter);
        }
        output.live.erase();
        if output.json && self.tells.load(Ordering::SeqCst) {
            let interrupted = exit == Exit::Interrupted;
            let kind = if interrupted { ErrorKind::Interrupted } else { ErrorKind::Terminated };
            output.tell_script(&Error::new(kind, "interrupted", "stopped"));
        }
        output.say("stopped");
        process::exit(i32::from(exit.code()));
    }
}

/// For commands that have nothing to put away: a signal says a word and ends the process.
pub fn end_at_once(output: &Output) -> AtOnce {
    let ending =
        AtOnce { whose: Arc::default(), litter: Arc::default(), lent: Arc::default(), tells: Arc::default() };
    let (heard, output) = (ending.clone(), output.clone());
    let wait = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        // Without it the signal still ends the process, only without the word.
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let Ok(mut signals) = Signals::take() else { return };
            loop {
                let exit = signals.next().await;
                heard.heard(exit, &output);
            }
        });
    };
    let _ = std::thread::Builder::new().name("torr-signals".to_owned()).spawn(wait);
    ending
}

/// Does what must be done whole or not at all: an end at once that is asked for meanwhile comes after it.
pub fn undisturbed<T>(work: impl FnOnce() -> T) -> T {
    let _held = PUTTING.lock().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// How long the one who draws has to look for a signal and to end.
const IN_TIME: Duration = Duration::from_secs(1);

/// For a screen that reads keys: the first signal is noted, and the one who draws looks for it.
#[derive(Debug)]
pub struct Watch(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    exit: OnceLock<Exit>,
    /// No screen is there, and Ctrl-C ends a part of the work only.
    away: AtomicBool,
    /// Ctrl-C was pressed meanwhile.
    pressed: AtomicBool,
}

impl Watch {
    /// Takes the signals over. A screen that does not look for the signal in time is waiting for a terminal
    /// that has gone away: then it is given back in this way, and the process ends.
    pub fn start(give_back: fn()) -> Self {
        let seen = Arc::new(Seen::default());
        let note = seen.clone();
        let wait = move || {
            if let Some(exit) = wait_for_one(&note) {
                let _ = note.exit.set(exit);
                std::thread::sleep(IN_TIME);
                give_back();
                process::exit(i32::from(exit.code()));
            }
        };
        // Without the thread a signal ends the process, as it does anywhere.
        let _ = std::thread::Builder::new().name("torr-signals".to_owned()).spawn(wait);
        Self(seen)
    }

    /// The exit code, if a signal has asked the process to end.
    pub fn seen(&self) -> Option<Exit> {
        self.0.exit.get().copied()
    }

    /// Work begins, or is done, during which no screen is there and of which Ctrl-C ends a part:
    /// [`Watch::was_pressed`].
    pub fn away(&self, begins: bool) {
        self.0.pressed.store(false, Ordering::SeqCst);
        self.0.away.store(begins, Ordering::SeqCst);
    }

    /// Whether Ctrl-C was pressed during such work since this was last asked.
    pub fn was_pressed(&self) -> bool {
        self.0.pressed.swap(false, Ordering::SeqCst)
    }
}

/// The first signal that asks for the end.
fn wait_for_one(seen: &Seen) -> Option<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().ok()?;
    runtime.block_on(async {
        let mut signals = Signals::take().ok()?;
        loop {
            let exit = signals.next().await;
            if exit == Exit::Interrupted && seen.away.load(Ordering::SeqCst) {
                seen.pressed.store(true, Ordering::SeqCst);
            } else {
                return Some(exit);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_at_once_again_is_the_same_signal() {
        let (mut told, start) = (Told::default(), Instant::now());
        let mut at = |ms| told.is_new(start + Duration::from_millis(ms));
        // Whoever keeps the key down is heard again too.
        let heard = [0, 1, 200, 499, 500, 501, 900, 1200].map(&mut at);
        assert_eq!(heard, [true, false, false, false, true, false, false, true]);
    }
}
