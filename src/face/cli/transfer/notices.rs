//! The words at the end of a transfer: what there is, where it is, and what becomes of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::app::door::{After, DifferentFile, Row, SeedGoal, Treatment};
use crate::app::submission::{SavedTorrentFile, SubmittedTorrent};
use crate::app::{quoted, shown};
use crate::base::units;
use crate::face::cli::progress::amounts::of;
use crate::face::cli::style::{Role, Style};

/// A download that is complete.
#[derive(Clone, Debug)]
pub struct Finish<'a> {
    /// The torrent that is complete.
    pub torrent: &'a SubmittedTorrent,
    /// Where its file or folder is.
    pub path: &'a Path,
    /// Its size in bytes.
    pub size: u64,
    /// How much of that came from others in this run.
    pub received: u64,
    /// How long it was on its way in this run.
    pub took: Duration,
    /// Every piece was hashed and found right, in this run or in one before.
    pub verified: bool,
    /// The command that seeds it later.
    pub seed_command: String,
}

/// The end of a download, and the answer to whether it is given back.
pub fn finished(finish: &Finish<'_>, style: Style) -> String {
    let torrent = finish.torrent;
    let how = if finish.verified { "every piece verified" } else { "not verified" };
    let then = match torrent.after {
        After::Stop => format!("Not seeding; to seed:  {}", finish.seed_command),
        After::Seed(until) => format!("Seeding {}", until_when(until)),
    };
    format!(
        "{} {}  {}{} {}, {how}\n  saved in {}.  {then}",
        style.paint(Role::Good, style.ok()),
        style.paint(Role::Strong, &torrent.name.fit(200)),
        units::size(finish.size),
        part(finish.received, finish.size),
        came(finish.received, finish.took),
        place(&torrent.folder),
    )
}

/// The end where no more than the torrent file was wanted.
pub fn saved(saved: &SavedTorrentFile, style: Style) -> String {
    let files = units::plural(saved.files, "file", "files");
    format!(
        "{} {}  {files}, {}\n  saved as {}.  To download:  torr get {}",
        style.paint(Role::Good, style.ok()),
        style.paint(Role::Strong, &saved.name.fit(200)),
        units::size(saved.size),
        shown(&homely(&saved.path, home())),
        quoted(&saved.path),
    )
}

/// `, 1.2 MiB of it downloaded` where the rest was there: the time and the rate that follow are of what came.
fn part(received: u64, size: u64) -> String {
    let (came, all) = (units::size(received), units::size(size));
    if received == 0 || received >= size || came == all {
        String::new()
    } else {
        format!(", {came} of it downloaded")
    }
}

/// `in 2 min 46 s (34.5 MiB/s)`.
pub fn came(received: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    if received == 0 {
        "was already there".to_owned()
    } else if seconds < 0.05 {
        "in less than 0.1 s".to_owned()
    } else {
        match units::rate(received as f64 / seconds).as_str() {
            "-" => format!("in {}", units::span(took)),
            rate => format!("in {} ({rate})", units::span(took)),
        }
    }
}

/// `until it has uploaded 2 times its size or 7 d have passed; Ctrl-C stops`.
pub fn until_when(until: SeedGoal) -> String {
    let mut goals = Vec::new();
    if let Some(ratio) = until.ratio {
        goals.push(format!("it has uploaded {}", times_its_size(ratio)));
    }
    if let Some(time) = until.time {
        let span = units::span(time);
        let one = span.strip_prefix("1 ").is_some_and(|unit| !unit.contains(' '));
        goals.push(format!("{span} {} passed", if one { "has" } else { "have" }));
    }
    match until.copies {
        Some(1) => goals.push("another peer has all of it".to_owned()),
        Some(copies) => goals.push(format!("{} other peers have all of it", units::count(u64::from(copies)))),
        None => {}
    }
    if goals.is_empty() {
        return "until you stop it with Ctrl-C".to_owned();
    }
    format!("until {}; Ctrl-C stops", goals.join(" or "))
}

