//! `torr register` and the hidden `torr open`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use super::typed::typed;
use super::{Ran, Scene};
use crate::support::schema;

const ENTRY: &str = ".local/share/applications/torr.desktop";
const DEFAULTS: &str = ".config/mimeapps.list";

/// The program in a home without xdg-mime, or with the one that is in the folder `bin`.
fn register(scene: &Scene, arguments: &[&str]) -> Ran {
    let mut command = scene.command(&["register"]);
    Scene::ran(command.args(arguments).env("PATH", scene.path().join("bin")))
}

fn read(scene: &Scene, name: &str) -> String {
    fs::read_to_string(scene.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Everything below the home.
fn files(scene: &Scene) -> Vec<PathBuf> {
    let mut folders = vec![scene.path().to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn nothing_is_done_without_a_yes() {
    let scene = Scene::new();
    let ran = register(&scene, &[]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("error: cannot ask without a terminal: Go ahead?\nhint:  -y answers yes"),
        "{}",
        ran.err
    );
    let ran = register(&scene, &["--dry-run", "-y"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    for file in [ENTRY, DEFAULTS] {
        assert!(ran.err.contains(file), "{}", ran.err);
    }
    assert!(files(&scene).is_empty());
    let (screen, code) = typed(&scene, &["register"], &[], &[("Go ahead? [y/N]", "\r")]);
    assert_eq!(code, 1, "{screen}");
    assert!(screen.contains("nothing was changed") && files(&scene).is_empty(), "{screen}");
}

#[test]
fn what_was_registered_is_taken_back_to_the_byte() {
    let before = "[Added Associations]\na/b=c.desktop\n\n[Default Applications]\nx-scheme-handler/magnet=other.desktop;\na/b=c.desktop\n";
    for before in [None, Some(before)] {
        let scene = Scene::new();
        if let Some(before) = before {
            scene.write(DEFAULTS, before);
            fs::set_permissions(scene.path().join(DEFAULTS), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let (screen, code) = typed(&scene, &["register"], &[], &[("Go ahead? [y/N]", "y\r")]);
        assert_eq!(code, 0, "{screen}");
        // A second time changes nothing.
        let entry = read(&scene, ENTRY);
        assert_eq!(register(&scene, &["-y"]).code, 0);
        assert_eq!(read(&scene, ENTRY), entry);
        let program = fs::canonicalize(env!("CARGO_BIN_EXE_torr")).unwrap();
        assert!(entry.contains(&format!("\nExec={} open %u\n", program.display())), "{entry}");
        assert!(entry.contains("\nMimeType=x-scheme-handler/magnet;application/x-bittorrent;\n"), "{entry}");
        let defaults = read(&scene, DEFAULTS);
        for kind in ["x-scheme-handler/magnet", "application/x-bittorrent"] {
            assert_eq!(defaults.matches(&format!("\n{kind}=torr.desktop\n")).count(), 1, "{defaults}");
        }
        let ran = register(&scene, &["--undo", "-y", "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let told = schema::check_lines(&ran.out);
        assert_eq!((&told[0]["done"], &told[0]["undo"]), (&true.into(), &true.into()));
        match before {
            None => assert!(files(&scene).is_empty(), "{:?}", files(&scene)),
            Some(before) => {
                assert_eq!((read(&scene, DEFAULTS).as_str(), files(&scene).len()), (before, 1));
                let mode = fs::metadata(scene.path().join(DEFAULTS)).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
            }
        }
        let ran = register(&scene, &["--undo"]);
        assert_eq!(ran.code, 0);
        assert!(ran.err.contains("not registered"), "{}", ran.err);
    }
}

#[test]
fn an_entry_of_somebody_else_is_kept() {
    let scene = Scene::new();
    let foreign = "[Desktop Entry]\nType=Application\nName=torr\nExec=/opt/torr %u\n";
    scene.write(ENTRY, foreign);
    for arguments in [&["-y"][..], &["--undo", "-y"], &["--dry-run"]] {
        let ran = register(&scene, arguments);
        assert_eq!(ran.code, 5, "{}", ran.err);
        assert!(ran.err.contains("was not made by torr register"), "{}", ran.err);
        assert_eq!((read(&scene, ENTRY).as_str(), files(&scene).len()), (foreign, 1));
    }
}

#[test]
fn the_tool_of_the_desktop_is_used_where_it_is_there() {
    let scene = Scene::new();
    scene.write("bin/xdg-mime", "#!/bin/sh\necho \"$@\" >> \"$HOME/asked\"\n");
    let tool = scene.path().join("bin/xdg-mime");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let asked = "default torr.desktop x-scheme-handler/magnet application/x-bittorrent";
    let dry = schema::check_lines(&register(&scene, &["-n", "--json"]).out);
    assert_eq!(
        dry[0]["steps"][1]["command"],
        serde_json::json!(format!("xdg-mime {asked}").split(' ').collect::<Vec<_>>())
    );
    assert_eq!(register(&scene, &["-y"]).code, 0);
    assert_eq!(read(&scene, "asked"), format!("{asked}\n"));
    assert!(!scene.path().join(DEFAULTS).exists());
    // It fails: the file is edited, through a link that stays one.
    scene.write("bin/xdg-mime", "#!/bin/sh\nexit 4\n");
    scene.write("dotfiles/mimeapps.list", "");
    fs::create_dir_all(scene.path().join(".config")).unwrap();
    symlink("../dotfiles/mimeapps.list", scene.path().join(DEFAULTS)).unwrap();
    let ran = register(&scene, &["-y"]);
    assert!(ran.code == 0 && ran.err.contains("warning: xdg-mime failed"), "{}", ran.err);
    assert!(read(&scene, "dotfiles/mimeapps.list").contains("magnet=torr.desktop"));
    assert!(fs::symlink_metadata(scene.path().join(DEFAULTS)).unwrap().is_symlink());
}

#[test]
fn what_is_opened_is_got_into_the_folder_for_downloads() {
    let scene = Scene::new();
    scene.photos();
    // The data is there already: nothing has to come from anywhere.
    let downloads = scene.path().join("Dl");
    fs::create_dir(&downloads).unwrap();
    fs::rename(scene.path().join("photos"), downloads.join("photos")).unwrap();
    scene.write(".config/user-dirs.dirs", "XDG_DOWNLOAD_DIR=\"$HOME/Dl\"\n");
    fs::rename(scene.path().join("photos.torrent"), scene.path().join("my photos.torrent")).unwrap();
    let url = format!("file://{}/my%20photos.torrent", scene.path().display());
    let wait = [("Enter closes this window.", "\r")];
    let (screen, code) = typed(&scene, &["open", &url], &[], &wait);
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("✓ photos") && screen.contains("Dl"), "{screen}");
    // What fails can be read, too, and nothing that is clicked on is a flag.
    let (screen, code) = typed(&scene, &["open", "--", "--help"], &[], &wait);
    assert_eq!(code, 3, "{screen}");
    assert!(screen.contains("error: ") && !screen.contains("Usage"), "{screen}");
    let ran = scene.run(&["open", &url]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("hint:  in a terminal: torr get '"), "{}", ran.err);
}
