//! `torr help`.

use clap::{Args, CommandFactory};

use crate::base::Untrusted;
use crate::face::cli::error::Failure;
use crate::face::cli::exit::{Exit, MEANINGS};
use crate::face::cli::output::Output;

/// Help on a command or a topic
#[derive(Args, Debug)]
pub struct HelpArgs {
    /// A command, or the topic exit-codes
    #[arg(value_name = "COMMAND")]
    topic: Option<String>,
}

/// Prints everything about a command, or a topic.
pub fn run(args: &HelpArgs, output: &Output) -> Result<Exit, Failure> {
    let mut command = crate::face::cli::Cli::command();
    command.build();
    let text = match args.topic.as_deref() {
        None => command.render_long_help().to_string(),
        Some("exit-codes") => exit_codes(),
        Some(topic) => match command.find_subcommand_mut(topic) {
            Some(found) => found.render_long_help().to_string(),
            None => {
                let message = format!("there is no help on '{}'", Untrusted::new(topic));
                return Err(
                    Failure::usage(message).hint("topics: the commands of 'torr help', and exit-codes")
                );
            }
        },
    };
    output.data(text.as_bytes())?;
    Ok(Exit::Done)
}

fn exit_codes() -> String {
    let lines = MEANINGS.iter().map(|(exit, meaning)| format!("{:>5}  {meaning}\n", exit.code()));
    let lines: String = lines.collect();
    format!(
        "Exit codes\n\n{lines}\nWith several inputs the code is the most serious one, not the last one; where some of\n\
         several downloads are done and others failed it is 1, and the JSON summary has the code of each.\n"
    )
}
