//! What can be asked for already and is not there yet.

use crate::app::Error;
use crate::app::config::{Config, Origin};
use crate::face::cli::args::network::NetworkArgs;

/// The ways to find and reach peers that torr is going to have. Their keys are true from the beginning, so
/// that only a flag is a wish to be refused.
const TO_COME: [&str; 2] = ["network.upnp", "network.utp"];

/// Refuses what was asked for and is not there. What is meant to protect people is never left out in
/// silence, wherever it was asked for.
pub fn refuse_what_is_to_come(config: &Config, network: &NetworkArgs) -> Result<(), Error> {
    if !network.web_seed.is_empty() {
        return Err(Error::not_yet("--web-seed").hint("without it, the data comes from peers alone"));
    }
    for name in TO_COME {
        if let Origin::Flag(flag) = config.setting(name).origin
            && config.switch(name)
        {
            return Err(Error::not_yet(flag).hint("peers come from trackers, the local network, and --peer"));
        }
    }
    let encryption = config.setting("network.encryption");
    let wish = config.text("network.encryption");
    if wish == "require" || (wish == "prefer" && matches!(encryption.origin, Origin::Flag(_))) {
        let what = asked("network.encryption", &wish, &encryption.origin);
        return Err(
            Error::not_yet(&what).hint("connections are not encrypted; --encryption off accepts that")
        );
    }
    let proxy = config.text("network.proxy");
    if !proxy.is_empty() {
        let what = asked("network.proxy", "", &config.setting("network.proxy").origin);
        return Err(Error::not_yet(&what).hint("nothing is sent another way; take it out to go without one"));
    }
    Ok(())
}

/// A wish and where it stands.
fn asked(key: &str, value: &str, origin: &Origin) -> String {
    match origin {
        Origin::Flag(flag) => format!("{flag} {value}").trim_end().to_owned(),
        Origin::Default => key.to_owned(),
        other if value.is_empty() => format!("{key} ({other})"),
        other => format!("{key} = \"{value}\" ({other})"),
    }
}
