//! `get --pick` on a real terminal: keys in, a tree on the screen, and the terminal as it was afterwards.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::Scene;
use super::magnets::Given;
use super::party::{Party, TIMEOUT, bytes};
use crate::support::wait::wait_for;

/// The program on a terminal.
struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    chunks: mpsc::Receiver<Vec<u8>>,
    screen: vt100::Parser,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    fn start(scene: &Scene, arguments: &[&str], rows: u16, columns: u16) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_torr"));
        command.env_clear();
        command.cwd(scene.path());
        command.args(arguments);
        for (name, value) in [("LANG", "C.UTF-8"), ("TERM", "xterm"), ("TZ", "UTC"), ("NO_COLOR", "1")] {
            command.env(name, value);
        }
        for (name, value) in super::ALONE {
            command.env(name, value);
        }
        command.env("HOME", scene.path());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (send, chunks) = mpsc::channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(len @ 1..) = reader.read(&mut chunk) {
                if send.send(chunk[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        let screen = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        Self { child, keys: pair.master.take_writer().unwrap(), chunks, screen, _master: pair.master }
    }

    fn text(&mut self) -> String {
        while let Ok(chunk) = self.chunks.try_recv() {
            self.screen.process(&chunk);
        }
        self.screen.screen().contents()
    }

    /// Waits until this is on the screen.
    #[track_caller]
    fn sees(&mut self, what: &str) -> String {
        let found =
            crate::support::wait::poll(TIMEOUT, || Some(self.text()).filter(|text| text.contains(what)));
        found.unwrap_or_else(|| panic!("{what} is never seen:\n{}", self.text()))
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the end; the terminal must be as it was.
    #[track_caller]
    fn ends(&mut self) -> (u32, String) {
        let status = wait_for("the program ends", TIMEOUT, || self.child.try_wait().unwrap());
        // What it wrote last may still be on its way.
        while let Ok(chunk) = self.chunks.recv_timeout(Duration::from_millis(500)) {
            self.screen.process(&chunk);
        }
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor(), "the terminal is not given back");
        (status.exit_code(), screen.contents())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn party() -> Party {
    let mut party = Party::new();
    for (name, len) in [("a.txt", 100_000), ("sub/b.mkv", 200_000), ("sub/c.mkv", 300_000)] {
        party.scene.write(&format!("given/set/{name}"), bytes(len));
    }
    party.torrent("set");
    party.seed(&["set"]);
    party
}

const GET: [&str; 10] = [
    "get",
    "--pick",
    "set.torrent",
    "-o",
    "got",
    "--bind",
    "127.0.0.1",
    "--state-dir",
    "state",
    "--timeout=30s",
];

#[test]
fn what_is_chosen_is_fetched() {
    let party = party();
    let mut terminal = Terminal::start(&party.scene, &GET, 24, 80);
    let screen = terminal.sees("3 of 3 files");
    for part in
        ["Choose files of set", ">[x] ▾ set/", "  [x] ▾ sub/", "[x] b.mkv", "195 KiB", " free", "enter start"]
    {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
    terminal.press("n");
    terminal.sees("0 of 3 files");
    terminal.press("\r");
    terminal.sees("nothing is chosen");
    terminal.press("/c.mk");
    terminal.sees("/c.mk_");
    terminal.press("\ra");
    terminal.sees("filter: c.mk");
    terminal.press("\u{1b}");
    // A lone escape is told from the beginning of a key by the pause behind it.
    let screen = terminal.sees("1 of 3 files");
    assert!(screen.contains("[-] ▾ sub/") || terminal.sees("[-] ▾ sub/").contains("[x] c.mkv"), "{screen}");
    terminal.press("\r");
    let (code, last) = terminal.ends();
    assert_eq!(code, 0, "{last}");
    assert!(last.contains("every piece verified"), "{last}");
    assert!(party.read("got/set/sub/c.mkv") == party.read("given/set/sub/c.mkv"));
    assert!(!party.path("got/set/a.txt").exists() && !party.path("got/set/sub/b.mkv").exists());
}

#[test]
fn the_files_of_links_are_found_before_they_are_chosen() {
    let given = Given::new();
    let (set, film) = (given.link("set") + "&so=1", given.link("film.bin"));
    let arguments =
        ["get", "--pick", &set, &film, "-o", "got", "--bind", "127.0.0.1", "--state-dir", "state"];
    let mut terminal = Terminal::start(&given.party.scene, &arguments, 24, 80);
    // Whichever is found first is chosen from first.
    let names = ["set", "film.bin"].map(|name| format!("Choose files of {name}"));
    let first = terminal.sees("Choose files of ");
    let names = if first.contains(&names[0]) { names } else { [names[1].clone(), names[0].clone()] };
    for name in names {
        let screen = terminal.sees(&name);
        assert!(!name.ends_with("set") || screen.contains("[x] b.mkv"), "{screen}");
        terminal.press("\r");
    }
    let (code, last) = terminal.ends();
    assert_eq!(code, 0, "{last}");
    assert!(last.contains("2 of 2 done"), "{last}");
    for (got, bytes) in [("set/b.mkv", "set/b.mkv"), ("film.bin", "film.bin")] {
        let got = given.party.read(&format!("got/{got}"));
        assert!(got == given.party.read(&format!("given/{bytes}")), "{bytes}");
    }
    assert!(!given.party.path("got/set/a.txt").exists());
}

#[test]
fn a_search_on_a_terminal_says_who_was_asked_and_can_be_left() {
    let scene = Scene::new();
    let link = format!("magnet:?xt=urn:btih:{}&dn=some+name", "ab".repeat(20));
    for flag in ["--pick", "--in-order"] {
        let arguments = ["get", flag, &link, "-o", "got", "--bind", "127.0.0.1"];
        let mut terminal = Terminal::start(&scene, &arguments, 24, 80);
        let screen = terminal.sees("file list");
        assert!(screen.starts_with("some name\n"), "{screen}");
        terminal.press("\u{3}");
        let (code, last) = terminal.ends();
        assert_eq!(code, 130, "{last}");
        assert!(
            last.contains("torr downloaded nothing") || last.contains("before anything started"),
            "{last}"
        );
        assert!(!scene.path().join("got").exists());
    }
}

#[test]
fn who_skips_a_search_keeps_what_was_chosen() {
    let party = party();
    let link = format!("magnet:?xt=urn:btih:{}&dn=nobody", "ab".repeat(20));
    let mut arguments = GET.to_vec();
    arguments.insert(2, &link);
    let mut terminal = Terminal::start(&party.scene, &arguments, 24, 80);
    terminal.sees("Choose files of set");
    terminal.press("\r");
    terminal.sees("file list");
    terminal.press("\u{3}");
    let (code, last) = terminal.ends();
    assert_eq!(code, 1, "{last}");
    assert!(last.contains("skipped nobody, as requested"), "{last}");
    assert!(party.read("got/set/sub/c.mkv") == party.read("given/set/sub/c.mkv"));
}

#[test]
fn leaving_downloads_nothing_and_gives_the_terminal_back() {
    let scene = Scene::new();
    scene.photos();
    let arguments = ["get", "--pick", "photos.torrent", "-o", "got", "--save-torrent"];
    for (way, code) in [("q", 130), ("\u{3}", 130), ("TERM", 143)] {
        let mut terminal = Terminal::start(&scene, &arguments, 8, 20);
        let screen = terminal.sees("3/3  176 KiB");
        assert!(screen.contains("a.bin"), "{screen}");
        if way == "TERM" {
            let id = terminal.child.process_id().unwrap().to_string();
            assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        } else {
            terminal.press(way);
        }
        let (ended, last) = terminal.ends();
        assert_eq!(ended, code, "{way:?}: {last}");
        assert!(last.replace('\n', "").contains("torr downloaded nothing"), "{last}");
        assert!(!scene.path().join("got").exists());
    }
}
