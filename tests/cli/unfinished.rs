//! The blocks of unfinished pieces outlive the program.

use std::os::unix::fs::{FileExt, MetadataExt};

use torr::proto::metainfo::Metainfo;
use torr::store::{Change, FileStamp, ResumeRecord, TorrentStore};

use super::party::{Party, TIMEOUT, bytes, end};
use super::signals::{send, stop};
use crate::support::program::Program;
use crate::support::wait::wait_for;

const MIB: usize = 1 << 20;
/// What is on its way, and counted as sent, when the program ends.
const IN_FLIGHT: u64 = MIB as u64;
const BLOCK: u64 = 16 << 10;

/// A file of `len` bytes in pieces of `piece` and somebody who gives it with `up` bytes per second.
fn party(len: usize, piece: &str, up: &str) -> (Party, Vec<u8>) {
    let mut party = Party::new();
    let bytes = bytes(len);
    party.scene.write("given/x.bin", &bytes);
    let made = ["create", "given/x.bin", "-o", "x.torrent", "-t", &party.url, "-q", "--piece-size", piece];
    assert_eq!(party.scene.run(&made).code, 0);
    party.share(&["seed", "--up", up, "--interval", "1s"], &["x.torrent".to_owned()], &["x.bin"]);
    (party, bytes)
}

fn start(party: &Party, name: &str) -> Program {
    start_with(party, name, "check")
}

fn start_with(party: &Party, name: &str, existing: &str) -> Program {
    let arguments = ["get", "x.torrent", "-o", "got", "--json", "--interval", "1s", "--timeout", "30s"];
    let mut command = party.command("a", &arguments);
    Program::start(name, command.args(["--existing", existing]), party.scene.path())
}

/// The record of the torrent; nothing before it is saved.
fn record(party: &Party) -> Option<ResumeRecord> {
    let torrent = Metainfo::parse(&party.read("x.torrent")).unwrap();
    store(party).load(&torrent.info_hash()).ok()?
}

fn store(party: &Party) -> TorrentStore {
    TorrentStore::in_state_dir(&party.path("state-a"))
}

fn unfinished_bytes(record: &ResumeRecord) -> u64 {
    record.unfinished.values().flatten().map(|range| range.len() as u64 * BLOCK).sum()
}

/// The bytes that were given, once nobody is connected any more.
fn sent_in_all(party: &Party) -> u64 {
    wait_for("nobody is left", TIMEOUT, || {
        let (sent, peers) = party.sent();
        (peers == 0).then_some(sent)
    })
}

#[test]
fn after_an_interruption_no_block_is_fetched_again() {
    // Pieces of 16 MiB are too long to be held whole.
    for piece in ["8M", "16M"] {
        let (party, bytes) = party(20 * MIB, piece, "3M");
        let mut lost = 0;
        for round in 0..2 {
            let before = party.sent().0;
            let mut part = start(&party, &format!("part-{round}"));
            wait_for("a part is there", TIMEOUT, || {
                part.assert_running();
                (party.sent().0 >= before + 4 * MIB as u64).then_some(())
            });
            assert_eq!(stop(&mut part, "-INT"), Some(130), "{}", part.tail());
            assert!(!part.errors().contains("error"), "{}", part.errors());
            let record = record(&party).expect("a record");
            let there = u64::from(record.written.count()) * piece[..piece.len() - 1].parse::<u64>().unwrap();
            let (there, sent) = (there * MIB as u64 + unfinished_bytes(&record), sent_in_all(&party));
            if record.running {
                // The disk of a busy machine may take longer than an end may.
                lost += sent;
            } else {
                assert!(
                    there + lost + IN_FLIGHT >= sent,
                    "{piece}: {there} of {sent} bytes are there, {record:?}"
                );
            }
        }
        let mut rest = start(&party, "rest");
        assert_eq!(end(&mut rest).code(), Some(0), "{}", rest.tail());
        assert!(party.read("got/x.bin") == bytes);
        let most = bytes.len() as u64 + lost + 2 * IN_FLIGHT;
        let sent = sent_in_all(&party);
        assert!(sent <= most, "{piece}: {sent} bytes were fetched of {}", bytes.len());
        assert!(!rest.errors().contains("wrong"), "{}", rest.errors());
    }
}

