//! `torr man`: pages that the readers of manuals find no fault with.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Scene;
use crate::support::program::installed;
use crate::support::schema;

fn pages(scene: &Scene) -> Vec<PathBuf> {
    let ran = scene.run(&["man", "--dir", "man"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let pages: Vec<PathBuf> = ran.out.lines().map(|line| scene.path().join(line)).collect();
    assert!(pages.len() > 10, "{}", ran.out);
    pages
}

#[test]
fn every_command_has_a_page() {
    let scene = Scene::new();
    let pages = pages(&scene);
    let names: Vec<&str> = pages.iter().filter_map(|page| page.file_name()?.to_str()).collect();
    for name in ["torr.1", "torr-get.1", "torr-register.1", "torr-exit-codes.7"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(!names.contains(&"torr-open.1"), "{names:?}");
    let get = fs::read_to_string(scene.path().join("man/man1/torr-get.1")).unwrap();
    assert!(get.contains("\n.SH EXAMPLES\n") && get.contains("torr get ubuntu.torrent"), "{get}");
}

#[test]
fn a_page_is_printed_or_written_and_those_of_others_are_kept() {
    let scene = Scene::new();
    let printed = scene.run(&["man", "torr-get"]).out;
    assert_eq!(printed, scene.run(&["man", "get"]).out);
    pages(&scene);
    let path = scene.path().join("man/man1/torr-get.1");
    assert_eq!(fs::read_to_string(&path).unwrap(), printed);
    // Ours is renewed, another is not, and then nothing is.
    pages(&scene);
    fs::write(&path, ".TH TORR-GET 1\n").unwrap();
    fs::remove_file(scene.path().join("man/man1/torr.1")).unwrap();
    let ran = scene.run(&["man", "--dir", "man"]);
    assert_eq!(ran.code, 5, "{}", ran.err);
    assert!(ran.err.contains("was not made by torr"), "{}", ran.err);
    assert_eq!(fs::read_to_string(&path).unwrap(), ".TH TORR-GET 1\n");
    assert!(!scene.path().join("man/man1/torr.1").exists());

    let ran = scene.run(&["man", "nothing"]);
    assert!(ran.code == 2 && ran.err.contains("hint:  there are torr, "), "{}", ran.err);
    let one = schema::check_lines(&scene.run(&["man", "get", "--json"]).out);
    assert_eq!(
        (&one[0]["pages"][0]["name"], &one[0]["pages"][0]["text"]),
        (&"torr-get".into(), &printed.into())
    );
    let all = schema::check_lines(&scene.run(&["man", "--dir", "other", "--json"]).out);
    assert!(all[0]["pages"].as_array().unwrap().iter().all(|page| page["path"].is_string()));
}

#[test]
fn mandoc_finds_no_fault() {
    let Some(mandoc) = installed("mandoc") else { return };
    let scene = Scene::new();
    let pages = pages(&scene);
    let ran = Command::new(mandoc).args(["-Tlint", "-Wwarning"]).args(pages).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(said.is_empty() && ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn groff_finds_no_fault() {
    let Some(groff) = installed("groff") else { return };
    let scene = Scene::new();
    for page in pages(&scene) {
        let mut command = Command::new(&groff);
        let ran = command.args(["-man", "-Kutf8", "-Tutf8", "-ww", "-z"]).arg(&page).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(said.is_empty() && ran.status.success(), "{}: {said}", page.display());
    }
}
