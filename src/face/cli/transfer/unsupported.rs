//! Refusing what can be asked for and is not supported yet.

use crate::app::Error;
use crate::app::config::kind::Value;
use crate::app::config::{Config, KeyId, Origin, Setting};
use crate::face::cli::args::network::NetworkArgs;

/// Refuses what was asked for and is not supported. Protection is never left out in silence, wherever it was asked
/// for; the other keys are on by default, so that only a flag asks for them.
pub fn refuse_unsupported(config: &Config, network: &NetworkArgs) -> Result<(), Error> {
    if !network.web_seed.is_empty() {
        return Err(Error::not_yet("--web-seed").hint("without it, the data comes from peers alone"));
    }
    for id in [KeyId::NetworkUpnp, KeyId::NetworkUtp] {
        let setting = config.setting(id);
        if let Origin::Flag(flag) = setting.origin
            && setting.value == Value::Switch(true)
        {
            return Err(Error::not_yet(flag)
                .hint("peers come from trackers, the DHT, other peers, the local network and --peer"));
        }
    }
    let encryption = config.setting(KeyId::NetworkEncryption);
    let wish = encryption.value.plain();
    if wish == "require" || (wish == "prefer" && matches!(encryption.origin, Origin::Flag(_))) {
        return Err(Error::not_yet(&asked(encryption, &wish))
            .hint("connections are not encrypted; --encryption off accepts that"));
    }
    refuse_proxy(config)
}

/// Refuses to run where a proxy is asked for.
pub fn refuse_proxy(config: &Config) -> Result<(), Error> {
    let proxy = config.setting(KeyId::NetworkProxy);
    if proxy.value.plain().is_empty() {
        return Ok(());
    }
    Err(Error::not_yet(&asked(proxy, "")).hint("nothing is sent another way; take it out to go without one"))
}

/// A setting as the user asked for it, with its place.
fn asked(setting: &Setting, value: &str) -> String {
    let key = setting.key.full();
    match &setting.origin {
        Origin::Flag(flag) => format!("{flag} {value}").trim_end().to_owned(),
        Origin::Default => key,
        other if value.is_empty() => format!("{key} ({other})"),
        other => format!("{key} = \"{value}\" ({other})"),
    }
}
