//! torr and others make torrents of the same data: the info-hash is the same.

use std::path::Path;
use std::process::Command;

use super::namespace::{isolated, test_name};
use super::{libtorrent, torr};
use crate::support::content::Content;

const MKTORRENT: &str = "mktorrent";
const TRANSMISSION: &str = "transmission-create";

fn hash(dir: &Path, torrent: &Path) -> String {
    let (code, lines) = torr::run(&dir.join("home"), &["show", "--json"], &[torrent]);
    assert_eq!(code, Some(0));
    lines[0]["info_hash"].as_str().expect("a v1 info-hash").to_owned()
}

fn runs(command: &mut Command) {
    let output = command.env("LC_ALL", "C.UTF-8").output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn by_torr(dir: &Path, data: &Path, flags: &[&str]) -> String {
    let torrent = dir.join("torr.torrent");
    let common = ["create", "-f", "-t", "udp://t.example:1", "--piece-size", "256K"];
    let arguments = [&common, flags, ["-o"].as_slice()].concat();
    let (code, _) = torr::run(&dir.join("home"), &arguments, &[&torrent, data]);
    assert_eq!(code, Some(0));
    hash(dir, &torrent)
}

/// Names that everybody sorts alike.
fn simple(dir: &Path) -> std::path::PathBuf {
    let data = dir.join("some data");
    std::fs::create_dir_all(data.join("sub")).expect("a directory");
    for (name, len) in [("a.bin", 700_000), ("b c.txt", 3), ("sub/d.bin", 262_144), ("sub/e.bin", 99)] {
        let bytes: Vec<u8> = (0..len).map(|at: usize| (at * 31 + at / 251) as u8).collect();
        std::fs::write(data.join(name), bytes).expect("a file");
    }
    data
}

#[test]
fn mktorrent_makes_the_same_torrent() {
    isolated(test_name!(), &[MKTORRENT], |dir| {
        let data = simple(dir);
        let torrent = dir.join("mktorrent.torrent");
        for (what, flags, ours) in
            [(data.clone(), vec![], vec![]), (data.join("a.bin"), vec!["-p"], vec!["--private"])]
        {
            let _ = std::fs::remove_file(&torrent);
            let mut command = Command::new(MKTORRENT);
            command.args(["-a", "udp://t.example:1", "-l", "18", "-o"]).arg(&torrent).args(flags).arg(&what);
            runs(&mut command);
            assert_eq!(hash(dir, &torrent), by_torr(dir, &what, &ours), "{}", what.display());
        }
    });
}

#[test]
fn transmission_makes_the_same_torrent() {
    isolated(test_name!(), &[TRANSMISSION], |dir| {
        let data = simple(dir);
        let torrent = dir.join("transmission.torrent");
        // Without -p it says private=0, which is another info dictionary.
        for what in [data.clone(), data.join("a.bin")] {
            let mut command = Command::new(TRANSMISSION);
            command.args(["-p", "-t", "udp://t.example:1", "-s", "256", "-o"]).arg(&torrent).arg(&what);
            runs(&mut command);
            assert_eq!(hash(dir, &torrent), by_torr(dir, &what, &["--private"]), "{}", what.display());
        }
    });
}

#[test]
fn libtorrent_makes_the_same_torrent() {
    isolated(test_name!(), &[libtorrent::NAME], |dir| {
        let content = Content::awkward(7);
        content.write(dir);
        let data = dir.join(content.name());
        for what in [simple(dir), data] {
            let torrent = dir.join("libtorrent.torrent");
            libtorrent::make(&what, &torrent, 256 << 10);
            assert_eq!(
                hash(dir, &torrent),
                by_torr(dir, &what, &["--hidden", "--junk"]),
                "{}",
                what.display()
            );
        }
    });
}
