//! `torr dht`: the distributed hash table by hand. Each verb starts a node for as long as it takes.

mod announce;
mod asking;
mod bootstrap;
mod clients;
mod get;
mod lookup;
mod node;
mod ping;
mod put;
mod reach;
mod sample;
mod secret;
mod target;
mod value;

use clap::{Args, Subcommand};

use crate::app::Error;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;

/// Look up peers in the DHT, announce, or run a node
#[derive(Args, Debug)]
#[command(
    long_about = LONG,
    subcommand_required = true,
    arg_required_else_help = false,
    disable_help_subcommand = true,
    after_help = "Examples:
  torr dht lookup 9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa
  torr dht lookup ubuntu.torrent --scrape
  torr dht announce photos.torrent --port 51999 --seed
  torr dht ping 192.168.1.20:6881
  torr dht bootstrap
  torr dht node --port 6881"
)]
pub struct DhtArgs {
    #[command(subcommand)]
    what: What,
}

const LONG: &str = "Look up peers in the DHT, announce, or run a node

The distributed hash table (DHT) is a network of millions of nodes that together
know which peers have which torrent, without any server. torr queries a few of
them, follows their answers to nodes closer to the target, and stops when the
closest have answered.

All commands except 'torr dht node' only query (BEP 43), so other nodes do not
add this machine to their routing tables. They bootstrap from the nodes of the
last run and a few well-known ones, or from --bootstrap.

Exit codes: 0 if found or done; 1 if nodes answered, but nothing was found or no
node stored it; 4 if no node answered.";

#[derive(Subcommand, Debug)]
enum What {
    Lookup(lookup::LookupArgs),
    Announce(announce::AnnounceArgs),
    Ping(ping::PingArgs),
    Bootstrap(bootstrap::BootstrapArgs),
    Node(node::NodeArgs),
    Get(get::GetArgs),
    Put(put::PutArgs),
    Sample(sample::SampleArgs),
}

/// Does it.
pub fn run(args: &DhtArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    match &args.what {
        What::Lookup(args) => lookup::run(args, global, output),
        What::Announce(args) => announce::run(args, global, output),
        What::Ping(args) => ping::run(args, global, output),
        What::Bootstrap(args) => bootstrap::run(args, global, output),
        What::Node(args) => node::run(args, global, output),
        What::Get(args) => get::run(args, global, output),
        What::Put(args) => put::run(args, global, output),
        What::Sample(args) => sample::run(args, global, output),
    }
}
