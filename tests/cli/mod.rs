//! The command line as scripts meet it: the real binary, with its streams as pipes.

mod changes;
mod codes;
mod completions;
mod config;
mod contract;
mod create;
mod daemon;
mod dht;
mod dht_cut;
mod edit;
mod examples;
mod existing;
mod faults;
mod finding;
mod get;
mod local;
mod long_pieces;
mod magnet;
mod magnets;
mod man;
mod matrix;
mod party;
mod pick;
mod pty;
mod refusals;
mod register;
mod sacred;
mod searching;
mod share;
mod share_screen;
mod shell;
mod show;
mod side_by_side;
mod signals;
mod snapshots;
mod stream;
mod telling;
mod terminal;
mod tracker;
mod transfers;
mod typed;
mod unfinished;
mod verify;

use std::ffi::OsStr;
use std::io::{self, PipeWriter, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use self::party::TIMEOUT;
use crate::support::wait::wait_for;

/// What keeps a program of a test to itself: no test touches the Internet, and tests of the same torrent at the
/// same time do not find one another. The DHT can be switched on, and then begins nowhere.
const ALONE: [(&str, &str); 3] =
    [("TORR_NETWORK_DHT", "false"), ("TORR_NETWORK_DHT_BOOTSTRAP", "[]"), ("TORR_NETWORK_LSD", "false")];

/// A folder of its own with the program in it.
struct Scene {
    dir: tempfile::TempDir,
}

/// How a run ended.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Scene {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// The program with nothing of the caller's environment that it looks at.
    fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_torr"));
        command.current_dir(self.path()).env_clear().args(arguments);
        command.env("HOME", self.path()).env("LANG", "C.UTF-8").env("TERM", "xterm").env("TZ", "UTC");
        if arguments.first().is_none_or(|verb| verb.as_ref() != "config") {
            command.envs(ALONE);
        }
        command
    }

    /// Runs it; nothing it writes into a pipe may steer a terminal.
    fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ran {
        Self::ran(&mut self.command(arguments))
    }

    /// Runs a command that was got ready.
    fn ran(command: &mut Command) -> Ran {
        let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
        let (out, err) =
            (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned());
        for text in [&out, &err] {
            assert!(!text.contains(['\u{1b}', '\r', '\u{7}']), "{text:?}");
        }
        Ran { code: status.code().expect("no signal"), out, err }
    }

    /// A folder of three files and its torrent, in pieces of 16 KiB.
    fn photos(&self) {
        let bytes =
            |len: usize, salt: usize| (0..len).map(|i| (i * 31 + i / 251 + salt) as u8).collect::<Vec<_>>();
        self.write("photos/a.bin", bytes(100_000, 1));
        self.write("photos/sub/b.bin", bytes(70_000, 2));
        self.write("photos/sub/c.bin", bytes(10_000, 3));
        let made = self.run(&["create", "photos", "--piece-size", "16K", "--no-date"]);
        assert_eq!(made.code, 0, "{}", made.err);
    }
}

/// A pipe from which nobody reads. Other tests start programs meanwhile, and each of those holds what is open
/// here for the moment before it begins: so it is looked whether the last of them is past it.
fn unread() -> PipeWriter {
    let (reader, mut writer) = io::pipe().unwrap();
    drop(reader);
    wait_for("nobody can read", TIMEOUT, || writer.write(b".").is_err().then_some(()));
    writer
}

impl Ran {
    fn json(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
    }
}
