//! `torr open`: what the desktop calls for a link or a torrent file that was clicked on.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use clap::{Args, FromArgMatches};
use url::Url;

use super::Command;
use crate::app::Error;
use crate::app::quoted;
use crate::app::user_folders;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;
use crate::face::cli::stderr;
use crate::face::cli::{Cli, cli_spec};

/// Download what the desktop opens, in this terminal
#[derive(Args, Debug)]
#[command(hide = true)]
pub struct OpenArgs {
    /// A magnet link, the address of a torrent file, or a torrent file
    #[arg(value_name = "TORRENT")]
    torrent: OsString,
}

/// Downloads into the user's folder for downloads, and keeps the window open until it was read.
pub fn run(args: &OpenArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    let torrent = local(&args.torrent);
    if !output.stderr_tty {
        let message = "torr open needs a terminal to show its progress";
        let hint = format!("in a terminal: torr get {}", quoted(&PathBuf::from(&torrent)));
        return Err(Error::usage(message).hint(hint));
    }
    let folder = user_folders::downloads();
    // Whatever was clicked on stands where no flag can stand.
    let line =
        [OsStr::new("torr"), OsStr::new("get"), OsStr::new("-o"), folder.as_os_str(), OsStr::new("--")];
    let line = line.into_iter().chain([torrent.as_os_str()]);
    let found = cli_spec::command().try_get_matches_from(line);
    let cli = found.and_then(|found| Cli::from_arg_matches(&found));
    let command: Command = cli.map_err(|error| Error::usage(error.to_string()))?.command;
    let ended = command.run(global, output);
    if matches!(&ended, Ok(Exit::Interrupted | Exit::Terminated)) {
        return ended;
    }
    let exit = ended.unwrap_or_else(|failure| {
        output.live.erase();
        output.fail(&failure);
        Exit::of(&failure)
    });
    if io::stdin().is_terminal() && !global.no_input {
        stderr::write("Enter closes this window. ");
        let _ = io::stdin().lock().read_line(&mut String::new());
    }
    Ok(exit)
}

/// Desktops name files by `file:` addresses.
fn local(argument: &OsStr) -> OsString {
    let path = argument
        .to_str()
        .filter(|text| text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("file:")))
        .and_then(|text| Url::parse(text).ok())
        .and_then(|url| url.to_file_path().ok());
    path.map_or_else(|| argument.to_owned(), PathBuf::into_os_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_files_become_paths() {
        for (given, path) in [
            ("file:///tmp/a%20b.torrent", "/tmp/a b.torrent"),
            ("/tmp/a%20b.torrent", "/tmp/a%20b.torrent"),
            ("magnet:?xt=urn:btih:x", "magnet:?xt=urn:btih:x"),
            ("file://elsewhere.example/a", "file://elsewhere.example/a"),
        ] {
            assert_eq!(local(OsStr::new(given)), OsStr::new(path), "{given}");
        }
    }
}