/// The seed limit that ended a torrent, behind its name. `row` is the last one that was seen.
pub fn goal(until: SeedGoal, row: Option<&Row>) -> String {
    let reached = until.ratio.filter(|&ratio| row.is_some_and(|row| row.ratio() >= ratio));
    let copies = until.copies.map(|copies| row.is_some_and(|row| row.copies >= copies));
    // The row may be older than the event: limits that it shows as reached come first, then those that it cannot show.
    match (reached.or(until.ratio), until.time, copies) {
        (Some(ratio), None, None) => uploaded(ratio),
        (Some(ratio), ..) if reached.is_some() => uploaded(ratio),
        (_, None, Some(_)) | (.., Some(true)) => match until.copies {
            Some(copies @ 2..) => {
                format!("seeded until {} other peers had all of it", units::count(u64::from(copies)))
            }
            _ => "seeded until another peer had all of it".to_owned(),
        },
        (_, Some(time), _) => format!("seeded for {}, as requested", units::span(time)),
        (None, None, None) => "reached its seed limit".to_owned(),
    }
}

fn uploaded(ratio: f64) -> String {
    format!("uploaded {}, as requested", times_its_size(ratio))
}

/// `its size`, or `2 times its size`.
fn times_its_size(ratio: f64) -> String {
    if (ratio - 1.0).abs() < f64::EPSILON { "its size".to_owned() } else { format!("{ratio} times its size") }
}

/// The treatment of an existing file that differs from its torrent; nothing where it is refused.
pub fn different(file: &DifferentFile, treatment: &Treatment) -> Option<String> {
    let path = shown(&file.path);
    match treatment {
        Treatment::Refused => None,
        Treatment::Replaced => {
            let (ranges, size) = (units::ranges(&file.ranges), units::size(file.bytes()));
            Some(format!("{path}: replacing bytes {ranges} ({size}), which differ from the torrent"))
        }
        Treatment::BackedUp(backup) => Some(format!("{path}: kept the old file as {}", shown(backup))),
    }
}

/// The end of a command that had not yet seen what there is.
pub const CUT_OFF_WHILE_CHECKING: &str =
    "stopped while checking existing files, which are unchanged; run the same command to start again";

/// The end of a command that had not yet anything to begin with.
pub const NOTHING_BEGUN: &str = "stopped before anything started";

/// The notice of cut-off downloads: one is named by its bytes, several are counted.
pub fn cut_off(unfinished: &[(u64, u64)], done: usize) -> String {
    let kept = match unfinished {
        [(0, _)] if done == 0 => {
            return "stopped before any data arrived; run the same command to start again".to_owned();
        }
        [(kept, size)] if done == 0 => format!("kept {}", of(*kept, *size, " of ")),
        some => format!("{done} of {} done, kept the parts of the rest", done + some.len()),
    };
    format!("stopped: {kept}; run the same command to resume")
}

/// A folder as people say it.
fn place(folder: &Path) -> String {
    if folder == Path::new(".") {
        return "this folder".to_owned();
    }
    shown(&homely(folder, home())).clean()
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from)
}

