//! `torr completions`, read by the shells themselves.

use std::process::Command;

use super::Scene;
use crate::support::program::installed;
use crate::support::schema;

/// Each shell, the program that reads its scripts and the flags with which it only looks at them.
const SHELLS: [(&str, &str, &[&str]); 6] = [
    ("bash", "bash", &["--norc", "-n"]),
    ("zsh", "zsh", &["-f", "-n"]),
    ("fish", "fish", &["--no-config", "--no-execute"]),
    ("powershell", "pwsh", &[]),
    // Its editor, for which the script is, is there on a terminal only.
    ("elvish", "elvish", &["-norc"]),
    ("nushell", "nu", &["--no-config-file"]),
];
/// Those that are installed wherever everything is tested.
const EVERYWHERE: [&str; 4] = ["bash", "zsh", "fish", "elvish"];
/// What the editor of elvish gives to a script, as far as completions use it.
const ELVISH_EDITOR: &str = "var edit: = (ns [&completion:=(ns [&arg-completer=[&]]) \
     &complex-candidate~={|text &display='' &code-suffix=''| put $text }])\n";

fn script(scene: &Scene, shell: &str) -> String {
    let ran = scene.run(&["completions", shell]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{shell}");
    ran.out
}

#[test]
fn every_shell_gets_a_script_that_knows_the_commands() {
    let scene = Scene::new();
    for (shell, ..) in SHELLS {
        let script = script(&scene, shell);
        for word in ["verify", "max-peers", "completions"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        let documents = schema::check_lines(&scene.run(&["completions", shell, "--json"]).out);
        assert_eq!((&documents[0]["shell"], &documents[0]["script"]), (&shell.into(), &script.into()));
    }
    let ran = scene.run(&["completions", "tcsh"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("hint:  ") && ran.err.contains("nushell"), "{}", ran.err);
}

#[test]
fn the_shells_find_no_fault() {
    let scene = Scene::new();
    for (shell, program, flags) in SHELLS {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let here = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
        if !here && (!EVERYWHERE.contains(&shell) || installed(program).is_none()) {
            continue;
        }
        let before = if shell == "elvish" { ELVISH_EDITOR } else { "" };
        scene.write(shell, format!("{before}{}", script(&scene, shell)));
        let mut command = Command::new(program);
        command.args(flags).arg(shell).current_dir(scene.path()).env("HOME", scene.path());
        let ran = command.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && said.is_empty(), "{shell}: {said}");
    }
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let Some(bash) = installed("bash") else { return };
    let scene = Scene::new();
    scene.write("torr.bash", script(&scene, "bash"));
    for (words, wanted) in [
        (&["torr", "ver"][..], &["verify", "version"][..]),
        (&["torr", "get", "--in-o"], &["--in-order"]),
        (&["torr", "completions", "z"], &["zsh"]),
        (&["torr", "version", "--color", "ne"], &["never"]),
    ] {
        let last = words.len() - 1;
        let script = format!(
            "source ./torr.bash; COMP_WORDS=({}); COMP_CWORD={last}; _torr torr '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            words[last],
            words[last - 1]
        );
        let mut command = Command::new(&bash);
        let ran = command.args(["--norc", "-c", &script]).current_dir(scene.path()).output().unwrap();
        let out = String::from_utf8_lossy(&ran.stdout);
        let found: Vec<&str> = out.lines().map(str::trim).collect();
        assert_eq!(found, wanted, "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
fn elvish_completes_commands_flags_and_values() {
    let Some(elvish) = installed("elvish") else { return };
    let scene = Scene::new();
    scene.write("torr.elv", format!("{ELVISH_EDITOR}{}", script(&scene, "elvish")));
    // Elvish itself leaves out of what it is given whatever does not begin as the last word does.
    for (words, wanted, not) in [
        (&["torr", "ver"][..], &["verify", "version"][..], &["open", "ctl", "--debug-panic"][..]),
        (&["torr", "get", "--in-o"], &["--in-order", "--jobs"], &["verify"]),
        (&["torr", "config", "s"], &["show", "set"], &["verify"]),
    ] {
        let script = format!(
            "{}\nfor found [($edit:completion:arg-completer[torr] {})] {{ echo $found }}\n",
            std::fs::read_to_string(scene.path().join("torr.elv")).unwrap(),
            words.join(" ")
        );
        scene.write("ask.elv", script);
        let mut command = Command::new(&elvish);
        command.args(["-norc", "ask.elv"]).current_dir(scene.path()).env("HOME", scene.path());
        let ran = command.output().unwrap();
        let out = String::from_utf8_lossy(&ran.stdout);
        let found: Vec<&str> = out.lines().collect();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(wanted.iter().all(|word| found.contains(word)), "{words:?}: {found:?} {said}");
        assert!(!not.iter().any(|word| found.contains(word)), "{words:?}: {found:?}");
    }
}

#[test]
fn no_shell_offers_what_help_does_not_list() {
    let scene = Scene::new();
    for (shell, ..) in SHELLS {
        let script = script(&scene, shell);
        let offered =
            |word: &str| script.split(|c: char| !c.is_alphanumeric() && c != '-').any(|w| w == word);
        for word in ["ctl", "--debug-panic", "debug-panic"] {
            assert!(!offered(word), "{shell}: {word}");
        }
    }
}
