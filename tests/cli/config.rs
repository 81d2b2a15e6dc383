//! Configuration: layers, problems, and `torr config`.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use super::{Ran, Scene};
use crate::support::schema;

const FILE: &str = ".config/torr/config.toml";

impl Scene {
    fn config(&self, text: &str) {
        self.write(FILE, text);
    }

    fn file(&self) -> String {
        fs::read_to_string(self.path().join(FILE)).unwrap()
    }

    fn with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        Self::ran(&mut command)
    }
}

/// The one document that a run printed, which agrees with its schema.
fn document(ran: &Ran) -> serde_json::Value {
    let mut documents = schema::check_lines(&ran.out);
    assert_eq!(documents.len(), 1, "{}", ran.out);
    documents.remove(0)
}

#[test]
fn no_file_is_needed_and_none_is_written() {
    let scene = Scene::new();
    scene.photos();
    for line in
        [&["config", "show"][..], &["config", "check"], &["config", "path"], &["get", "photos.torrent", "-q"]]
    {
        let ran = scene.run(line);
        assert_eq!(ran.code, 0, "{line:?} {}", ran.err);
    }
    assert!(!scene.path().join(".config").exists());
    let ran = scene.run(&["config", "shwo"]);
    assert!(ran.code == 2 && ran.err.contains("did you mean: torr config show"), "{}", ran.err);
    assert_eq!(scene.run(&["config"]).code, 2);
}

#[test]
fn every_layer_is_stronger_than_the_next_and_is_named() {
    let scene = Scene::new();
    scene.config("[limits]\ndown = \"1M\"\nup = \"1M\"\n\n[profile.work.limits]\nup = \"7M\"\n");
    scene.write("torr.toml", "limits.down = \"3M\"\n");
    let of = |variables: &[(&str, &str)], flags: &[&str], key: &str| {
        let line: Vec<&str> = flags.iter().copied().chain(["config", "get", key, "--json"]).collect();
        let document = document(&scene.with(variables, &line));
        let origin = &document["origin"];
        let place = origin["name"]
            .as_str()
            .or(origin["path"].as_str())
            .unwrap_or("")
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned();
        (document["amount"].as_u64().map(|rate| rate >> 20), place, origin["line"].as_u64())
    };
    let file = |rate, name: &str, line| (Some(rate), name.to_owned(), Some(line));
    assert_eq!(of(&[], &[], "limits.down"), file(1, "config.toml", 2));
    // A file beside us counts only when it is given.
    assert_eq!(of(&[], &["-C", "torr.toml"], "limits.down"), file(3, "torr.toml", 1));
    assert_eq!(of(&[], &["-C", "torr.toml"], "limits.up"), file(1, "config.toml", 3));
    let variable = (Some(5), "TORR_LIMITS_DOWN".to_owned(), None);
    assert_eq!(of(&[("TORR_LIMITS_DOWN", "5M")], &["-C", "torr.toml"], "limits.down"), variable);
    assert_eq!(of(&[("TORR_LIMITS_DOWN", "5M")], &["--no-config"], "limits.down"), variable);
    assert_eq!(of(&[], &["--no-config"], "limits.down"), (None, String::new(), None));
    assert_eq!(of(&[], &["--profile", "work"], "limits.up"), file(7, "config.toml", 6));
    assert_eq!(of(&[("TORR_PROFILE", "work")], &[], "limits.up"), file(7, "config.toml", 6));
    assert_eq!(of(&[("TORR_PROFILE", "work")], &[], "limits.down"), file(1, "config.toml", 2));
    let other = scene.path().join("torr.toml").display().to_string();
    assert_eq!(of(&[("TORR_CONFIG", &other)], &[], "limits.down"), file(3, "torr.toml", 1));
    assert_eq!(of(&[("TORR_CONFIG", &other)], &[], "limits.up"), (None, String::new(), None));
    let elsewhere = scene.path().join(".config/torr").display().to_string();
    assert_eq!(of(&[("XDG_CONFIG_HOME", &elsewhere)], &[], "limits.down"), (None, String::new(), None));
}

