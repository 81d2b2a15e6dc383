//! A disk that is lost during a download and comes back while the machine runs on: what never got there must not be
//! taken for verified.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ::torr::base::Rng;

use super::namespace::{isolated, test_name};
use super::torr;
use crate::support::program::{self, Program};
use crate::support::wait::wait_for;

const SIZE: usize = 80 << 20;
const IMAGE: u64 = 512 << 20;
const SEEDER: &str = "10.99.0.1:7001";
const ALONE: [&str; 5] = ["--no-dht", "--no-lsd", "--no-pex", "--no-trackers", "--json"];
/// For each step.
const STEP: Duration = Duration::from_secs(60);

#[test]
fn what_a_lost_disk_never_got_is_fetched_again() {
    isolated(test_name!(), &["mkfs.ext4", "losetup", "mount", "umount", "cp"], |dir| {
        if !runs(Command::new("losetup").arg("--find")) {
            eprintln!("skipped: no loop devices");
            return;
        }
        let bytes = content();
        fs::create_dir(dir.join("given")).expect("a folder");
        fs::write(dir.join("given/x.bin"), &bytes).expect("a file");
        let torrent = dir.join("x.torrent");
        let made = torr::run(dir, &["create", "given/x.bin", "--piece-size", "256K", "-o", "x.torrent"], &[]);
        assert_eq!(made.0, Some(0));
        let mut seed = program::torr(dir);
        seed.args(["seed", "x.torrent", "-o", "given", "-p", "7001", "--bind", "10.99.0.1"]).args(ALONE);
        let seeder = Program::start("seed", &mut seed, dir);
        wait_for("it seeds", STEP, || seeder.output().contains("\"done\"").then_some(()));

        let disk = Disk::new(dir);
        let get = |limit: &str| {
            let mut get = program::torr(&dir.join("home"));
            get.arg("get").arg(&torrent).arg("-o").arg(&disk.mount).args(["--peer", SEEDER, "--down", limit]);
            get.args(["--bind", "10.99.0.2", "--timeout", "60s"]).args(ALONE);
            get
        };
        let mut cut_off = Program::start("get", &mut get("8M"), dir);
        // By then the record was saved once at least, and much of what it names has not been written back.
        wait_for("most of it is there", STEP, || {
            cut_off.assert_running();
            (progress(&cut_off.output()) > 0.65).then_some(())
        });
        disk.lose(&mut cut_off);
        disk.come_back();
        let again = get("none").output().expect("torr runs");
        let got = fs::read(disk.mount.join("x.bin")).expect("the file");
        assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
        assert!(got == bytes, "bytes that were verified are wrong");
    });
}

fn content() -> Vec<u8> {
    let mut rng = Rng::new(1);
    (0..SIZE / 8).flat_map(|_| rng.next_u64().to_le_bytes()).collect()
}

/// How much of the torrent is there, from 0 to 1, by the last line that says it.
fn progress(lines: &str) -> f64 {
    let mut parsed =
        lines.lines().rev().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    parsed.find_map(|line| line["progress"].as_f64()).unwrap_or(0.0)
}

/// A file system in a file. It is unmounted at the end.
struct Disk {
    image: std::path::PathBuf,
    mount: std::path::PathBuf,
}

impl Disk {
    fn new(dir: &Path) -> Self {
        let disk = Self { image: dir.join("image"), mount: dir.join("mount") };
        File::create(&disk.image).and_then(|image| image.set_len(IMAGE)).expect("a file");
        fs::create_dir(&disk.mount).expect("a folder");
        assert!(runs(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&disk.image)), "a file system is made");
        disk.come_back();
        disk
    }

    fn come_back(&self) {
        let mut mount = Command::new("mount");
        assert!(runs(mount.args(["-o", "loop"]).args([&self.image, &self.mount])), "it is mounted");
    }

    /// Keeps what has reached the disk by now, and takes away the rest with the program that writes it.
    fn lose(&self, writer: &mut Program) {
        let signal = |name: &str| runs(Command::new("kill").args([name, &writer.id().to_string()]));
        assert!(signal("-STOP"));
        let then = self.image.with_extension("then");
        assert!(runs(Command::new("cp").arg("--sparse=always").args([&self.image, &then])));
        assert!(signal("-KILL"));
        wait_for("it has ended", STEP, || writer.ended());
        wait_for("it is unmounted", STEP, || self.unmount().then_some(()));
        fs::rename(&then, &self.image).expect("a rename");
    }

    fn unmount(&self) -> bool {
        runs(Command::new("umount").arg(&self.mount))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.unmount();
    }
}

fn runs(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}
