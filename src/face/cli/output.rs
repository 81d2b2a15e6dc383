//! The two streams. Data goes to standard output, words to standard error; each is looked at apart
//! from the other for whether it is a terminal. Nothing here panics when a reader has gone away.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::args::global::{GlobalArgs, Mode, When};
use super::environment::Environment;
use super::error;
use super::hint::hint;
use super::json;
use super::progress::layout::Size;
use super::progress::live::Live;
use super::style::{Role, Style};
use crate::app::{Error, ErrorKind};

/// How progress is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Bars redrawn in place on standard error.
    Bar,
    /// Lines on standard error.
    Lines,
    /// JSON events on standard error.
    Json,
    /// Not at all.
    None,
}

/// Where and how a command writes.
#[derive(Clone, Debug)]
pub struct Output {
    /// The look of standard output.
    pub out: Style,
    /// The look of standard error.
    pub err: Style,
    /// Standard output is a terminal.
    pub stdout_tty: bool,
    /// Standard error is a terminal.
    pub stderr_tty: bool,
    /// How often `-q` was given.
    pub quiet: u8,
    /// Only JSON on standard output.
    pub json: bool,
    /// One record per line, tab-separated, raw numbers.
    pub plain: bool,
    /// How progress is told.
    pub progress: Progress,
    /// The time between lines or events of progress, if the user chose one.
    pub interval: Option<Duration>,
    /// The lines at the bottom of the terminal.
    pub live: Live,
    /// The width of the terminal where the environment fixes it.
    columns: Option<usize>,
    /// The same for its height.
    rows: Option<usize>,
}

impl Output {
    /// The output for these flags in this environment.
    pub fn new(flags: &GlobalArgs, around: &Environment) -> Self {
        let ascii = flags.ascii || around.ascii || !around.utf8;
        let style = |tty| Style { ascii, colour: colour(flags.color, around, tty) };
        Self {
            out: style(around.stdout_tty),
            err: style(around.stderr_tty),
            stdout_tty: around.stdout_tty,
            stderr_tty: around.stderr_tty,
            quiet: flags.quiet,
            json: flags.json,
            plain: flags.plain || !around.stdout_tty,
            progress: progress(flags, around),
            interval: flags.interval,
            live: Live::default(),
            columns: around.columns,
            rows: around.rows,
        }
    }

    /// Writes data to standard output, all of it or the reason why not.
    pub fn data(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Error::closed(),
            _ => Error::new(
                ErrorKind::Disk,
                "io",
                format!("cannot write to standard output: {}", crate::app::reason(&error)),
            ),
        })
    }

    /// Writes one line of data to standard output.
    pub fn line(&self, line: &str) -> Result<(), Error> {
        self.data(format!("{line}\n").as_bytes())
    }

    /// Writes a path for a program to use: byte for byte, and this after it.
    pub fn path(&self, path: &Path, end: u8) -> Result<(), Error> {
        let mut bytes = path.as_os_str().as_encoded_bytes().to_vec();
        bytes.push(end);
        self.data(&bytes)
    }

    /// Writes a document or an event to standard output, where JSON was asked for.
    pub fn event(&self, document: &impl Serialize) -> Result<(), Error> {
        if self.json { self.line(&json::line(document)) } else { Ok(()) }
    }

    /// Says a line to the person, unless they want quiet. Whether anybody reads it does not matter.
    pub fn say(&self, line: &str) {
        if self.quiet == 0 {
            self.live.above(&format!("{}\n", self.err.own(line)));
        }
    }

    /// Warns the person.
    pub fn warn(&self, line: &str) {
        self.say(&format!("{} {line}", self.err.paint(Role::Warn, "warning:")));
    }

    /// Tells a failure: a sentence and a hint to the person, a document to the script.
    pub fn fail(&self, failure: &Error) {
        if failure.kind == ErrorKind::Closed {
            return;
        }
        self.tell_script(failure);
        if self.quiet < 2 {
            let mut text =
                format!("{} {}\n", self.err.paint(Role::Bad, "error:"), self.err.own(&failure.message));
            if let Some(hint) = hint(failure) {
                text.push_str(&format!("{}  {}\n", self.err.paint(Role::Warn, "hint:"), self.err.own(&hint)));
            }
            self.live.above(&text);
        }
    }

    /// Tells a failure to the script alone, if one listens.
    pub fn tell_script(&self, failure: &Error) {
        if self.json {
            // If nobody reads this either, there is no one left to tell.
            let _ = self.line(&json::line(&error::document(failure)));
        }
    }

    /// How large the terminal is: 80 by 24 where nobody knows.
    pub fn size(&self) -> Size {
        let measured = crossterm::terminal::window_size().ok();
        let measured = measured.map(|size| (usize::from(size.columns), usize::from(size.rows)));
        let columns = self.columns.or(measured.map(|(columns, _)| columns));
        let rows = self.rows.or(measured.map(|(_, rows)| rows));
        Size {
            columns: columns.filter(|&columns| columns > 0).unwrap_or(80).clamp(10, 1000),
            rows: rows.filter(|&rows| rows > 0).unwrap_or(24).min(1000),
        }
    }

    /// The columns of the terminal: 80 where nobody knows, and never fewer than 10.
    pub fn columns(&self) -> usize {
        let measured = || crossterm::terminal::window_size().ok().map(|size| usize::from(size.columns));
        let tty = self.stdout_tty || self.stderr_tty;
        let columns = self.columns.or_else(|| if tty { measured() } else { None });
        columns.filter(|&columns| columns > 0).unwrap_or(80).clamp(10, 1000)
    }
}

