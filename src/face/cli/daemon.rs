//! The daemon, as the commands that need one look for it.

use std::env;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use super::args::global::GlobalArgs;
use crate::app::{Error, ErrorKind, reason, shown};

/// The longest path of a socket, in bytes, as systems have it.
const LONGEST: usize = 100;

/// Looks for the daemon and says why there is none to talk to. This version speaks to none, so whatever
/// answers is another's.
pub fn find(global: &GlobalArgs) -> Error {
    let Some(path) = place(global) else {
        return none("no torr daemon is running: neither HOME nor XDG_RUNTIME_DIR is set");
    };
    if path.as_os_str().len() > LONGEST {
        let message = format!("the path {} is too long for a socket", shown(&path));
        return Error::usage(message).hint("name a shorter one with --socket");
    }
    match UnixStream::connect(&path) {
        Ok(_) => refused(format!("the program at {} is not a compatible torr daemon", shown(&path))),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::ConnectionRefused => {
                none(format!("no torr daemon is running at {}", shown(&path)))
            }
            _ => refused(format!("cannot reach the daemon at {}: {}", shown(&path), reason(&error))),
        },
    }
}

/// Where its socket is: the flag, `TORR_SOCKET`, `$XDG_RUNTIME_DIR/torr`, the state directory. A profile has a
/// daemon of its own.
fn place(global: &GlobalArgs) -> Option<PathBuf> {
    let var = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let named = global.socket.clone().or_else(|| var("TORR_SOCKET"));
    let folder = || match var("XDG_RUNTIME_DIR").filter(|path| path.is_absolute()) {
        Some(base) => {
            let folder = base.join("torr");
            Some(global.profile.as_ref().map_or(folder.clone(), |name| folder.join("profiles").join(name)))
        }
        None => global.state_dir(),
    };
    named.or_else(|| Some(folder()?.join("daemon.sock")))
}

fn none(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Daemon, "no_daemon", message)
        .hint("this version has no daemon; 'torr get' works without one")
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Daemon, "refused", message)
        .hint("--socket names another one; 'torr get' works without a daemon")
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn at(path: PathBuf) -> Error {
        find(&GlobalArgs { socket: Some(path), ..GlobalArgs::default() })
    }

    #[test]
    fn nobody_and_somebody_else_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let ended = |failure: &Error| (failure.kind, failure.word);
        assert_eq!(ended(&at(path.clone())), (ErrorKind::Daemon, "no_daemon"));
        let listener = UnixListener::bind(&path).unwrap();
        let failure = at(path.clone());
        assert_eq!(ended(&failure), (ErrorKind::Daemon, "refused"), "{failure:?}");
        // One that has died leaves its socket behind.
        drop(listener);
        assert_eq!(ended(&at(path.clone())), (ErrorKind::Daemon, "no_daemon"));
        assert_eq!(ended(&at(path.join("below"))), (ErrorKind::Daemon, "no_daemon"));
        assert_eq!(ended(&at(dir.path().join("x".repeat(200)))), (ErrorKind::Usage, "usage"));
    }
}
