//! torr and others about the same torrent files and the same data.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::client::{OTHERS, all_programs};
use super::namespace::{isolated, test_name};
use super::opentracker::By;
use super::scene::{Share, load};
use super::{libtorrent, torr};
use crate::support::content::Content;

const SHOW: &str = "transmission-show";

/// A torrent of awkward content made by torr, and the directory in which the content lies.
fn created(dir: &Path) -> (Content, PathBuf) {
    let content = Content::awkward(7);
    content.write(dir);
    let torrent = dir.join("made by torr.torrent");
    let args = ["create", "-t", &By::Udp.url(), "--piece-size", "64K", "--format", "v1", "-o"];
    let (code, _) = torr::run(&dir.join("home"), &args, &[&torrent, &dir.join(content.name())]);
    assert_eq!(code, Some(0));
    (content, torrent)
}

fn shown_by_torr(dir: &Path, torrent: &Path) -> Value {
    let (code, lines) = torr::run(&dir.join("home"), &["show", "--json"], &[torrent]);
    assert_eq!((code, lines.len()), (Some(0), 1));
    lines.into_iter().next().expect("one line")
}

/// Paths below the torrent's name, and a number of each file.
fn files(document: &Value, number: &str) -> BTreeMap<String, u64> {
    let files = document["files"].as_array().expect("a list of files");
    files.iter().map(|file| (below(&file["path"]), file[number].as_u64().expect("a number"))).collect()
}

fn below(path: &Value) -> String {
    let path = path.as_str().expect("a path");
    path.strip_prefix(Content::AWKWARD).unwrap_or(path).trim_start_matches('/').to_owned()
}

fn assert_shown_alike(dir: &Path, torrent: &Path, content: &Content) {
    let ours = shown_by_torr(dir, torrent);
    let theirs = libtorrent::show(torrent);
    for key in ["name", "size", "piece_length", "pieces", "private"] {
        assert_eq!(ours[key], theirs[key], "{key}");
    }
    assert_eq!(ours["info_hash"], theirs["hash"]);
    assert_eq!(ours["trackers"][0], theirs["trackers"]);
    assert_eq!(files(&ours, "size"), files(&theirs, "size"));
    let expected = content.files().iter().map(|(path, bytes)| (path.clone(), bytes.len() as u64));
    assert_eq!(files(&ours, "size"), expected.collect());

    let output =
        Command::new(SHOW).env("LC_ALL", "C.UTF-8").arg(torrent).output().expect("transmission-show runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let value = |key: &str| text.lines().find_map(|line| line.trim().strip_prefix(key)).map(str::trim);
    assert_eq!(value("Name:"), ours["name"].as_str(), "{text}");
    assert!(value("Hash:").or(value("Hash v1:")) == ours["info_hash"].as_str(), "{text}");
    assert_eq!(value("Piece Count:"), Some(&*ours["pieces"].to_string()), "{text}");
    assert!(value("Piece Size:").is_some_and(|size| size.starts_with("64")), "{text}");
    for path in files(&ours, "size").into_keys() {
        assert!(text.contains(&format!("  {}/{path} (", content.name())), "{path}: {text}");
    }
    assert!(text.contains(ours["trackers"][0][0].as_str().expect("a tracker")), "{text}");
}

#[test]
fn show_agrees_with_transmission_and_libtorrent() {
    isolated(test_name!(), &[SHOW, libtorrent::NAME], |dir| {
        let theirs = Share::new(dir, 7, By::Http);
        assert_shown_alike(dir, &theirs.torrent, &theirs.content);
        let (content, ours) = created(dir);
        assert_shown_alike(dir, &ours, &content);
    });
}

/// What torr says of each file, and with which exit code.
fn verified_by_torr(dir: &Path, torrent: &Path) -> (Option<i32>, BTreeMap<String, bool>) {
    let (code, lines) = torr::run(&dir.join("home"), &["verify", "--json"], &[torrent, dir]);
    let nested = lines.iter().filter_map(|line| line["files"].as_array()).flatten();
    let files =
        lines.iter().chain(nested).filter(|file| file["path"].is_string() && file["status"].is_string());
    (code, files.map(|file| (below(&file["path"]), file["status"] == "ok")).collect())
}

fn verified_by_libtorrent(dir: &Path, torrent: &Path) -> BTreeMap<String, bool> {
    let found = libtorrent::check(torrent, dir);
    let have = files(&found, "have");
    files(&found, "size").into_iter().map(|(path, size)| (path.clone(), have[&path] == size)).collect()
}

#[test]
fn verify_agrees_with_libtorrent() {
    isolated(test_name!(), &[libtorrent::NAME], |dir| {
        let share = Share::new(dir, 7, By::Http);
        share.content.write(dir);
        let (code, found) = verified_by_torr(dir, &share.torrent);
        assert_eq!(found, verified_by_libtorrent(dir, &share.torrent));
        assert_eq!((code, found.len()), (Some(0), share.content.files().len()));
        assert!(found.values().all(|ok| *ok));

        let file = |path: &str| dir.join(share.content.name()).join(path);
        let mut bytes = fs::read(file("nested/deep/er/data.bin")).expect("a file of the content");
        bytes[1_500_000] ^= 1;
        fs::write(file("nested/deep/er/data.bin"), bytes).expect("a changed file");
        fs::remove_file(file("nested/Größe/文件 №1.bin")).expect("one file less");
        let cut = File::options().write(true).open(file("z last")).expect("a file of the content");
        cut.set_len(1_000_001).expect("a shorter file");
        let (code, found) = verified_by_torr(dir, &share.torrent);
        assert_eq!(found, verified_by_libtorrent(dir, &share.torrent));
        assert_eq!(code, Some(1));
        assert!(found["small/b"] && !found["a first.bin"] && !found["z last"]);
    });
}

#[test]
fn a_torrent_of_torr_loads_everywhere_with_its_hash() {
    isolated(test_name!(), &all_programs(), |dir| {
        let (_, torrent) = created(dir);
        let hash = shown_by_torr(dir, &torrent)["info_hash"].as_str().expect("a v1 info-hash").to_owned();
        load(dir, &OTHERS.map(|other| other.1), &torrent, dir, &hash);
    });
}

#[test]
fn hybrid_and_v2_torrents_of_libtorrent_are_understood() {
    isolated(test_name!(), &[libtorrent::NAME], |dir| {
        let content = Content::awkward(7);
        content.write(dir);
        // As it does by itself, in the order of v2 with and without padding at the end, and v2 alone.
        for (flags, v1) in [(0, true), (128, true), (512, true), (32, false)] {
            let torrent = dir.join(format!("made {flags}.torrent"));
            libtorrent::make_as(flags, &dir.join(content.name()), &torrent);
            let (ours, theirs) = (shown_by_torr(dir, &torrent), libtorrent::show(&torrent));
            assert_eq!(ours["info_hash_v2"], theirs["hash_v2"], "{flags}");
            assert_eq!(ours["info_hash"].as_str(), theirs["hash"].as_str().filter(|_| v1), "{flags}");
            let expected = content.files().iter().map(|(path, bytes)| (path.clone(), bytes.len() as u64));
            assert_eq!(files(&ours, "size"), expected.collect(), "{flags}");
            if v1 {
                let (code, found) = verified_by_torr(dir, &torrent);
                assert_eq!((code, found.len()), (Some(0), content.files().len()), "{flags}");
            }
        }
    });
}
