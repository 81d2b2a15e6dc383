//! What every client can do for a test, whatever its program is called and however it is steered.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::wire::Inside;
use crate::support::program::Program;

/// For a program to come up, for a check of its files, for finished bytes to reach the files.
pub const SETTLE: Duration = Duration::from_secs(40);

/// A client with one torrent.
pub trait Client {
    /// The program it needs.
    fn name(&self) -> &'static str;

    /// Begins to share the torrent in `save`. What already lies there is to be checked and kept. `torrent` is its file,
    /// or a magnet link in place of a path.
    fn add(&mut self, torrent: &Path, save: &Path);

    /// True when it says itself that it has every piece. Panics when it failed.
    fn has_all(&mut self) -> bool;

    /// True for a client that makes no files without bytes.
    fn omits_empty_files(&self) -> bool {
        false
    }

    /// The info-hash under which it knows the torrent, in lower-case hexadecimal; `None` as long as it does not.
    fn info_hash(&mut self) -> Option<String>;
}

/// A client that exchanges addresses with its peers.
pub trait Exchanging: Client {
    /// How many peers it is connected to, as far as it told.
    fn peers(&mut self) -> u64;
}

/// Starts a client, idle.
pub type Start = fn(&Place) -> Box<dyn Client>;

/// Every other client, and the program it needs.
pub const OTHERS: [(&str, Start); 5] = [
    (super::transmission::NAME, super::transmission::start),
    (super::aria2::NAME, super::aria2::start),
    (super::rtorrent::NAME, super::rtorrent::start),
    (super::qbittorrent::NAME, super::qbittorrent::start),
    (super::libtorrent::NAME, super::libtorrent::start),
];

/// The programs without which no test with all of them can run.
pub fn all_programs() -> Vec<&'static str> {
    OTHERS.iter().map(|other| other.0).chain([super::opentracker::NAME]).collect()
}

/// Where a client lives.
#[derive(Clone)]
pub struct Place {
    /// For its configuration, state and logs.
    pub home: PathBuf,
    /// Where peers reach it. The port 1000 above is for its control interface.
    pub at: SocketAddrV4,
    /// On which machine; `None` for that of the test.
    pub machine: Option<Inside>,
    /// It finds peers in the local network.
    pub lsd: bool,
}

impl Place {
    /// The place of the client of this number, 0 to 200.
    pub fn new(dir: &Path, number: u8) -> Self {
        let at = SocketAddrV4::new(Ipv4Addr::new(10, 99, 0, number + 10), 51000 + u16::from(number));
        let place = Self { home: dir.join(format!("client-{number}")), at, machine: None, lsd: false };
        std::fs::create_dir_all(place.save()).expect("a directory for data");
        place
    }

    /// The place of a client that is alone on a machine and looks round in its network.
    pub fn on(dir: &Path, name: &str, machine: Inside) -> Self {
        let at = SocketAddrV4::new(machine.ip, 51000);
        let place = Self { home: dir.join(name), at, machine: Some(machine), lsd: true };
        std::fs::create_dir_all(place.save()).expect("a directory for data");
        place
    }

    /// Starts its program there.
    pub fn start(&self, name: &str, command: Command) -> Program {
        let mut command = match self.machine {
            Some(machine) => machine.command(&command),
            None => command,
        };
        Program::start(name, &mut command, &self.home)
    }

    pub fn ip(&self) -> String {
        self.at.ip().to_string()
    }

    pub fn port(&self) -> String {
        self.at.port().to_string()
    }

    pub fn control(&self) -> SocketAddrV4 {
        SocketAddrV4::new(*self.at.ip(), self.at.port() + 1000)
    }

    /// Where it keeps the files of torrents.
    pub fn save(&self) -> PathBuf {
        self.home.join("data")
    }
}
