//! rtorrent, steered by XML-RPC over SCGI over a unix socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::client::{Client, Place, SETTLE};
use crate::support::program::{Program, bare};
use crate::support::wait::wait_for;

pub const NAME: &str = "rtorrent";

pub struct Rtorrent {
    program: Program,
    socket: PathBuf,
}

pub fn start(place: &Place) -> Box<dyn Client> {
    let session = place.home.join("session");
    std::fs::create_dir_all(&session).expect("a directory for the session");
    let socket = place.home.join("scgi");
    let (ip, port) = (place.ip(), place.port());
    let config = [
        "system.daemon.set = true".to_owned(),
        format!("session.path.set = {}", session.display()),
        format!("directory.default.set = {}", place.save().display()),
        format!("network.scgi.open_local = {}", socket.display()),
        format!("network.bind_address.set = {ip}"),
        format!("network.local_address.set = {ip}"),
        format!("network.port_range.set = {port}-{port}"),
        "network.port_random.set = no".to_owned(),
        "dht.mode.set = disable".to_owned(),
        "protocol.pex.set = no".to_owned(),
        "trackers.use_udp.set = yes".to_owned(),
        "protocol.encryption.set = none".to_owned(),
    ];
    let path = place.home.join("rtorrent.rc");
    std::fs::write(&path, config.join("\n") + "\n").expect("the configuration");
    let mut command = Command::new(NAME);
    bare(&mut command, &place.home);
    command.env("TERM", "xterm").args(["-n", "-o"]).arg(format!("import={}", path.display()));
    let program = Program::start(NAME, &mut command, &place.home);
    let mut client = Rtorrent { program, socket };
    wait_for("rtorrent answers", SETTLE, || client.call("system.pid", &[]));
    Box::new(client)
}

impl Rtorrent {
    /// The scalars of the answer, in order; `None` while nobody listens.
    fn call(&mut self, method: &str, arguments: &[&str]) -> Option<Vec<String>> {
        self.program.assert_running();
        let mut params = String::new();
        for text in arguments {
            params.extend(["<param><value><string>", &escape(text), "</string></value></param>"]);
        }
        let body = format!(
            "<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
        );
        let head = format!("CONTENT_LENGTH\0{}\0SCGI\x001\0", body.len());
        let mut stream = UnixStream::connect(&self.socket).ok()?;
        stream.set_read_timeout(Some(SETTLE)).expect("a read timeout");
        stream.write_all(format!("{}:{head},{body}", head.len()).as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        assert!(!answer.contains("<fault>"), "rtorrent: {method}: {answer}");
        Some(scalars(&answer))
    }
}

impl Client for Rtorrent {
    fn name(&self) -> &'static str {
        NAME
    }

    fn add(&mut self, torrent: &Path, save: &Path) {
        let torrent = torrent.to_str().expect("paths of tests are text");
        let save = format!("d.directory.set=\"{}\"", save.display());
        self.call("load.start", &["", torrent, &save]).expect("rtorrent answers");
    }

    fn has_all(&mut self) -> bool {
        // In one call: of a link, what is only its info dictionary goes away by itself, and the files come in its place.
        let asked = ["", "default", "d.complete=", "d.hashing=", "d.is_active=", "d.is_meta="];
        self.call("d.multicall2", &asked).is_some_and(|found| found == ["1", "0", "1", "0"])
    }

    fn info_hash(&mut self) -> Option<String> {
        Some(self.call("download_list", &[""])?.first()?.to_lowercase())
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// The texts of all `string` and integer elements.
fn scalars(xml: &str) -> Vec<String> {
    let inner = |part: &str| {
        let (tag, rest) = part.split_once('>')?;
        matches!(tag, "string" | "i4" | "i8" | "int").then(|| rest.to_owned())
    };
    xml.split('<').filter_map(inner).collect()
}
