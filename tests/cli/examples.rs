//! Every example of the README and of the help texts, run as it stands: in a folder with what it
//! names, beside a tracker and a seeder on loopback. An example that is not in the table fails.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::Scene;
use super::dht::Nodes;
use super::get::Web;
use super::party::{Party, TIMEOUT};
use super::shell::commands;
use crate::support::program::installed;
use crate::support::wait::wait_for;
use crate::trackers::script::Act;

/// How an example ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// By itself, with code 0.
    Well,
    /// When it is interrupted, once it has said this.
    Interrupted(&'static str),
    /// It is run by `.ci/run`.
    Elsewhere,
}

use End::{Elsewhere, Interrupted, Well};

/// An example, the files it needs, and how it ends. `a.torrent` is a torrent, `a` and `dl/a` are
/// its data; each of these is given by the seeder. `a.torrent=b.torrent` is `b.torrent` by another name.
type Row = (&'static str, &'static [&'static str], End);

const SEEDS: End = Interrupted("seeding");
const LISTENS: End = Interrupted("Ctrl-C stops it");

const TABLE: &[Row] = &[
    ("cargo run --release -- demo", &[], Elsewhere),
    ("cargo test", &[], Elsewhere),
    ("torr get distro.torrent", &["distro.torrent"], Well),
    ("torr get a.torrent b.torrent -o ~/dl -j 2", &["a.torrent", "b.torrent"], Well),
    ("torr get distro.torrent --seed 2.0,7d", &["distro.torrent"], SEEDS),
    ("torr get distro.torrent --down 2M --up 500K", &["distro.torrent"], Well),
    ("torr get distro.torrent --json", &["distro.torrent"], Well),
    ("torr get ubuntu.torrent", &["ubuntu.torrent"], Well),
    ("torr get https://releases.example/ubuntu.torrent -o ~/iso", &["ubuntu.torrent"], Well),
    ("torr get https://releases.example/ubuntu.torrent", &["ubuntu.torrent"], Well),
    ("torr get 'magnet:?xt=urn:btih:…' -o ~/iso --seed 2.0,7d", &["distro.torrent"], SEEDS),
    ("printf '%s\\n' *.torrent | torr get -i - --run 'notify-send done'", &["a.torrent", "b.torrent"], Well),
    ("torr get film.torrent -q --to-stdout | mpv -", &["film.torrent"], Well),
    ("torr seed 08ada5", &["distro.torrent"], SEEDS),
    ("torr get ubuntu.torrent -o ~/iso", &["ubuntu.torrent"], Well),
    ("mpv \"$(torr get -q film.torrent)\"", &["film.torrent"], Well),
    ("torr seed distro.torrent -o ~/dl", &["distro.torrent", "dl/distro"], SEEDS),
    ("torr seed photos.torrent -o ~/pictures --until 2.0,7d", &["photos.torrent", "pictures/photos"], SEEDS),
    ("torr seed photos/", &["photos"], SEEDS),
    ("torr seed photos/ --lan --once", &["photos"], SEEDS),
    ("torr create holiday -t udp://tracker.example.org:6969", &["holiday"], Well),
    ("torr create photos/", &["photos"], Well),
    ("torr create photos/ -t udp://tracker.example.org:6969 -o /tmp/photos.torrent", &["photos"], Well),
    ("torr create src/ --ignore-files -x '*.o' --include docs/", &["src"], Well),
    (
        "torr create season/ --reuse season-old.torrent",
        &["season", "season-old.torrent=season.torrent"],
        Well,
    ),
    ("torr create ubuntu.iso -o - | torr show -", &["ubuntu.iso"], Well),
    (
        "torr edit photos.torrent --comment 'summer 2026' --tracker udp://tracker.example.org:6969",
        &["photos.torrent"],
        Well,
    ),
    (
        "torr edit photos.torrent --in-place --replace-tracker udp://old.example:1 udp://new.example:1",
        &["photos.torrent=old.torrent"],
        Well,
    ),
    ("torr edit photos.torrent --private -o private.torrent", &["photos.torrent"], Well),
    ("torr edit photos.torrent --editor", &["photos.torrent"], Well),
    ("torr show distro.torrent", &["distro.torrent"], Well),
    ("torr show ubuntu.torrent", &["ubuntu.torrent"], Well),
    ("torr show --field magnet ubuntu.torrent", &["ubuntu.torrent"], Well),
    ("torr show --files ubuntu.torrent | cut -f3", &["ubuntu.torrent"], Well),
    ("torr show --json ubuntu.torrent | jq .size", &["ubuntu.torrent"], Well),
    ("torr verify distro.torrent", &["distro.torrent", "distro"], Well),
    ("torr verify distro.torrent ~/dl", &["distro.torrent", "dl/distro"], Well),
    (
        "torr verify --json distro.torrent | jq 'select(.status == \"damaged\")'",
        &["distro.torrent", "distro"],
        Well,
    ),
    ("torr verify distro.torrent ~/dl --extra", &["distro.torrent", "dl/distro"], Well),
    ("torr verify distro.torrent ~/dl --fix", &["distro.torrent", "dl/distro"], Well),
    ("torr magnet ubuntu.torrent", &["ubuntu.torrent"], Well),
    ("torr magnet photos.torrent --short --peer 192.168.1.20:51999 --qr", &["photos.torrent"], Well),
    ("torr magnet 'magnet:?xt=urn:btih:…'", &[], Well),
    ("torr magnet 'magnet:?xt=urn:btih:…' --fetch -o ubuntu.torrent", &["distro.torrent"], Well),
    ("torr show 'magnet:?xt=urn:btih:…'", &[], Well),
    ("torr show --fetch --files 'magnet:?xt=urn:btih:…'", &["distro.torrent"], Well),
    ("torr show --swarm ubuntu.torrent", &["ubuntu.torrent"], Well),
    ("torr config init", &[], Well),
    ("torr config show --origin", &[], Well),
    ("torr config set limits.down 2M", &[], Well),
    ("torr -C ./torr.toml config check", &["torr.toml"], Well),
    ("torr tracker", &[], Interrupted("http://")),
    (
        "torr tracker --allow photos.torrent --allow 9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa",
        &["photos.torrent"],
        Interrupted("http://"),
    ),
    ("torr tracker --listen 0.0.0.0:6969", &[], Interrupted("http://")),
    ("torr dht lookup 9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa", &[], Well),
    ("torr dht lookup 'magnet:?xt=urn:btih:…' --timeout 1m", &[], Well),
    ("torr dht lookup ubuntu.torrent --scrape", &["ubuntu.torrent"], Well),
    ("torr dht announce photos.torrent --port 51999 --seed", &["photos.torrent"], Well),
    ("torr dht announce 9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa --port 51999", &[], Well),
    ("torr dht ping 192.168.1.20:6881", &[], Well),
    ("torr dht ping router.bittorrent.com:6881 --json", &[], Well),
    ("torr dht bootstrap", &[], Well),
    ("torr dht bootstrap --bootstrap 192.168.1.20:6881 --json", &[], Well),
    ("torr dht node", &[], LISTENS),
    ("torr dht node --port 6881", &[], LISTENS),
    ("torr dht node --bind 192.168.1.20 --bootstrap 192.168.1.21:6881", &[], LISTENS),
    ("torr dht get e5f96f6f38320f0f33959cb4d3d656452117aadb", &[], Well),
    ("torr dht get e5f96f6f38320f0f33959cb4d3d656452117aadb --json | jq .value", &[], Well),
    ("echo hello | torr dht put", &[], Well),
    ("torr dht put note.txt --new-key me.key", &["note.txt"], Well),
    ("torr dht put note.txt --key me.key --salt notes", &["note.txt", "me.key"], Well),
    ("torr dht sample", &[], Well),
    ("torr dht sample 9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa --timeout 5s", &[], Well),
    ("torr demo", &[], Well),
    ("torr demo --size 64M", &[], Well),
    ("torr register --dry-run", &[], Well),
    ("torr register -y", &[], Well),
    ("torr register --undo -y", &[], Well),
    ("torr completions bash > ~/.local/share/bash-completion/completions/torr", &[], Well),
    ("torr completions zsh > ~/.zfunc/_torr", &[], Well),
    ("torr completions fish > ~/.config/fish/completions/torr.fish", &[], Well),
    ("torr man | man -l -", &[], Well),
    ("torr man torr-get | man -l -", &[], Well),
    ("torr man --dir ~/.local/share/man", &[], Well),
    ("torr help get", &[], Well),
    ("torr help exit-codes", &[], Well),
    ("torr help units", &[], Well),
];

/// What stands in for the program: what would leave loopback or take minutes is kept small.
const TORR: &str = r#"#!/bin/sh
command=
for word; do case $word in -*) ;; *) command=$word; break ;; esac; done
listens= bound= begun=
for word; do
    shift
    case $word in
        https://releases.example/*) word=$RELEASES/${word##*/} ;;
        08ada5) word=$(printf %.6s "$HASH") ;;
        magnet:*…) word="magnet:?xt=urn:btih:$HASH&tr=$TRACKER" ;;
        192.168.1.2[01]:6881 | router.bittorrent.com:6881) word=$NODE ;;
        192.168.1.20) word=127.0.0.1 ;;
        --bind) bound=yes ;;
        --bootstrap) begun=yes ;;
    esac
    case $word in --listen) listens=yes ;; 0.0.0.0:*) word=127.0.0.1:0 ;; 64M) word=8M ;; --size) sized=yes ;; esac
    set -- "$@" "$word"
