//! What is refused, with which words and which code.

use super::Scene;
use crate::support::schema;

#[test]
fn each_bad_input_has_its_code_and_a_sentence() {
    let scene = Scene::new();
    scene.write("bad.torrent", "d4:infod4:name1:xe");
    scene.write("text.torrent", "hello");
    scene.write("folder/a", "x");
    let (hash, v2) = ("ab".repeat(20), "ab".repeat(32));
    let (link, v2_link) =
        (format!("magnet:?xt=urn:btih:{hash}&dn=x"), format!("magnet:?xt=urn:btmh:1220{v2}"));
    let cases: &[(&[&str], i32, &str)] = &[
        (&["show", "bad.torrent"], 3, "error: bad.torrent: the file is not well-formed"),
        (&["show", "text.torrent"], 3, "error: text.torrent: "),
        (&["show", "nowhere.torrent"], 3, "error: torrent file not found: nowhere.torrent"),
        (&["show", "folder"], 3, "hint:  to share a folder: torr seed folder"),
        (&["get", "folder"], 3, "error: folder is a directory"),
        (&["get", "bad.torrent", "nowhere.torrent"], 3, "error: bad.torrent"),
        (&["get", "magnet:?xt=urn:btih:x"], 3, "error: the info hash after urn:btih: must have 40"),
        (&["get", "magnet:?dn=x"], 3, "error: the magnet link names no torrent"),
        (&["get", "--list", "magnet:?dn=x"], 3, "hint:  put the whole link in single quotes"),
        (&["get", "--torrent-only", "magnet:?xt=urn:btih:%zz"], 3, "two hexadecimal digits"),
        (&["get", &v2], 3, "error: the link has only the v2 info hash"),
        (&["get", &v2_link], 3, "hint:  for a hybrid torrent, add its xt=urn:btih:"),
        (&["show", "--fetch", &v2], 3, "error: the link has only the v2 info hash"),
        (&["show", "--raw", &hash], 2, "hint:  to download the torrent file first: --raw --fetch"),
        (&["show", "--timeout", "1s", &hash], 2, "--fetch"),
        (
            &["verify", &hash],
            2,
            "error: an info hash only names a torrent; this command needs the torrent file",
        ),
        (&["verify", &link, "folder"], 2, "hint:  to get the file: torr magnet 'magnet:?xt=urn:btih:"),
        (&["edit", &link, "--in-place", "--comment", "x"], 2, "error: a magnet link only names a torrent"),
        (&["create", "folder", "--reuse", &link], 2, "error: a magnet link only names a torrent"),
        (&["get", "--torrent-only=-", &hash], 2, "hint:  to standard output: torr magnet LINK --fetch -o -"),
        (&["get", "--torrent-only=x", &hash, &link], 2, "error: --torrent-only=FILE names one file"),
        (
            &["get", "--torrent-only", "--select", "1", &hash],
            2,
            "error: --torrent-only cannot be used with --select",
        ),
        (&["get", "https://x.example:0/a.torrent"], 3, "error: cannot fetch https://x.example:0/a.torrent: "),
        (&["get", "--upnp", "bad.torrent"], 2, "error: --upnp is not available yet"),
        (&["get", "bad.torrent", "--down", "200"], 2, "write 200K"),
        (&["get"], 2, "error: "),
        (&["sho"], 2, "hint:  did you mean: torr show"),
        (&["doctor"], 2, "error: torr doctor is not available yet"),
        (&["x.torrent"], 2, "hint:  to download: torr get x.torrent"),
        (&["create", "nowhere"], 5, "error: cannot read nowhere: "),
        (&["create", "folder", "--format", "hybrid"], 2, "error: the hybrid format is not available yet"),
        (&["create", "folder", "-t", "ftp://x"], 2, "http, https or udp"),
        (&["seed", "bad.torrent"], 3, "error: bad.torrent"),
        (&["tracker", "--listen", "203.0.113.1:1"], 2, "error: cannot listen on 203.0.113.1:1"),
        (&["help", "nothing"], 2, "error: there is no help on 'nothing'"),
    ];
    for (arguments, code, words) in cases {
        let ran = scene.run(arguments);
        assert_eq!(ran.code, *code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(words), "{arguments:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{arguments:?}");
    }
}

#[test]
fn an_error_is_a_document_for_scripts_and_silent_when_asked() {
    let scene = Scene::new();
    for arguments in [&["--json", "show", "nowhere.torrent"][..], &["sho", "--json"]] {
        let documents = schema::check_lines(&scene.run(arguments).out);
        assert_eq!((documents.len(), &documents[0]["schema"]), (1, &"torr.error/1".into()));
    }
    let ran = scene.run(&["-qq", "show", "nowhere.torrent"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (3, "", ""));
}