#[test]
fn an_unknown_key_is_a_warning_and_the_program_starts() {
    let scene = Scene::new();
    scene.photos();
    scene.config("[limits]\n# fast\ndwn = \"1M\"\ndownload = \"900K\"\n");
    let ran = scene.run(&["get", "photos.torrent"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains("config.toml:3: there is no key limits.dwn; did you mean limits.down?"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("config.toml:4: limits.download is written limits.down"), "{}", ran.err);
    assert_eq!(scene.run(&["config", "get", "limits.down"]).out, "900K\n");
    let ran = scene.run(&["--profile", "wrok", "config", "show", "-q"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn a_wrong_value_ends_whatever_needs_it() {
    let scene = Scene::new();
    scene.photos();
    scene.config("[network]\nencryption = \"always\"\nport = \"x\"\n");
    for line in [&["get", "photos.torrent"][..], &["seed", "photos.torrent"], &["config", "show"]] {
        let ran = scene.run(line);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line:?}");
        assert!(ran.err.contains("config.toml:2: network.encryption cannot be \"always\""), "{}", ran.err);
        assert!(ran.err.contains("write prefer, require or off; 1 more"), "{}", ran.err);
    }
    // What does not need it does not mind.
    assert_eq!(scene.run(&["show", "photos.torrent"]).code, 0);
    let ran = scene.run(&["get", "photos.torrent", "--json"]);
    assert_eq!((ran.code, document(&ran)["kind"].as_str()), (2, Some("config")));
    assert_eq!(scene.run(&["get", "photos.torrent", "--no-config", "-q"]).code, 0);
    let ran = scene.with(&[("TORR_NETWORK_PORT", "66000")], &["get", "photos.torrent", "--no-config"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("TORR_NETWORK_PORT: network.port cannot be '66000'"), "{}", ran.err);
    scene.config("");
    let ran = scene.run(&["-C", "none.toml", "get", "photos.torrent"]);
    assert!(ran.code == 2 && ran.err.contains("none.toml: there is no such file"), "{}", ran.err);
}

#[test]
fn check_tells_everything_that_is_wrong() {
    let scene = Scene::new();
    scene.config("dht = false\n[limits]\ndown = 200\n[profile.x.ui]\nfps = 1000\n");
    let ran = scene.run(&["config", "check", "--json"]);
    let told = document(&ran);
    assert_eq!(
        (ran.code, &told["ok"], &told["errors"], &told["warnings"]),
        (2, &false.into(), &2.into(), &1.into())
    );
    let lines: Vec<u64> =
        told["problems"].as_array().unwrap().iter().map(|p| p["origin"]["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [1, 3, 5]);
    let ran = scene.run(&["config", "check"]);
    assert_eq!((ran.code, ran.out.lines().count()), (2, 3));
    let fields: Vec<&str> = ran.out.lines().nth(1).unwrap().split('\t').collect();
    assert_eq!((fields[0], fields[2]), ("error", "limits.down cannot be 200"));
    assert!(fields[1].ends_with("config.toml:3") && fields[3].contains("write 200K"), "{fields:?}");
    assert!(ran.err.contains("2 errors, 1 warning"), "{}", ran.err);

    scene.config("dht = false\n");
    assert_eq!(scene.run(&["config", "check"]).code, 0, "warnings alone are no failure");
    scene.config("[limits\n");
    let ran = scene.run(&["config", "check", "--json"]);
    assert_eq!((ran.code, &document(&ran)["problems"][0]["origin"]["line"]), (2, &1.into()));
    scene.write(FILE, b"\xff\xfe\0");
    assert_eq!(scene.run(&["config", "check"]).code, 2);
}

#[test]
fn show_and_path_tell_what_is_in_use() {
    let scene = Scene::new();
    scene.config("[limits]\ndown = \"1M\"\n");
    let all = document(&scene.run(&["config", "show", "--json"]));
    let settings = all["settings"].as_array().unwrap();
    assert!(settings.iter().all(|setting| setting["used"] == true), "{settings:?}");
    let plain = scene.run(&["config", "show"]);
    assert_eq!(plain.out.lines().count(), settings.len());
    let line = plain.out.lines().find(|line| line.starts_with("limits.down\t")).unwrap();
    assert_eq!(line, format!("limits.down\t1M\tnone\t{}:2", scene.path().join(FILE).display()));

    let paths = document(&scene.run(&["config", "path", "--json", "--profile", "work", "-C", "x.toml"]));
    let of = |what: &str| {
        let found = paths["paths"].as_array().unwrap().iter().find(|path| path["what"] == what).unwrap();
        (PathBuf::from(found["path"].as_str().unwrap()), found["exists"].as_bool().unwrap())
    };
    assert_eq!(of("user_config"), (scene.path().join(FILE), true));
    assert!(!of("given_config").1);
    assert_eq!(of("state"), (scene.path().join(".local/state/torr/profiles/work"), false));
}

#[test]
fn set_keeps_what_else_stands_there() {
    let scene = Scene::new();
    let ran = scene.run(&["config", "set", "limits.down", "2M", "--json"]);
    let told = document(&ran);
    assert_eq!(
        (ran.code, &told["created"], &told["in_force"]),
        (0, &true.into(), &true.into()),
        "{}",
        ran.err
    );
    assert_eq!(scene.file(), "[limits]\ndown = \"2M\"\n");

    let text = "# mine\n[limits] # all\nup   = \"1M\"   # slow\n\n# last\n[ui]\nmouse = true\n";
    scene.config(text);
    assert_eq!(scene.run(&["config", "set", "limits.up", "none"]).code, 0);
    assert_eq!(scene.file(), text.replace("\"1M\"", "\"none\""));
    assert_eq!(scene.run(&["config", "set", "ui.notify", "toast", "bell"]).code, 0);
    assert!(scene.file().contains("notify = [\"toast\", \"bell\"]\n"), "{}", scene.file());
    assert_eq!(scene.run(&["--profile", "night", "config", "set", "limits.down", "10M"]).code, 0);
    assert!(scene.file().ends_with("\n[profile.night.limits]\ndown = \"10M\"\n"), "{}", scene.file());
    assert_eq!(scene.run(&["-C", "own.toml", "config", "set", "network.ipv6", "off"]).code, 0);
    assert_eq!(fs::read_to_string(scene.path().join("own.toml")).unwrap(), "[network]\nipv6 = false\n");

    let before = scene.file();
    for (line, told) in [
        (&["limits.down", "200"][..], "write 200K"),
        (&["limits.down", "1M", "2M"], "as one word"),
        (&["limits.dwn", "1M"], "did you mean limits.down?"),
        (&["limits.download", "1M"], "did you mean limits.down?"),
        (&["ui.graph", "pie"], "write block, braille, ascii or off"),
    ] {
        let line: Vec<&str> = ["config", "set"].iter().chain(line).copied().collect();
        let ran = scene.run(&line);
        assert!(ran.code == 2 && ran.err.contains(told), "{line:?} {}", ran.err);
    }
    assert_eq!(scene.file(), before, "nothing wrong is written");
    let ran = scene.with(&[("TORR_LIMITS_UP", "5M")], &["config", "set", "limits.up", "6M", "--json"]);
    assert_eq!(document(&ran)["in_force"], false);
    assert!(ran.err.contains("TORR_LIMITS_UP is stronger: there it is \"5M\""), "{}", ran.err);
}

#[test]
fn init_writes_every_key_that_is_used_once() {
    let scene = Scene::new();
    assert_eq!(scene.run(&["config", "init"]).out, format!("{}\n", scene.path().join(FILE).display()));
    assert_eq!(scene.run(&["config", "check"]).code, 0);
    let all = document(&scene.run(&["config", "show", "--json"]));
    for setting in all["settings"].as_array().unwrap() {
        assert_eq!(setting["value"], setting["default"]);
        assert_eq!(setting["origin"]["kind"], "file", "{setting}");
        assert_eq!(setting["used"], true, "{setting}");
    }
    scene.photos();
    let ran = scene.run(&["get", "photos.torrent"]);
    assert_eq!(ran.code, 0, "its values are those of no file at all");
    assert!(!ran.err.contains("warning"), "{}", ran.err);

    scene.config("# mine\n");
    let ran = scene.run(&["config", "init"]);
    assert!(ran.code == 5 && ran.err.contains("--force"), "{}", ran.err);
    assert_eq!(scene.file(), "# mine\n");
    let told = document(&scene.run(&["config", "init", "--force", "--json"]));
    assert_eq!(fs::read_to_string(told["backup"].as_str().unwrap()).unwrap(), "# mine\n");
    assert!(scene.file().contains("[seeding]"));
}

#[test]
fn a_key_without_effect_is_a_warning() {
    let scene = Scene::new();
    scene.photos();
    scene.config("[network]\nencryption = \"prefer\"\nutp = false\n[ui]\nmouse = true\nfps = 9\n");
    let ran = scene.run(&["get", "photos.torrent"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let told = "config.toml:2: network.encryption and 2 other keys have no effect in this version";
    assert_eq!(ran.err.matches("effect").count(), 1, "{}", ran.err);
    assert!(ran.err.contains(told) && ran.err.contains("'torr config check' lists them"), "{}", ran.err);
    let told = document(&scene.run(&["config", "check", "--json"]));
    assert_eq!((&told["ok"], &told["warnings"]), (&true.into(), &3.into()));
    let keys: Vec<_> = told["problems"].as_array().unwrap().iter().map(|problem| &problem["key"]).collect();
    assert_eq!(keys, ["network.encryption", "ui.fps", "ui.mouse"]);
    let shown = scene.run(&["config", "show", "-q"]);
    assert!(shown.out.contains("ui.mouse\t") && !shown.out.contains("ui.theme\t"), "{}", shown.out);

    scene.config("network.proxy = \"socks5://me:secret@h:1\"\n");
    let ran = scene.run(&["config", "check"]);
    assert!(
        ran.code == 0 && ran.out.contains("network.proxy is not available in this version"),
        "{}",
        ran.out
    );
    for line in [&["get", "photos.torrent"][..], &["dht", "bootstrap"]] {
        let ran = scene.run(line);
        assert!(ran.code == 2 && !ran.err.contains("warning"), "{}", ran.err);
        assert!(ran.err.contains("config.toml:1) is not available yet"), "{}", ran.err);
    }
    let ran = scene.run(&["config", "set", "ui.mouse", "on"]);
    assert!(ran.code == 0 && ran.err.contains("ui.mouse has no effect in this version"), "{}", ran.err);
}

#[test]
fn migrate_corrects_names_and_keeps_the_old_file() {
    let scene = Scene::new();
    let text = "# mine\n[limits]\ndownload = \"1M\"  # fast\nupload = \"1M\"\nup = \"2M\"\n";
    scene.config(text);
    let ran = scene.run(&["config", "migrate", "--json"]);
    let told = document(&ran);
    assert_eq!((ran.code, told["renamed"].as_array().unwrap().len()), (1, 2), "{}", ran.err);
    assert_eq!(scene.file(), text.replace("download", "down"));
    assert_eq!(fs::read_to_string(scene.path().join(".config/torr/config.toml.bak")).unwrap(), text);
    scene.config(&scene.file().replace("upload = \"1M\"\n", ""));
    let ran = scene.run(&["config", "migrate"]);
    assert!(ran.code == 0 && ran.err.contains("nothing to do"), "{}", ran.err);
    assert!(!scene.path().join(".config/torr/config.toml.bak.1").exists());
}

#[test]
fn flags_of_what_is_to_come_are_refused_unless_they_switch_off() {
    let scene = Scene::new();
    scene.photos();
    for flags in [
        &["--upnp"][..],
        &["--proxy", "socks5://h:1"],
        &["--encryption=require"],
        &["--web-seed", "http://h/"],
    ] {
        let line: Vec<&str> = ["get", "photos.torrent", "--json"].iter().chain(flags).copied().collect();
        let ran = scene.run(&line);
        assert_eq!((ran.code, document(&ran)["kind"].as_str()), (2, Some("not_available")), "{flags:?}");
    }
    let ran = scene.run(&[
        "get",
        "photos.torrent",
        "-q",
        "--dht",
        "--no-dht",
        "--no-pex",
        "--no-utp",
        "--encryption",
        "off",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = scene.run(&["seed", "photos.torrent", "--bind", "torr-none"]);
    assert!(ran.code == 2 && ran.err.contains("network interface not found: 'torr-none'"), "{}", ran.err);
    scene.config("network.bind = \"torr-none\"\n");
    assert_eq!(scene.run(&["get", "photos.torrent"]).code, 2, "torr uses no other interface");
    assert_eq!(scene.run(&["get", "photos.torrent", "-q", "--bind", "lo"]).code, 0);
    for rate in ["1", "999", "0.5"] {
        let ran = scene.run(&["get", "photos.torrent", "--up", rate]);
        assert!(ran.code == 2 && ran.err.contains("bytes per second?"), "{}", ran.err);
    }
}

#[test]
fn edit_needs_a_terminal() {
    let scene = Scene::new();
    let ran = scene.with(&[("EDITOR", "true")], &["config", "edit"]);
    assert!(ran.code == 2 && ran.err.contains("torr config set KEY VALUE"), "{}", ran.err);
    assert!(!scene.path().join(".config").exists());
}

/// Runs `torr config edit` on a terminal, with an editor that appends the next of these texts each time
/// and this typed when it asks. Returns what was shown and the exit code.
fn edit(scene: &Scene, texts: &[&str], answer: &str) -> (String, u32) {
    for (at, text) in texts.iter().enumerate() {
        scene.write(&format!("edit{at}"), text);
    }
    scene.write("turn", "0");
    scene.write(
        "editor",
        "turn=$(cat turn); cat \"edit$turn\" > \"$2\"; echo $((turn + 1)) > turn; test \"$1\" = --wait",
    );
    let pair = native_pty_system()
        .openpty(PtySize { rows: 24, cols: 200, pixel_width: 0, pixel_height: 0 })
        .unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_torr"));
    command.env_clear();
    command.cwd(scene.path());
    command.args(["config", "edit"]);
    for (name, value) in
        [("LANG", "C.UTF-8"), ("TERM", "xterm"), ("PATH", "/usr/bin:/bin"), ("VISUAL", "sh editor --wait")]
    {
        command.env(name, value);
    }
    command.env("HOME", scene.path());
    command.env("TMPDIR", scene.path());
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut keyboard = pair.master.take_writer().unwrap();
    // A terminal keeps what is typed before anybody reads it.
    keyboard.write_all(answer.as_bytes()).unwrap();
    let mut reader = pair.master.try_clone_reader().unwrap();
    let (mut shown, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(len @ 1..) = reader.read(&mut chunk) {
        shown.extend_from_slice(&chunk[..len]);
    }
    (String::from_utf8_lossy(&shown).into_owned(), child.wait().unwrap().exit_code())
}

#[test]
fn edit_saves_what_is_right_and_nothing_else() {
    let scene = Scene::new();
    let good = "# mine\n[limits]\ndown = \"1M\"\n";
    let (shown, code) = edit(&scene, &["[limits]\ndown = 200\n", good], "y\n");
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("error: line 2: limits.down cannot be 200") && shown.contains("Edit again?"),
        "{shown}"
    );
    assert_eq!(scene.file(), good);

    let (shown, code) = edit(&scene, &["[limits\n"], "n\n");
    assert_eq!((code, scene.file().as_str()), (2, good), "{shown}");
    let kept = shown.split("is kept in ").nth(1).unwrap_or_else(|| panic!("{shown}")).trim();
    assert_eq!(fs::read_to_string(kept).unwrap(), "[limits\n");
    fs::remove_dir_all(PathBuf::from(kept).parent().unwrap()).unwrap();

    let (shown, code) = edit(&scene, &[good], "");
    assert!(code == 0 && shown.contains("nothing is changed"), "{shown}");
    let left = fs::read_dir(scene.path()).unwrap().flatten();
    assert!(
        !left.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with("torr-config-"))
    );
}
