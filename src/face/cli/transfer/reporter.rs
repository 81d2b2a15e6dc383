//! Reports of transfers, for people and scripts.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use crate::app::door::{DifferentFile, Reason, Row, SeedGoal, State, Treatment, View};
use crate::app::submission::{SavedTorrentFile, SubmittedTorrent};
use crate::app::{Error, shown};
use crate::base::{InfoHashes, TorrentId, Untrusted, units};
use crate::face::cli::exit::Exit;
use crate::face::cli::json;
use crate::face::cli::output::{Output, Progress};
use crate::face::cli::progress::amounts;
use crate::face::cli::progress::log_lines::{self, UpdateTimer};
use crate::face::cli::progress::many::Sum;
use crate::face::cli::progress::screen;
use crate::face::cli::stderr;
use crate::face::cli::style::Role;

use super::events;
use super::notices::{self, Finish};
use super::{Outcomes, Verb};

/// The time between two JSON events of progress, unless the user chose one.
const JSON_EVERY: Duration = Duration::from_secs(1);

/// Tells of transfers in whatever form is wanted.
pub struct Reporter<'a> {
    verb: Verb,
    path_end: Option<u8>,
    output: &'a Output,
    lines: UpdateTimer,
    events: UpdateTimer,
    /// Torrents that have neither failed nor are complete.
    open: usize,
    /// Torrents that failed before they could begin.
    lost_before: usize,
    /// The info-hashes by which people and scripts know the torrents, as far as they are known.
    info_hashes: BTreeMap<TorrentId, InfoHashes>,
    sizes: BTreeMap<TorrentId, u64>,
    /// Complete, and whether they are given to others from here on.
    complete: BTreeMap<TorrentId, bool>,
    failed: BTreeSet<TorrentId>,
    /// Torrents of which no more than the torrent file was wanted, as they ended.
    saved: Vec<Row>,
    /// Bytes of those that were never in the engine.
    saved_elsewhere: u64,
}

impl<'a> Reporter<'a> {
    /// Nothing was told yet of so many torrents; so many others have failed before they could begin.
    pub fn new(verb: Verb, path_end: Option<u8>, torrents: usize, lost: usize, output: &'a Output) -> Self {
        Self {
            verb,
            path_end,
            output,
            lines: UpdateTimer::new(output.interval),
            events: UpdateTimer::new(Some(output.interval.unwrap_or(JSON_EVERY))),
            open: torrents,
            lost_before: lost,
            info_hashes: BTreeMap::new(),
            sizes: BTreeMap::new(),
            complete: BTreeMap::new(),
            failed: BTreeSet::new(),
            saved: Vec::new(),
            saved_elsewhere: 0,
        }
    }

    /// One more torrent has come.
    pub fn one_more(&mut self) {
        self.open += 1;
    }

    /// One more has failed before it could begin.
    pub fn one_less(&mut self) {
        self.lost_before += 1;
    }

    /// A torrent in the engine has these info-hashes.
    pub fn set_info_hashes(&mut self, id: TorrentId, info_hashes: InfoHashes) {
        self.info_hashes.insert(id, info_hashes);
    }

    /// The info-hashes of a torrent.
    pub fn info_hashes(&self, id: TorrentId) -> Option<InfoHashes> {
        self.info_hashes.get(&id).copied()
    }

    /// The torrent in the engine that has one of these info-hashes.
    pub fn id_of(&self, info_hashes: &InfoHashes) -> Option<TorrentId> {
        self.info_hashes.iter().find(|(_, known)| known.overlaps(info_hashes)).map(|(&id, _)| id)
    }

    /// A torrent is in the session.
    pub fn added(&mut self, id: TorrentId, name: &Untrusted, size: u64, files: u64) -> Result<(), Error> {
        self.sizes.insert(id, size);
        let Some(torrent) = self.info_hashes(id) else { return Ok(()) };
        self.metadata(torrent, name, size, files)
    }

