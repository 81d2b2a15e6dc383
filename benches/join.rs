//! Joining by a link: how long it takes from reading a magnet link that names one peer, on loopback, to the
//! first verified piece. The torrent has one piece, so it is whole at that moment. The seeder is torr for
//! all. `cargo bench --bench join -- [ROUNDS]` prints the median of several rounds for torr and, where they
//! are installed, for libtorrent and aria2.
//!
//! What is timed is the most that can be said of each without favour for torr: torr from the start of its
//! process to its end; libtorrent from the call that adds the link to the alert of the piece, for starting
//! Python is not its fault, and without µTP, which it would try first and the seeder does not speak; aria2 from the start of its process to its end. aria2 does not read `x.pe`, so it
//! finds the peer through a tracker on loopback, which costs it one announce.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(missing_docs, reason = "a bench has no callers")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use torr::base::Rng;

const TORR: &str = env!("CARGO_BIN_EXE_torr");
/// The Python that Debian's libtorrent is made for.
const PYTHON: &str = "/usr/bin/python3";
const PIECE: usize = 256 << 10;

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let rounds = numbers.first().copied().unwrap_or(15).max(1);
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let dir = dir.path();
    let tracker_port = free_port();
    let tracker_url = format!("http://127.0.0.1:{tracker_port}/announce");
    let mut tracker = torr(dir)
        .args(["tracker", "--listen", &format!("127.0.0.1:{tracker_port}"), "--open", "-q"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("torr starts");
    let link = prepare(dir, &tracker_url);
    let (mut seeder, _told, port) = seed(dir);
    let peer = format!("127.0.0.1:{port}");
    println!(
        "from a magnet link to the first verified piece, loopback, median of {rounds} (least, most), ms"
    );
    row("torr", rounds, || by_torr(dir, &format!("{link}&x.pe={peer}")));
    if runs(PYTHON, &["-c", "import libtorrent"]) {
        row("libtorrent", rounds, || by_libtorrent(dir, &link, &peer));
    }
    if runs("aria2c", &["--version"]) {
        let link = format!("{link}&tr=http%3A%2F%2F127.0.0.1%3A{tracker_port}%2Fannounce");
        row("aria2 (by a tracker)", rounds, || by_aria2(dir, &link));
    }
    for child in [&mut seeder, &mut tracker] {
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn row(name: &str, rounds: usize, mut once: impl FnMut() -> f64) {
    let mut times: Vec<f64> = (0..rounds).map(|_| once() * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    let last = times.len() - 1;
    println!("  {name:<22} {:>8.1}  ({:.1}, {:.1})", times[last / 2], times[0], times[last]);
}

fn torr(dir: &Path) -> Command {
    let mut command = Command::new(TORR);
    command.env("HOME", dir).env("XDG_STATE_HOME", dir.join("state")).stdin(Stdio::null());
    // Only the peer that the link names, and nothing outside this machine.
    command.env("TORR_NETWORK_DHT", "false").env("TORR_NETWORK_LSD", "false");
    command
}

fn runs(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// Free a moment ago; whoever takes it in between makes the bench fail, not lie.
fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|s| s.local_addr());
    socket.expect("a free port").port()
}

/// Makes content of chance and its torrent, and gives the barest link to it.
fn prepare(dir: &Path, tracker: &str) -> String {
    let (full, torrent) = (dir.join("full"), dir.join("content.torrent"));
    fs::create_dir_all(&full).expect("folders can be made");
    let mut rng = Rng::new(1);
    let bytes: Vec<u8> = (0..PIECE / 8).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
    fs::write(full.join("content.bin"), bytes).expect("files can be made");
    let content = full.join("content.bin");
    let made = torr(dir)
        .args(["create", text(&content), "-o", text(&torrent), "--piece-size", "256KiB", "-q", "-t", tracker])
        .stdout(Stdio::null())
        .status();
    assert!(made.expect("torr starts").success());
    let shown =
        torr(dir).args(["magnet", text(&torrent), "--trackers", "none"]).output().expect("torr starts");
    let link = String::from_utf8(shown.stdout).expect("links are ASCII").trim().to_owned();
    assert!(link.starts_with("magnet:?xt=urn:btih:"), "{link}");
    link
}

/// A seeder, what it tells (whose end must stay open, or it stops), and its port.
fn seed(dir: &Path) -> (Child, impl Sized, u16) {
    let port = free_port();
    let (torrent, full) = (dir.join("content.torrent"), dir.join("full"));
    let mut child = torr(dir)
        .args(["seed", text(&torrent), "-o", text(&full), "--bind", "127.0.0.1", "--json"])
        .args(["-p", &port.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("torr starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains("\"state\":\"seeding\""));
    assert!(ready, "the seeder ended");
    (child, lines, port)
}

/// A folder with nothing in it.
fn fresh(dir: &Path) -> std::path::PathBuf {
    let folder = dir.join("got");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("folders can be made");
    folder
}

fn by_torr(dir: &Path, link: &str) -> f64 {
    let folder = fresh(dir);
    let mut get = torr(dir);
    // Whatever the seeder remembers of the torrent is not for the one who joins.
    get.env("XDG_STATE_HOME", folder.join("state")).args(["get", link, "-o", text(&folder), "-q"]);
    get.args(["--bind", "127.0.0.1", "--no-trackers"]).stdout(Stdio::null());
    let start = Instant::now();
    assert!(get.status().expect("torr starts").success(), "torr could not join");
    start.elapsed().as_secs_f64()
}

fn by_libtorrent(dir: &Path, link: &str, peer: &str) -> f64 {
    let folder = fresh(dir);
    let script = r#"
import sys, time
import libtorrent as lt
link, peer, save = sys.argv[1:]
kinds = lt.alert.category_t
session = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False,
    "enable_upnp": False, "enable_natpmp": False, "enable_outgoing_utp": False,
    "enable_incoming_utp": False, "dht_bootstrap_nodes": "",
    "alert_mask": kinds.status_notification | kinds.piece_progress_notification | kinds.error_notification})
host, port = peer.split(":")
begun = time.monotonic()
params = lt.parse_magnet_uri(link)
params.save_path = save
params.peers = [(host, int(port))]
handle = session.add_torrent(params)
while time.monotonic() - begun < 30:
    session.wait_for_alert(100)
    for alert in session.pop_alerts():
        if isinstance(alert, lt.piece_finished_alert):
            print(time.monotonic() - begun)
            sys.exit(0)
sys.exit("no piece came")
"#;
    let ended = Command::new(PYTHON).args(["-c", script, link, peer, text(&folder)]).output();
    let ended = ended.expect("python starts");
    let told = String::from_utf8_lossy(&ended.stdout).trim().parse();
    told.unwrap_or_else(|_| panic!("libtorrent could not join: {}", String::from_utf8_lossy(&ended.stderr)))
}

fn by_aria2(dir: &Path, link: &str) -> f64 {
    let folder = fresh(dir);
    let mut get = Command::new("aria2c");
    get.args([
        "--seed-time=0",
        "--enable-dht=false",
        "--bt-enable-lpd=false",
        "--enable-peer-exchange=false",
    ]);
    get.args(["--interface=127.0.0.1", "-q", "-d", text(&folder), link]).env("HOME", &folder);
    get.stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    assert!(get.status().expect("aria2 starts").success(), "aria2 could not join");
    start.elapsed().as_secs_f64()
}
