//! Refusing what can be asked for and is not supported yet.

use crate::app::Error;
use crate::app::config::kind::Kind;
use crate::app::config::{Config, KeyId, Origin, Setting, Support};
use crate::face::cli::args::network::NetworkArgs;

/// Refuses what was asked for and is not supported.
pub fn refuse_unsupported(config: &Config, network: &NetworkArgs) -> Result<(), Error> {
    if !network.web_seed.is_empty() {
        return Err(Error::not_yet("--web-seed").hint("without it, torr downloads from peers only"));
    }
    config.settings.iter().try_for_each(refuse)
}

/// Refuses to run where a proxy is asked for.
pub fn refuse_proxy(config: &Config) -> Result<(), Error> {
    refuse(config.setting(KeyId::NetworkProxy))
}

fn refuse(setting: &Setting) -> Result<(), Error> {
    if setting.support() != Support::Refused {
        return Ok(());
    }
    Err(Error::not_yet(&asked(setting)).hint(match setting.key.id {
        KeyId::NetworkEncryption => "torr does not encrypt connections; --encryption off accepts that",
        KeyId::NetworkProxy => "torr sent nothing; remove the setting to connect without a proxy",
        _ => "peers come from trackers, the DHT, other peers, the local network and --peer",
    }))
}

/// A setting as the user asked for it, with its place. The URL of a proxy may hold a secret.
fn asked(setting: &Setting) -> String {
    let (key, value) = (setting.key.full(), setting.value.plain());
    let chosen = matches!(setting.key.kind, Kind::Choice(_));
    match &setting.origin {
        Origin::Flag(flag) if chosen => format!("{flag} {value}"),
        Origin::Flag(flag) => (*flag).to_owned(),
        Origin::Default => key,
        other if chosen => format!("{key} = \"{value}\" ({other})"),
        other => format!("{key} ({other})"),
    }
}
