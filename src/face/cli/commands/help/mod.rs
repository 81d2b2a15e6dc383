//! `torr help`: everything about a command, or a topic that is no command.

pub mod topics;

use clap::Args;
use serde::Serialize;

use crate::app::Error;
use crate::base::Untrusted;
use crate::face::cli::cli_spec;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;

/// Show help on a command or topic
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr help get
  torr help exit-codes
  torr help units")]
pub struct HelpArgs {
    /// A command, or a topic: torrents, exit-codes, environment, units, json
    #[arg(value_name = "COMMAND")]
    topic: Vec<String>,
}

/// Prints everything about a command, or a topic.
pub fn run(args: &HelpArgs, output: &Output) -> Result<Exit, Error> {
    let words = args.topic.join(" ");
    let text = match topics::text(&words) {
        Some(text) => text,
        None => match cli_spec::find(&args.topic) {
            Some(mut found) => found.render_long_help().to_string(),
            None => {
                let message = format!("there is no help on '{}'", Untrusted::new(&words));
                let hint = format!("the commands of 'torr help', and the topics {}", topics::names());
                return Err(Error::usage(message).hint(hint));
            }
        },
    };
    print(&text, Some(&words).filter(|words| !words.is_empty()), output)?;
    Ok(Exit::Done)
}

/// Prints help: as it is, or as a document.
pub fn print(text: &str, topic: Option<&String>, output: &Output) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Help<'a> {
        schema: &'static str,
        topic: Option<&'a str>,
        text: String,
    }
    let text: String = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    if output.json {
        output.event(&Help { schema: "torr.help/1", topic: topic.map(String::as_str), text })
    } else {
        output.data(output.out.own(&text).as_bytes())
    }
}
