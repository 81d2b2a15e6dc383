//! qbittorrent-nox, steered by its web API.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::client::{Client, Place, SETTLE};
use super::http;
use crate::support::program::{Program, bare};
use crate::support::wait::wait_for;

pub const NAME: &str = "qbittorrent-nox";
const BOUNDARY: &str = "a-line-that-is-in-no-torrent";

pub struct Qbittorrent {
    place: Place,
    program: Program,
}

pub fn start(place: &Place) -> Box<dyn Client> {
    let (ip, port, control) = (place.ip(), place.port(), place.control().port());
    let save = place.save();
    let config = format!(
        "[LegalNotice]\nAccepted=true\n\
         [BitTorrent]\nSession\\DHTEnabled=false\nSession\\PeXEnabled=false\nSession\\LSDEnabled=false\n\
         Session\\Port={port}\nSession\\UseRandomPort=false\nSession\\BTProtocol=TCP\nSession\\Encryption=2\n\
         Session\\Interface=lo\nSession\\InterfaceName=lo\nSession\\InterfaceAddress={ip}\n\
         Session\\DefaultSavePath={}\nSession\\TempPathEnabled=false\nSession\\Preallocation=false\n\
         Session\\QueueingSystemEnabled=false\nSession\\AddTorrentPaused=false\nSession\\AddTorrentStopped=false\n\
         Session\\MultiConnectionsPerIp=true\nSession\\SSRFMitigation=false\nSession\\IgnoreLimitsOnLAN=true\n\
         Session\\MaxUploads=-1\nSession\\MaxUploadsPerTorrent=-1\n\
         [Network]\nPortForwardingEnabled=false\n\
         [Preferences]\nWebUI\\Address={ip}\nWebUI\\Port={control}\nWebUI\\LocalHostAuth=false\n\
         WebUI\\AuthSubnetWhitelistEnabled=true\nWebUI\\AuthSubnetWhitelist=10.99.0.0/24\n\
         WebUI\\CSRFProtection=false\nWebUI\\HostHeaderValidation=false\nWebUI\\UseUPnP=false\n",
        save.display()
    );
    let profile = place.home.join("profile");
    let dir = profile.join("qBittorrent/config");
    std::fs::create_dir_all(&dir).expect("a directory for the configuration");
    std::fs::write(dir.join("qBittorrent.conf"), config).expect("the configuration");
    let mut command = Command::new(NAME);
    bare(&mut command, &place.home);
    command
        .env("QT_QPA_PLATFORM", "offscreen")
        .arg(format!("--profile={}", profile.display()))
        .arg(format!("--webui-port={control}"));
    let program = Program::start(NAME, &mut command, &place.home);
    let mut client = Qbittorrent { place: place.clone(), program };
    wait_for("qbittorrent answers", SETTLE, || client.request("GET /api/v2/app/version", &[], &[]));
    Box::new(client)
}

impl Qbittorrent {
    /// `None` while nobody listens.
    fn request(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<http::Response> {
        self.program.assert_running();
        let answer = http::request(self.place.control(), line, headers, body).ok()?;
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 200, "qbittorrent: {line}: {text}");
        Some(answer)
    }

    fn torrent(&mut self) -> Option<Value> {
        self.request("GET /api/v2/torrents/info", &[], &[])?.json().get(0).cloned()
    }
}

impl Client for Qbittorrent {
    fn name(&self) -> &'static str {
        NAME
    }

    fn add(&mut self, torrent: &Path, save: &Path) {
        let torrent = torrent.to_str().expect("paths of tests are text");
        let part = |head: &str| format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n");
        let mut body = part("name=\"savepath\"").into_bytes();
        body.extend(format!("{}\r\n", save.display()).bytes());
        if torrent.starts_with("magnet:") {
            body.extend(part("name=\"urls\"").bytes());
            body.extend(torrent.bytes());
        } else {
            let head = "name=\"torrents\"; filename=\"a.torrent\"\r\nContent-Type: application/x-bittorrent";
            body.extend(part(head).bytes());
            body.extend(std::fs::read(torrent).expect("the torrent file"));
        }
        body.extend(format!("\r\n--{BOUNDARY}--\r\n").bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let answer = self
            .request("POST /api/v2/torrents/add", &[("Content-Type", &kind)], &body)
            .expect("qbittorrent answers");
        assert!(answer.body.starts_with(b"Ok"), "qbittorrent: {}", String::from_utf8_lossy(&answer.body));
    }

    fn has_all(&mut self) -> bool {
        self.torrent().is_some_and(|torrent| {
            let state = torrent["state"].as_str().expect("a state");
            assert!(!matches!(state, "error" | "missingFiles"), "qbittorrent: {torrent}");
            torrent["progress"] == 1 && matches!(state, "uploading" | "stalledUP" | "forcedUP" | "queuedUP")
        })
    }

    fn info_hash(&mut self) -> Option<String> {
        self.torrent()?["hash"].as_str().map(str::to_lowercase)
    }
}
