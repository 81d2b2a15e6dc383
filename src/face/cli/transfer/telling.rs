//! What people and scripts are told of transfers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use crate::base::{InfoHash, Untrusted, units};
use crate::engine::{State, View};
use crate::face::cli::error::{Failure, shown};
use crate::face::cli::exit::Exit;
use crate::face::cli::input::quoted;
use crate::face::cli::json;
use crate::face::cli::output::{Output, Progress, raw};
use crate::face::cli::progress::news::{self, News};
use crate::face::cli::progress::screen;
use crate::face::cli::style::{Role, Style};

use super::events;
use super::{Job, Outcomes, Verb};

/// The time between two JSON events of progress, unless the user chose one.
const JSON_EVERY: Duration = Duration::from_secs(1);

/// Tells of transfers in whatever form is wanted.
pub struct Telling<'a> {
    schema: &'static str,
    path_end: Option<u8>,
    output: &'a Output,
    lines: News,
    events: News,
    sizes: BTreeMap<InfoHash, u64>,
    complete: BTreeSet<InfoHash>,
}

impl<'a> Telling<'a> {
    /// Nothing was told yet.
    pub fn new(verb: Verb, path_end: Option<u8>, output: &'a Output) -> Self {
        Self {
            schema: verb.schema(),
            path_end,
            output,
            lines: News::new(output.interval),
            events: News::new(Some(output.interval.unwrap_or(JSON_EVERY))),
            sizes: BTreeMap::new(),
            complete: BTreeSet::new(),
        }
    }

    /// A torrent is in the session.
    pub fn added(&mut self, id: InfoHash, name: &Untrusted, size: u64, files: u64) -> Result<(), Failure> {
        self.sizes.insert(id, size);
        self.line(&news::metadata(id, name, files, size));
        self.event(&events::metadata(self.schema, id, name, size, files))
    }

    /// What is there was looked through.
    pub fn checked(&self, id: InfoHash, have: u64) {
        let size = self.sizes.get(&id).copied().unwrap_or(0);
        if have > 0 && have < size {
            let text = crate::face::cli::progress::amounts::of(have, size, " of ");
            self.line(&format!("{} found {text} already there", id.short()));
        }
    }

    /// How everything fares.
    pub fn progress(&mut self, view: &View, now: Duration) -> Result<(), Failure> {
        if self.output.progress == Progress::Bar {
            self.output.live.draw(screen::lines(view, self.output.err, self.output.columns()));
        }
        for row in &view.torrents {
            // A view may be older than the news that it is complete.
            if self.complete.contains(&row.id) && row.state != State::Seeding {
                continue;
            }
            if self.output.progress == Progress::Lines && self.lines.due(row, now) {
                self.line(&news::line(row));
            }
            if (self.output.json || self.output.progress == Progress::Json) && self.events.due(row, now) {
                self.event(&events::progress(self.schema, row))?;
            }
        }
        Ok(())
    }

    /// A download is complete.
    pub fn finished(&mut self, job: &Job, path: &Path, received: u64, took: Duration) -> Result<(), Failure> {
        self.complete.insert(job.id);
        let size = self.sizes.get(&job.id).copied().unwrap_or(0);
        self.line(&news::done(job.id, size, received, took));
        self.event(&events::done(self.schema, job.id, path, took.as_secs()))?;
        if self.output.progress != Progress::Lines {
            self.output.say(&story(job, size, received, took, self.output.err));
        } else if self.output.stdout_tty && !self.output.json {
            self.output.line(&story(job, size, received, took, self.output.out))?;
        }
        if let Some(end) = self.path_end
            && !self.output.stdout_tty
            && !self.output.json
            && self.output.quiet < 2
        {
            self.output.path(path, end)?;
        }
        Ok(())
    }

    /// A torrent is given to others from here on.
    pub fn seeding(&mut self, job: &Job, path: &Path) -> Result<(), Failure> {
        self.complete.insert(job.id);
        self.line(&format!("{} seeding {}", job.id.short(), shown(path)));
        if self.output.progress != Progress::Lines {
            self.output.say(&format!(
                "{} seeding {}",
                self.output.err.paint(Role::Good, self.output.err.ok()),
                shown(path)
            ));
        }
        self.event(&events::done(self.schema, job.id, path, 0))
    }

