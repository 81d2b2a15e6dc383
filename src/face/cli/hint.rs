//! Hints: the remedies of errors in words, with the flags and commands of the command line.

use crate::app::config::Problem;
use crate::app::door::FaultRemedy;
use crate::app::making::Skipped;
use crate::app::{Error, Remedy, quoted};
use crate::base::units;

/// The hint of an error, if there is one.
pub fn hint(error: &Error) -> Option<String> {
    error.remedy.as_deref().and_then(remedied)
}

/// A problem of the configuration with its place and its hint, on one line.
pub fn sentence(problem: &Problem) -> String {
    let hint = problem.remedy.as_ref().and_then(remedied).map(|hint| format!("; {hint}"));
    format!("{}{}", problem.place_and_message(), hint.unwrap_or_default())
}

/// The remedy in words, if there are any.
pub fn remedied(remedy: &Remedy) -> Option<String> {
    Some(match remedy {
        Remedy::Sentence(text) => text.clone(),
        Remedy::Fault(remedy) => fault(*remedy).to_owned(),
        Remedy::ShareFolder(path) => format!("to share a folder: torr seed {}", quoted(path)),
        Remedy::FetchTorrentFile(link) => {
            format!("to get the file: torr magnet {} --fetch -o FILE.torrent", quoted(link))
        }
        Remedy::PipeTorrentFile => "pipe it in, as in: torr get - < FILE.torrent".to_owned(),
        Remedy::GiveTorrentFile => {
            "torr get and torr seed remember their torrents; give the torrent file".to_owned()
        }
        Remedy::NameStateDir => "set a folder with --state-dir".to_owned(),
        Remedy::SayWhere(argument) => format!("give the folder: torr seed {argument} -o FOLDER"),
        Remedy::Moved { argument, torrent, folder } => format!(
            "if it was moved: torr seed {} -o FOLDER; to download it again: torr get {} -o {}",
            quoted(argument),
            torrent,
            quoted(folder)
        ),
        Remedy::ShareAnew(place) => {
            format!("torr seed {} shares the current files under a new link", quoted(place))
        }
        Remedy::Include(left_out) => return skipped(left_out),
        Remedy::ExcludeUnnamed => "rename it, or leave it out with --exclude".to_owned(),
        Remedy::ExcludeUnreadable => "change its permissions, or leave it out with --exclude".to_owned(),
        Remedy::OtherName => "choose another name with -o".to_owned(),
        Remedy::FormatV1 => "use --format v1".to_owned(),
        Remedy::LargerPieces => "choose a larger --piece-size, or fewer files".to_owned(),
        Remedy::SwitchIpv6On => "--ipv6 switches it on".to_owned(),
        Remedy::MakeConfig => "'torr config init' makes one".to_owned(),
        Remedy::MigrateConfig => "'torr config migrate' corrects it".to_owned(),
        Remedy::AcceptPlaintext => {
            "torr does not encrypt connections; --encryption off accepts that".to_owned()
        }
        Remedy::NamePeers => {
            "peers come from trackers, the DHT, other peers, the local network and --peer".to_owned()
        }
        Remedy::SeparateTorrents => {
            "get them one by one, into different folders (-o DIR) or under another name (--name)".to_owned()
        }
        Remedy::MoveTorrentFile => {
            "move it away, leave --save-torrent out, or choose another folder with -o DIR".to_owned()
        }
        Remedy::ReplaceTorrentFile => {
            "overwrite it with --overwrite, or choose another name with --torrent-only=FILE".to_owned()
        }
        Remedy::SelectFiles => {
            "choose files with --select; torr get --list --select '*' shows them all".to_owned()
        }
        Remedy::SelectOneFile => "choose one with --select; torr get --list shows the numbers".to_owned(),
        Remedy::ListFiles => "torr get --list shows the files with their numbers".to_owned(),
        Remedy::HookFailed => "the download is complete; only the --run program failed".to_owned(),
    })
}

fn fault(remedy: FaultRemedy) -> &'static str {
    use FaultRemedy as Remedy;
    match remedy {
        Remedy::FreeSpace => "free some space, or choose another disk with -o DIR",
        Remedy::WritableFolder => "choose a folder you may write to with -o DIR",
        Remedy::RightFolder => "check the folder; -o DIR names another one",
        Remedy::RepairData => {
            "name the folder with -o DIR; 'torr verify' lists the damage, 'torr get --existing repair' downloads it \
             again"
        }
        Remedy::CheckAgain => "another program changed the file; run the command again to check it",
        Remedy::ReplaceFiles => {
            "choose another folder with -o DIR, or replace the existing files with --overwrite"
        }
        Remedy::TreatDifferent => {
            "--existing repair replaces only the bytes that differ, --existing backup keeps the old file as \
             NAME.before-torr, and -o DIR chooses another folder"
        }
        Remedy::CutFiles => "choose another folder with -o DIR, or cut them off with --overwrite",
        Remedy::CheckFiles => {
            "leave out --existing so that torr checks the files, or choose another folder with -o DIR"
        }
        Remedy::PlainFiles => "torr writes to plain files only, never through links",
        Remedy::OtherFileSystem => "the file system does not allow this name; choose another one with -o DIR",
        Remedy::OtherDisk => "choose another disk with -o DIR, or raise the limit with ulimit -f",
        Remedy::RunAgain => "run the command again to resume; torr keeps verified pieces",
        Remedy::StopOther => "wait until it ends, or stop it",
        Remedy::UpdateTorr => "update torr, or choose another folder with --state-dir",
        Remedy::OtherPort => "choose another port with -p, or leave out -p for any free one",
        Remedy::HighPort => "ports below 1024 need privileges; choose a higher one with -p",
        Remedy::OwnAddress => "'ip addr' lists the addresses of this machine",
        Remedy::OtherPortOrAddress => "choose another port with -p, or another address with --bind",
        Remedy::MorePeers => {
            "try again later, or give a link with more trackers (tr=) or peers (x.pe=); --timeout sets how long to wait"
        }
        Remedy::Report => "please report it with the text above",
    }
}

/// `skipped 2 hidden (--hidden), 1 excluded`; nothing where nothing was.
pub fn skipped(skipped: &Skipped) -> Option<String> {
    let kinds = [
        (skipped.hidden, "hidden (--hidden)"),
        (skipped.junk, "junk (--junk)"),
        (skipped.excluded, "excluded"),
        (skipped.ignored, "by ignore files"),
        (skipped.links, if skipped.links == 1 { "link (--follow)" } else { "links (--follow)" }),
        (skipped.special, "special"),
    ];
    let kinds: Vec<String> = kinds
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| format!("{} {kind}", units::count(*count)))
        .collect();
    (!kinds.is_empty()).then(|| format!("skipped {}", kinds.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_skipped_is_one_line() {
        assert_eq!(skipped(&Skipped::default()), None);
        let some = Skipped { hidden: 2, ignored: 1200, links: 1, ..Skipped::default() };
        let many = units::count(1200);
        let line = format!("skipped 2 hidden (--hidden), {many} by ignore files, 1 link (--follow)");
        assert_eq!(skipped(&some), Some(line));
    }
}