/// The path with `~` for the user's home.
fn homely(path: &Path, home: Option<PathBuf>) -> PathBuf {
    let below = home.filter(|home| home.is_absolute() && home.parent().is_some());
    match below.and_then(|home| path.strip_prefix(home).map(Path::to_owned).ok()) {
        Some(rest) if rest.as_os_str().is_empty() => PathBuf::from("~"),
        Some(rest) => Path::new("~").join(rest),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::door::State;
    use crate::base::InfoHashes;
    use crate::face::cli::progress::screen::tests::row;

    fn torrent() -> SubmittedTorrent {
        SubmittedTorrent {
            info_hashes: InfoHashes::from_v1([8; 20]),
            name: "ubuntu.iso".into(),
            argument: "ubuntu.torrent".to_owned(),
            folder: "iso".into(),
            root_name: None,
            after: After::Stop,
        }
    }

    fn finish(torrent: &SubmittedTorrent) -> Finish<'_> {
        Finish {
            torrent,
            path: Path::new("/iso/ubuntu.iso"),
            size: 6_012_954_214,
            received: 6_012_954_214,
            took: Duration::from_secs(166),
            verified: true,
            seed_command: "torr seed 080808".to_owned(),
        }
    }

    #[test]
    fn the_end_answers_whether_it_seeds() {
        let mut torrent = torrent();
        assert_eq!(
            finished(&finish(&torrent), Style::default()),
            "✓ ubuntu.iso  5.6 GiB in 2 min 46 s (34.5 MiB/s), every piece verified\n  \
             saved in iso.  Not seeding; to seed:  torr seed 080808"
        );
        torrent.folder = ".".into();
        torrent.after = After::Seed(SeedGoal::default());
        let there = Finish { size: 1024, received: 0, verified: false, ..finish(&torrent) };
        assert_eq!(
            finished(&there, Style::default()),
            "✓ ubuntu.iso  1 KiB was already there, not verified\n  \
             saved in this folder.  Seeding until you stop it with Ctrl-C"
        );
    }

    #[test]
    fn the_rate_is_of_what_came() {
        let torrent = torrent();
        let rest = Finish { received: 34 << 20, took: Duration::from_secs(1), ..finish(&torrent) };
        let text = finished(&rest, Style::default());
        assert!(
            text.starts_with("✓ ubuntu.iso  5.6 GiB, 34 MiB of it downloaded in 1 s (34 MiB/s), every"),
            "{text}"
        );
    }

    #[test]
    fn seeding_says_until_when_and_how_to_stop() {
        let none = SeedGoal::default();
        let week = Some(Duration::from_secs(604_800));
        assert_eq!(
            until_when(SeedGoal { ratio: Some(2.0), time: week, ..none }),
            "until it has uploaded 2 times its size or 7 d have passed; Ctrl-C stops"
        );
        assert_eq!(
            until_when(SeedGoal { copies: Some(1), ..none }),
            "until another peer has all of it; Ctrl-C stops"
        );
        assert_eq!(
            until_when(SeedGoal { copies: Some(3), ..none }),
            "until 3 other peers have all of it; Ctrl-C stops"
        );
    }

    #[test]
    fn one_of_something_is_said_as_people_say_it() {
        let none = SeedGoal::default();
        let said = |until| until_when(until).replace("; Ctrl-C stops", "");
        assert_eq!(said(SeedGoal { ratio: Some(1.0), ..none }), "until it has uploaded its size");
        for (seconds, words) in
            [(3600, "1 h has passed"), (3660, "1 h 1 min have passed"), (11, "11 s have passed")]
        {
            let time = Some(Duration::from_secs(seconds));
            assert_eq!(said(SeedGoal { time, ..none }), format!("until {words}"));
        }
    }

    #[test]
    fn the_goal_that_was_reached_is_named() {
        let none = SeedGoal::default();
        let (time, ratio, copies) = (Some(Duration::from_secs(9)), Some(2.0), Some(1));
        let mut row = row("x", State::Seeding);
        (row.wanted, row.sent, row.sent_ever, row.copies) = (100, 0, 0, 0);
        let time_over = "seeded for 9 s, as requested";
        assert_eq!(goal(SeedGoal { time, ..none }, Some(&row)), time_over);
        assert_eq!(goal(SeedGoal { ratio, time, copies }, Some(&row)), time_over);
        assert_eq!(goal(SeedGoal { ratio, time, copies }, None), time_over);
        assert_eq!(goal(SeedGoal { ratio, ..none }, None), "uploaded 2 times its size, as requested");
        assert_eq!(goal(SeedGoal { copies, ..none }, None), "seeded until another peer had all of it");
        row.copies = 3;
        let three = SeedGoal { time, copies: Some(3), ..none };
        assert_eq!(goal(three, Some(&row)), "seeded until 3 other peers had all of it");
        (row.sent, row.sent_ever) = (200, 200);
        assert_eq!(
            goal(SeedGoal { ratio, time, ..none }, Some(&row)),
            "uploaded 2 times its size, as requested"
        );
    }

    #[test]
    fn what_was_cut_off_says_how_to_go_on() {
        assert_eq!(
            cut_off(&[(1 << 29, 1 << 30)], 0),
            "stopped: kept 0.5 of 1 GiB; run the same command to resume"
        );
        assert_eq!(
            cut_off(&[(0, 9)], 0),
            "stopped before any data arrived; run the same command to start again"
        );
        assert_eq!(
            cut_off(&[(1, 9), (0, 9)], 2),
            "stopped: 2 of 4 done, kept the parts of the rest; run the same command to resume"
        );
    }

    #[test]
    fn a_home_is_said_as_people_say_it() {
        let home = || Some(PathBuf::from("/home/u"));
        let of = |path: &str| homely(Path::new(path), home());
        assert_eq!([of("/home/u/iso"), of("/home/u")], [PathBuf::from("~/iso"), PathBuf::from("~")]);
        assert_eq!([of("/home/uu"), of("iso")], [PathBuf::from("/home/uu"), PathBuf::from("iso")]);
        assert_eq!(homely(Path::new("/x"), Some("/".into())), Path::new("/x"));
    }
}
