//! The configuration: the value of every key from files, environment and flags, with its origin.
//!
//! From the weakest to the strongest: the default, the system's file, the user's file, the file given
//! on the command line, variables named `TORR_<SECTION>_<KEY>`, flags. In each file `[profile.NAME.section]`
//! overrides `[section]` while the profile NAME is in use.
//!
//! No file is needed, and none is written unasked. An unknown key is a warning. An invalid value is an error:
//! nothing runs on half a configuration.
//!
//! [`Config`] keeps values as they are written; [`Settings`] holds those that torr acts on as what they mean.

mod aliases;
pub mod change;
pub mod file;
mod key_id;
pub mod keys;
pub mod kind;
pub mod origin;
pub mod places;
mod settings;
pub mod suggest;
mod support;
pub mod template;
mod variables;

use std::time::Duration;

use crate::app::Remedy;
use crate::base::{Untrusted, units};

use file::{Content, Read};
pub use key_id::KeyId;
use keys::{KEYS, Key};
use kind::Value;
pub use origin::{Origin, Problem, Severity};
use places::Sources;
pub use settings::{Limits, Network, Seeding, Settings};
pub use support::Support;

/// The value of one key and its origin.
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    /// The key.
    pub key: &'static Key,
    /// The value, one of those the key allows.
    pub value: Value,
    /// The place that set the value.
    pub origin: Origin,
}

/// Every key with its value, and the problems of the places they came from.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// The settings in the order of [`KEYS`].
    pub settings: Vec<Setting>,
    /// The problems, in the order in which they were read.
    pub problems: Vec<Problem>,
}

impl Config {
    /// Every key at its default.
    pub fn built_in() -> Self {
        let setting = |key: &'static Key| Setting { key, value: key.default(), origin: Origin::Default };
        Self { settings: KEYS.iter().map(setting).collect(), problems: Vec::new() }
    }

    /// The configuration of one place alone.
    pub fn of(content: Content) -> Self {
        let mut config = Self::built_in();
        config.take(content);
        config
    }

    /// Reads every place, the weakest first, and keeps what is wrong there as problems.
    pub fn load(sources: &Sources) -> Self {
        let mut config = Self::built_in();
        let mut profiles = Vec::new();
        for source in &sources.files {
            match file::read(&source.path) {
                Read::Text(text) => {
                    let content = file::scan(&text, &source.path, sources.profile.as_deref());
                    profiles.extend(content.profiles.iter().cloned());
                    config.take(content);
                }
                Read::Absent if !source.needed => {}
                Read::Absent => config.problems.push(Problem::unread(
                    &source.path,
                    "there is no such file".to_owned(),
                    Some(Remedy::MakeConfig),
                )),
                Read::Problem(problem) => config.problems.push(problem),
            }
        }
        if let Some(name) = &sources.profile
            && !profiles.is_empty()
            && !profiles.contains(name)
        {
            config.problems.push(unknown_profile(name, &profiles));
        }
        config.take(variables::scan(&sources.variables));
        config
    }

    /// The problems that stop nothing.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Warning)
    }

    /// The problems that stop whatever needs the configuration.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error)
    }

    /// Sets the value that a flag gave, which has the last word. It was checked when the flag was read.
    pub fn flag(&mut self, id: KeyId, value: Value, flag: &'static str) {
        self.set(id, value, Origin::Flag(flag));
    }

    /// Sets a value that its key allows.
    pub fn set(&mut self, id: KeyId, value: Value, origin: Origin) {
        self.settings[id as usize] = Setting { key: id.key(), value, origin };
    }

    /// The value of a key and its origin.
    pub fn setting(&self, id: KeyId) -> &Setting {
        &self.settings[id as usize]
    }

    fn take(&mut self, content: Content) {
        for found in content.found {
            self.set(found.key, found.value, found.origin);
        }
        self.problems.extend(content.problems);
    }
}

/// Finds the key that was probably meant by an unknown name.
pub fn meant(name: &str) -> Option<String> {
    let alias = name.split_once('.').and_then(|(section, name)| aliases::key_of(section, name));
    alias.filter(|key| key.used).or_else(|| suggest::key(name)).map(Key::full)
}

/// Reads a span of time, or `none`.
pub fn parse_time(text: &str) -> Result<Option<Duration>, units::UnitError> {
    if text.trim().eq_ignore_ascii_case("none") { Ok(None) } else { units::parse_span(text).map(Some) }
}

