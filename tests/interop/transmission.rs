//! transmission-daemon, steered by its RPC.

use std::net::SocketAddrV4;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::client::{Client, Place, SETTLE};
use super::http;
use crate::support::program::{Program, bare};
use crate::support::wait::wait_for;

pub const NAME: &str = "transmission-daemon";
const SEEDING: u64 = 6;

pub struct Transmission {
    place: Place,
    program: Program,
    session: String,
}

pub fn start(place: &Place) -> Box<dyn Client> {
    begin(place, None)
}

/// One that uses the DHT, and begins at these nodes.
pub fn start_in_dht(place: &Place, nodes: &[SocketAddrV4]) -> Box<dyn Client> {
    begin(place, Some(nodes))
}

fn begin(place: &Place, nodes: Option<&[SocketAddrV4]>) -> Box<dyn Client> {
    let settings = json!({
        "bind-address-ipv4": place.ip(), "bind-address-ipv6": "::1",
        "peer-port": place.at.port(), "peer-port-random-on-start": false, "port-forwarding-enabled": false,
        "dht-enabled": nodes.is_some(), "pex-enabled": false, "lpd-enabled": false, "utp-enabled": false, "encryption": 0,
        "rpc-enabled": true, "rpc-port": place.control().port(), "rpc-bind-address": place.ip(),
        "rpc-whitelist-enabled": false, "rpc-host-whitelist-enabled": false, "rpc-authentication-required": false,
        "download-dir": place.save(), "incomplete-dir-enabled": false, "rename-partial-files": false,
        "download-queue-enabled": false, "seed-queue-enabled": false, "queue-stalled-enabled": false,
        "ratio-limit-enabled": false, "idle-seeding-limit-enabled": false,
    });
    let config = place.home.join("config");
    std::fs::create_dir_all(&config).expect("a directory for the configuration");
    std::fs::write(config.join("settings.json"), settings.to_string()).expect("the configuration");
    let lines = nodes.unwrap_or_default().iter().map(|node| format!("{} {}", node.ip(), node.port()));
    let lines = lines.collect::<Vec<_>>().join("\n") + "\n";
    std::fs::write(config.join("dht.bootstrap"), lines).expect("where the DHT begins");
    let mut command = Command::new(NAME);
    bare(&mut command, &place.home);
    command.args(["--foreground", "--config-dir"]).arg(config);
    let program = Program::start(NAME, &mut command, &place.home);
    let mut client = Transmission { place: place.clone(), program, session: String::new() };
    wait_for("transmission answers", SETTLE, || client.call("session-get", &json!({})));
    Box::new(client)
}

impl Transmission {
    /// The answer's arguments; `None` while nobody listens.
    fn call(&mut self, method: &str, arguments: &Value) -> Option<Value> {
        self.program.assert_running();
        let body = json!({ "method": method, "arguments": arguments }).to_string();
        for _ in 0..2 {
            let headers = [("X-Transmission-Session-Id", self.session.as_str())];
            let line = "POST /transmission/rpc";
            let answer = http::request(self.place.control(), line, &headers, body.as_bytes()).ok()?;
            if answer.status == 409 {
                // The first answer only tells the session's name.
                let session = answer.header("X-Transmission-Session-Id").expect("a session id");
                session.clone_into(&mut self.session);
                continue;
            }
            let answer = answer.json();
            assert_eq!(answer["result"], "success", "transmission: {method}: {answer}");
            return Some(answer["arguments"].clone());
        }
        panic!("transmission does not accept its own session id");
    }

    fn torrent(&mut self) -> Option<Value> {
        let fields = ["hashString", "status", "leftUntilDone", "error", "errorString"];
        let answer = self.call("torrent-get", &json!({ "fields": fields }))?;
        answer["torrents"].get(0).cloned()
    }
}

impl Client for Transmission {
    fn name(&self) -> &'static str {
        NAME
    }

    fn add(&mut self, torrent: &Path, save: &Path) {
        let arguments = json!({ "filename": torrent, "download-dir": save, "paused": false });
        self.call("torrent-add", &arguments).expect("transmission answers");
    }

    fn has_all(&mut self) -> bool {
        self.torrent().is_some_and(|torrent| {
            assert_ne!(torrent["error"], 3, "transmission: {}", torrent["errorString"]);
            torrent["status"] == SEEDING && torrent["leftUntilDone"] == 0
        })
    }

    fn omits_empty_files(&self) -> bool {
        true
    }

    fn info_hash(&mut self) -> Option<String> {
        self.torrent()?["hashString"].as_str().map(str::to_lowercase)
    }
}
