//! transmission-daemon, steered by its RPC.

use std::net::SocketAddrV4;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::client::{Client, Exchanging, Place, SETTLE};
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
    Box::new(begin(place, &json!({}), &[]))
}

/// One that exchanges addresses with its peers; a slow one moves next to nothing either way.
pub fn exchanging(place: &Place, slow: bool) -> Box<dyn Exchanging> {
    let limits = json!({
        "pex-enabled": true, "speed-limit-down-enabled": slow, "speed-limit-down": 1,
        "speed-limit-up-enabled": slow, "speed-limit-up": 1,
    });
    Box::new(begin(place, &limits, &[]))
}

/// One that uses the DHT, and begins at these nodes.
pub fn start_in_dht(place: &Place, nodes: &[SocketAddrV4]) -> Box<dyn Client> {
    Box::new(begin(place, &json!({ "dht-enabled": true }), nodes))
}

fn begin(place: &Place, more: &Value, nodes: &[SocketAddrV4]) -> Transmission {
    let mut settings = json!({
        "bind-address-ipv4": place.ip(), "bind-address-ipv6": "::1",
        "peer-port": place.at.port(), "peer-port-random-on-start": false, "port-forwarding-enabled": false,
        "dht-enabled": false, "pex-enabled": false, "lpd-enabled": place.lsd, "utp-enabled": false, "encryption": 0,
        "rpc-enabled": true, "rpc-port": place.control().port(), "rpc-bind-address": place.ip(),
        "rpc-whitelist-enabled": false, "rpc-host-whitelist-enabled": false, "rpc-authentication-required": false,
        "download-dir": place.save(), "incomplete-dir-enabled": false, "rename-partial-files": false,
        "download-queue-enabled": false, "seed-queue-enabled": false, "queue-stalled-enabled": false,
        "ratio-limit-enabled": false, "idle-seeding-limit-enabled": false,
    });
    settings.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    let config = place.home.join("config");
    std::fs::create_dir_all(&config).expect("a directory for the configuration");
    std::fs::write(config.join("settings.json"), settings.to_string()).expect("the configuration");
    let lines = nodes.iter().map(|node| format!("{} {}", node.ip(), node.port()));
    let lines = lines.collect::<Vec<_>>().join("\n") + "\n";
    std::fs::write(config.join("dht.bootstrap"), lines).expect("where the DHT begins");
    let mut command = Command::new(NAME);
    bare(&mut command, &place.home);
    command.args(["--foreground", "--config-dir"]).arg(config);
    let program = place.start(NAME, command);
    let mut client = Transmission { place: place.clone(), program, session: String::new() };
    wait_for("transmission answers", SETTLE, || client.call("session-get", &json!({})));
    client
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
        let fields = [
            "hashString",
            "status",
            "leftUntilDone",
            "metadataPercentComplete",
            "error",
            "errorString",
            "peersConnected",
        ];
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
            // Of what it knows by a link alone, nothing is left either.
            torrent["metadataPercentComplete"].as_f64() == Some(1.0)
                && torrent["status"] == SEEDING
                && torrent["leftUntilDone"] == 0
        })
    }

    fn omits_empty_files(&self) -> bool {
        true
    }

    fn info_hash(&mut self) -> Option<String> {
        self.torrent()?["hashString"].as_str().map(str::to_lowercase)
    }
}

impl Exchanging for Transmission {
    fn peers(&mut self) -> u64 {
        self.torrent().and_then(|torrent| torrent["peersConnected"].as_u64()).unwrap_or(0)
    }
}
