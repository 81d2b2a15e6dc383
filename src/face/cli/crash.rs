//! The report of a panic: one line that says where the bug is, and exit code 70.

use std::panic::{self, PanicHookInfo};

use super::commands::get::pick::restore;
use super::progress::live;
use super::stderr;
use crate::base::Untrusted;

/// Has panics told in our words.
pub fn install() {
    panic::set_hook(Box::new(|info| {
        // What is said on a screen that is taken away is lost.
        restore();
        stderr::write(&(live::last_words().to_owned() + &told(info)));
    }));
}

fn told(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    text(info.payload_as_str().unwrap_or("no message"), &place)
}

/// The message may quote a name from outside.
fn text(message: &str, place: &str) -> String {
    format!(
        "\ninternal error{place}: {}\nThis is a bug in torr; please report it with the line above.\n",
        Untrusted::new(message)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_says_where_and_steers_nothing() {
        let text = text("index 3\u{1b}[2J\nx", " at src/a.rs:7");
        assert!(text.starts_with("\ninternal error at src/a.rs:7: index 3\\u{1b}[2J\\u{a}x\n"), "{text:?}");
    }
}
