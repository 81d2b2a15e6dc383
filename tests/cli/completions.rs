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
    ("elvish", "elvish", &["-norc", "-compileonly"]),
    ("nushell", "nu", &["--no-config-file"]),
];
/// Those that are installed wherever everything is tested.
const EVERYWHERE: [&str; 3] = ["bash", "zsh", "fish"];

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
        scene.write(shell, script(&scene, shell));
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
