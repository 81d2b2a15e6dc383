//! The settings that this version of torr does not act on.

use super::keys::KeyId;
use super::kind::{Kind, Value};
use super::origin::{Origin, Problem, Severity};
use super::{Config, Setting};
use crate::app::{Error, Remedy};

/// How this version of torr treats a setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Support {
    /// Acts on the value, or behaves as it says in any case.
    Full,
    /// Ignores the value.
    NoEffect,
    /// Transfers nothing with it: the value asks for protection, or a flag asks for it here and now.
    Refused,
}

impl Setting {
    /// How this version of torr treats the setting.
    pub fn support(&self) -> Support {
        let by_flag = matches!(self.origin, Origin::Flag(_));
        if self.key.used || self.origin == Origin::Default || is_off(&self.value) {
            Support::Full
        } else if by_flag || protects(self.key.id, &self.value) {
            Support::Refused
        } else {
            Support::NoEffect
        }
    }

    /// Refuses the setting if nothing may be transferred while it is in force.
    pub fn refuse_unsupported(&self) -> Result<(), Error> {
        if self.support() != Support::Refused {
            return Ok(());
        }
        let error = Error::not_yet(&self.as_asked());
        Err(match self.key.id {
            KeyId::NetworkEncryption => error.remedy(Remedy::AcceptPlaintext),
            KeyId::NetworkProxy => {
                error.hint("torr sent nothing; remove the setting to connect without a proxy")
            }
            _ => error.remedy(Remedy::NamePeers),
        })
    }

    /// The setting as the user asked for it, with its place. The URL of a proxy may hold a secret.
    fn as_asked(&self) -> String {
        let (key, value) = (self.key.full(), self.value.plain());
        let chosen = matches!(self.key.kind, Kind::Choice(_));
        match &self.origin {
            Origin::Flag(flag) if chosen => format!("{flag} {value}"),
            Origin::Flag(flag) => (*flag).to_owned(),
            Origin::Default => key,
            other if chosen => format!("{key} = \"{value}\" ({other})"),
            other => format!("{key} ({other})"),
        }
    }

    /// The setting as a problem, unless torr acts on it.
    fn unsupported(&self) -> Option<Problem> {
        let key = self.key.full();
        let message = match self.support() {
            Support::Full => return None,
            Support::NoEffect => format!("{key} has no effect in this version"),
            Support::Refused => {
                format!("{key} is not available in this version; nothing is transferred while it is set")
            }
        };
        let origin = self.origin.clone();
        Some(Problem { severity: Severity::Warning, origin, key: Some(key), message, remedy: None })
    }
}

impl Config {
    /// Refuses the first setting with which nothing may be transferred.
    pub fn refuse_unsupported(&self) -> Result<(), Error> {
        self.settings.iter().try_for_each(Setting::refuse_unsupported)
    }

    /// A warning for each setting that torr does not act on, in the order of the table.
    pub fn unsupported(&self) -> impl Iterator<Item = Problem> {
        self.settings.iter().filter_map(Setting::unsupported)
    }
}

/// Whether a value asks for nothing: what it switches off is off in a version that does not have it.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Switch(on) => !on,
        Value::Number(number) => *number == 0,
        Value::Decimal(number) => *number == 0.0,
        Value::Text(text) => matches!(text.as_str(), "" | "off" | "none"),
        Value::List(items) => items.is_empty(),
    }
}

/// Whether a value is meant to protect, so that running without it would do harm.
fn protects(id: KeyId, value: &Value) -> bool {
    match id {
        KeyId::NetworkEncryption => value.plain() == "require",
        KeyId::NetworkProxy => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn support(id: KeyId, value: &str, origin: Origin) -> Support {
        let value = id.key().kind.read(value).unwrap();
        Setting { key: id.key(), value, origin }.support()
    }

    fn file() -> Origin {
        Origin::File { path: "/c".into(), line: Some(2) }
    }

    #[test]
    fn settings_are_ignored_unless_they_protect() {
        assert_eq!(support(KeyId::LimitsDown, "2M", file()), Support::Full);
        assert_eq!(support(KeyId::UiMouse, "true", Origin::Default), Support::Full);
        assert_eq!(support(KeyId::UiMouse, "true", file()), Support::NoEffect);
        assert_eq!(support(KeyId::SeedingRatio, "2.0", file()), Support::NoEffect);
        assert_eq!(support(KeyId::NetworkEncryption, "prefer", file()), Support::NoEffect);
        assert_eq!(support(KeyId::NetworkEncryption, "require", file()), Support::Refused);
        let variable = Origin::Variable("TORR_NETWORK_PROXY".to_owned());
        assert_eq!(support(KeyId::NetworkProxy, "socks5://h:1", variable), Support::Refused);
    }

    #[test]
    fn a_flag_is_never_ignored() {
        assert_eq!(support(KeyId::NetworkUtp, "on", Origin::Flag("--utp")), Support::Refused);
        assert_eq!(
            support(KeyId::NetworkEncryption, "prefer", Origin::Flag("--encryption")),
            Support::Refused
        );
    }

    #[test]
    fn a_refusal_names_the_setting_as_it_was_asked_for() {
        let refused = |id: KeyId, value: &str, origin| {
            let value = id.key().kind.read(value).unwrap();
            Setting { key: id.key(), value, origin }.refuse_unsupported().map_err(|error| error.message)
        };
        for (id, value, origin, asked) in [
            (KeyId::NetworkUpnp, "on", Origin::Flag("--upnp"), "--upnp"),
            (KeyId::NetworkEncryption, "prefer", Origin::Flag("--encryption"), "--encryption prefer"),
            (KeyId::NetworkProxy, "socks5://127.0.0.1:1", Origin::Flag("--proxy"), "--proxy"),
            (KeyId::NetworkEncryption, "require", file(), "network.encryption = \"require\" (/c:2)"),
            (KeyId::NetworkProxy, "socks5://h:1", file(), "network.proxy (/c:2)"),
        ] {
            assert_eq!(refused(id, value, origin), Err(format!("{asked} is not available yet")));
        }
        assert_eq!(refused(KeyId::NetworkUtp, "off", Origin::Flag("--no-utp")), Ok(()));
    }

    #[test]
    fn off_is_how_torr_behaves() {
        for (id, value) in [
            (KeyId::NetworkUpnp, "off"),
            (KeyId::NetworkEncryption, "off"),
            (KeyId::NetworkProxy, ""),
            (KeyId::SeedingRatio, "0"),
            (KeyId::SeedingTime, "none"),
            (KeyId::HooksDone, "[]"),
        ] {
            assert_eq!(support(id, value, file()), Support::Full, "{id:?}");
        }
    }

    #[test]
    fn defaults_are_no_warning() {
        assert_eq!(Config::built_in().unsupported().count(), 0);
        let mut config = Config::built_in();
        config.set(KeyId::UiFps, Value::Number(9), file());
        let told: Vec<String> = config.unsupported().map(|problem| problem.place_and_message()).collect();
        assert_eq!(told, ["/c:2: ui.fps has no effect in this version"]);
    }
}
