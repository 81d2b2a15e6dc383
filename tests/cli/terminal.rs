//! Progress on a real terminal: drawn, redrawn, and gone at the end.

use super::Scene;
use super::party::Party;
use super::pty::{Terminal, screen};

/// What a terminal showed, from the first frame to the last, and the exit code.
pub struct Seen {
    bytes: Vec<u8>,
    pub frames: Vec<String>,
    pub code: u32,
}

impl Seen {
    pub fn last(&self) -> &str {
        self.frames.last().map_or("", String::as_str)
    }

    fn ever(&self, text: &str) -> bool {
        self.frames.iter().any(|frame| frame.contains(text))
    }

    /// How many times lines were drawn.
    fn drawn(&self) -> usize {
        String::from_utf8_lossy(&self.bytes).matches("\u{1b}[?7l").count()
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
    let mut command = Terminal::command(scene, env!("CARGO_BIN_EXE_torr"));
    command.args(arguments);
    for (name, value) in environment {
        command.env(name, value);
    }
    let mut terminal = Terminal::start(command, rows, columns);
    let code = terminal.end();
    Seen { bytes: terminal.bytes, frames: terminal.frames, code }
}

/// Gets `x.bin` slowly enough to be watched.
fn slowly<'a>(state: &'a str, rate: &'a str) -> Vec<&'a str> {
    let mut arguments =
        vec!["get", "x.bin.torrent", "-o", state, "--state-dir", state, "--bind", "127.0.0.1"];
    arguments.extend(["--down", rate, "--timeout", "30s"]);
    arguments
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
    assert!(wide.ever("of 1.43 MiB") && wide.ever("↓ ") && wide.ever("1 peer, a seed"), "{:#?}", wide.frames);
    let lines: Vec<&str> = wide.last().lines().collect();
    assert_eq!(lines.len(), 2, "{}", wide.last());
    assert!(lines[0].starts_with("✓ x.bin  1.43 MiB in "), "{}", wide.last());
    assert!(lines[0].ends_with("every piece verified"), "{}", wide.last());
    let start = "  saved in got-wide.  Not seeding; to seed:  torr seed ";
    let rest = lines[1].strip_prefix(start).unwrap_or_else(|| panic!("{}", wide.last()));
    let short = rest.strip_suffix(" --state-dir state-wide").unwrap_or_default();
    assert!(short.len() == 6 && short.bytes().all(|b| b.is_ascii_hexdigit()), "{rest}");

    // The lines that stay may be broken by the terminal, the live ones never are, or they would leave parts behind.
    let narrow = get("narrow", 12, 20);
    assert!(narrow.ever(" % "), "{:#?}", narrow.frames);
    let last = narrow.last().replace('\n', "");
    assert!(last.starts_with("✓ x.bin") && !last.contains(" % "), "{}", narrow.last());
    assert_eq!(last.matches("x.bin").count(), 1, "{}", narrow.last());
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
    let last = seen.last();
    assert!(!last.contains("total") && last.matches("every piece verified").count() == 2, "{last}");
    assert!(last.contains("✓ 2 of 2 done  1.43 MiB in "), "{last}");
}

#[test]
fn nothing_flickers() {
    let mut party = Party::new();
    party.make("x.bin", 2_500_000);
    party.seed(&["x.bin"]);
    let seen = watch(&party.scene, &slowly("a", "1M"), 24, 80);
    assert_eq!(seen.code, 0, "{}", seen.last());
    assert!(seen.drawn() > 3, "{}", seen.drawn());
    let text = String::from_utf8_lossy(&seen.bytes).into_owned();
    for bad in ["\u{1b}[2J", "\u{1b}[?25l", "\u{1b}[6n", "\u{1b}[?1049h", "\u{1b}[H"] {
        assert!(!text.contains(bad), "{bad:?} in {text:?}");
    }
    // From the first bar to the story there is no byte after which name, bar or the line below are gone.
    let mut screen = screen(24, 80);
    let mut begun = false;
    for byte in &seen.bytes {
        screen.process(&[*byte]);
        let shown = screen.screen().contents();
        if shown.contains('✓') {
            break;
        }
        // A frame ends where it began.
        begun |= shown.lines().count() == 3 && screen.screen().cursor_position() == (0, 0);
        if begun {
            let lines: Vec<&str> = shown.lines().collect();
            assert!(lines.len() == 3 && lines.iter().all(|line| !line.trim().is_empty()), "{shown:?}");
            assert!(lines[1].contains(['━', '─']), "{shown:?}");
        }
    }
    assert!(begun, "{text:?}");
    assert_eq!(seen.last().lines().count(), 2, "{}", seen.last());
}

#[test]
fn nothing_is_written_while_nothing_changes() {
    let scene = Scene::new();
    scene.write("given/x.bin", super::party::bytes(100_000));
    assert_eq!(scene.run(&["create", "given/x.bin", "-o", "x.torrent"]).code, 0);
    let arguments =
        ["get", "x.torrent", "-o", "got", "--state-dir", "s", "--bind", "127.0.0.1", "--timeout", "3s"];
    let seen = watch(&scene, &arguments, 24, 80);
    assert_eq!(seen.code, 4, "{}", seen.last());
    assert!(
        seen.ever("waiting: no peers known, and the torrent names no tracker to ask"),
        "{:#?}",
        seen.frames
    );
    // The engine was looked at twelve times.
    assert!(seen.drawn() <= 4, "{:#?}", seen.frames);
    assert!(seen.last().starts_with("error: x.bin: no data for 3 s: no peers known"), "{}", seen.last());
}

#[test]
fn a_storm_of_sizes_leaves_no_trace() {
    let mut party = Party::new();
    party.make("x.bin", 2_500_000);
    party.seed(&["x.bin"]);
    let mut command = Terminal::command(&party.scene, "/bin/sh");
    command.args(["-c", r#"echo "what stood there before"; exec "$0" "$@""#, env!("CARGO_BIN_EXE_torr")]);
    command.args(slowly("a", "1M"));
    let mut terminal = Terminal::start(command, 24, 80);
    terminal.wait_for(" % ");
    for round in 0..200_u16 {
        terminal.resize(4 + round % 30, 20 + round * 7 % 130);
    }
    terminal.resize(12, 30);
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    let last = terminal.contents().replace('\n', "");
    // It was cut when the terminal had twenty columns, and nothing was written over it.
    assert!(last.starts_with("what stood there"), "{last}");
    assert!(last.contains("✓ x.bin") && !last.contains(" % ") && !last.contains('━'), "{last}");
}

#[test]
fn ctrl_c_on_a_terminal_says_how_to_go_on() {
    let mut party = Party::new();
    party.make("x.bin", 3_000_000);
    party.seed(&["x.bin"]);
    let mut terminal = Terminal::torr(&party.scene, &slowly("a", "300K"), 24, 80);
    terminal.wait_for("━━");
    terminal.press("\u{3}");
    assert_eq!(terminal.end(), 130, "{}", terminal.contents());
    let last = terminal.contents();
    assert!(last.contains("stopping, saving progress (Ctrl-C again to skip)"), "{last}");
    assert!(last.contains(" of 2.86 MiB; run the same command to resume"), "{last}");
    assert!(!last.contains('━') && !last.contains("peer"), "{last}");
}

#[test]
fn seeding_on_a_terminal_is_one_line_that_says_how_to_stop() {
    let scene = Scene::new();
    scene.photos();
    let mut terminal = Terminal::torr(
        &scene,
        &["seed", "photos.torrent", "--bind", "127.0.0.1", "--state-dir", "s"],
        24,
        80,
    );
    terminal.wait_for("\n seeding: no peer is asking for data   sent 0 B   ratio 0.00   Ctrl-C stops");
    let shown = terminal.frames.concat();
    assert!(shown.contains("✓ seeding ") && shown.contains("until you stop it with Ctrl-C"), "{shown}");
    terminal.press("\u{3}");
    assert_eq!(terminal.end(), 130, "{}", terminal.contents());
    assert!(terminal.contents().contains("stopped: uploaded 0 B in this run"), "{}", terminal.contents());
}

#[test]
fn a_dumb_terminal_gets_lines_without_escapes() {
    let mut party = Party::new();
    party.make("x.bin", 300_000);
    party.seed(&["x.bin"]);
    for (at, (name, value)) in
        [("TERM", Some("dumb")), ("TERM", None), ("CI", Some("1"))].into_iter().enumerate()
    {
        let state = format!("state-{at}");
        let mut command = Terminal::command(&party.scene, env!("CARGO_BIN_EXE_torr"));
        command.args(slowly(&state, "1M"));
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        }
        let mut terminal = Terminal::start(command, 24, 80);
        assert_eq!(terminal.end(), 0, "{}", terminal.contents());
        let text = String::from_utf8_lossy(&terminal.bytes).replace("\r\n", "\n");
        // Colours are another matter, and CI alone does not forbid them.
        let escapes = text.matches('\u{1b}').count() - text.matches("\u{1b}[").count();
        assert!(!text.contains('\r') && escapes == 0 && !text.contains("\u{1b}[?"), "{text:?}");
        assert!(name == "CI" || !text.contains('\u{1b}'), "{text:?}");
        assert!(text.contains(" metadata: x.bin, 1 file, 293 KiB\n"), "{text:?}");
        assert!(text.contains(" done: 293 KiB in ") && text.contains("every piece verified"), "{text:?}");
    }
}

#[test]
fn the_demo_adds_up() {
    let scene = Scene::new();
    let seen = watch(&scene, &["demo", "--size", "8M"], 24, 80);
    assert_eq!(seen.code, 0, "{}", seen.last());
    let last = seen.last();
    assert!(last.contains("every byte matches the original") && !last.contains("↓"), "{last}");
    for name in ["ann", "bob", "eve"] {
        assert_eq!(last.matches(&format!("\n  {name}  uploaded ")).count(), 1, "{last}");
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

#[test]
fn the_demo_keeps_its_promises() {
    let scene = Scene::new();
    let told = scene.run(&["demo", "--size", "64M", "--json"]);
    assert_eq!(told.code, 0, "{}", told.err);
    let events = told.json();
    let met = |way: &str| {
        let by = |event: &&serde_json::Value| event["event"] == "met" && event["way"] == way;
        events.iter().filter(by).count()
    };
    let died = events.iter().position(|event| event["event"] == "tracker_died");
    let found = events.iter().position(|event| event["way"] == "dht");
    assert!(died.is_some() && died < found, "{}", told.out);
    assert_eq!((met("dht"), met("pex")), (1, 1), "{}", told.out);
    let done = events.last().unwrap();
    assert_eq!((&done["met"]["dht"], &done["met"]["pex"]), (&1.into(), &1.into()), "{done}");

    // With less to move there is time for all of it, too.
    let seen = scene.run(&["demo", "--size", "8M"]);
    assert_eq!(seen.code, 0, "{}", seen.err);
    assert!(seen.out.contains("and the swarm carried on:"), "{}", seen.out);
    assert!(seen.out.contains(" 1 through the DHT (20 nodes)"), "{}", seen.out);
}
