//! opentracker, as Debian builds it: it serves only the torrents of a whitelist.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;
use std::{fs, net};

use super::http;
use crate::support::program::{Program, bare};
use crate::support::wait::wait_for;

pub const NAME: &str = "opentracker";
const AT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 99, 0, 1), 6969);
const LIMIT: Duration = Duration::from_secs(20);

/// How clients reach the tracker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    Udp,
    Http,
}

impl By {
    /// The announce URL.
    pub fn url(self) -> String {
        match self {
            Self::Udp => format!("udp://{AT}/announce"),
            Self::Http => format!("http://{AT}/announce"),
        }
    }
}

pub struct Tracker {
    program: Mutex<Program>,
}

impl Tracker {
    /// A tracker for the torrents of these info-hashes (hexadecimal).
    pub fn start<'a>(dir: &Path, hashes: impl IntoIterator<Item = &'a str>) -> Self {
        let home = dir.join(NAME);
        let mut command = Command::new(NAME);
        bare(&mut command, &home);
        // It changes its root to this directory and its user to nobody before it reads the list.
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).expect("rights of a directory");
        fs::write(home.join("white"), hashes.into_iter().flat_map(|hash| [hash, "\n"]).collect::<String>())
            .expect("the whitelist");
        let (ip, port) = (AT.ip().to_string(), AT.port().to_string());
        command
            .args(["-i", &ip, "-p", &port, "-P", &port, "-d"])
            .arg(&home)
            .args(["-w", "white", "-u", "nobody"]);
        let mut program = Program::start(NAME, &mut command, dir);
        wait_for("the tracker listens", LIMIT, || {
            program.assert_running();
            net::TcpStream::connect(AT).ok()
        });
        Self { program: Mutex::new(program) }
    }

    /// Waits until it knows this many peers that have all.
    #[track_caller]
    pub fn wait_for_seeds(&self, hash: &str, seeds: u64) {
        let query: String =
            hash.as_bytes().chunks(2).flat_map(|pair| [b'%', pair[0], pair[1]]).map(char::from).collect();
        let line = format!("GET /scrape?info_hash={query}");
        wait_for(&format!("the tracker knows {seeds} seeds"), LIMIT, || {
            self.program.lock().expect("nobody panicked with it").assert_running();
            let answer = http::request(AT, &line, &[], &[]).ok()?.body;
            let answer = String::from_utf8_lossy(&answer);
            let count = answer.split_once("8:completei")?.1.split_once('e')?.0;
            (count.parse::<u64>().ok()? >= seeds).then_some(())
        });
    }
}