    /// The goal of giving is reached.
    pub fn goal(&self, job: &Job) {
        let text = "has given back as much as was asked";
        if self.output.progress == Progress::Lines {
            self.line(&format!("{} {text}", job.id.short()));
        } else {
            self.output.say(&format!(
                "{} {} {text}",
                self.output.err.paint(Role::Good, self.output.err.ok()),
                job.name.fit(80)
            ));
        }
    }

    /// Something worth a line.
    pub fn note(&self, id: InfoHash, text: &str) {
        if self.output.progress == Progress::Lines {
            self.line(&format!("{} {text}", id.short()));
        } else {
            self.output.say(&format!("  {text}"));
        }
    }

    /// A line for a log, with the time of day.
    fn line(&self, text: &str) {
        if self.output.progress == Progress::Lines {
            self.output.say(&format!("{} {text}", jiff::Zoned::now().strftime("%H:%M:%S")));
        }
    }

    fn event(&self, event: &impl serde::Serialize) -> Result<(), Failure> {
        if self.output.progress == Progress::Json {
            raw(&format!("{}\n", json::line(event)));
        }
        self.output.event(event)
    }
}

/// The last event of the command.
pub fn summary(verb: Verb, outcomes: &Outcomes, exit: Exit, output: &Output) -> Result<(), Failure> {
    let (done, failed) = (outcomes.done, outcomes.failures());
    if done + failed > 1 && exit != Exit::Done {
        output.say(&format!("{done} of {} done, {failed} failed", done + failed));
    }
    output.event(&events::Summary {
        schema: verb.schema(),
        event: "summary",
        ok: exit == Exit::Done,
        code: exit.code(),
        done,
        failed,
    })
}

/// The end of a download, and the answer to whether it is given back.
fn story(job: &Job, size: u64, received: u64, took: Duration, style: Style) -> String {
    let took_seconds = took.as_secs_f64();
    let came = if received == 0 {
        "was already there".to_owned()
    } else if took_seconds < 0.05 {
        "in no time".to_owned()
    } else {
        format!("in {} ({})", units::span(took), units::rate(received as f64 / took_seconds))
    };
    let place =
        if job.folder == Path::new(".") { "this folder".to_owned() } else { shown(&job.folder).clean() };
    let then = if job.seeds {
        "Seeding; Ctrl-C stops".to_owned()
    } else {
        format!("Not seeding; to give back:  torr seed {}{}", job.argument, folder_flag(&job.place()))
    };
    format!(
        "{} {}  {} {came}, every piece verified\n  saved in {place}.  {then}",
        style.paint(Role::Good, style.ok()),
        style.paint(Role::Strong, &job.name.fit(200)),
        units::size(size),
    )
}

fn folder_flag(folder: &Path) -> String {
    if folder == Path::new(".") { String::new() } else { format!(" -o {}", quoted(folder)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_answers_whether_it_seeds() {
        let mut job = Job {
            id: InfoHash::v1([8; 20]),
            name: "ubuntu.iso".into(),
            argument: "ubuntu.torrent".to_owned(),
            folder: "iso".into(),
            renamed: None,
            seeds: false,
        };
        let text = story(&job, 6_012_954_214, 6_012_954_214, Duration::from_secs(166), Style::default());
        assert_eq!(
            text,
            "✓ ubuntu.iso  5.6 GiB in 2 min 46 s (34.5 MiB/s), every piece verified\n  \
             saved in iso.  Not seeding; to give back:  torr seed ubuntu.torrent -o iso"
        );
        job.seeds = true;
        job.folder = ".".into();
        let text = story(&job, 1024, 0, Duration::ZERO, Style::default());
        assert_eq!(
            text,
            "✓ ubuntu.iso  1 KiB was already there, every piece verified\n  saved in this folder.  Seeding; Ctrl-C stops"
        );
    }
}
