//! A whole transfer over loopback: one process seeds, another downloads. Prints what the downloader costs:
//! processor seconds per GiB, GiB per second, and the most memory it held, anonymous and file-backed
//! apart; the median of several rounds. `cargo bench --bench transfer -- [MiB] [ROUNDS]`.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(missing_docs, reason = "a bench has no callers")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use torr::base::Rng;

const TORR: &str = env!("CARGO_BIN_EXE_torr");

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let mib = numbers.first().copied().unwrap_or(1024);
    let rounds = numbers.get(1).copied().unwrap_or(3).max(1);
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let torrent = prepare(dir.path(), mib);
    let (mut seeder, _told, port) = seed(dir.path(), &torrent);
    let mut results: Vec<Cost> = (0..rounds).map(|_| get(dir.path(), &torrent, port, mib)).collect();
    let _ = seeder.kill();
    let _ = seeder.wait();
    println!("downloading {mib} MiB from one seeder on loopback, median of {rounds}");
    let mut median = |name: &str, unit: &str, of: fn(&Cost) -> f64| {
        results.sort_by(|a, b| of(a).total_cmp(&of(b)));
        println!("  {name:<22} {:>8.2} {unit}", of(&results[results.len() / 2]));
    };
    median("processor", "s/GiB", |r| r.cpu);
    median("speed", "GiB/s", |r| r.speed);
    median("most memory, anonymous", "MiB", |r| r.anonymous);
    median("most memory, files", "MiB", |r| r.files);
}

/// What one download cost.
struct Cost {
    cpu: f64,
    speed: f64,
    anonymous: f64,
    files: f64,
}

fn torr(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(TORR);
    command.args(args).env("HOME", dir).env("XDG_STATE_HOME", dir.join("state")).stdin(Stdio::null());
    command
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// Content of chance, and its torrent.
fn prepare(dir: &Path, mib: u64) -> std::path::PathBuf {
    let (full, torrent) = (dir.join("full"), dir.join("content.torrent"));
    fs::create_dir_all(&full).expect("folders can be made");
    let mut rng = Rng::new(mib);
    let mut file =
        std::io::BufWriter::new(fs::File::create(full.join("content.bin")).expect("files can be made"));
    for _ in 0..mib << 17 {
        file.write_all(&rng.next_u64().to_le_bytes()).expect("there is space");
    }
    file.flush().expect("there is space");
    let made = torr(
        dir,
        &["create", text(&full.join("content.bin")), "-o", text(&torrent), "--piece-size", "1MiB", "-q"],
    );
    assert!({ made }.stdout(Stdio::null()).status().expect("torr starts").success());
    torrent
}

/// A seeder, what it tells (whose end must stay open, or it stops), and its port.
fn seed(dir: &Path, torrent: &Path) -> (Child, impl Sized, u16) {
    // Free a moment ago; whoever takes it in between makes the bench fail, not lie.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|s| s.local_addr())
        .expect("a free port")
        .port();
    let mut child =
        torr(dir, &["seed", text(torrent), "-o", text(&dir.join("full")), "--bind", "127.0.0.1", "--json"])
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

fn get(dir: &Path, torrent: &Path, port: u16, mib: u64) -> Cost {
    let folder = dir.join("got");
    let _ = fs::remove_dir_all(&folder);
    let _ = fs::remove_dir_all(dir.join("state"));
    let (before, start) = (children_cpu(), Instant::now());
    let mut child = torr(dir, &["get", text(torrent), "-o", text(&folder), "--bind", "127.0.0.1", "-q"])
        .args(["--peer", &format!("127.0.0.1:{port}")])
        .stdout(Stdio::null())
        .spawn()
        .expect("torr starts");
    let (mut anonymous, mut files) = (0.0_f64, 0.0_f64);
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
        let memory = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        anonymous = anonymous.max(field(&memory, "RssAnon:"));
        files = files.max(field(&memory, "RssFile:"));
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "the download failed");
    let gib = mib as f64 / 1024.0;
    let seconds = start.elapsed().as_secs_f64();
    Cost { cpu: (children_cpu() - before) / gib, speed: gib / seconds, anonymous, files }
}

/// Processor seconds of all children that have ended (proc(5): `cutime` and `cstime`, in hundredths).
fn children_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux tells");
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 =
        behind_name.split_whitespace().skip(13).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn field(status: &str, name: &str) -> f64 {
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
