//! What a download of very long pieces costs in memory.

use std::time::{Duration, Instant};

use super::party::{Party, TIMEOUT, bytes};
use crate::support::program::Program;

const MIB: usize = 1 << 20;
/// What the program may take beside the buffers of unfinished pieces, of which there are 32 MiB.
const BESIDE: usize = 16 * MIB;

/// The anonymous memory of a process in bytes; nothing once it has ended.
fn anonymous(pid: u32) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.split_whitespace().next()?.parse::<usize>().ok().map(|kib| kib * 1024)
}

#[test]
fn memory_is_bounded_whatever_the_length_of_pieces() {
    let mut party = Party::new();
    let whole = bytes(130 * MIB);
    party.scene.write("given/long.bin", &whole);
    let made =
        ["create", "given/long.bin", "-o", "long.bin.torrent", "-t", &party.url, "--piece-size", "64M"];
    let made = party.scene.run(&[&made[..], &["-q"]].concat());
    assert_eq!(made.code, 0, "{}", made.err);
    party.seed(&["long.bin"]);
    let arguments = ["get", "long.bin.torrent", "-o", "got", "--timeout", "30s"];
    let mut getter = Program::start("getter", &mut party.command("a", &arguments), party.scene.path());
    let (mut most, begun) = (0, Instant::now());
    let status = loop {
        if let Some(status) = getter.ended() {
            break status;
        }
        most = most.max(anonymous(getter.id()).unwrap_or(0));
        assert!(begun.elapsed() < TIMEOUT, "{}", getter.errors());
        std::thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(status.code(), Some(0), "{}", getter.errors());
    assert!(party.read("got/long.bin") == whole, "the bytes differ");
    assert!(most > 0 && most < 32 * MIB + BESIDE, "{} MiB at most", most / MIB);
}
