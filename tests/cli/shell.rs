//! The frame of the command line: the tree of commands, help, version, and what is typed wrongly.

use std::process::Stdio;

use super::typed::typed;
use super::{Scene, unread};
use crate::support::schema;

/// The commands that help lists, by the words that call them; those of a command come behind it.
pub fn commands(scene: &Scene) -> Vec<String> {
    let help = scene.run(&["help"]).out;
    let lines = help.lines().skip_while(|line| *line != "Transfer:").take_while(|line| *line != "Flags:");
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    names.flat_map(|name| [vec![name.to_owned()], nested(scene, name)].concat()).collect()
}

fn nested(scene: &Scene, name: &str) -> Vec<String> {
    let help = scene.run(&[name, "-h"]).out;
    let lines =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What is said of a command may go on in the next line, further to the right.
    let names = lines.filter(|line| line.chars().nth(2).is_some_and(|c| c != ' '));
    names.filter_map(|line| line.split_whitespace().next()).map(|word| format!("{name} {word}")).collect()
}

#[test]
fn the_tree_is_told_in_groups() {
    let scene = Scene::new();
    let help = scene.run(&["--help"]).out;
    let at = |text: &str| help.find(text).unwrap_or_else(|| panic!("{text}: {help}"));
    let groups =
        ["\nTransfer:\n", "\nTorrent files:\n", "\nService:\n", "\nHelp:\n", "\nFlags:\n", "\nExamples:\n"];
    assert!(groups.map(at).is_sorted(), "{help}");
    assert!(at("\n  create ") > at("\nTorrent files:") && at("\n  create ") < at("\nService:"));
    assert!(help.contains("(also: download)") && !help.contains("  open "), "{help}");
    let commands = commands(&scene);
    for name in
        ["get", "seed", "create", "show", "verify", "tracker", "register", "completions", "man", "help"]
    {
        assert!(commands.iter().any(|known| known == name), "{name}: {commands:?}");
    }
}

#[test]
fn short_help_is_short_and_long_help_is_the_same_everywhere() {
    let scene = Scene::new();
    let top = scene.run(&["-h"]).out;
    assert!(!top.contains("--state-dir") && top.matches("\n  torr ").count() == 3, "{top}");
    for command in commands(&scene) {
        let words: Vec<&str> = command.split(' ').collect();
        let (short, long) =
            (scene.run(&[&words[..], &["-h"]].concat()), scene.run(&[&words[..], &["--help"]].concat()));
        assert_eq!((short.code, long.code), (0, 0), "{command}");
        assert!(short.out.len() < long.out.len(), "{command}");
        assert!(long.out.contains("--state-dir") && !short.out.contains("--state-dir"), "{command}");
        assert_eq!(scene.run(&[&["help"][..], &words].concat()).out, long.out, "{command}");
        for text in [&short.out, &long.out] {
            assert!(text.lines().all(|line| line.chars().count() <= 120), "{command}: {text}");
        }
    }
    assert_eq!(scene.run(&["help", "download"]).out, scene.run(&["help", "get"]).out);
    assert_eq!(scene.run(&["help"]).out, scene.run(&["--help"]).out);
}

#[test]
fn topics_are_no_commands_and_help_is_a_document_for_scripts() {
    let scene = Scene::new();
    for (topic, words) in
        [("exit-codes", "141"), ("environment", "TORR_STATE_DIR"), ("units", "1.5MiB"), ("json", "path_hex")]
    {
        let text = scene.run(&["help", topic]).out;
        assert!(text.contains(words), "{topic}: {text}");
        let told = schema::check_lines(&scene.run(&["help", topic, "--json"]).out);
        assert_eq!((&told[0]["topic"], &told[0]["text"]), (&topic.into(), &text.into()));
    }
    let ascii = scene.run(&["help", "json", "--ascii"]).out;
    assert!(ascii.is_ascii(), "{ascii}");
    for arguments in [&["--json", "--help"][..], &["get", "-h", "--json"], &["help", "get", "--json"]] {
        assert_eq!(schema::check_lines(&scene.run(arguments).out).len(), 1, "{arguments:?}");
    }
}

