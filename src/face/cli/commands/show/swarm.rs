//! How large the swarm is, as its trackers say.

use std::time::Duration;

use serde::Serialize;

use crate::app::door::{self, ScrapeResult};
use crate::app::{Error, ErrorKind};
use crate::base::Untrusted;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;
use crate::face::cli::style::{Role, pad_left, width};
use crate::face::cli::transfer::block_on;

use super::about::About;

/// How long trackers may take unless `--timeout` says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// Asks all trackers and tells what they say. Exit code 4 if none answers.
pub fn ask(about: &About, patience: Duration, output: &Output) -> Result<Exit, Error> {
    let urls: Vec<&Untrusted> = about.extras.trackers.iter().flatten().collect();
    if urls.is_empty() {
        let message = "the torrent has no tracker to ask";
        return Err(Error::new(ErrorKind::Network, "no_tracker", message).about(about.info_hash));
    }
    let mut answers = Vec::new();
    block_on(output, async {
        let texts = urls.iter().map(|url| url.raw().to_owned()).collect();
        let asking = door::scrape_trackers(texts, about.info_hash, patience);
        let mut signals = crate::face::cli::signals::Signals::take().ok();
        let interrupted = async {
            match &mut signals {
                Some(signals) => signals.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            counted = asking => {
                answers = counted;
                Ok(Exit::Done)
            }
            exit = interrupted => Ok(exit),
        }
    })
    .and_then(|exit| match exit {
        Exit::Done => tell(about, &urls, &answers, output),
        interrupted => Ok(interrupted),
    })
}

fn tell(
    about: &About,
    urls: &[&Untrusted],
    answers: &[ScrapeResult],
    output: &Output,
) -> Result<Exit, Error> {
    let answered = answers.iter().any(Result::is_ok);
    let exit = if answered { Exit::Done } else { Exit::Network };
    if output.json {
        output.event(&document(about, urls, answers, answered))?;
    } else if output.plain {
        let lines: String = urls.iter().zip(answers).map(|(url, answer)| plain(url, answer)).collect();
        output.data(lines.as_bytes())?;
    } else {
        output.data(table(urls, answers, output).as_bytes())?;
    }
    if !answered {
        output.say(&format!("{} no tracker answered", output.err.paint(Role::Bad, output.err.bad())));
    }
    Ok(exit)
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    torrent: String,
    ok: bool,
    trackers: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    tracker: String,
    ok: bool,
    seeds: Option<u32>,
    leechers: Option<u32>,
    downloads: Option<u32>,
    error: Option<String>,
}

fn document(about: &About, urls: &[&Untrusted], answers: &[ScrapeResult], ok: bool) -> Document {
    let row = |(url, answer): (&&Untrusted, &ScrapeResult)| {
        let counts = answer.clone().unwrap_or_default();
        Row {
            tracker: url.raw().to_owned(),
            ok: answer.is_ok(),
            seeds: counts.seeds,
            leechers: counts.leechers,
            downloads: counts.downloaded,
            error: answer.clone().err(),
        }
    };
    Document {
        schema: "torr.show.swarm/1",
        torrent: about.info_hash.to_string(),
        ok,
        trackers: urls.iter().zip(answers).map(row).collect(),
    }
}

/// Tracker, seeds, leechers, downloads and what went wrong, with tabs between.
fn plain(url: &Untrusted, answer: &ScrapeResult) -> String {
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let counts = answer.clone().unwrap_or_default();
    let error = answer.clone().err().unwrap_or_default();
    let (seeds, leechers) = (number(counts.seeds), number(counts.leechers));
    format!("{url}\t{seeds}\t{leechers}\t{}\t{error}\n", number(counts.downloaded))
}

fn table(urls: &[&Untrusted], answers: &[ScrapeResult], output: &Output) -> String {
    let style = output.out;
    let title = format!("  {:>7}  {:>8}  {:>9}  tracker", "seeds", "leechers", "downloads");
    let mut text = style.paint(Role::Dim, &title) + "\n";
    let cell = |number: Option<u32>, columns| {
        pad_left(&number.map_or_else(|| "-".to_owned(), |number| number.to_string()), columns)
    };
    let room = output.columns().saturating_sub(width(&title) - 7).max(10);
    for (url, answer) in urls.iter().zip(answers) {
        let counts = answer.clone().unwrap_or_default();
        let numbers = [cell(counts.seeds, 7), cell(counts.leechers, 8), cell(counts.downloaded, 9)];
        text.push_str(&format!("  {}  {}\n", numbers.join("  "), style.fit(url, room)));
        if let Err(sentence) = answer {
            text.push_str(&format!(
                "  {:28}  {}\n",
                "",
                style.paint(Role::Warn, &style.fit_line(sentence, room))
            ));
        }
    }
    text
}
