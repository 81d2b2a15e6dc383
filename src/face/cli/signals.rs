//! Ctrl-C and its relatives.

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Exit;
use super::output::Output;

/// The signals that ask us to stop.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes the signals over; from here on they no longer end the process by themselves. Needs a
    /// tokio runtime.
    pub fn take() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one and says what the process then ends with. May be dropped and called again.
    pub async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            _ = self.hangup.recv() => Exit::Terminated,
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
            std::future::pending().await
        }
    }
}

/// For commands that have nothing to put away: the first signal says a word and ends the process.
pub fn end_at_once(output: &Output) {
    let output = output.clone();
    let wait = move || {
        if let Some(exit) = wait_for_one() {
            output.live.erase();
            output.say("stopped");
            process::exit(i32::from(exit.code()));
        }
    };
    // Without the thread the signal still ends the process, only without the word.
    let _ = std::thread::Builder::new().name("torr-signals".to_owned()).spawn(wait);
}

fn wait_for_one() -> Option<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().ok()?;
    runtime.block_on(async { Some(Signals::take().ok()?.next().await) })
}
