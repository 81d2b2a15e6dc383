//! What a terminal shows of `torr seed PATH`.

use super::Scene;
use super::party::bytes;
use super::pty::Terminal;
use super::terminal::watch;

#[test]
fn the_command_is_always_seen_and_the_code_where_both_fit() {
    let scene = Scene::new();
    scene.write("photos/x", bytes(100));
    let arguments = ["seed", "photos", "--bind", "127.0.0.1", "-p", "55502", "--until", "3s"];
    let mut terminal = Terminal::torr(&scene, &arguments, 30, 80);
    terminal.wait_for(" seeding: no peer is asking for data");
    let seen = terminal.contents();
    let corners = |line: &str| line.matches("█▀▀▀▀▀█").count();
    let first = seen.lines().position(|line| corners(line) >= 2).unwrap_or_else(|| panic!("{seen}"));
    assert!(seen.lines().skip(first + 1).any(|line| corners(line) >= 1), "{seen}");
    // Two rows of white above, or readers do not find it.
    assert!(first >= 2 && seen.lines().nth(first - 2).is_some_and(|line| line.trim().is_empty()), "{seen}");
    assert!(String::from_utf8_lossy(&terminal.bytes).contains("\u{1b}[30;107m"));
    assert!(
        seen.contains("On the other machine:") && seen.contains("torr get 'magnet:?xt=urn:btih:"),
        "{seen}"
    );
    assert_eq!(terminal.end(), 0);

    for (rows, columns, flags, word) in [
        (20, 80, &[][..], "no QR code: it needs 24 rows and there are 20"),
        (24, 80, &[], "no QR code: it needs 28 rows and there are 24"),
        (40, 40, &[], "no QR code: it takes 45 columns"),
        (40, 80, &["--ascii"], "no QR code: it cannot be drawn in ASCII"),
        (40, 80, &["--qr", "never"], "this machine only"),
    ] {
        let seen = watch(&scene, &[&arguments[..7], &["1s"], flags].concat(), rows, columns);
        let all = seen.frames.concat();
        assert!(all.replace('\n', "").contains(&word.replace('\n', "")), "{all}");
        assert!(
            seen.last().contains("torr get 'magnet:")
                && !all.contains("█▀▀▀▀▀█")
                && (word.starts_with("this") || !all.contains('▄')),
            "{all}"
        );
        assert_eq!(seen.code, 0);
    }
}

#[test]
fn sentences_are_broken_between_words() {
    let scene = Scene::new();
    scene.write("photos/x", bytes(100));
    let made = ["create", "photos", "--private", "-t", "http://127.0.0.1:1/key", "-q"];
    assert_eq!(scene.run(&made).code, 0);
    let arguments = ["seed", "photos.torrent", "--bind", "127.0.0.1", "--until", "1s", "--qr", "never"];
    let seen = watch(&scene, &arguments, 24, 80);
    let all = seen.frames.concat();
    assert!(all.contains("which may contain your passkey; --tracker"), "{all}");
    assert_eq!(seen.code, 0);
}
