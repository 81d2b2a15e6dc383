//! `torr edit`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::{Ran, Scene};
use crate::support::schema;

/// An info dictionary out of order, with keys nobody knows.
const ODD: &[u8] =
    b"d6:pieces20:aaaaaaaaaaaaaaaaaaaa6:lengthi1e4:name1:n12:piece lengthi16384e2:\xff\xfei7e1:xd0:leee";

fn odd() -> Vec<u8> {
    [b"d8:announce14:udp://old.x:1 1:zle4:info".as_slice(), ODD, b"3:zzzi9ee"].concat()
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.photos();
    scene
}

fn read(scene: &Scene, name: &str) -> Vec<u8> {
    fs::read(scene.path().join(name)).unwrap()
}

fn shown(scene: &Scene, name: &str) -> Value {
    scene.run(&["show", "--json", name]).json().pop().unwrap()
}

fn document(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{}", ran.err);
    let mut lines = schema::check_lines(&ran.out);
    assert_eq!(lines.len(), 1);
    lines.pop().unwrap()
}

#[test]
fn the_new_file_is_another_one_and_the_hash_stays() {
    let scene = scene();
    let before = read(&scene, "photos.torrent");
    let ran = scene.run(&["edit", "photos.torrent", "--comment", "summer", "-t", "udp://a.example:1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let path = fs::canonicalize(scene.path()).unwrap().join("photos.edited.torrent");
    assert_eq!(ran.out.trim_end(), path.to_str().unwrap());
    assert!(ran.err.contains("photos.edited.torrent  changed trackers, comment"), "{}", ran.err);
    assert!(!ran.err.contains("info hash"), "{}", ran.err);
    assert_eq!(read(&scene, "photos.torrent"), before);
    let (old, new) = (shown(&scene, "photos.torrent"), shown(&scene, "photos.edited.torrent"));
    assert_eq!((&new["comment"], &new["trackers"]), (&json!("summer"), &json!([["udp://a.example:1"]])));
    assert_eq!(new["info_hash"], old["info_hash"]);

    let again = scene.run(&["edit", "photos.torrent", "--comment", "x"]);
    assert_eq!(again.code, 5);
    assert!(again.err.contains("photos.edited.torrent already exists"), "{}", again.err);
    assert_eq!(scene.run(&["edit", "photos.torrent", "--comment", "x", "-f"]).code, 0);
    let itself = scene.run(&["edit", "photos.torrent", "--comment", "x", "-f", "-o", "./photos.torrent"]);
    assert_eq!(itself.code, 2);
    assert!(itself.err.contains("--in-place"), "{}", itself.err);
    assert_eq!(read(&scene, "photos.torrent"), before);
}

#[test]
fn a_change_of_the_hash_is_told_with_both() {
    let scene = scene();
    let old = shown(&scene, "photos.torrent")["info_hash"].as_str().unwrap().to_owned();
    let flags = ["--private", "--name", "pictures", "--source", "here"];
    let ran = scene.run(&[&["edit", "photos.torrent", "-o", "new.torrent"], flags.as_slice()].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let new = shown(&scene, "new.torrent");
    let hash = new["info_hash"].as_str().unwrap();
    assert!(ran.err.contains("warning: the info hash changed"), "{}", ran.err);
    assert!(ran.err.contains(&format!("  old  {old}   v1\n  new  {hash}   v1\n")), "{}", ran.err);
    assert_eq!(
        (&new["private"], &new["name"], &new["source"]),
        (&json!(true), &json!("pictures"), &json!("here"))
    );

    let told = document(&scene.run(&[
        "edit",
        "new.torrent",
        "--json",
        "-o",
        "back.torrent",
        "--public",
        "--name",
        "photos",
        "--source",
        "",
    ]));
    assert_eq!(told["changed"], json!(["name", "private", "source"]));
    assert_eq!((&told["old_info_hash"], &told["info_hash"]), (&json!(hash), &json!(old)));
    assert_eq!((&told["info_hash_changed"], &told["info_hash_v2"]), (&json!(true), &Value::Null));
    assert_eq!(read(&scene, "back.torrent"), read(&scene, "photos.torrent"));
}

#[test]
fn what_is_not_changed_stays_to_the_byte() {
    let scene = Scene::new();
    // The blank behind the URL is not ours either.
    scene.write("odd.torrent", odd());
    let ran = scene.run(&[
        "edit",
        "odd.torrent",
        "-o",
        "new.torrent",
        "--comment",
        "c",
        "--web-seed",
        "http://w.example/",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let expected = b"d8:announce14:udp://old.x:1 7:comment1:c8:url-listl17:http://w.example/e1:zle4:info";
    assert_eq!(read(&scene, "new.torrent"), [expected.as_slice(), ODD, b"3:zzzi9ee"].concat());
    let back =
        scene.run(&["edit", "new.torrent", "-o", "-", "--comment", "", "--remove-web-seed", "all", "-q"]);
    assert_eq!((back.code, back.err.as_str()), (0, ""));
    assert_eq!(back.out, String::from_utf8_lossy(&odd()));
    // A change within info touches that value alone.
    assert_eq!(scene.run(&["edit", "odd.torrent", "-o", "name.torrent", "--name", "m"]).code, 0);
    let renamed = String::from_utf8_lossy(&odd()).replace("4:name1:n", "4:name1:m");
    assert_eq!(String::from_utf8_lossy(&read(&scene, "name.torrent")), renamed);
}

#[test]
fn trackers_are_replaced_and_removed() {
    let scene = Scene::new();
    scene.write("a", "hello");
    let made = scene.run(&["create", "a", "-t", "udp://a.x:1,udp://b.x:1", "-t", "udp://c.x:1"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let flags =
        ["--replace-tracker", "udp://a.x:1", "https://n.x/announce", "--remove-tracker", "udp://c.x:1"];
    assert_eq!(scene.run(&[&["edit", "a.torrent"], flags.as_slice()].concat()).code, 0);
    let trackers = shown(&scene, "a.edited.torrent")["trackers"].clone();
    assert_eq!(trackers, json!([["https://n.x/announce", "udp://b.x:1"]]));
    let none = scene.run(&["edit", "a.torrent", "-o", "no.torrent", "--remove-tracker", "udp://z.x:1"]);
    assert_eq!(none.code, 1);
    assert!(
        none.err.contains("the torrent has no tracker udp://z.x:1\nhint:  it has: udp://a.x:1, "),
        "{}",
        none.err
    );
    assert!(!scene.path().join("no.torrent").exists());
    let bad = scene.run(&["edit", "a.torrent", "--replace-tracker", "udp://a.x:1", "nonsense"]);
    assert_eq!(bad.code, 2);
    assert!(bad.err.contains("--replace-tracker: not a URL"), "{}", bad.err);
}

#[test]
fn in_place_keeps_every_old_version() {
    let scene = scene();
    let file = scene.path().join("photos.torrent");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let first = read(&scene, "photos.torrent");
    let told = document(&scene.run(&["edit", "photos.torrent", "--in-place", "--comment", "1", "--json"]));
    assert!(told["backup"].as_str().unwrap().ends_with("/photos.torrent.bak"), "{told}");
    let second = read(&scene, "photos.torrent");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    // Through a link the file itself is changed, and the link stays.
    std::os::unix::fs::symlink("photos.torrent", scene.path().join("link")).unwrap();
    assert_eq!(scene.run(&["edit", "link", "--in-place", "--comment", "2"]).code, 0);
    assert!(fs::symlink_metadata(scene.path().join("link")).unwrap().is_symlink());
    assert_eq!((read(&scene, "photos.torrent.bak"), read(&scene, "photos.torrent.bak2")), (first, second));
    assert_eq!(shown(&scene, "photos.torrent")["comment"], "2");
    // Nothing to change is nothing written.
    let before = read(&scene, "photos.torrent");
    let told = document(&scene.run(&["edit", "photos.torrent", "--in-place", "--comment", "2", "--json"]));
    assert_eq!(
        (&told["written"], &told["backup"], &told["changed"]),
        (&json!(false), &Value::Null, &json!([]))
    );
    assert_eq!(read(&scene, "photos.torrent"), before);
    assert!(!scene.path().join("photos.torrent.bak3").exists());
    assert_eq!(left_over(&scene), Vec::<String>::new());
}

/// Files that nobody should leave behind.
fn left_over(scene: &Scene) -> Vec<String> {
    let names = fs::read_dir(scene.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names.filter(|name| name.contains(".tmp") || name.contains(".toml")).collect()
}

#[test]
fn what_cannot_be_done_is_refused() {
    let scene = scene();
    let cases: [(&[&str], i32, &str); 8] = [
        (&["photos.torrent"], 2, "there is nothing to change"),
        (&["none.torrent", "--no-date"], 3, "torrent file not found: none.torrent"),
        (&["photos", "--no-date"], 3, "photos is a directory"),
        (&["photos/a.bin", "--no-date"], 3, "a.bin: the file is not well-formed: at byte 0"),
        (&["photos.torrent", "--private", "--public"], 2, "cannot be used with"),
        (&["photos.torrent", "--in-place", "-o", "x", "--no-date"], 2, "cannot be used with"),
        (&["photos.torrent", "--name", "a/b"], 2, "plain name"),
        (&["-", "--no-date"], 2, "standard input needs -o OUT"),
    ];
    for (arguments, code, text) in cases {
        let ran = scene.run(&[&["edit"], arguments].concat());
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(text), "{arguments:?}: {}", ran.err);
    }
    let error = scene.run(&["edit", "none.torrent", "--no-date", "--json"]);
    assert_eq!(schema::check_lines(&error.out)[0]["code"], 3);
}

#[test]
fn a_torrent_of_version_2_is_edited_too() {
    let scene = Scene::new();
    let torrents = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("torrents");
    for (name, v1) in [("v2-only", false), ("hybrid", true)] {
        let file = format!("{name}.torrent");
        fs::copy(torrents.join(&file), scene.path().join(&file)).unwrap();
        let told =
            document(&scene.run(&["edit", &file, "--json", "-o", "c.torrent", "-f", "--comment", "new"]));
        assert_eq!(told["info_hash_changed"], false);
        assert_eq!((told["info_hash"].is_string(), told["info_hash_v2"].is_string()), (v1, true));
        let told = document(&scene.run(&["edit", &file, "--json", "-o", "c.torrent", "-f", "--private"]));
        assert_eq!(told["changed"], json!(["private"]));
        assert_ne!(told["info_hash_v2"], told["old_info_hash_v2"]);
        assert!(!v1 || told["info_hash"] != told["old_info_hash"]);
    }
}

/// Runs an edit with a script for an editor; `$1` is the page.
fn with_editor(scene: &Scene, script: &str, arguments: &[&str]) -> Ran {
    scene.write("editor.sh", script);
    let mut command = scene.command(&[&["edit"], arguments].concat());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("VISUAL", "sh editor.sh").env("EDITOR", "false").env("TMPDIR", scene.path());
    let ran = Scene::ran(&mut command);
    assert_eq!(left_over(scene), Vec::<String>::new());
    ran
}

#[test]
fn an_editor_changes_what_its_page_says() {
    let scene = scene();
    let script = "cp \"$1\" seen\nsed -i -e 's/^comment = .*/comment = \"from the editor\"/' -e 's/^trackers = .*/trackers = [[\"udp:\\/\\/e.x:1\"]]/' \"$1\"\necho words\n";
    let told =
        document(&with_editor(&scene, script, &["photos.torrent", "--editor", "--source", "s", "--json"]));
    assert_eq!(told["changed"], json!(["trackers", "comment", "source"]));
    let page = String::from_utf8(read(&scene, "seen")).unwrap();
    assert!(page.contains("name = \"photos\"\nprivate = false\nsource = \"s\"\n"), "{page}");
    let new = shown(&scene, "photos.edited.torrent");
    assert_eq!((&new["comment"], &new["trackers"]), (&json!("from the editor"), &json!([["udp://e.x:1"]])));
}

#[test]
fn a_page_that_is_wrong_or_not_wanted_changes_nothing() {
    let scene = scene();
    let arguments = ["photos.torrent", "--editor"];
    let ran = with_editor(&scene, "echo 'comment = 7' > \"$1\"", &arguments);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("cannot be used: "), "{}", ran.err);
    let ran = with_editor(&scene, "exit 3", &arguments);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("the editor sh editor.sh failed (exit status: 3)"), "{}", ran.err);
    assert!(!scene.path().join("photos.edited.torrent").exists());
    let told = document(&with_editor(&scene, "> \"$1\"", &["photos.torrent", "--editor", "--json"]));
    assert_eq!(told["changed"], json!([]));
    assert_eq!(read(&scene, "photos.edited.torrent"), read(&scene, "photos.torrent"));

    let none = scene.run(&["edit", "photos.torrent", "--editor", "-f"]);
    assert_eq!(none.code, 2);
    assert!(none.err.contains("neither VISUAL nor EDITOR names an editor"), "{}", none.err);
    let quiet = with_editor(&scene, "exit 0", &["photos.torrent", "--editor", "-f", "--no-input"]);
    assert_eq!(quiet.code, 2);
    assert!(quiet.err.contains("--no-input"), "{}", quiet.err);
}
