//! The settings of a transfer command: the configuration, and the flags over it.

use crate::app::Error;
use crate::app::session_settings::{NetworkOptions, SessionSettings};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::args::network::NetworkArgs;
use crate::face::cli::config;
use crate::face::cli::output::Output;

/// Reads the configuration and lays the flags over it. With `lan`, nobody outside the local network is told or asked
/// anything.
pub fn session_settings(
    network: &NetworkArgs,
    lan: bool,
    global: &GlobalArgs,
    output: &Output,
) -> Result<SessionSettings, Error> {
    let mut config = config::load(global, output)?;
    for (key, value, flag) in network.keys() {
        config.flag(key, value, flag);
    }
    let options = NetworkOptions {
        trackers: network.tracker.clone(),
        use_trackers: network.switches.ask_trackers(),
        peers: network.peer.clone(),
        lan,
        ..NetworkOptions::default()
    };
    SessionSettings::new(&config, options, global.state_dir())
}
