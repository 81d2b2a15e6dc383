//! What is said of links while metadata is looked for, and how one link does not hold up another.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use torr::base::PeerId;
use torr::proto::extended::{ExtendedHandshake, Extension, METADATA_PIECE, MetadataMessage};
use torr::proto::handshake::{HANDSHAKE_LEN, Handshake, Reserved};
use torr::proto::{Attributes, Content, Draft, Extras, Metainfo};

use super::Scene;
use super::magnets::Given;
use super::party::{TIMEOUT, end};
use super::pty::Terminal;
use crate::support::program::Program;
use crate::support::schema;
use crate::support::wait::wait_for;

/// A torrent that nobody has.
fn nobody(rest: &str) -> String {
    format!("magnet:?xt=urn:btih:{}&dn=nobody{rest}", "ab".repeat(20))
}

/// A tracker that refuses everybody.
fn refusing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 2048]);
            let body = "d14:failure reason7:go awaye";
            let _ = write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    addr
}

/// A port at which nobody listens.
fn deaf() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What is said when nothing was found.
#[track_caller]
fn given_up(scene: &Scene, link: &str) -> String {
    let arguments = ["get", link, "--timeout", "3s", "--bind", "127.0.0.1", "--state-dir", "state"];
    let ran = scene.run(&arguments);
    assert_eq!(ran.code, 4, "{}", ran.err);
    ran.err
}

#[test]
fn a_tracker_that_refuses_or_fails_is_not_silent() {
    let scene = Scene::new();
    let (refusing, deaf) = (refusing(), deaf());
    let said = given_up(&scene, &nobody(&format!("&tr=http://{refusing}/announce")));
    assert!(said.contains(": 1 tracker refuses us: 'go away', 0 peers"), "{said}");
    let said = given_up(&scene, &nobody(&format!("&tr=http://{deaf}/announce")));
    assert!(said.contains(": 1 tracker fails: "), "{said}");
    let said = given_up(&scene, &nobody(&format!("&tr=http://{refusing}/secret")));
    assert!(said.contains(": 1 tracker fails: a tracker on a local network must"), "{said}");
}

#[test]
fn a_peer_that_nobody_knows_by_its_name_is_told_of() {
    let scene = Scene::new();
    let link = nobody("&x.pe=no..host:7020");
    let run = |arguments: &[&str]| {
        let mut command = scene.command(arguments);
        Scene::ran(command.args(["--state-dir", "state"]).env("TORR_NETWORK_BIND", "127.0.0.1"))
    };
    for arguments in [
        &["show", "--fetch", "--timeout", "2s", &link][..],
        &["magnet", "--fetch", "--timeout", "2s", &link],
        &["get", "--list", "--timeout", "2s", &link],
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, 4, "{}", ran.err);
        assert!(ran.err.contains("host not found: no..host"), "{}", ran.err);
        assert!(ran.err.contains("the host of its only peer was not found"), "{}", ran.err);
    }
    let many = (0..20).map(|n| format!("&x.pe=no..host{n}:1")).collect::<Vec<_>>().concat();
    let said = given_up(&scene, &nobody(&many));
    assert_eq!(said.matches("hosts not found: no..host").count(), 1, "{said}");
    assert!(said.lines().count() < 6, "{said}");
    assert!(said.contains(" and 19 others"), "{said}");
}

#[test]
fn a_choice_that_cannot_be_read_is_told_of() {
    let given = Given::new();
    let list = |rest: &str| {
        let ran = given.party.get("a", &["--list", &(given.link("set") + rest)]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran
    };
    let none = list("&so=x");
    assert_eq!(none.out.lines().count(), 3, "{}", none.out);
    let words = "warning: set: the choice of files (so=) cannot be read, so all files are chosen";
    assert!(none.err.replace(&given.hash("set"), "set").contains(words), "{}", none.err);
    let some = list("&so=0,x");
    assert_eq!(some.out, "1\t100000\tset/a.txt\n");
    assert!(some.err.contains("1 part of the choice of files (so=) cannot be read"), "{}", some.err);
    assert!(!given.party.get("a", &["--list", "-s", "2", &given.link("set")]).err.contains("warning"));
}

#[test]
fn a_link_that_leads_nowhere_holds_up_no_other() {
    let given = Given::new();
    let (silent, film) = (nobody(&format!("&x.pe={}", deaf())), given.link("film.bin"));
    let bad = [b"magnet:?xt=urn:btih:x\n".to_vec(), vec![b'x'; 6 << 20], b"\n".to_vec()].concat();
    let rest = format!("{}\n", given.link("set"));
    given.party.scene.write("list", [bad, rest.into_bytes()].concat());
    let arguments = ["get", "--list", "--timeout", "4s", &silent, &film, "-i", "list"];
    let ran = Scene::ran(&mut given.party.command("a", &arguments));
    assert_eq!((ran.code, ran.out.lines().filter(|line| !line.is_empty()).count()), (1, 4), "{}", ran.err);
    let errors: Vec<&str> = ran.err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 3, "{}", ran.err);
    assert!(errors[2].starts_with("error: no file list of nobody came within 4 s: "), "{}", ran.err);
}