#[test]
fn after_sudden_death_only_what_came_last_is_fetched_again() {
    let (party, bytes) = party(12 * MIB, "8M", "1M");
    let mut part = start(&party, "part");
    let saved = wait_for("unfinished blocks are saved", TIMEOUT, || {
        part.assert_running();
        record(&party).map(|record| unfinished_bytes(&record)).filter(|&saved| saved >= MIB as u64)
    });
    send(&part, "-KILL");
    end(&mut part);
    let before = sent_in_all(&party);
    let mut rest = start(&party, "rest");
    assert_eq!(end(&mut rest).code(), Some(0), "{}", rest.tail());
    assert!(party.read("got/x.bin") == bytes);
    let again = sent_in_all(&party) - before;
    assert!(again + saved <= bytes.len() as u64, "{again} of {} bytes, and {saved} were saved", bytes.len());
}

#[test]
fn a_saved_block_that_has_changed_costs_its_piece_and_nobody_is_blamed() {
    let (party, bytes) = party(12 * MIB, "8M", "4M");
    let mut part = start_with(&party, "part", "repair");
    wait_for("a part is there", TIMEOUT, || (party.sent().0 >= 2 * MIB as u64).then_some(()));
    assert_eq!(stop(&mut part, "-INT"), Some(130), "{}", part.tail());
    let mut changed = record(&party).expect("a record");
    let (&piece, ranges) = changed.unfinished.first_key_value().expect("a piece is unfinished");
    let at = u64::from(piece) * 8 * MIB as u64 + u64::from(ranges[0].start) * BLOCK;
    let file = std::fs::File::options().write(true).open(party.path("got/x.bin")).unwrap();
    file.write_all_at(b"something else", at + 5).unwrap();
    // The change is hidden, as that of a disk that loses what it was given would be.
    let now = file.metadata().unwrap();
    let ns = |seconds: i64, ns: i64| seconds * 1_000_000_000 + ns;
    changed.stamps.files[0] = Some(FileStamp {
        size: now.size(),
        mtime_ns: ns(now.mtime(), now.mtime_nsec()),
        ctime_ns: ns(now.ctime(), now.ctime_nsec()),
        inode: now.ino(),
    });
    store(&party).save(&[Change::Record(Box::new(changed))]).unwrap();

    let mut rest = start(&party, "rest");
    assert_eq!(end(&mut rest).code(), Some(0), "{}", rest.tail());
    assert!(party.read("got/x.bin") == bytes);
    let tail = rest.tail();
    assert!(tail.contains(&format!("piece {piece} came out wrong")) && !tail.contains("banned"), "{tail}");
}

#[test]
fn a_file_that_was_there_before_gets_nothing_unverified() {
    const PIECE: usize = 8 * MIB;
    let (party, bytes) = party(3 * PIECE, "8M", "4M");
    // The other pieces may be replaced, but not before there is something better.
    let mut theirs = vec![0xa5; bytes.len()];
    theirs[..PIECE].copy_from_slice(&bytes[..PIECE]);
    party.scene.write("got/x.bin", &theirs);
    let mut part = start_with(&party, "part", "repair");
    wait_for("a part is there", TIMEOUT, || (party.sent().0 >= 2 * MIB as u64).then_some(()));
    assert_eq!(stop(&mut part, "-INT"), Some(130), "{}", part.tail());
    let now = party.read("got/x.bin");
    for (at, piece) in now.chunks(PIECE).enumerate() {
        let of = |bytes: &[u8]| piece == &bytes[at * PIECE..(at + 1) * PIECE];
        assert!(of(&bytes) || of(&theirs), "unverified bytes in piece {at}");
    }
    assert!(now[PIECE..] != bytes[PIECE..], "it was stopped in the midst of it");
}

#[test]
fn a_file_that_is_replaced_is_noticed_when_unfinished_blocks_are_saved() {
    let (party, _) = party(24 * MIB, "8M", "1M");
    let mut part = start(&party, "part");
    wait_for("blocks are saved", TIMEOUT, || {
        part.assert_running();
        record(&party).filter(|record| unfinished_bytes(record) > 0)
    });
    std::fs::remove_file(party.path("got/x.bin")).unwrap();
    assert_eq!(end(&mut part).code(), Some(5), "{}", part.tail());
    assert!(part.errors().contains("removed)"), "{}", part.tail());
    assert!(!party.path("got/x.bin").exists(), "no other is begun in its place");
}
