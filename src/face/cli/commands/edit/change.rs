//! The changes that the flags request.

use super::EditArgs;
use crate::app::{Error, ErrorKind};
use crate::base::Untrusted;
use crate::face::cli::output::Output;
use crate::proto::metainfo::Fields;

/// The values as they shall be. Trackers are replaced first, then taken away, then added.
pub fn wanted(args: &EditArgs, old: &Fields, output: &Output) -> Result<Fields, Error> {
    let mut new = old.clone();
    for pair in args.replace_tracker.chunks(2) {
        if let [from, to] = pair {
            replace(&mut new.trackers, from, to)?;
        }
    }
    for url in &args.remove_tracker {
        let all: Vec<&Untrusted> = new.trackers.iter().flatten().collect();
        let gone = meant("tracker", url, &all)?;
        for tier in &mut new.trackers {
            tier.retain(|url| !gone.contains(url));
        }
        new.trackers.retain(|tier| !tier.is_empty());
    }
    for tier in &args.tracker {
        let mut fresh: Vec<Untrusted> = Vec::new();
        for url in tier.0.iter().map(|url| Untrusted::new(url.as_str())) {
            if new.trackers.iter().flatten().chain(&fresh).any(|other| *other == url) {
                output.warn(&format!("the torrent already has the tracker {url}"));
            } else {
                fresh.push(url);
            }
        }
        if !fresh.is_empty() {
            new.trackers.push(fresh);
        }
    }
    for url in &args.remove_web_seed {
        let gone = meant("web seed", url, &new.web_seeds.iter().collect::<Vec<_>>())?;
        new.web_seeds.retain(|url| !gone.contains(url));
    }
    for url in args.web_seed.iter().map(|url| Untrusted::new(url.as_str())) {
        if new.web_seeds.contains(&url) {
            output.warn(&format!("the torrent already has the web seed {url}"));
        } else {
            new.web_seeds.push(url);
        }
    }
    let text = |slot: &mut Option<Untrusted>, value: Option<&str>| {
        if let Some(value) = value {
            *slot = (!value.is_empty()).then(|| Untrusted::new(value));
        }
    };
    text(&mut new.comment, args.comment.as_deref());
    text(&mut new.created_by, args.created_by.as_deref());
    text(&mut new.source, args.source.as_deref());
    if args.no_date {
        new.creation_date = None;
    }
    if let Some(name) = &args.name {
        new.name = Untrusted::new(name.as_str());
    }
    new.private = (new.private || args.private) && !args.public;
    Ok(new)
}

fn replace(trackers: &mut Vec<Vec<Untrusted>>, from: &str, to: &str) -> Result<(), Error> {
    let all: Vec<&Untrusted> = trackers.iter().flatten().collect();
    if !all.iter().any(|url| url.raw() == from) {
        return Err(missing("tracker", from, &all));
    }
    let twice = from != to && all.iter().any(|url| url.raw() == to);
    for tier in trackers.iter_mut() {
        if twice {
            tier.retain(|url| url.raw() != from);
        }
        for url in tier.iter_mut().filter(|url| url.raw() == from) {
            *url = Untrusted::new(to);
        }
    }
    trackers.retain(|tier| !tier.is_empty());
    Ok(())
}

/// Those that are to go: all of them, or the one of this URL.
fn meant(what: &str, value: &str, there: &[&Untrusted]) -> Result<Vec<Untrusted>, Error> {
    let gone: Vec<Untrusted> =
        there.iter().filter(|url| value == "all" || url.raw() == value).map(|&url| url.clone()).collect();
    if gone.is_empty() && value != "all" { Err(missing(what, value, there)) } else { Ok(gone) }
}

fn missing(what: &str, value: &str, there: &[&Untrusted]) -> Error {
    let failure = Error::new(
        ErrorKind::Answer,
        "no_match",
        format!("the torrent has no {what} {}", Untrusted::new(value).fit(200)),
    );
    let list: Vec<String> = there.iter().take(10).map(|url| url.fit(100)).collect();
    let more = if there.len() > 10 { ", …" } else { "" };
    failure.hint(if list.is_empty() {
        format!("it has no {what} at all; torr wrote nothing")
    } else {
        format!("it has: {}{more}; torr wrote nothing", list.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::face::cli::args::global::GlobalArgs;
    use crate::face::cli::environment::Environment;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: EditArgs,
    }

    fn of(flags: &[&str], old: &Fields) -> Result<Fields, Error> {
        let line = Line::try_parse_from(["edit", "x.torrent"].iter().chain(flags)).unwrap();
        let output = Output::new(&GlobalArgs { quiet: 2, ..GlobalArgs::default() }, &Environment::default());
        wanted(&line.args, old, &output)
    }

    fn old() -> Fields {
        Fields {
            trackers: vec![vec!["udp://a:1".into(), "udp://b:1".into()], vec!["udp://c:1".into()]],
            web_seeds: vec!["http://w/".into()],
            comment: Some("c".into()),
            private: true,
            creation_date: Some(1),
            ..Fields::default()
        }
    }

    fn trackers(flags: &[&str]) -> String {
        let new = of(flags, &old()).unwrap();
        let tier = |tier: &Vec<Untrusted>| {
            tier.iter()
                .map(|url| url.raw().trim_start_matches("udp://").replace(":1", ""))
                .collect::<String>()
        };
        new.trackers.iter().map(tier).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn trackers_are_replaced_removed_and_added_in_this_order() {
        assert_eq!(trackers(&["-t", "udp://d:1,udp://a:1", "-t", "udp://e:1"]), "ab|c|d|e");
        assert_eq!(trackers(&["--remove-tracker", "udp://c:1"]), "ab");
        assert_eq!(trackers(&["--remove-tracker", "all", "-t", "udp://x:1"]), "x");
        assert_eq!(trackers(&["--replace-tracker", "udp://a:1", "udp://z:1"]), "zb|c");
        assert_eq!(trackers(&["--replace-tracker", "udp://a:1", "udp://c:1"]), "b|c");
        assert_eq!(trackers(&["--replace-tracker", "udp://a:1", "udp://a:1"]), "ab|c");
        let both = ["--replace-tracker", "udp://a:1", "udp://z:1", "--remove-tracker", "udp://z:1"];
        assert_eq!(trackers(&both), "b|c");
        for flags in [["--remove-tracker", "udp://x:1"].as_slice(), &["--replace-tracker", "x", "udp://y:1"]]
        {
            let failure = of(flags, &old()).unwrap_err();
            assert_eq!((failure.kind, failure.word), (ErrorKind::Answer, "no_match"));
            assert!(failure.sentence().unwrap().starts_with("it has: udp://a:1, udp://b:1, udp://c:1"));
        }
    }

    #[test]
    fn other_values_are_set_and_taken_away() {
        let flags =
            ["--comment", "", "--public", "--no-date", "--source", "s", "--remove-web-seed", "http://w/"];
        let new = of(&flags, &old()).unwrap();
        assert_eq!((new.comment, new.private, new.creation_date), (None, false, None));
        assert_eq!((new.source, new.web_seeds.len()), (Some("s".into()), 0));
        let new = of(&["--web-seed", "http://v/", "--web-seed", "http://w/", "--private"], &old()).unwrap();
        assert_eq!((new.web_seeds, new.private), (vec!["http://w/".into(), "http://v/".into()], true));
        assert_eq!(of(&["--comment", "c"], &old()), Ok(old()));
        assert_eq!(of(&["--remove-web-seed", "x"], &Fields::default()).unwrap_err().word, "no_match");
    }
}