#[test]
fn scripts_hear_that_it_was_stopped() {
    let scene = Scene::new();
    let link = nobody("");
    let arguments = ["show", "--fetch", "--json", "--state-dir", "state", &link];
    let mut command = scene.command(&arguments);
    command.env("TORR_NETWORK_BIND", "127.0.0.1");
    let mut show = Program::start("show", &mut command, scene.path());
    // Its port is remembered once the engine runs, and signals are waited for before that.
    wait_for("it looks", TIMEOUT, || scene.path().join("state/port").exists().then_some(()));
    assert!(Command::new("kill").args(["-INT", &show.id().to_string()]).status().unwrap().success());
    assert_eq!(end(&mut show).code(), Some(130), "{}", show.tail());
    let documents = schema::check_lines(&show.output());
    assert_eq!(documents.len(), 1, "{}", show.output());
    assert_eq!((&documents[0]["kind"], &documents[0]["code"]), (&"interrupted".into(), &130.into()));
}

#[test]
fn a_person_skips_what_takes_too_long() {
    let given = Given::new();
    let (silent, film) = (nobody(&format!("&x.pe={}", deaf())), given.link("film.bin"));
    let arguments = ["get", "--list", &silent, &film, "--bind", "127.0.0.1", "--state-dir", "state-a"];
    let mut list = Terminal::torr(&given.party.scene, &arguments, 24, 100);
    list.wait_for("film.bin");
    list.wait_for("looking");
    list.press("\u{3}");
    assert_eq!(list.end(), 1, "{}", list.contents());
    assert!(list.contents().contains("skipped nobody, as requested"), "{}", list.contents());
}

/// A torrent whose info dictionary has seven pieces.
fn long() -> Metainfo {
    let pieces: u32 = 5000;
    let draft = Draft {
        name: "long".to_owned(),
        content: Content::Single(u64::from(pieces) << 14, Attributes::NONE),
        piece_len: 16 << 10,
        digests: (0..pieces * 20).map(|n| (n * 31 / 7) as u8).collect(),
        private: false,
        source: None,
        extras: Extras::default(),
    };
    Metainfo::parse(&draft.to_bytes()).unwrap()
}

/// A peer that gives the info dictionary, with this pause before each piece.
fn slow(torrent: Metainfo, pause: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let _ = give(stream, &torrent, pause);
        }
    });
    addr
}

fn give(mut stream: TcpStream, torrent: &Metainfo, pause: Duration) -> io::Result<()> {
    const OURS: u8 = 7;
    let info = torrent.raw_info();
    let send = |stream: &mut TcpStream, id: u8, body: &[u8]| {
        let head = [&(body.len() as u32 + 2).to_be_bytes()[..], &[20, id]].concat();
        stream.write_all(&[&head, body].concat())
    };
    stream.read_exact(&mut [0; HANDSHAKE_LEN])?;
    let hello = Handshake {
        info_hash: torrent.info_hash().wire(),
        id: PeerId(*b"-XX0001-abcdefghijkl"),
        reserved: Reserved::NONE.with_extended(),
    };
    stream.write_all(&hello.encode())?;
    let ours = ExtendedHandshake {
        ids: vec![(Extension::Metadata, OURS)],
        metadata_size: Some(info.len() as u32),
        ..ExtendedHandshake::default()
    };
    send(&mut stream, 0, &ours.encode())?;
    loop {
        let mut len = [0; 4];
        stream.read_exact(&mut len)?;
        let mut message = vec![0; u32::from_be_bytes(len) as usize];
        stream.read_exact(&mut message)?;
        if let [20, OURS, body @ ..] = message.as_slice()
            && let Ok(MetadataMessage::Request(piece)) = MetadataMessage::decode(body)
        {
            std::thread::sleep(pause);
            let from = piece as usize * METADATA_PIECE as usize;
            let bytes = info[from..info.len().min(from + METADATA_PIECE as usize)].to_vec();
            let data = MetadataMessage::Data { piece, total: Some(info.len() as u32), bytes };
            send(&mut stream, Extension::Metadata.our_id(), &data.encode())?;
        }
    }
}

#[test]
fn what_comes_slowly_comes() {
    let scene = Scene::new();
    let torrent = long();
    let peer = slow(torrent.clone(), Duration::from_millis(800));
    let link = format!("magnet:?xt=urn:btih:{}&x.pe={peer}", torrent.info_hash());
    let limits = ["--timeout", "3s", "--bind", "127.0.0.1", "--state-dir"];
    let arguments = [&["get", "--torrent-only", &link][..], &limits, &["state-a"]].concat();
    let ran = scene.run(&arguments);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let arguments = [&["get", "--list", &link][..], &limits, &["state-b"]].concat();
    let ran = scene.run(&arguments);
    assert_eq!((ran.code, ran.out.as_str()), (0, "1\t81920000\tlong\n"), "{}", ran.err);
}