    /// Reports the metadata of a torrent.
    fn metadata(&self, torrent: InfoHashes, name: &Untrusted, size: u64, files: u64) -> Result<(), Error> {
        self.line(&log_lines::metadata(torrent, name, files, size));
        self.event(&events::metadata(self.verb.schema(), torrent, name, size, files))
    }

    /// Reports how much of a torrent was already there.
    pub fn checked(&self, id: TorrentId, have: u64) {
        let (size, torrent) = (self.size(id), self.info_hashes(id));
        if have > 0
            && have < size
            && let Some(torrent) = torrent
        {
            let text = amounts::of(have, size, " of ");
            self.line(&format!("{} found {text} already there", torrent.short()));
        }
    }

    /// The size of a torrent that was added.
    pub fn size(&self, id: TorrentId) -> u64 {
        self.sizes.get(&id).copied().unwrap_or(0)
    }

    /// How everything fares.
    pub fn progress(&mut self, view: &View, now: Duration) -> Result<(), Error> {
        let (view, lost) = (self.caught_up(view), self.lost(view));
        match self.output.progress {
            Progress::Bar => {
                let over = |row: &Row| matches!(row.state, State::Done | State::Error);
                let lines = if view.torrents.iter().all(over) {
                    Vec::new()
                } else {
                    screen::lines(&view, lost, self.output.err, self.output.size())
                };
                self.output.live.draw(lines);
            }
            Progress::Lines if view.torrents.len() + lost > 1 => {
                let sum = Sum::of(&view.torrents, lost);
                if self.lines.total_due(&sum, now) {
                    self.line(&log_lines::total(&sum, view.down));
                }
            }
            _ => {}
        }
        for row in &view.torrents {
            // The end of each is told as it comes.
            if matches!(row.state, State::Done | State::Error) {
                continue;
            }
            if self.output.progress == Progress::Lines && self.lines.due(row, now) {
                self.line(&log_lines::line(row));
            }
            if (self.output.json || self.output.progress == Progress::Json) && self.events.due(row, now) {
                self.event(&events::progress(self.verb.schema(), row))?;
            }
        }
        Ok(())
    }

