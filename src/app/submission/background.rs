//! Submissions built in the background: none waits for another whose torrent file comes slowly.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use super::{Submission, SubmissionBuilder};
use crate::app::input::Kind;
use crate::app::{Error, ErrorKind, reason};

/// Submissions that are ready and wait to be taken.
const MAX_READY: usize = 16;
/// Torrent files that are fetched from the web at once.
const MAX_FETCHES: usize = 4;

/// Submissions as they are built, each or why it failed.
pub type Submissions = tokio::sync::mpsc::Receiver<Result<Submission, Error>>;
type Sender = tokio::sync::mpsc::Sender<Result<Submission, Error>>;

impl SubmissionBuilder {
    /// Builds the submissions of these arguments, each as soon as it can be. Ends when nobody takes them any more.
    pub fn build_in_background(
        self: &Arc<Self>,
        arguments: impl Iterator<Item = Result<PathBuf, Error>> + Send + 'static,
    ) -> Result<Submissions, Error> {
        let (send, submissions) = tokio::sync::mpsc::channel(MAX_READY);
        let builder = self.clone();
        let work = move || build_all(arguments, &builder, &send);
        thread::Builder::new().name("torr-inputs".to_owned()).spawn(work).map_err(|error| {
            let message = format!("cannot start: {}", reason(&error));
            Error::new(ErrorKind::Internal, "internal", message)
        })?;
        Ok(submissions)
    }
}

fn build_all(
    arguments: impl Iterator<Item = Result<PathBuf, Error>>,
    builder: &Arc<SubmissionBuilder>,
    send: &Sender,
) {
    let (fetch, to_fetch) = mpsc::channel::<PathBuf>();
    let to_fetch = Arc::new(Mutex::new(to_fetch));
    let mut fetches = 0;
    for argument in arguments {
        let built = match argument {
            Ok(argument) if matches!(Kind::of(&argument), Kind::Web(_)) => {
                if fetches < MAX_FETCHES && start_fetching(&to_fetch, builder, send).is_ok() {
                    fetches += 1;
                }
                if fetches > 0 && fetch.send(argument.clone()).is_ok() {
                    continue;
                }
                builder.build(&argument)
            }
            Ok(argument) => builder.build(&argument),
            Err(failure) => Err(failure),
        };
        if hand_over(built, send).is_err() {
            return;
        }
    }
}

/// Starts a thread that builds the submissions of addresses of the web until there are no more.
fn start_fetching(
    to_fetch: &Arc<Mutex<mpsc::Receiver<PathBuf>>>,
    builder: &Arc<SubmissionBuilder>,
    send: &Sender,
) -> io::Result<()> {
    let (to_fetch, builder, send) = (to_fetch.clone(), builder.clone(), send.clone());
    let work = move || {
        loop {
            let next = to_fetch.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(argument) = next else { return };
            if hand_over(builder.build(&argument), &send).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("torr-fetch".to_owned()).spawn(work).map(|_| ())
}

/// Hands over what was built, unless nobody takes it any more.
fn hand_over(built: Result<Option<Submission>, Error>, send: &Sender) -> Result<(), ()> {
    match built.transpose() {
        None => Ok(()),
        Some(built) => send.blocking_send(built).map_err(|_| ()),
    }
}
