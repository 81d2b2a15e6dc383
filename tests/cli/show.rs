//! `torr show`.

use std::path::Path;

use super::Scene;
use super::party::Party;
use super::terminal::watch_with;
use crate::support::schema;

/// A sample torrent of the repository, as `NAME` in the scene.
pub fn sample(scene: &Scene, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("torrents").join(name);
    scene.write(name, std::fs::read(path).unwrap());
}

#[test]
fn torrents_of_every_version_are_shown_with_their_hashes_and_files() {
    let scene = Scene::new();
    for (name, v1, v2) in [("many-files", true, false), ("hybrid", true, true), ("v2-only", false, true)] {
        let file = format!("{name}.torrent");
        sample(&scene, &file);
        let ran = scene.run(&["show", "--json", &file]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let document = &schema::check_lines(&ran.out)[0];
        assert_eq!(
            (document["info_hash"].is_string(), document["info_hash_v2"].is_string()),
            (v1, v2),
            "{name}"
        );
        let files: Vec<(&str, u64)> = document["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| (file["path"].as_str().unwrap(), file["size"].as_u64().unwrap()))
            .collect();
        assert_eq!(files.len(), 6, "{name}: {files:?}");
        assert!(files.contains(&("many-files/pictures/a/deep/er/photo.jpg", 99_999)), "{name}: {files:?}");
        assert_eq!(document["size"], 679_761, "{name}");
        let plain = scene.run(&["show", &file]).out;
        assert_eq!((plain.contains("\ninfo_hash\t"), plain.contains("\ninfo_hash_v2\t")), (v1, v2), "{name}");
        assert!(plain.contains("\t99999\tmany-files/pictures/a/deep/er/photo.jpg\n"), "{name}: {plain}");
        let magnet = scene.run(&["show", "--field", "magnet", &file]).out;
        assert_eq!((magnet.contains("urn:btih:"), magnet.contains("urn:btmh:1220")), (v1, v2), "{name}");
    }
}

#[test]
fn a_terminal_gets_a_picture_and_a_pager_what_is_too_long_for_it() {
    let scene = Scene::new();
    sample(&scene, "hybrid.torrent");
    let path = std::env::var("PATH").unwrap_or_default();
    let with = |rows, pager: &str| {
        let environment = [("PATH", path.as_str()), ("PAGER", pager)];
        let seen = watch_with(&scene, &["show", "hybrid.torrent"], rows, 100, &environment);
        assert_eq!(seen.code, 0, "{}", seen.last());
        seen.last().to_owned()
    };
    let picture = with(60, "sed s/^/paged/");
    for line in [
        "        Name  many-files",
        "   Info hash  ",
        "   v1\n",
        "   v2\n",
        "Private  no (DHT, PEX and LSD allowed)",
    ] {
        assert!(picture.contains(line), "{line}\n{picture}");
    }
    assert!(picture.contains("├─ music/") && !picture.contains("paged"), "{picture}");
    assert!(with(10, "sed s/^/paged/").lines().any(|line| line.starts_with("paged")));
    for none in ["", "cat"] {
        assert!(!with(10, none).contains("paged"));
    }
    // A pager that is not there hides nothing.
    assert!(with(20, "no-such-pager").contains("Magnet"));
}

#[test]
fn every_field_can_be_asked_for() {
    let scene = Scene::new();
    scene.photos();
    let field = |name: &str| scene.run(&["show", "photos.torrent", "--field", name]);
    assert_eq!(field("size").out, "180000\n");
    assert_eq!(field("files").out, "3\n");
    assert_eq!(field("private").out, "no\n");
    assert_eq!(field("file").out.lines().count(), 3);
    assert_eq!((field("comment").code, field("comment").out.as_str()), (1, ""));
    let wrong = field("sise");
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("unknown field 'sise'\nhint:  did you mean: --field size"), "{}", wrong.err);
    assert!(field("colour").err.contains("fields: name, info_hash, "));
    let json = scene.run(&["show", "--json", "photos.torrent", "--field", "size"]);
    assert_eq!(schema::check_lines(&json.out)[0]["values"], serde_json::json!(["180000"]));
}

#[test]
fn a_link_is_explained_offline() {
    let scene = Scene::new();
    let hash = "9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa";
    let link = format!(
        "magnet:?xt=urn:btih:{hash}&dn=a+%1Bname&tr=udp%3A%2F%2Ft.example%3A1&x.pe=1.2.3.4:5&so=0,4-6&tr=file:///x"
    );
    let ran = scene.run(&["show", &link]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for line in [
        "name\ta \\u{1b}name\n",
        &format!("info_hash\t{hash}\n"),
        "tracker\tudp://t.example:1\n",
        "peer\t1.2.3.4:5\n",
        "select\t1,5-7\n",
        "note\t1 tracker left out\n",
    ] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    let document = &schema::check_lines(&scene.run(&["show", "--json", &link]).out)[0];
    assert_eq!((&document["kind"], &document["size"]), (&"magnet".into(), &serde_json::Value::Null));
    assert_eq!(document["name"], "a \u{1b}name");
    let bare = scene.run(&["show", "--field", "magnet", hash]);
    assert_eq!(bare.out, format!("magnet:?xt=urn:btih:{hash}\n"));

    for (arguments, code, words) in [
        (&["show", "magnet:?dn=x"][..], 3, "names no torrent"),
        (&["show", "magnet:?xt=urn:btih:abc"], 3, "40 hexadecimal digits or 32 of base32"),
        (&["show", "--raw", &link], 2, "--raw needs a torrent file"),
        (&["show", "--lint", &link], 2, "--lint needs a torrent file"),
        (&["show", "--files", &link], 1, "does not contain the file list"),
        (&["show", "--swarm", hash], 4, "no tracker to ask"),
    ] {
        let ran = scene.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(words), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn the_raw_file_is_json_in_which_nothing_is_lost() {
    let scene = Scene::new();
    scene.write("x.torrent", b"d4:infod4:name2:\xffn6:pieces3:abc1:$i7ee1:ali-1e3:t\x1bxeetail");
    let ran = scene.run(&["show", "--raw", "--json", "x.torrent"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let document = &schema::check_lines(&ran.out)[0];
    assert_eq!(
        document["torrent"],
        serde_json::json!({
            "info": { "name": { "$hex": "ff6e" }, "pieces": { "$hex": "616263" }, "$$": 7 },
            "a": [-1, "t\u{1b}x"],
        })
    );
    assert_eq!(document["trailing_bytes"], 4);
    let people = scene.run(&["show", "--raw", "x.torrent"]);
    assert!(people.out.starts_with("{\n  \"info\": {\n") && people.err.contains("4 bytes after the end"));
    scene.write("bad.torrent", "d4:infod");
    assert_eq!(scene.run(&["show", "--raw", "bad.torrent"]).code, 3);
}

#[test]
fn lints_have_names() {
    let scene = Scene::new();
    scene.write("t/CON.txt", "x");
    scene.write("t/ok", "x");
    assert_eq!(scene.run(&["create", "t", "--private", "-q"]).code, 0);
    let ran = scene.run(&["show", "--lint", "t.torrent"]);
    let names: Vec<&str> = ran.out.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(
        (ran.code, names),
        (1, vec!["private-without-tracker", "name-not-portable", "note"]),
        "{}",
        ran.out
    );
    let json = schema::check_lines(&scene.run(&["show", "--lint", "--json", "t.torrent"]).out);
    assert_eq!(
        (&json[0]["ok"], &json[0]["findings"][1]["name"]),
        (&false.into(), &"name-not-portable".into())
    );
    scene.photos();
    let clean = scene.run(&["show", "--lint", "photos.torrent"]);
    assert_eq!((clean.code, clean.out.as_str()), (0, ""));
}

#[test]
fn halves_of_a_hybrid_that_differ_are_refused() {
    let scene = Scene::new();
    sample(&scene, "hybrid.torrent");
    let bytes = std::fs::read(scene.path().join("hybrid.torrent")).unwrap();
    // The name in the v1 list comes after that in the tree; both are as long as before.
    let at = bytes.windows(7).rposition(|part| part == b"5:z.bin").unwrap();
    let mut other = bytes.clone();
    other[at + 2] = b'y';
    scene.write("other.torrent", &other);
    assert_eq!(scene.run(&["show", "hybrid.torrent"]).code, 0);
    for command in ["show", "verify", "magnet"] {
        let ran = scene.run(&[command, "other.torrent"]);
        assert_eq!(ran.code, 3, "{command}: {}", ran.out);
        assert!(ran.err.contains("the two halves of this hybrid torrent differ: "), "{command}: {}", ran.err);
    }
}

#[test]
fn trackers_are_asked_how_large_the_swarm_is() {
    let mut party = Party::new();
    party.make("x.bin", 100_000);
    party.seed(&["x.bin"]);
    let ran = party.scene.run(&["show", "--swarm", "--timeout", "20s", "x.bin.torrent"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out, format!("{}\t1\t0\t0\t\n", party.url));
    let json = party.scene.run(&["show", "--swarm", "--json", "x.bin.torrent"]);
    let document = &schema::check_lines(&json.out)[0];
    assert_eq!((&document["ok"], &document["trackers"][0]["seeds"]), (&true.into(), &1.into()));

    // The same over UDP by a link, beside a tracker that is not there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let hash = party.scene.run(&["show", "--field", "info_hash", "x.bin.torrent"]).out;
    let dead = format!("http://127.0.0.1:{port}/announce");
    let link = |trackers: &[&str]| {
        let trackers = trackers.join("&tr=");
        format!("magnet:?xt=urn:btih:{}&tr={trackers}", hash.trim())
    };
    let udp_url = party.udp();
    let ran = party.scene.run(&["show", "--swarm", &link(&[&dead, &udp_url])]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains(&format!("{udp_url}\t1\t0\t0\t\n")), "{}", ran.out);
    assert!(ran.out.starts_with(&format!("{dead}\t\t\t\tno connection to the tracker")), "{}", ran.out);
    let ran = party.scene.run(&["show", "--swarm", "--json", &link(&[&dead])]);
    let document = &schema::check_lines(&ran.out)[0];
    assert_eq!((ran.code, &document["ok"]), (4, &false.into()));
    assert_eq!(document["trackers"][0]["seeds"], serde_json::Value::Null);
}