#[test]
fn the_version_says_what_it_was_built_with() {
    let scene = Scene::new();
    let line = concat!("torr ", env!("CARGO_PKG_VERSION"), "\n");
    for arguments in [&["version"][..], &["--version"], &["-V"]] {
        assert_eq!(scene.run(arguments).out, line);
    }
    let details = scene.run(&["version", "-v"]).out;
    for row in [
        concat!("version\t", env!("CARGO_PKG_VERSION"), "\n"),
        "\nlicence\tMIT OR Apache-2.0\n",
        "\nrustc\t1.",
    ] {
        assert!(details.contains(row), "{details}");
    }
    for arguments in [&["version", "--json"][..], &["-V", "--json"]] {
        let told = schema::check_lines(&scene.run(arguments).out);
        assert!(told[0]["target"].as_str().is_some_and(|target| target.contains(std::env::consts::ARCH)));
    }
}

#[test]
fn what_could_be_a_torrent_is_for_the_view_to_come() {
    let scene = Scene::new();
    for (word, shown) in [
        ("magnet:?xt=urn:btih:abc&dn=x", "'magnet:?xt=urn:btih:abc&dn=x'"),
        ("https://x.example/a", "https://x.example/a"),
        ("http://x.example", "http://x.example"),
        ("a.torrent", "a.torrent"),
        ("folder/a", "folder/a"),
    ] {
        let ran = scene.run(&[word]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{word}");
        let hint = format!(
            "error: the full-screen view is not available yet\nhint:  to download: torr get {shown}\n"
        );
        assert_eq!(ran.err, hint);
    }
    // What may become a command one day is none of them.
    assert!(scene.run(&["photos"]).err.contains("unknown command 'photos'"));
}

#[test]
fn a_slip_is_met_with_a_guess() {
    let scene = Scene::new();
    for (arguments, words) in [
        (&["veryfy"][..], "hint:  did you mean: torr verify"),
        (&["version", "--jsn"], "hint:  did you mean: --json"),
        (&["version", "--color", "alwys"], "hint:  did you mean: always; there are auto, always, never"),
        (&["version", "--jobs", "3"], "hint:  it is a flag of torr get"),
        (&["version", "--no-such"], "hint:  usage: torr version"),
        (&["completions", "fsh"], "hint:  did you mean: fish; there are bash, zsh"),
        (&["daemon"], "error: torr daemon is not available yet"),
    ] {
        let ran = scene.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.contains(words), "{arguments:?}: {}", ran.err);
        let mut json = arguments.to_vec();
        json.push("--json");
        let told = schema::check_lines(&scene.run(&json).out);
        assert_eq!((told.len(), &told[0]["code"]), (1, &2.into()), "{arguments:?}");
        let mut colours = scene.command(arguments);
        let out = colours.args(["--color", "always"]).stdin(Stdio::null()).output().unwrap();
        assert!(
            arguments.contains(&"--color") || out.stderr.starts_with(b"\x1b[31merror:\x1b[0m"),
            "{arguments:?}"
        );
    }
}

#[test]
fn on_a_terminal_nothing_asked_is_short_help() {
    let scene = Scene::new();
    let (screen, code) = typed(&scene, &[], &[("COLUMNS", "80")], &[]);
    assert_eq!(code, 0);
    assert!(screen.contains("torr demo"), "{screen}");
}

#[test]
fn questions_are_for_those_who_can_answer() {
    let scene = Scene::new();
    let (screen, code) = typed(&scene, &["register", "--no-input"], &[], &[]);
    assert_eq!(code, 2, "{screen}");
    assert!(screen.contains("-y answers yes"), "{screen}");
}

#[test]
fn an_end_without_readers_is_quiet() {
    let scene = Scene::new();
    for arguments in
        [&["help", "get"][..], &["version"], &["completions", "bash"], &["man"], &["get", "-h"], &["-V"]]
    {
        let mut command = scene.command(arguments);
        let writer = unread();
        let err = writer.try_clone().unwrap();
        let both = command.stdin(Stdio::null()).stdout(writer).stderr(err).status().unwrap();
        assert_eq!(both.code(), Some(141), "{arguments:?}");
    }
}
