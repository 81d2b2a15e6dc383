//! A tracker, one who gives and those who take: processes of their own on loopback.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use super::{Ran, Scene};
use crate::support::program::Program;
use crate::support::wait::wait_for;

/// How long anything may take before the test fails.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A tracker that runs, and a scene in which torrents are made that name it.
pub struct Party {
    pub scene: Scene,
    pub url: String,
    tracker: Program,
    seeders: Vec<Program>,
}

impl Party {
    pub fn new() -> Self {
        let scene = Scene::new();
        let mut command = scene.command(&["tracker", "--open", "--listen", "127.0.0.1:0"]);
        let tracker = Program::start("tracker", &mut command, scene.path());
        let url = wait_for("the tracker says where it is", TIMEOUT, || {
            tracker.output().lines().find(|line| line.starts_with("http")).map(str::to_owned)
        });
        Self { scene, url, tracker, seeders: Vec::new() }
    }

    /// Where the tracker is asked over UDP.
    pub fn udp(&self) -> String {
        let output = self.tracker.output();
        output.lines().find(|line| line.starts_with("udp")).expect("a tracker serves both").to_owned()
    }

    /// A file of so many bytes in the folder `given`, and its torrent `NAME.torrent`.
    pub fn make(&self, name: &str, len: usize) -> Vec<u8> {
        let bytes = bytes(len);
        self.scene.write(&format!("given/{name}"), &bytes);
        self.torrent(name);
        bytes
    }

    /// The torrent `NAME.torrent` of a file or directory in the folder `given`.
    pub fn torrent(&self, name: &str) {
        let (path, torrent) = (format!("given/{name}"), format!("{name}.torrent"));
        let made =
            self.scene.run(&["create", &path, "-o", &torrent, "-t", &self.url, "--piece-size", "32K", "-q"]);
        assert_eq!(made.code, 0, "{}", made.err);
    }

    /// Gives what these torrents name, from the folder `given`, and waits until it does.
    pub fn seed(&mut self, names: &[&str]) {
        let torrents: Vec<String> = names.iter().map(|name| format!("{name}.torrent")).collect();
        self.share(&["seed"], &torrents, names);
    }

    /// Gives the torrent of this file, whose data has this name.
    pub fn seed_as(&mut self, torrent: &str, name: &str) {
        self.share(&["seed"], &[torrent.to_owned()], &[name]);
    }

    /// Gives whatever lies in the folder `given` as the data of this torrent, be it right or wrong.
    pub fn seed_unchecked(&mut self, torrent: &str, name: &str) {
        let trusting = ["get", "--existing", "trust", "--seed", "forever"];
        self.share(&trusting, &[torrent.to_owned()], &[name]);
    }

    /// Gives in this way what these torrents name, and waits until it does.
    pub fn share(&mut self, how: &[&str], torrents: &[String], names: &[&str]) {
        let mut arguments = how.to_vec();
        arguments.extend(["--json", "-o", "given"]);
        arguments.extend(torrents.iter().map(String::as_str));
        let log = format!("seeder-{}", self.seeders.len());
        let seeder = Program::start(&log, &mut self.command(&log, &arguments), self.scene.path());
        wait_for("all is given", TIMEOUT, || {
            let seeding = |name: &&str| {
                let path = self.scene.path().join("given").join(name);
                let path = path.to_str().unwrap().to_owned();
                seeder.output().lines().any(|line| line.contains(r#""event":"done""#) && line.contains(&path))
            };
            names.iter().all(seeding).then_some(())
        });
        wait_for("the state says so", TIMEOUT, || {
            seeder.output().contains(r#""state":"seeding""#).then_some(())
        });
        self.seeders.push(seeder);
    }

    /// What the first who gives has sent, in bytes, and the number of its peers, as it last said.
    pub fn sent(&self) -> (u64, u64) {
        let output = self.seeders[0].output();
        let mut lines = output.lines().rev().filter(|line| line.ends_with('}'));
        let last = lines.find(|line| line.contains(r#""event":"progress""#)).expect("it says how it goes");
        let event: serde_json::Value = serde_json::from_str(last).expect("an event");
        (event["sent"].as_u64().expect("a number"), event["peers"].as_u64().expect("a number"))
    }

    /// The program with a state of its own, on loopback only.
    pub fn command(&self, state: &str, arguments: &[&str]) -> Command {
        let mut command = self.scene.command(arguments);
        command.args(["--bind", "127.0.0.1", "--state-dir", &format!("state-{state}")]);
        command
    }

    /// Gets; gives up where nothing comes.
    pub fn get(&self, state: &str, arguments: &[&str]) -> Ran {
        let mut all = vec!["get", "--timeout", "30s"];
        all.extend(arguments);
        Scene::ran(&mut self.command(state, &all))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.scene.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// What a path on standard output has to be.
    pub fn line(&self, name: &str) -> String {
        format!("{}\n", self.path(name).display())
    }
}

/// Bytes in which no two pieces are the same.
pub fn bytes(len: usize) -> Vec<u8> {
    let mut rng = torr::base::Rng::new(len as u64);
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
    bytes.truncate(len);
    bytes
}

/// Waits until a program has ended.
pub fn end(program: &mut Program) -> ExitStatus {
    wait_for("the program ends", TIMEOUT, || program.ended())
}
