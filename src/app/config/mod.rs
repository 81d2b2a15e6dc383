//! Configuration: what the files, the environment and the flags say about every key, and who said it.
//!
//! From the weakest to the strongest: the default, the system's file, the user's file, the file given
//! with `-C`, variables named `TORR_<SECTION>_<KEY>`, flags. In each file `[profile.NAME.section]` is
//! stronger than `[section]` while the profile NAME is in use.
//!
//! No file is needed, and none is written unless `torr config` is asked to. A key that nobody knows is a
//! warning; a value that cannot be is an error, and what needs the configuration does not run on half of
//! it.

mod aliases;
pub mod change;
pub mod file;
pub mod keys;
pub mod kind;
pub mod origin;
pub mod places;
pub mod suggest;
pub mod template;
mod variables;

use std::time::Duration;

use super::seed_goal::{After, parse_after};
use crate::base::units;

use file::{Content, Read};
use keys::{KEYS, Key};
use kind::Value;
pub use origin::{Origin, Problem, Severity};
use places::Sources;

/// The value of one key and who set it.
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    /// The key.
    pub key: &'static Key,
    /// Its value, which is one the key allows.
    pub value: Value,
    /// Who set it.
    pub origin: Origin,
}

/// Every key with its value, and what was wrong with the places they came from.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// In the order of [`KEYS`].
    pub settings: Vec<Setting>,
    /// What is wrong, in the order in which it was read.
    pub problems: Vec<Problem>,
}

impl Config {
    /// Every key at its default.
    pub fn built_in() -> Self {
        let setting = |key: &'static Key| Setting { key, value: key.default(), origin: Origin::Default };
        Self { settings: KEYS.iter().map(setting).collect(), problems: Vec::new() }
    }

    /// Reads every place, the weakest first. What is wrong there is kept as a problem.
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
                    "'torr config init' makes one",
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

    /// A flag has the last word. Its value was checked when the flag was read.
    pub fn flag(&mut self, name: &str, value: Value, flag: &'static str) {
        let at = keys::position(name).expect("flags name keys of the table");
        self.settings[at].value = value;
        self.settings[at].origin = Origin::Flag(flag);
    }

    /// The value of a key of the table.
    pub fn setting(&self, name: &str) -> &Setting {
        &self.settings[keys::position(name).expect("only keys of the table are asked for")]
    }

    /// Yes or no.
    pub fn switch(&self, name: &str) -> bool {
        self.setting(name).value == Value::Switch(true)
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> u64 {
        match self.setting(name).value {
            Value::Number(number) => u64::try_from(number).unwrap_or(0),
            _ => unreachable!("{name} was checked to be a number"),
        }
    }

    /// A text as it was written.
    pub fn text(&self, name: &str) -> String {
        self.setting(name).value.plain()
    }

    /// A list of texts.
    pub fn list(&self, name: &str) -> Vec<String> {
        match &self.setting(name).value {
            Value::List(items) => items.clone(),
            _ => unreachable!("{name} was checked to be a list"),
        }
    }

    /// Bytes per second, or no limit.
    pub fn rate(&self, name: &str) -> Option<u64> {
        units::parse_rate(&self.text(name)).expect("rates are checked when they are read")
    }

    /// What happens after a download.
    pub fn after(&self, name: &str) -> After {
        parse_after(&self.text(name)).expect("goals are checked when they are read")
    }

    fn take(&mut self, content: Content) {
        for found in content.found {
            self.settings[found.key].value = found.value;
            self.settings[found.key].origin = found.origin;
        }
        self.problems.extend(content.problems);
    }
}

/// The key that was probably meant by a name that is none.
pub fn meant(name: &str) -> Option<String> {
    let alias = name.split_once('.').and_then(|(section, name)| aliases::key_of(section, name));
    alias.map(Key::full).or_else(|| suggest::key(name).map(str::to_owned))
}

/// A time, or none.
pub fn parse_time(text: &str) -> Result<Option<Duration>, units::UnitError> {
    if text.trim().eq_ignore_ascii_case("none") { Ok(None) } else { units::parse_span(text).map(Some) }
}

fn unknown_profile(name: &str, known: &[String]) -> Problem {
    let mut known: Vec<String> =
        known.iter().map(|name| crate::base::Untrusted::new(name.as_str()).fit(40)).collect();
    known.sort();
    known.dedup();
    known.truncate(10);
    Problem {
        severity: Severity::Warning,
        origin: Origin::Flag("--profile"),
        key: None,
        message: format!("no file has a section [profile.{name}]; its state is kept apart all the same"),
        hint: Some(format!("profiles there are: {}", known.join(", "))),
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

    fn origin(config: &Config, name: &str) -> String {
        let text = config.setting(name).origin.to_string();
        text.rsplit('/').next().unwrap().to_owned()
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
            (config.rate("limits.down"), origin(&config, "limits.down").as_str()),
            (Some(5 << 20), "TORR_LIMITS_DOWN")
        );
        assert_eq!(
            (config.rate("limits.up"), origin(&config, "limits.up").as_str()),
            (Some(4 << 20), "2.toml:2")
        );
        assert_eq!(
            (config.number("limits.peers_total"), origin(&config, "limits.peers_total").as_str()),
            (60, "1.toml:6")
        );
        assert_eq!(origin(&config, "limits.active_downloads"), "0.toml:5");
        assert_eq!(origin(&config, "limits.alt_down"), "default");
        config.flag("limits.down", Value::Text("none".into()), "--down");
        assert_eq!((config.rate("limits.down"), origin(&config, "limits.down").as_str()), (None, "--down"));
    }

    #[test]
    fn a_profile_is_stronger_than_the_rest_of_its_file_only() {
        let dir = tempfile::tempdir().unwrap();
        let user = "[limits]\ndown = \"1M\"\nup = \"1M\"\n[profile.work.limits]\ndown = \"2M\"\nup = \"2M\"";
        let given = "[limits]\nup = \"3M\"";
        let mut sources = sources(dir.path(), &[user, given], &[]);
        let plain = Config::load(&sources);
        assert_eq!((plain.rate("limits.down"), plain.rate("limits.up")), (Some(1 << 20), Some(3 << 20)));
        sources.profile = Some("work".to_owned());
        let work = Config::load(&sources);
        assert_eq!((work.rate("limits.down"), work.rate("limits.up")), (Some(2 << 20), Some(3 << 20)));
        assert_eq!((work.problems.len(), origin(&work, "limits.down").as_str()), (0, "0.toml:5"));
        sources.profile = Some("wrok".to_owned());
        let problem = &Config::load(&sources).problems[0];
        assert_eq!(problem.severity, Severity::Warning);
        assert_eq!(problem.hint.as_deref(), Some("profiles there are: work"));
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
        assert_eq!(config.after("seeding.get"), After::Stop);
        assert_eq!((config.rate("limits.up"), config.rate("limits.alt_up")), (None, Some(100 << 10)));
    }
}