fn colour(flag: Option<When>, around: &Environment, tty: bool) -> bool {
    let wish = flag.or(match around.torr_color.as_deref() {
        Some("always") => Some(When::Always),
        Some("never") => Some(When::Never),
        Some("auto") => Some(When::Auto),
        _ => None,
    });
    match wish {
        Some(When::Always) => true,
        Some(When::Auto) => tty && around.smart(),
        Some(When::Never) => false,
        None if around.no_color => false,
        None => around.force_color || (tty && around.smart()),
    }
}

fn progress(flags: &GlobalArgs, around: &Environment) -> Progress {
    if flags.quiet > 0 {
        return Progress::None;
    }
    match flags.progress {
        // Even if asked for: what is no terminal, or a dumb one, is never redrawn.
        Mode::Bar if around.stderr_tty && around.smart() => Progress::Bar,
        Mode::Bar => Progress::Lines,
        Mode::Lines => Progress::Lines,
        Mode::Json => Progress::Json,
        Mode::None => Progress::None,
        // Other lines and a bar on the same screen would tear each other apart.
        Mode::Auto if flags.verbose > 0 || (flags.json && around.stdout_tty) => Progress::Lines,
        Mode::Auto if around.stderr_tty && around.smart() && !around.ci => Progress::Bar,
        Mode::Auto => Progress::Lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal() -> Environment {
        Environment {
            stdout_tty: true,
            stderr_tty: true,
            term: Some("xterm".to_owned()),
            utf8: true,
            ..Environment::default()
        }
    }

    #[test]
    fn colour_is_decided_in_the_promised_order() {
        let plain = GlobalArgs::default();
        let flag = |when| GlobalArgs { color: Some(when), ..GlobalArgs::default() };
        let of = |flags: &GlobalArgs, around: &Environment| Output::new(flags, around).out.colour;
        assert!(of(&plain, &terminal()));
        assert!(!of(&plain, &Environment { no_color: true, ..terminal() }));
        assert!(!of(&plain, &Environment { no_color: true, force_color: true, ..terminal() }));
        assert!(of(&flag(When::Always), &Environment { no_color: true, ..terminal() }));
        assert!(of(&plain, &Environment { no_color: true, torr_color: Some("always".into()), ..terminal() }));
        assert!(!of(&flag(When::Never), &Environment { force_color: true, ..terminal() }));
        assert!(!of(&plain, &Environment { term: Some("dumb".into()), ..terminal() }));
        assert!(!of(&plain, &Environment { stdout_tty: false, ..terminal() }));
        assert!(of(&plain, &Environment { stdout_tty: false, force_color: true, ..terminal() }));
    }

    #[test]
    fn each_stream_is_looked_at_apart() {
        let output = Output::new(&GlobalArgs::default(), &Environment { stdout_tty: false, ..terminal() });
        assert!(!output.out.colour && output.err.colour && output.plain);
        assert_eq!(output.progress, Progress::Bar);
    }

    #[test]
    fn bars_need_a_terminal_that_can_redraw() {
        let of = |around: Environment| Output::new(&GlobalArgs::default(), &around).progress;
        assert_eq!(of(terminal()), Progress::Bar);
        assert_eq!(of(Environment { ci: true, ..terminal() }), Progress::Lines);
        assert_eq!(of(Environment { term: None, ..terminal() }), Progress::Lines);
        assert_eq!(of(Environment { term: Some("dumb".into()), ..terminal() }), Progress::Lines);
        assert_eq!(of(Environment { stderr_tty: false, ..terminal() }), Progress::Lines);
        let bar = GlobalArgs { progress: Mode::Bar, ..GlobalArgs::default() };
        let asked = |around: Environment| Output::new(&bar, &around).progress;
        assert_eq!(asked(Environment { ci: true, ..terminal() }), Progress::Bar);
        assert_eq!(asked(Environment { stderr_tty: false, ..terminal() }), Progress::Lines);
        assert_eq!(asked(Environment { term: None, ..terminal() }), Progress::Lines);
        let quiet = GlobalArgs { quiet: 1, ..GlobalArgs::default() };
        assert_eq!(Output::new(&quiet, &terminal()).progress, Progress::None);
    }

    #[test]
    fn json_and_a_bar_do_not_share_a_terminal() {
        let json = GlobalArgs { json: true, ..GlobalArgs::default() };
        let of = |around: Environment| Output::new(&json, &around).progress;
        assert_eq!(of(terminal()), Progress::Lines);
        assert_eq!(of(Environment { stdout_tty: false, ..terminal() }), Progress::Bar);
    }

    #[test]
    fn a_locale_without_utf8_gets_ascii() {
        assert!(Output::new(&GlobalArgs::default(), &Environment { utf8: false, ..terminal() }).out.ascii);
        assert!(!Output::new(&GlobalArgs::default(), &terminal()).out.ascii);
    }
}
