//! What a terminal shows of `torr seed PATH`.

use super::Scene;
use super::party::bytes;
use super::pty::Terminal;
use super::terminal::watch;

#[test]
fn the_code_is_seen_whole_on_a_common_terminal_and_left_out_with_a_word_elsewhere() {
    let scene = Scene::new();
    scene.write("photos/x", bytes(100));
    let arguments = ["seed", "photos", "--bind", "127.0.0.1", "-p", "55502", "--until", "3s"];
    let mut terminal = Terminal::torr(&scene, &arguments, 24, 80);
    terminal.wait_for(" seeding: no peer is asking for data");
    let seen = terminal.contents();
    let corners = |line: &str| line.matches("█▀▀▀▀▀█").count();
    assert!(seen.lines().nth(2).is_some_and(|line| corners(line) >= 2), "{seen}");
    assert!(seen.lines().skip(3).any(|line| corners(line) >= 1), "{seen}");
    // Two rows of white above, or readers do not find it.
    assert!(seen.lines().next().is_some_and(|line| line.trim().is_empty()), "{seen}");
    assert!(String::from_utf8_lossy(&terminal.bytes).contains("\u{1b}[30;107m"));
    // It may have gone by between two looks at the screen.
    let all = String::from_utf8_lossy(&terminal.bytes);
    assert!(all.contains("On the other machine:") && all.contains("torr get 'magnet:?xt=urn:btih:"), "{all}");
    assert_eq!(terminal.end(), 0);

    for (rows, columns, flags, word) in [
        (20, 80, &[][..], "no QR code: it needs 24 rows and there are 20"),
        (40, 40, &[], "no QR code: it takes 45 columns"),
        (40, 80, &["--ascii"], "no QR code: it cannot be drawn in ASCII"),
        (40, 80, &["--qr", "never"], "this machine only"),
    ] {
        let seen = watch(&scene, &[&arguments[..7], &["1s"], flags].concat(), rows, columns);
        let all = seen.frames.concat();
        assert!(all.replace('\n', "").contains(&word.replace('\n', "")), "{all}");
        assert!(!all.contains("█▀▀▀▀▀█") && (word.starts_with("this") || !all.contains('▄')), "{all}");
        assert_eq!(seen.code, 0);
    }
}

#[test]
fn where_not_all_fits_the_code_and_the_command_are_seen() {
    let scene = Scene::new();
    scene.write("photos/x", bytes(100));
    let arguments = ["seed", "photos", "--bind", "127.0.0.1", "-p", "55503", "--until", "3s"];
    for (rows, code_first) in [(30, true), (40, false)] {
        let mut terminal = Terminal::torr(&scene, &arguments, rows, 80);
        terminal.wait_for(" seeding: no peer is asking for data");
        let seen = terminal.contents();
        let at = |text: &str| {
            seen.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{seen}"))
        };
        let (code, command) = (at("█▀▀▀▀▀█"), at("torr get 'magnet:?xt=urn:btih:"));
        assert_eq!(code < command, code_first, "{seen}");
        assert!(seen.matches("█▀▀▀▀▀█").count() >= 3, "{seen}");
        assert_eq!(terminal.end(), 0);
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
    assert!(all.contains(" they may hold a key of yours; --tracker\n URL puts one in.\n"), "{all}");
    assert_eq!(seen.code, 0);
}
