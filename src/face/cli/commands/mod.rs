//! One command per file.

//mod create;
mod help;
mod show;
//mod verify;
mod version;

use clap::Subcommand;

use super::args::global::GlobalArgs;
use super::error::Failure;
use super::exit::Exit;
use super::output::Output;

/// What torr can be told to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    //Create(create::CreateArgs),
    Show(show::ShowArgs),
    //Verify(verify::VerifyArgs),
    /// Print the version
    Version,
    Help(help::HelpArgs),
}

impl Command {
    /// Does it.
    pub fn run(&self, _global: &GlobalArgs, output: &Output) -> Result<Exit, Failure> {
        match self {
            //Self::Create(args) => create::run(args, output),
            Self::Show(args) => show::run(args, output),
            //Self::Verify(args) => verify::run(args, output),
            Self::Version => version::run(output),
            Self::Help(args) => help::run(args, output),
        }
    }
}