fn unknown_profile(name: &str, known: &[String]) -> Problem {
    let mut known: Vec<String> = known.iter().map(|name| Untrusted::new(name.as_str()).fit(40)).collect();
    known.sort();
    known.dedup();
    known.truncate(10);
    Problem {
        severity: Severity::Warning,
        origin: Origin::Flag("--profile"),
        key: None,
        message: format!("no file has a section [profile.{name}]; its state is kept apart all the same"),
        remedy: Some(Remedy::Sentence(format!("profiles there are: {}", known.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::places::Source;
    use super::*;

    fn sources(dir: &std::path::Path, files: &[&str], variables: &[(&str, &str)]) -> Sources {
        let source = |(at, text): (usize, &&str)| {
            let path = dir.join(format!("{at}.toml"));
            std::fs::write(&path, text).unwrap();
            Source { path, needed: false }
        };
        Sources {
            files: files.iter().enumerate().map(source).collect(),
            variables: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            profile: None,
        }
    }

    fn origin(config: &Config, id: KeyId) -> String {
        let text = config.setting(id).origin.to_string();
        text.rsplit('/').next().unwrap().to_owned()
    }

    fn limits(config: &Config) -> Limits {
        Settings::of(config).unwrap().limits
    }

    #[test]
    fn each_layer_is_stronger_than_the_one_before_and_says_where_it_stands() {
        let dir = tempfile::tempdir().unwrap();
        let system = "[limits]\ndown = \"1M\"\nup = \"1M\"\npeers_total = 50\nactive_downloads = 9";
        let user = "# mine\n\n[limits]\ndown = \"2M\"\nup = \"2M\"\npeers_total = 60";
        let given = "limits = { down = \"3M\",\n up = 4194304 }";
        let sources = sources(dir.path(), &[system, user, given], &[("TORR_LIMITS_DOWN", "5M")]);
        let mut config = Config::load(&sources);
        assert_eq!(config.problems, []);
        assert_eq!(
            (limits(&config).down, origin(&config, KeyId::LimitsDown).as_str()),
            (Some(5 << 20), "TORR_LIMITS_DOWN")
        );
        assert_eq!(
            (limits(&config).up, origin(&config, KeyId::LimitsUp).as_str()),
            (Some(4 << 20), "2.toml:2")
        );
        assert_eq!(
            (limits(&config).peers_total, origin(&config, KeyId::LimitsPeersTotal).as_str()),
            (60, "1.toml:6")
        );
        assert_eq!(origin(&config, KeyId::LimitsActiveDownloads), "0.toml:5");
        assert_eq!(origin(&config, KeyId::LimitsAltDown), "default");
        config.flag(KeyId::LimitsDown, Value::Text("none".into()), "--down");
        assert_eq!((limits(&config).down, origin(&config, KeyId::LimitsDown).as_str()), (None, "--down"));
    }

    #[test]
    fn a_profile_is_stronger_than_the_rest_of_its_file_only() {
        let dir = tempfile::tempdir().unwrap();
        let user = "[limits]\ndown = \"1M\"\nup = \"1M\"\n[profile.work.limits]\ndown = \"2M\"\nup = \"2M\"";
        let given = "[limits]\nup = \"3M\"";
        let mut sources = sources(dir.path(), &[user, given], &[]);
        let plain = Config::load(&sources);
        assert_eq!((limits(&plain).down, limits(&plain).up), (Some(1 << 20), Some(3 << 20)));
        sources.profile = Some("work".to_owned());
        let work = Config::load(&sources);
        assert_eq!((limits(&work).down, limits(&work).up), (Some(2 << 20), Some(3 << 20)));
        assert_eq!((work.problems.len(), origin(&work, KeyId::LimitsDown).as_str()), (0, "0.toml:5"));
        sources.profile = Some("wrok".to_owned());
        let problem = &Config::load(&sources).problems[0];
        assert_eq!(problem.severity, Severity::Warning);
        assert_eq!(problem.remedy, Some(Remedy::Sentence("profiles there are: work".to_owned())));
    }

    #[test]
    fn no_file_is_needed_but_one_that_was_named_is() {
        let dir = tempfile::tempdir().unwrap();
        let missing = |needed| Sources {
            files: vec![Source { path: dir.path().join("none.toml"), needed }],
            ..Sources::default()
        };
        assert_eq!(Config::load(&missing(false)), Config::built_in());
        assert_eq!(Config::load(&missing(true)).problems[0].severity, Severity::Error);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn every_default_is_one_its_key_allows() {
        let config = Config::built_in();
        for setting in &config.settings {
            assert_eq!(setting.key.kind.check(&setting.value), Ok(()), "{}", setting.key.full());
        }
    }
}
