//! A test runs itself once more as a child in namespaces of its own: a network that consists of `lo`, and a
//! process tree that dies with its first process, so that nothing outlives the test.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::support::program::Program;
use crate::support::wait::wait_for;

/// Set to `required`, a test that cannot run fails.
const REQUIRED: &str = "TORR_INTEROP";
/// Tells the child that it is the child.
const INSIDE: &str = "TORR_INTEROP_INSIDE";
/// For a whole test; what a test waits for inside is bounded more tightly.
const LIMIT: Duration = Duration::from_secs(280);
const UNSHARE: [&str; 6] = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// The path of the function around it, as the test runner knows it.
macro_rules! test_name {
    () => {{
        fn here() {}
        let path = std::any::type_name_of_val(&here).trim_end_matches("::here");
        path.split_once("::").expect("the path of a function begins with its crate").1
    }};
}
pub(super) use test_name;

/// Runs `body` where the addresses 10.99.0.1 to 10.99.0.254 are its own and no others exist. `test` is
/// [`test_name!`]; `needs` are the programs it cannot do without.
#[track_caller]
pub fn isolated(test: &str, needs: &[&str], body: impl FnOnce(&Path)) {
    if std::env::var_os(INSIDE).is_some() {
        network();
        let dir = tempfile::tempdir().expect("a temporary directory");
        return body(dir.path());
    }
    if let Some(reason) = missing(needs) {
        let required = std::env::var(REQUIRED).is_ok_and(|value| value == "required");
        assert!(!required, "{test} is required and cannot run: {reason}");
        // The runner swallows what a passing test prints; this goes past it.
        let _ = writeln!(std::io::stderr(), "skipped {test}: {reason}");
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new(UNSHARE[0]);
    command.args(&UNSHARE[1..]).arg(std::env::current_exe().expect("the path of this test program"));
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .env("TMPDIR", dir.path());
    let mut child = Program::start("inside", &mut command, dir.path());
    let status = wait_for(test, LIMIT, || child.ended());
    assert!(status.success() && child.output().contains("1 passed"), "inside the namespace: {status}");
}

/// Why a test cannot run here.
fn missing(needs: &[&str]) -> Option<String> {
    static NAMESPACES: OnceLock<bool> = OnceLock::new();
    if let Some(program) = needs.iter().chain(&["ip", "unshare"]).find(|need| !installed(need)) {
        return Some(format!("{program} is not installed"));
    }
    let namespaces =
        NAMESPACES.get_or_init(|| runs(Command::new(UNSHARE[0]).args(&UNSHARE[1..]).arg("true")));
    (!namespaces).then(|| "no right to make namespaces (root has it)".to_owned())
}

fn installed(program: &str) -> bool {
    if program == super::libtorrent::NAME {
        return runs(&mut super::libtorrent::python(&["-c", "import libtorrent"]));
    }
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

fn runs(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Every address of a subnet on `lo` is local at once. 127.0.0.0/8 would not do: some clients refuse peers there.
fn network() {
    for args in ["link set lo up", "addr add 10.99.0.1/24 dev lo"] {
        assert!(runs(Command::new("ip").args(args.split(' '))), "ip {args}");
    }
    // BBR paces, which on loopback means stalls. Where the kernel does not let us choose, it is only slower.
    let _ = fs::write("/proc/sys/net/ipv4/tcp_congestion_control", "reno");
}
