//! One command per file.

mod add;
mod completions;
mod config;
mod create;
mod ctl;
mod demo;
mod dht;
mod edit;
pub mod get;
pub mod help;
mod magnet;
mod man;
mod open;
mod register;
mod seed;
mod show;
mod tracker;
mod verify;
pub mod version;

use clap::Subcommand;

use super::args::global::GlobalArgs;
use super::exit::Exit;
use super::output::Output;
use crate::app::Error;

/// The commands of torr.
#[derive(Subcommand, Debug)]
pub enum Command {
    Get(Box<get::GetArgs>),
    Seed(Box<seed::SeedArgs>),
    Add(add::AddArgs),
    Create(Box<create::CreateArgs>),
    Show(show::ShowArgs),
    Verify(Box<verify::VerifyArgs>),
    Magnet(magnet::MagnetArgs),
    Edit(Box<edit::EditArgs>),
    Ctl(ctl::CtlArgs),
    Tracker(tracker::TrackerArgs),
    Dht(dht::DhtArgs),
    Config(config::ConfigArgs),
    Demo(demo::DemoArgs),
    Register(register::RegisterArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    Open(open::OpenArgs),
    Help(help::HelpArgs),
    /// Print the version; with -v also the build details
    Version,
}

impl Command {
    /// Does it.
    pub fn run(&self, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
        if global.socket.is_some() && !matches!(self, Self::Add(_) | Self::Ctl(_)) {
            let failure = Error::usage("--socket names a daemon, but this command does not use one");
            return Err(failure.hint("leave it out"));
        }
        match self {
            Self::Get(args) => get::run(args, global, output),
            Self::Seed(args) => seed::run(args, global, output),
            Self::Add(args) => add::run(args, global, output),
            Self::Create(args) => create::run(args, global, output),
            Self::Show(args) => show::run(args, global, output),
            Self::Verify(args) => verify::run(args, global, output),
            Self::Magnet(args) => magnet::run(args, global, output),
            Self::Edit(args) => edit::run(args, global.no_input, output),
            Self::Ctl(args) => ctl::run(args, global),
            Self::Tracker(args) => tracker::run(args, output),
            Self::Dht(args) => dht::run(args, global, output),
            Self::Config(args) => config::run(args, global, output),
            Self::Demo(args) => demo::run(args, output),
            Self::Register(args) => register::run(args, global, output),
            Self::Completions(args) => completions::run(args, output),
            Self::Man(args) => man::run(args, output),
            Self::Open(args) => open::run(args, global, output),
            Self::Help(args) => help::run(args, output),
            Self::Version => version::run(global, output),
        }
    }
}
