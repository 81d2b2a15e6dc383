//! Programs that tests start: each writes to a log and ends with the test that started it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// How much of a log is shown when a test fails, in bytes.
const TAIL: usize = 20_000;

/// A running program, killed on drop. When the test fails, the end of its log is printed.
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `command` without input; what it prints goes to `NAME.out` (stdout) and `NAME.log` (stderr) in `dir`.
    pub fn start(name: &str, command: &mut Command, dir: &Path) -> Self {
        let log = dir.join(format!("{name}.log"));
        let out = File::create(dir.join(format!("{name}.out"))).expect("a file for the output");
        let err = File::create(&log).expect("a file for the log");
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name: name.to_owned(), child, log }
    }

    /// What it has printed to stdout so far.
    pub fn output(&self) -> String {
        read_lossy(&self.log.with_extension("out"))
    }

    /// What it has printed to stderr so far.
    pub fn errors(&self) -> String {
        read_lossy(&self.log)
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    /// Panics when the program, which should be running, has ended.
    #[track_caller]
    pub fn assert_running(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} ended early, {status}", self.name);
        }
    }

    /// The end of both of its outputs.
    pub fn tail(&self) -> String {
        let end = |text: String| {
            let mut from = text.len().saturating_sub(TAIL);
            while !text.is_char_boundary(from) {
                from += 1;
            }
            text[from..].to_owned()
        };
        format!(
            "--- {}, stdout:\n{}\n--- stderr:\n{}",
            self.name,
            end(self.output()),
            end(read_lossy(&self.log))
        )
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        }
    }
}

/// Where a program is; `None` where it is not installed, which fails where everything has to be.
pub fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("TORR_INTEROP").is_none_or(|value| value != "required"),
            "{name} is not installed"
        );
        eprintln!("skipped: {name} is not installed");
    }
    found
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// The torr binary of this build, with a home of its own below `home` and nothing of the user's environment.
pub fn torr(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_torr"));
    bare(&mut command, home);
    // No test touches the Internet: where the DHT is used, it begins where the test says.
    command.env("TORR_NETWORK_DHT_BOOTSTRAP", "[]");
    command
}

/// Takes the environment away but for the path, a UTF-8 locale and a home, which is made.
pub fn bare(command: &mut Command, home: &Path) {
    fs::create_dir_all(home).expect("a home directory");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home)
        .current_dir(home);
}
