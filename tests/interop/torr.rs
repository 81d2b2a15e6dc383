//! torr itself, by its command line.

use std::path::Path;

use serde_json::Value;

use super::client::{Client, Place};
use crate::support::program::{self, Program};

const NAME: &str = "torr";

/// Which command shares the torrent, and what its success looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// `torr seed`, which says that it seeds.
    Seed,
    /// `torr get`, which ends with success.
    Get,
    /// `torr get --seed forever`, which says that it is done.
    GetAndStay,
}

pub struct Torr {
    place: Place,
    way: Way,
    more: Vec<String>,
    program: Option<Program>,
}

pub fn seed(place: &Place) -> Box<dyn Client> {
    Box::new(Torr::new(place, Way::Seed))
}

pub fn get(place: &Place) -> Box<dyn Client> {
    Box::new(Torr::new(place, Way::Get))
}

pub fn get_and_stay(place: &Place) -> Box<dyn Client> {
    Box::new(Torr::new(place, Way::GetAndStay))
}

/// Seeds or fetches with these arguments as well, which may take back what is switched off otherwise.
pub fn with(place: &Place, seeds: bool, more: &[&str]) -> Torr {
    let torr = Torr::new(place, if seeds { Way::Seed } else { Way::Get });
    Torr { more: more.iter().map(ToString::to_string).collect(), ..torr }
}

/// Runs torr to its end: the exit code and the lines of JSON it printed.
pub fn run(home: &Path, args: &[&str], paths: &[&Path]) -> (Option<i32>, Vec<Value>) {
    let output = program::torr(home).args(args).args(paths).output().expect("torr runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    eprintln!(
        "torr {args:?} {paths:?}: {}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.code(), lines)
}

impl Torr {
    fn new(place: &Place, way: Way) -> Self {
        Self { place: place.clone(), way, more: Vec::new(), program: None }
    }

    fn said(&self) -> Vec<Value> {
        let output = self.program.as_ref().expect("a torrent was added").output();
        output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl Client for Torr {
    fn name(&self) -> &'static str {
        NAME
    }

    fn add(&mut self, torrent: &Path, save: &Path) {
        let mut command = program::torr(&self.place.home);
        command.arg(if self.way == Way::Seed { "seed" } else { "get" }).arg(torrent).arg("-o").arg(save);
        command.args(["-p", &self.place.port(), "--bind", &self.place.ip(), "--json"]);
        command.args(["--no-dht", "--no-pex", "--no-upnp", "--no-utp", "-vv"]);
        command.arg(if self.place.lsd { "--lsd" } else { "--no-lsd" });
        command.args(&self.more);
        if self.way == Way::GetAndStay {
            command.args(["--seed", "forever"]);
        }
        self.program = Some(self.place.start(NAME, command));
    }

    fn has_all(&mut self) -> bool {
        let way = self.way;
        let program = self.program.as_mut().expect("a torrent was added");
        match way {
            Way::Get => program.ended().is_some_and(|status| {
                assert!(status.success(), "torr get: {status}");
                true
            }),
            Way::Seed => {
                program.assert_running();
                self.said().iter().any(|line| line["state"] == "seeding")
            }
            Way::GetAndStay => {
                program.assert_running();
                self.said().iter().any(|line| line["event"] == "done")
            }
        }
    }

    fn info_hash(&mut self) -> Option<String> {
        self.said().iter().find_map(|line| line["torrent"].as_str().map(str::to_owned))
    }
}