    /// The view as it is by now: it may be older than the news that a torrent is complete or has failed, and
    /// a torrent that was given up may still be in it.
    fn caught_up<'v>(&self, view: &'v View) -> Cow<'v, View> {
        let (complete, failed) = (&self.complete, &self.failed);
        let old = |row: &Row| !matches!(row.state, State::Done | State::Seeding | State::Error);
        let late = |row: &Row| old(row) && (complete.contains_key(&row.id) || failed.contains(&row.id));
        if self.saved.is_empty() && !view.torrents.iter().any(late) {
            return Cow::Borrowed(view);
        }
        let mut view = view.clone();
        // What was left on purpose still counts.
        view.torrents.retain(|row| self.saved.iter().all(|saved| saved.id != row.id));
        view.torrents.extend(self.saved.iter().cloned());
        view.torrents.retain(|row| !failed.contains(&row.id) || row.state == State::Error);
        for row in view.torrents.iter_mut().filter(|row| late(row)) {
            let seeds = complete.get(&row.id).copied().unwrap_or(false);
            (row.state, row.reason) = if seeds {
                let text = "no peer is asking for data".to_owned();
                (State::Seeding, Reason { word: "nobody_interested", text })
            } else {
                (State::Done, Reason { word: "not_seeding", text: "complete; not seeding".to_owned() })
            };
            (row.done, row.down, row.eta) = (row.wanted, 0.0, None);
        }
        view.down = view.torrents.iter().map(|row| row.down).sum();
        Cow::Owned(view)
    }

    /// How many have failed and are not in the view, or only as what they were before.
    fn lost(&self, view: &View) -> usize {
        let told =
            |id: &&TorrentId| view.torrents.iter().any(|row| row.id == **id && row.state == State::Error);
        self.lost_before + self.failed.iter().filter(|id| !told(id)).count()
    }

    /// A download is complete.
    pub fn finished(&mut self, id: TorrentId, finish: &Finish<'_>) -> Result<(), Error> {
        let torrent = finish.torrent;
        self.open = self.open.saturating_sub(1);
        self.complete.insert(id, torrent.is_seeded());
        self.line(&log_lines::done(torrent.info_hashes, finish.size, finish.received, finish.took));
        let seconds = finish.took.as_secs();
        self.event(&events::done(
            self.verb.schema(),
            torrent.info_hashes,
            finish.path,
            seconds,
            finish.verified,
        ))?;
        match self.output.progress {
            Progress::Bar | Progress::None => {
                // The last one takes the place of the lines that told of it.
                if self.open == 0 && !self.complete.values().any(|&seeds| seeds) {
                    self.output.live.leave();
                }
                self.output.say(&notices::finished(finish, self.output.err));
            }
            Progress::Lines if self.output.stdout_tty && !self.output.json => {
                self.output.line(&notices::finished(finish, self.output.out))?;
            }
            Progress::Lines | Progress::Json => {}
        }
        self.path(finish.path)
    }

    /// Of a torrent the torrent file was wanted, and it is there. If the torrent was in the engine, this is its id
    /// there, and the row the last one that was seen.
    pub fn saved(
        &mut self,
        id: Option<TorrentId>,
        saved: &SavedTorrentFile,
        row: Option<&Row>,
        took: Duration,
    ) -> Result<(), Error> {
        self.open = self.open.saturating_sub(1);
        self.metadata(saved.info_hashes, &saved.name, saved.size, saved.files)?;
        match id {
            Some(id) => {
                self.sizes.insert(id, saved.size);
                self.complete.insert(id, false);
            }
            None => self.saved_elsewhere = self.saved_elsewhere.saturating_add(saved.size),
        }
        self.saved.extend(row.map(|row| Row { state: State::Done, ..row.clone() }));
        self.line(&format!("{} saved {}", saved.info_hashes.short(), shown(&saved.path)));
        self.event(&events::done(self.verb.schema(), saved.info_hashes, &saved.path, took.as_secs(), true))?;
        match self.output.progress {
            Progress::Bar | Progress::None => {
                if self.open == 0 {
                    self.output.live.leave();
                }
                self.output.say(&notices::saved(saved, self.output.err));
            }
            Progress::Lines if self.output.stdout_tty && !self.output.json => {
                self.output.line(&notices::saved(saved, self.output.out))?;
            }
            Progress::Lines | Progress::Json => {}
        }
        self.path(&saved.path)
    }

    /// The path of what was wanted, for whoever reads standard output.
    fn path(&self, path: &Path) -> Result<(), Error> {
        match self.path_end {
            Some(end) if !self.output.stdout_tty && !self.output.json && self.output.quiet < 2 => {
                self.output.path(path, end)
            }
            _ => Ok(()),
        }
    }

    /// A torrent is given to others from here on.
    pub fn seeding(
        &mut self,
        id: TorrentId,
        torrent: &SubmittedTorrent,
        path: &Path,
        until: SeedGoal,
    ) -> Result<(), Error> {
        self.open = self.open.saturating_sub(1);
        self.complete.insert(id, true);
        let until = notices::until_when(until);
        self.words(torrent.info_hashes, &format!("seeding {} {until}", shown(path)), |text| {
            format!("{} {text}", self.output.err.paint(Role::Good, self.output.err.ok()))
        });
        self.event(&events::done(self.verb.schema(), torrent.info_hashes, path, 0, true))
    }

    /// The goal of giving is reached; the row is the last one that was seen.
    pub fn goal(
        &self,
        id: TorrentId,
        torrent: &SubmittedTorrent,
        until: SeedGoal,
        row: Option<&Row>,
    ) -> Result<(), Error> {
        let text = notices::goal(until, row);
        self.words(torrent.info_hashes, &text, |text| {
            let sign = self.output.err.paint(Role::Good, self.output.err.ok());
            format!("{sign} {} {text}", torrent.name.fit(80))
        });
        let reason = Reason { word: "goal_reached", text: format!("complete; {text}") };
        self.last(id, row, State::Done, reason)
    }

    /// A torrent has failed: from here on nothing more is told of it.
    pub fn failed(&mut self, id: TorrentId) {
        self.open = self.open.saturating_sub(usize::from(!self.complete.contains_key(&id)));
        self.failed.insert(id);
    }

    /// The state in which a torrent ends; the row is the last one that was seen.
    pub fn last(&self, id: TorrentId, row: Option<&Row>, state: State, reason: Reason) -> Result<(), Error> {
        let size = self.sizes.get(&id).copied();
        let Some(torrent) = self.info_hashes(id) else { return Ok(()) };
        self.event(&events::last(self.verb.schema(), torrent, size, row, state, reason))
    }

    /// An existing file differs from its torrent. That it was refused is what the torrent's error says.
    pub fn different(&self, id: TorrentId, file: &DifferentFile, treatment: &Treatment) -> Result<(), Error> {
        let Some(torrent) = self.info_hashes(id) else { return Ok(()) };
        if let Some(text) = notices::different(file, treatment) {
            self.words(torrent, &text, |text| format!("  {text}"));
        }
        self.event(&events::different(self.verb.schema(), torrent, file, treatment))
    }

    /// Something worth a line.
    pub fn note(&self, id: TorrentId, text: &str) {
        if let Some(torrent) = self.info_hashes(id) {
            self.words(torrent, text, |text| format!("  {text}"));
        }
    }

    /// How several of them ended, in one line.
    pub fn farewell(&self, outcomes: &Outcomes, took: Duration) {
        let (done, failed) = (outcomes.done, outcomes.failures());
        if done + failed < 2 {
            return;
        }
        let fetched = self.complete.keys().filter(|id| self.saved.iter().all(|saved| saved.id != **id));
        let bytes = fetched.map(|&id| self.size(id)).sum::<u64>().saturating_add(self.saved_elsewhere);
        let failures = if failed == 0 { String::new() } else { format!(", {failed} failed") };
        let amount = match self.verb {
            Verb::Get if bytes > 0 => format!("  {} in {}", units::size(bytes), units::span(took)),
            _ => String::new(),
        };
        let text = format!("{done} of {} done{failures}{amount}", done + failed);
        if self.output.progress == Progress::Lines {
            self.line(&format!("total   {text}"));
        } else if self.output.progress != Progress::Json {
            let style = self.output.err;
            let sign = if failed == 0 {
                style.paint(Role::Good, style.ok())
            } else {
                style.paint(Role::Bad, style.bad())
            };
            self.output.say(&format!("{sign} {text}"));
        }
    }

    /// Words about a torrent: a line for a log, or what stands above the bar.
    fn words(&self, torrent: InfoHashes, text: &str, bar: impl Fn(&str) -> String) {
        match self.output.progress {
            Progress::Lines => self.line(&format!("{} {text}", torrent.short())),
            Progress::Bar | Progress::None => self.output.say(&bar(text)),
            Progress::Json => {}
        }
    }

    /// A line for a log, with the time of day.
    fn line(&self, text: &str) {
        if self.output.progress == Progress::Lines {
            self.output.say(&format!("{} {text}", jiff::Zoned::now().strftime("%H:%M:%S")));
        }
    }

    fn event(&self, event: &impl serde::Serialize) -> Result<(), Error> {
        tell(event, self.output)
    }
}

/// The last event of the command.
pub fn summary(verb: Verb, outcomes: &Outcomes, exit: Exit, output: &Output) -> Result<(), Error> {
    let summary = events::Summary {
        schema: verb.schema(),
        event: "summary",
        ok: exit == Exit::Done,
        code: exit.code(),
        done: outcomes.done,
        failed: outcomes.failures(),
    };
    tell(&summary, output)
}

fn tell(event: &impl serde::Serialize, output: &Output) -> Result<(), Error> {
    if output.progress == Progress::Json {
        stderr::write(&format!("{}\n", json::line(event)));
    }
    output.event(event)
}
