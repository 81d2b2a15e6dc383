//! Exit codes of the process.

use std::process::ExitCode;

use crate::app::{Error, ErrorKind};

/// The exit codes. They are part of the contract with scripts: `torr help exit-codes` lists them
/// and none of them ever changes its meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Everything asked for is done and verified.
    Done = 0,
    /// The run succeeded and the answer is no.
    No = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// The input is no torrent, or a malformed one.
    Input = 3,
    /// The network gave nothing in the time allowed.
    Network = 4,
    /// The disk: no space, no permission, a device error, or foreign data in the way.
    Disk = 5,
    /// No daemon, or it refused us.
    Daemon = 6,
    /// Already running, or the same torrent is active already.
    Busy = 7,
    /// A bug.
    Internal = 70,
    /// SIGINT ended the run.
    Interrupted = 130,
    /// SIGPIPE: nobody reads our output any more.
    Pipe = 141,
    /// SIGTERM ended the run.
    Terminated = 143,
}

/// Every code with its meaning, in the order of the codes.
pub const MEANINGS: [(Exit, &str); 12] = [
    (Exit::Done, "success: everything is done and verified"),
    (
        Exit::No,
        "the answer is no: data is damaged (verify), a check failed, or some of several downloads failed",
    ),
    (Exit::Usage, "usage or configuration error, or an unusable port or address"),
    (Exit::Input, "the input is missing, malformed, or not a torrent"),
    (Exit::Network, "network: no peers or no tracker within the time limit"),
    (Exit::Disk, "disk: no space, no permission, I/O error, or files in the way"),
    (Exit::Daemon, "the daemon is not running or refused the request"),
    (Exit::Busy, "already running: the state directory is locked or the torrent is active"),
    (Exit::Internal, "internal error: a bug in torr"),
    (Exit::Interrupted, "stopped by Ctrl-C (SIGINT)"),
    (Exit::Pipe, "the output was closed (SIGPIPE)"),
    (Exit::Terminated, "stopped by SIGTERM"),
];

impl Exit {
    /// The end of a command that this stopped.
    pub fn of(error: &Error) -> Self {
        error.kind.into()
    }

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The more serious of two: what several inputs end with, whatever their order.
    pub fn worse(self, other: Self) -> Self {
        if other.seriousness() > self.seriousness() { other } else { self }
    }

    /// The rank of a code, higher for what needs the user more: the network may be better tomorrow, a malformed file
    /// will not, a failing disk endangers existing data, and a bug or a signal beats everything.
    const fn seriousness(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Network => 2,
            Self::Busy => 3,
            Self::Daemon => 4,
            Self::Input => 5,
            Self::Usage => 6,
            Self::Disk => 7,
            Self::Internal => 8,
            Self::Interrupted => 9,
            Self::Terminated => 10,
            Self::Pipe => 11,
        }
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Answer => Self::No,
            ErrorKind::Usage => Self::Usage,
            ErrorKind::Input => Self::Input,
            ErrorKind::Network => Self::Network,
            ErrorKind::Disk => Self::Disk,
            ErrorKind::Daemon => Self::Daemon,
            ErrorKind::Busy => Self::Busy,
            ErrorKind::Internal => Self::Internal,
            ErrorKind::Interrupted => Self::Interrupted,
            ErrorKind::Closed => Self::Pipe,
            ErrorKind::Terminated => Self::Terminated,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_frozen_ones() {
        let codes: Vec<u8> = MEANINGS.iter().map(|(exit, _)| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 70, 130, 141, 143]);
    }

    #[test]
    fn the_most_serious_wins_whatever_the_order() {
        assert_eq!(Exit::Done.worse(Exit::Network), Exit::Network);
        assert_eq!(Exit::Disk.worse(Exit::Network), Exit::Disk);
        assert_eq!(Exit::Network.worse(Exit::Disk), Exit::Disk);
        for (a, _) in MEANINGS {
            for (b, _) in MEANINGS {
                assert_eq!(a.worse(b), b.worse(a));
            }
        }
    }
}