done
case $command in
    get | download | seed | share) set -- "$@" --bind 127.0.0.1 ;;
    show | magnet) export TORR_NETWORK_BIND=127.0.0.1 ;;
    dht)
        [ "$bound" ] || set -- "$@" --bind 127.0.0.1
        [ "$begun" ] || set -- "$@" --bootstrap "$NODE"
        ;;
    tracker) [ "$listens" ] || set -- "$@" --listen 127.0.0.1:0 ;;
    demo) [ "$sized" ] || set -- "$@" --size 8M ;;
esac
exec "$TORR_BINARY" "$@"
"#;

/// Programs of the examples that would open a window or a pager.
const OTHERS: [(&str, &str); 3] = [
    ("mpv", "#!/bin/sh\nif [ \"$1\" = - ]; then test \"$(wc -c)\" -gt 0; else test -f \"$1\"; fi\n"),
    ("notify-send", "#!/bin/sh\ntest -e \"$TORR_PATH\"\n"),
    ("man", "#!/bin/sh\ntest \"$1\" = -l && grep -q '^\\.TH TORR'\n"),
];

/// The command lines of the README, without their comments.
fn of_readme() -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).map(bare).filter(|line| !line.is_empty()).collect()
}

/// The command lines of all help texts, without what is said about them.
fn of_help(scene: &Scene) -> Vec<String> {
    let mut topics = commands(scene);
    topics.push(String::new());
    let texts = topics.iter().flat_map(|topic| {
        let words: Vec<&str> = topic.split_whitespace().collect();
        ["-h", "--help"].map(|flag| scene.run(&[&words[..], &[flag]].concat()).out)
    });
    texts.flat_map(|text| of_text(&text)).collect()
}

