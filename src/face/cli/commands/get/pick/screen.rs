//! The tree on the terminal: keys in, lines out, and the terminal as it was on every way out.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal;
use rustix::process::{Signal, getpid, kill_process};

use crate::app::{Error, reason};
use crate::face::cli::exit::Exit;
use crate::face::cli::signals::Watch;
use crate::face::cli::stderr;

use super::model::{Key, Picker, Step};
use super::view::{self, Frame};

/// How long a signal may wait to be seen.
const TICK: Duration = Duration::from_millis(100);

/// The terminal is not as it was.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// How choosing ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// These are the files.
    Start,
    /// Nothing is to be downloaded; the process ends with this.
    Leave(Exit),
}

/// Shows the tree until a person has chosen.
pub fn choose(picker: &mut Picker, frame: &Frame, watch: &Watch) -> Result<End, Error> {
    let end = take().and_then(|()| {
        let _taken = Taken;
        keys(picker, frame, watch)
    });
    end.map_err(|error| failed(&error))
}

/// Gives the terminal back as it was, if it was taken.
pub fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        stderr::write("\u{1b}[?25h\u{1b}[?1049l");
        // There is no better place to say that the terminal does not listen.
        let _ = terminal::disable_raw_mode();
    }
}

/// Takes the terminal: a screen of its own, keys as they are pressed, no cursor.
fn take() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    stderr::write("\u{1b}[?1049h\u{1b}[?25l");
    Ok(())
}

/// Gives the terminal back when it goes.
struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        restore();
    }
}

fn keys(picker: &mut Picker, frame: &Frame, watch: &Watch) -> io::Result<End> {
    let mut changed = true;
    loop {
        if let Some(exit) = watch.seen() {
            return Ok(End::Leave(exit));
        }
        if changed {
            draw(picker, frame)?;
        }
        changed = event::poll(TICK)?;
        if !changed {
            continue;
        }
        let Event::Key(key) = event::read()? else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('c') => return Ok(End::Leave(Exit::Interrupted)),
                KeyCode::Char('z') => sleep()?,
                _ => {}
            }
            continue;
        }
        match meaning(key).map(|key| picker.press(key)) {
            Some(Step::Start) => return Ok(End::Start),
            Some(Step::Leave) => return Ok(End::Leave(Exit::Interrupted)),
            Some(Step::Stay) | None => {}
        }
    }
}

fn draw(picker: &mut Picker, frame: &Frame) -> io::Result<()> {
    let (columns, rows) = terminal::size()?;
    let (columns, rows) = (usize::from(columns).clamp(1, 1000), usize::from(rows).clamp(1, 1000));
    picker.resize(view::height(rows));
    // The last column stays free: some terminals wrap there.
    let lines = view::lines(picker, frame, columns.saturating_sub(1).max(1), rows);
    stderr::write(&format!("\u{1b}[H{}\u{1b}[K\u{1b}[J", lines.join("\u{1b}[K\r\n")));
    Ok(())
}

/// Ctrl-Z: the shell gets the terminal as it was, and we take it again when we go on.
fn sleep() -> io::Result<()> {
    restore();
    kill_process(getpid(), Signal::TSTP)?;
    take()
}

fn meaning(key: KeyEvent) -> Option<Key> {
    Some(match key.code {
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::First,
        KeyCode::End => Key::Last,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Char(c) => Key::Char(c),
        _ => return None,
    })
}

fn failed(error: &io::Error) -> Error {
    let message = format!("cannot show the files in this terminal: {}", reason(error));
    Error::usage(message).hint("choose with --select; --list shows the files")
}
