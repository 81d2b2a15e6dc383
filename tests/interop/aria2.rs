//! aria2c, one process per torrent, watched by its JSON-RPC.

use std::net::SocketAddrV4;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::client::{Client, Place};
use super::http;
use crate::support::program::{Program, bare};

pub const NAME: &str = "aria2c";

pub struct Aria2 {
    place: Place,
    /// Where its node of the DHT begins.
    node: Option<SocketAddrV4>,
    program: Option<Program>,
}

pub fn start(place: &Place) -> Box<dyn Client> {
    Box::new(Aria2 { place: place.clone(), node: None, program: None })
}

/// One whose node of the DHT begins at the first of these.
pub fn start_in_dht(place: &Place, nodes: &[SocketAddrV4]) -> Box<dyn Client> {
    Box::new(Aria2 { place: place.clone(), node: nodes.first().copied(), program: None })
}

impl Aria2 {
    /// The only download; `None` until there is one.
    fn download(&mut self) -> Option<Value> {
        let program = self.program.as_mut().expect("a torrent was added");
        program.assert_running();
        let body =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "aria2.tellActive", "params": [] }).to_string();
        let answer = http::request(self.place.control(), "POST /jsonrpc", &[], body.as_bytes()).ok()?;
        answer.json()["result"].get(0).cloned()
    }
}

impl Client for Aria2 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn add(&mut self, torrent: &Path, save: &Path) {
        let (ip, port) = (self.place.ip(), self.place.port());
        let mut command = Command::new(NAME);
        bare(&mut command, &self.place.home);
        command
            // It speaks to UDP trackers only through the socket of its DHT node.
            .args(["--no-conf", "--enable-dht=true", "--enable-dht6=false", "--disable-ipv6=true"])
            .args([format!("--dht-listen-port={port}"), format!("--dht-listen-addr={ip}")])
            .args(["--bt-enable-lpd=false", "--enable-peer-exchange=false", "--follow-torrent=true"])
            .args(["--summary-interval=0", "--show-console-readout=false", "--console-log-level=notice"])
            .args([
                "--file-allocation=none",
                "--disk-cache=0",
                "--allow-overwrite=true",
                "--check-integrity=true",
            ])
            .args(["--seed-ratio=0.0", "--bt-max-peers=0"])
            .args([
                format!("--interface={ip}"),
                format!("--bt-external-ip={ip}"),
                format!("--listen-port={port}"),
            ])
            .args(["--enable-rpc=true".to_owned(), "--rpc-listen-all=true".to_owned()])
            .arg(format!("--rpc-listen-port={}", self.place.control().port()))
            .arg(format!("--dir={}", save.display()))
            .args(self.node.map(|node| format!("--dht-entry-point={node}")))
            .arg(format!("--dht-file-path={}", self.place.home.join("dht.dat").display()))
            .arg(torrent);
        self.program = Some(Program::start(NAME, &mut command, &self.place.home));
    }

    fn has_all(&mut self) -> bool {
        // The info dictionary of a link is a download before that of the files.
        self.download().is_some_and(|download| {
            download["bittorrent"]["info"].is_object() && download["seeder"] == "true"
        })
    }

    fn info_hash(&mut self) -> Option<String> {
        self.download()?["infoHash"].as_str().map(str::to_lowercase)
    }
}
