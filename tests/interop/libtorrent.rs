//! libtorrent (the one of Rasterbar), through a small Python script.

use std::net::SocketAddrV4;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::client::{Client, Exchanging, Place};
use crate::support::program::{Program, bare};

pub const NAME: &str = "python3-libtorrent";
const SCRIPT: &str = include_str!("lt.py");

/// The Python that Debian's packages are for; another may come first in the path.
pub fn python(args: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.args(args);
    command
}

pub struct Libtorrent {
    place: Place,
    /// What the script is to do.
    verb: &'static str,
    /// Where its node of the DHT begins, if it has one.
    nodes: String,
    program: Option<Program>,
}

pub fn start(place: &Place) -> Box<dyn Client> {
    begin(place, "share", &[])
}

/// One that exchanges addresses with its peers; a slow one moves next to nothing either way.
pub fn exchanging(place: &Place, slow: bool) -> Box<dyn Exchanging> {
    begin(place, if slow { "exchange_slowly" } else { "exchange" }, &[])
}

/// One that uses the DHT, and begins at the first of these nodes. It keeps those where it begins out of its table.
pub fn start_in_dht(place: &Place, nodes: &[SocketAddrV4]) -> Box<dyn Client> {
    begin(place, "share", nodes)
}

fn begin(place: &Place, verb: &'static str, nodes: &[SocketAddrV4]) -> Box<Libtorrent> {
    let nodes = nodes.first().map(ToString::to_string).unwrap_or_default();
    Box::new(Libtorrent { place: place.clone(), verb, nodes, program: None })
}

/// Has a node of libtorrent at this place put a text (BEP 44), and get the items at these targets.
pub fn items(place: &Place, node: SocketAddrV4, text: &str, targets: &[String]) -> Value {
    let arguments = [place.ip(), place.port(), node.to_string(), text.to_owned()];
    let paths: Vec<&Path> = arguments.iter().chain(targets).map(Path::new).collect();
    run("items", &paths)
}

/// What libtorrent reads in a torrent.
pub fn show(torrent: &Path) -> Value {
    run("show", &[torrent])
}

/// Which pieces and files libtorrent finds good in `save`.
pub fn check(torrent: &Path, save: &Path) -> Value {
    run("check", &[save, torrent])
}

/// Has libtorrent make a v1 torrent of a directory.
pub fn make(data: &Path, torrent: &Path, piece_len: u32) {
    run("make", &[data, torrent, Path::new(&piece_len.to_string())]);
}

/// Makes a torrent of this path: v1 and v2 as a rule, and otherwise what the flags say.
pub fn make_as(flags: u32, path: &Path, torrent: &Path) {
    run("make_as", &[Path::new(&flags.to_string()), path, torrent]);
}

fn run(verb: &str, paths: &[&Path]) -> Value {
    let output = python(&["-c", SCRIPT, verb]).args(paths).output().expect("python runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "libtorrent {verb}: {error}");
    serde_json::from_slice(&output.stdout).expect("a line of JSON")
}

impl Libtorrent {
    fn said(&mut self, key: &str) -> Option<Value> {
        let program = self.program.as_mut().expect("a torrent was added");
        program.assert_running();
        let output = program.output();
        let mut lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find_map(|line| line.get(key).cloned())
    }
}

impl Client for Libtorrent {
    fn name(&self) -> &'static str {
        NAME
    }

    fn add(&mut self, torrent: &Path, save: &Path) {
        let mut command = python(&["-c", SCRIPT, self.verb, &self.place.ip(), &self.place.port()]);
        command.arg(save).arg(torrent).arg(&self.nodes).args(self.place.lsd.then_some("lsd"));
        bare(&mut command, &self.place.home);
        self.program = Some(self.place.start(NAME, command));
    }

    fn has_all(&mut self) -> bool {
        self.said("has_all").is_some()
    }

    fn info_hash(&mut self) -> Option<String> {
        self.said("hash")?.as_str().map(str::to_owned)
    }
}

impl Exchanging for Libtorrent {
    fn peers(&mut self) -> u64 {
        self.said("peers").and_then(|peers| peers.as_u64()).unwrap_or(0)
    }
}