fn of_text(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| *line != "Examples:").skip(1);
    lines.take_while(|line| line.starts_with("  ")).map(bare).collect()
}

/// A line without the remark behind it.
fn bare(line: &str) -> String {
    let line = line.split("  # ").next().unwrap_or(line).trim();
    let line = line.split("   ").next().unwrap_or(line).trim();
    if line.starts_with('#') { String::new() } else { line.to_owned() }
}

/// Everything that the rows name, given by a seeder.
fn party() -> Party {
    let mut party = Party::new();
    let names: BTreeSet<&str> = TABLE
        .iter()
        .flat_map(|(_, needs, _)| *needs)
        .map(|need| plain(need))
        .filter(|name| !["old", "torr.toml", "note.txt", "me.key"].contains(name))
        .collect();
    for name in &names {
        if ["photos", "holiday", "src", "season"].contains(name) {
            for (file, len) in [("a.jpg", 50_000), ("sub/b.jpg", 40_000)] {
                party.scene.write(&format!("given/{name}/{file}"), super::party::bytes(len + name.len()));
            }
            party.torrent(name);
        } else {
            party.make(name, 200_000 + name.len());
        }
    }
    let old = ["create", "given/photos", "-o", "old.torrent", "-t", "udp://old.example:1"];
    assert_eq!(party.scene.run(&old).code, 0);
    party.seed(&names.into_iter().collect::<Vec<_>>());
    for (name, text) in [("torr", TORR)].iter().chain(&OTHERS) {
        party.scene.write(&format!("bin/{name}"), text);
        let path = party.path(&format!("bin/{name}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    party
}

/// The name of a torrent or of data, wherever it lies.
fn plain(need: &str) -> &str {
    let need = need.split('=').next_back().unwrap_or(need);
    let need = need.strip_suffix(".torrent").unwrap_or(need);
    need.rsplit('/').next().unwrap_or(need)
}

/// Puts what a row needs into a folder.
fn prepare(party: &Party, needs: &[&str], home: &Path) {
    for folder in
        ["dl", "iso", ".zfunc", ".local/share/bash-completion/completions", ".config/fish/completions"]
    {
        fs::create_dir_all(home.join(folder)).unwrap();
    }
    for need in needs {
        if *need == "torr.toml" {
            fs::write(home.join(need), "[limits]\ndown = \"2M\"\n").unwrap();
        } else if *need == "note.txt" {
            fs::write(home.join(need), "a note").unwrap();
        } else if *need == "me.key" {
            fs::write(home.join(need), "07".repeat(32)).unwrap();
            fs::set_permissions(home.join(need), fs::Permissions::from_mode(0o600)).unwrap();
        } else if need.ends_with(".torrent") {
            let (name, given) = need.split_once('=').unwrap_or((need, need));
            fs::copy(party.path(given), home.join(name)).unwrap();
        } else {
            let into = home.join(need);
            fs::create_dir_all(into.parent().unwrap()).unwrap();
            let given = party.path(&format!("given/{}", plain(need)));
            let copied = Command::new("cp").arg("-r").args([given, into]).status().unwrap();
            assert!(copied.success());
        }
    }
}

/// What stands in for the world.
struct World {
    party: Party,
    /// Where the files of the web are.
    releases: String,
    /// A node of the DHT.
    node: String,
}

fn start(world: &World, line: &str, home: &Path) -> Child {
    let World { party, releases, node } = world;
    let path = format!("{}:{}", party.path("bin").display(), std::env::var("PATH").unwrap());
    // What is kept outside of the home is kept within it all the same.
    let line = line.replace(" /tmp/", &format!(" {}/", home.display()));
    Command::new("bash")
        .args(["--norc", "-o", "pipefail", "-c", &line])
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .envs(super::ALONE)
        .env("TMPDIR", home)
        .env("LANG", "C.UTF-8")
        .env("EDITOR", "true")
        .env("TORR_BINARY", env!("CARGO_BIN_EXE_torr"))
        .env("RELEASES", releases)
        .env("TRACKER", &party.url)
        .env("NODE", node)
        .env("HASH", info_hash(party, "distro.torrent"))
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(File::create(home.join("said.out")).unwrap())
        .stderr(File::create(home.join("said.err")).unwrap())
        .process_group(0)
        .spawn()
        .unwrap()
}

fn info_hash(party: &Party, torrent: &str) -> String {
    party.scene.run(&["show", "--field", "info_hash", torrent]).out.trim().to_owned()
}

fn run(world: &World, (line, needs, end): Row, home: &Path) {
    prepare(&world.party, needs, home);
    if line.contains("08ada5") {
        // What it goes on with.
        let got = start(world, "torr get -q distro.torrent", home).wait().unwrap();
        assert!(got.success());
    }
    let mut child = start(world, line, home);
    let said = || {
        let read = |name| fs::read_to_string(home.join(name)).unwrap_or_default();
        format!("{}{}", read("said.out"), read("said.err"))
    };
    if let Interrupted(words) = end {
        wait_for(&format!("{line} says {words}"), TIMEOUT, || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{line}: {}", said());
            said().contains(words).then_some(())
        });
        let group = format!("-{}", child.id());
        assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    }
    let ended = wait_for(&format!("{line} ends"), TIMEOUT, || child.try_wait().unwrap());
    match end {
        Interrupted(_) => {
            let interrupted = ended.code() == Some(130) || ended.signal() == Some(2);
            assert!(interrupted, "{line}: {ended}: {}", said());
        }
        _ => assert_eq!(ended.code(), Some(0), "{line}: {}", said()),
    }
}

#[test]
fn every_example_is_in_the_table_and_no_other() {
    let scene = Scene::new();
    let told: BTreeSet<String> = of_readme().into_iter().chain(of_help(&scene)).collect();
    let known: BTreeSet<String> = TABLE.iter().map(|(line, ..)| (*line).to_owned()).collect();
    let unknown: Vec<_> = told.difference(&known).collect();
    assert!(unknown.is_empty(), "examples that nobody runs: {unknown:#?}");
    let gone: Vec<_> = known.difference(&told).collect();
    assert!(gone.is_empty(), "these are no examples any more: {gone:#?}");
    let ci = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).unwrap();
    for (line, ..) in TABLE.iter().filter(|(_, _, end)| *end == Elsewhere) {
        assert!(ci.contains(line), "{line}");
    }
}

#[test]
fn every_example_does_what_it_says() {
    if installed("jq").is_none() || installed("bash").is_none() {
        return;
    }
    let party = party();
    let torrent = party.read("ubuntu.torrent");
    let web = Web::new(move |_| Act::ok(&torrent));
    let nodes = Nodes::start(&party.scene, 1);
    party.scene.write("note", "Hello World!");
    let mut known = vec![vec!["put", "note"]];
    for torrent in ["9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa", "ubuntu.torrent", "distro.torrent"] {
        known.push(vec!["announce", torrent, "--port", "5000"]);
    }
    for arguments in known {
        assert_eq!(nodes.ask(&party.scene, 0, &arguments).code, 0, "{arguments:?}");
    }
    let world = World { party, releases: web.url(""), node: nodes.place(0) };
    for (at, row) in TABLE.iter().enumerate().filter(|(_, (_, _, end))| *end != Elsewhere) {
        let home = world.party.path(&format!("example-{at}"));
        fs::create_dir(&home).unwrap();
        run(&world, *row, &home);
    }
}
