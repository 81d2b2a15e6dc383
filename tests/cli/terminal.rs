//! Progress on a real terminal: drawn, redrawn, and gone at the end.

use std::io::Read;
use std::sync::mpsc;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use super::Scene;
use super::party::{PATIENCE, Party};

/// What a terminal showed, from the first frame to the last, and the exit code.
pub struct Seen {
    frames: Vec<String>,
    pub code: u32,
}

impl Seen {
    pub fn last(&self) -> &str {
        self.frames.last().map_or("", String::as_str)
    }

    fn ever(&self, text: &str) -> bool {
        self.frames.iter().any(|frame| frame.contains(text))
    }
}

/// Runs the program with all its streams on a terminal of this size.
pub fn watch(scene: &Scene, arguments: &[&str], rows: u16, columns: u16) -> Seen {
    watch_with(scene, arguments, rows, columns, &[])
}

/// The same with these variables in the environment.
pub fn watch_with(
    scene: &Scene,
    arguments: &[&str],
    rows: u16,
    columns: u16,
    environment: &[(&str, &str)],
) -> Seen {
    let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_torr"));
    command.env_clear();
    command.cwd(scene.path());
    command.args(arguments);
    for (name, value) in [("LANG", "C.UTF-8"), ("TERM", "xterm"), ("TZ", "UTC")] {
        command.env(name, value);
    }
    command.env("HOME", scene.path());
    for (name, value) in environment {
        command.env(name, value);
    }
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let (send, chunks) = mpsc::channel();
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        // A terminal whose last program has ended gives an error instead of an end.
        while let Ok(len @ 1..) = reader.read(&mut chunk) {
            if send.send(chunk[..len].to_vec()).is_err() {
                break;
            }
        }
    });
    let mut screen = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
    let mut frames = Vec::new();
    loop {
        match chunks.recv_timeout(PATIENCE) {
            Ok(chunk) => {
                screen.process(&chunk);
                frames.push(screen.screen().contents());
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                child.kill().unwrap();
                panic!("nothing happens any more: {frames:?}");
            }
        }
    }
    Seen { frames, code: child.wait().unwrap().exit_code() }
}

#[test]
fn a_bar_is_drawn_and_gives_way_to_the_story() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 1_500_000);
    party.seed(&["x.bin"]);
    let get = |state: &str, rows, columns| {
        let (folder, state) = (format!("got-{state}"), format!("state-{state}"));
        let arguments = [
            "get",
            "x.bin.torrent",
            "-o",
            &folder,
            "--bind",
            "127.0.0.1",
            "--state-dir",
            &state,
            "--down",
            "1M",
            "--timeout",
            "30s",
        ];
        let seen = watch(&party.scene, &arguments, rows, columns);
        assert_eq!(seen.code, 0, "{}", seen.last());
        assert!(party.read(&format!("{folder}/x.bin")) == bytes);
        seen
    };

    let wide = get("wide", 24, 80);
    assert!(
        wide.ever("of 1.43 MiB") && wide.ever("↓ ") && wide.ever("1 peer, 1 of them a seed"),
        "{:#?}",
        wide.frames
    );
    let lines: Vec<&str> = wide.last().lines().collect();
    assert_eq!(lines.len(), 2, "{}", wide.last());
    assert!(lines[0].starts_with("✓ x.bin  1.43 MiB in "), "{}", wide.last());
    assert!(lines[0].ends_with("every piece verified"), "{}", wide.last());
    assert!(
        lines[1].starts_with("  saved in got-wide.  Not seeding; to give back:  torr seed x.bin.torrent -o")
    );

    // The lines that stay may be broken by the terminal, the live ones never are, or they would leave parts behind.
    let narrow = get("narrow", 12, 20);
    assert!(narrow.ever(" % "), "{:#?}", narrow.frames);
    let last = narrow.last().replace('\n', "");
    assert!(last.starts_with("✓ x.bin") && !last.contains(" % "), "{}", narrow.last());
    assert_eq!(last.matches("x.bin").count(), 2, "{}", narrow.last());
}

#[test]
fn several_have_a_line_each_and_a_total() {
    let mut party = Party::new();
    party.make("one.bin", 700_000);
    party.make("two.bin", 800_000);
    party.seed(&["one.bin", "two.bin"]);
    let arguments = [
        "get",
        "one.bin.torrent",
        "two.bin.torrent",
        "-o",
        "got",
        "--bind",
        "127.0.0.1",
        "--state-dir",
        "s",
        "--down",
        "1M",
        "--timeout",
        "30s",
    ];
    let seen = watch(&party.scene, &arguments, 24, 80);
    assert_eq!(seen.code, 0, "{}", seen.last());
    assert!(seen.ever("  total  0 of 2 done") && seen.ever("of 1.43 MiB"), "{:#?}", seen.frames);
    assert!(!seen.last().contains("total") && seen.last().matches('✓').count() == 2, "{}", seen.last());
}

#[test]
fn the_demo_adds_up() {
    let scene = Scene::new();
    let seen = watch(&scene, &["demo", "--size", "8M"], 24, 80);
    assert_eq!(seen.code, 0, "{}", seen.last());
    let last = seen.last();
    assert!(last.contains("every byte is as it was sent") && !last.contains("↓"), "{last}");
    for name in ["ann", "bob", "eve"] {
        assert_eq!(last.matches(&format!("\n  {name}  gave ")).count(), 1, "{last}");
    }
    for line in last.lines() {
        assert!(line.chars().count() < 80, "{line}");
    }
    // The times before each line only grow.
    let times: Vec<f64> =
        last.lines().filter_map(|line| line.split_once(" s  ")?.0.trim().parse().ok()).collect();
    assert!(times.len() >= 4 && times.is_sorted(), "{last}");

    let told = scene.run(&["demo", "--size", "8M", "--json"]);
    assert_eq!(told.code, 0, "{}", told.err);
    let done = told.json().pop().unwrap();
    let gave: u64 = done["gave"].as_array().unwrap().iter().filter_map(serde_json::Value::as_u64).sum();
    let (size, wasted) = (done["size"].as_u64().unwrap(), done["wasted"].as_u64().unwrap());
    // What was sent and had not arrived when its sender left is given too; a block that was cut in its
    // middle is waste for who got its half, and was not given.
    let halves = 3 * (16 << 10);
    assert!(gave >= size && gave + halves >= size + wasted && gave <= size + wasted + (4 << 20), "{done}");
}
