//! Kinds of values that a key may have.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::app::seed_goal::parse_after;
use crate::base::{Untrusted, units};

/// A value as a file has it.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// `true` or `false`.
    Switch(bool),
    /// A whole number.
    Number(i64),
    /// A number with a fraction.
    Decimal(f64),
    /// A text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

impl Value {
    /// Converts a value of a file, if any key has values of its type.
    pub fn from_toml(value: &toml_edit::Value) -> Option<Self> {
        Some(match value {
            toml_edit::Value::Boolean(on) => Self::Switch(*on.value()),
            toml_edit::Value::Integer(number) => Self::Number(*number.value()),
            toml_edit::Value::Float(number) => Self::Decimal(*number.value()),
            toml_edit::Value::String(text) => Self::Text(text.value().clone()),
            toml_edit::Value::Array(items) => {
                let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
                Self::List(texts.collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    /// Converts the value for a file.
    pub fn to_toml(&self) -> toml_edit::Value {
        match self {
            Self::Switch(on) => (*on).into(),
            Self::Number(number) => (*number).into(),
            Self::Decimal(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
            Self::List(items) => items.iter().map(String::as_str).collect::<toml_edit::Value>(),
        }
    }

    /// The bare text, without quotation marks; the items of a list one per line.
    pub fn plain(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::List(items) => items.join("\n"),
            other => other.to_string(),
        }
    }

    fn texts(&self) -> &[String] {
        match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::List(items) => items,
            _ => &[],
        }
    }
}

/// The value as a file has it, on one line and clean for a terminal.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Untrusted::new(self.to_toml().to_string().replace('\n', "\\n")).clean())
    }
}

/// The values that a key allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// On or off.
    Switch,
    /// A whole number within bounds.
    Number {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A share ratio; 0 for no limit.
    Ratio,
    /// Bytes per second, or `none`.
    Rate,
    /// A number of bytes.
    Size,
    /// A span of time, or `none`.
    Time,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of some of these words.
    Choices(&'static [&'static str]),
    /// A path, or nothing.
    Path,
    /// A list of paths.
    Paths,
    /// A list of hosts with their ports.
    Hosts,
    /// Any text.
    Text,
    /// A program and its arguments, or nothing.
    Command,
    /// A local address or the name of a network interface, or nothing.
    Bind,
    /// The URL of a proxy, or nothing.
    Proxy,
    /// A local address with a port, or nothing.
    Listen,
    /// A seed goal, or `off`.
    After,
}

impl Kind {
    /// Checks a value; the error says which values are allowed.
    pub fn check(self, value: &Value) -> Result<(), String> {
        if value.texts().iter().any(|text| text.contains(char::is_control)) {
            return Err("a text may hold no line ends or other control characters".to_owned());
        }
        let texts = value.texts();
        let good = match (self, value) {
            (Self::Switch, Value::Switch(_)) => true,
            (Self::Number { min, max }, Value::Number(number)) => (min..=max).contains(number),
            (Self::Ratio, Value::Number(number)) => (0..=1_000_000).contains(number),
            (Self::Ratio, Value::Decimal(number)) => (0.0..=1e6).contains(number),
            (Self::Rate, Value::Text(_) | Value::Number(_)) => {
                return units::parse_rate(&value.plain()).map(drop).map_err(|error| error.to_string());
            }
            (Self::Size, Value::Text(_) | Value::Number(_)) => units::parse_size(&value.plain()).is_ok(),
            (Self::Time, Value::Text(_) | Value::Number(_)) => super::parse_time(&value.plain()).is_ok(),
            (Self::Choice(words), Value::Text(text)) => words.contains(&text.as_str()),
            (Self::Choices(words), Value::List(_)) => texts.iter().all(|text| words.contains(&text.as_str())),
            (Self::Path, Value::Text(text)) => text.is_empty() || is_path(text),
            (Self::Paths, Value::List(_)) => texts.iter().all(|text| is_path(text)),
            (Self::Hosts, Value::List(_)) => texts.iter().all(|text| is_host(text)),
            (Self::Text, Value::Text(text)) => !text.is_empty(),
            (Self::Command, Value::List(items)) => items.first().is_none_or(|program| !program.is_empty()),
            (Self::Bind, Value::Text(text)) => text.is_empty() || is_bindable(text),
            (Self::Proxy, Value::Text(text)) => text.is_empty() || is_proxy(text),
            (Self::Listen, Value::Text(text)) => text.is_empty() || text.parse::<SocketAddr>().is_ok(),
            (Self::After, Value::Text(_) | Value::Number(_) | Value::Decimal(_)) => {
                parse_after(&value.plain()).is_ok()
            }
            _ => false,
        };
        if good { Ok(()) } else { Err(format!("write {}", self.allowed())) }
    }

    /// Parses a value of a command line or a variable. A list of one needs no brackets.
    pub fn read(self, text: &str) -> Result<Value, String> {
        let wrong = || format!("write {}", self.allowed());
        let trimmed = text.trim();
        let value = match self {
            Self::Switch => match trimmed.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Value::Switch(true),
                "false" | "no" | "off" | "0" => Value::Switch(false),
                _ => return Err(wrong()),
            },
            Self::Number { .. } => Value::Number(trimmed.parse().map_err(|_| wrong())?),
            Self::Ratio => match trimmed.parse::<i64>() {
                Ok(number) => Value::Number(number),
                Err(_) => Value::Decimal(trimmed.parse().map_err(|_| wrong())?),
            },
            // An address of IPv6 begins with a bracket, too, and does not end with one.
            Self::Choices(_) | Self::Paths | Self::Hosts | Self::Command
                if trimmed.starts_with('[') && (self != Self::Hosts || trimmed.ends_with(']')) =>
            {
                let list = trimmed.parse::<toml_edit::Value>().ok();
                list.as_ref().and_then(Value::from_toml).ok_or_else(wrong)?
            }
            Self::Choices(_) | Self::Paths | Self::Hosts | Self::Command => {
                Value::List(vec![text.to_owned()])
            }
            _ => Value::Text(text.to_owned()),
        };
        self.check(&value).map(|()| value)
    }

    /// The values that are allowed, in words.
    pub fn allowed(self) -> String {
        match self {
            Self::Switch => "true or false".to_owned(),
            Self::Number { min, max } => format!("a whole number from {min} to {max}"),
            Self::Ratio => "a number such as 2.0, or 0 for no limit".to_owned(),
            Self::Rate => "a rate such as \"500K\", \"2M\" or \"1.5MiB\", or \"none\"".to_owned(),
            Self::Size => "a size such as \"500M\" or \"1GiB\"".to_owned(),
            Self::Time => "a time such as \"30m\" or \"7d\", or \"none\"".to_owned(),
            Self::Choice(words) => one_of(words),
            Self::Choices(words) => format!("a list of some of {}", words.join(", ")),
            Self::Path => "a path that is absolute or begins with ~/".to_owned(),
            Self::Paths => "a list of paths that are absolute or begin with ~/".to_owned(),
            Self::Hosts => "a list of HOST:PORT such as [\"192.0.2.1:6881\"]".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::Command => "a list of a program and its arguments, [\"/usr/bin/notify-send\", \"done\"]".to_owned(),
            Self::Bind => "an address such as \"192.168.1.20\", or the name of a network interface".to_owned(),
            Self::Proxy => "a URL such as \"socks5://HOST:PORT\" or \"http://HOST:PORT\"".to_owned(),
            Self::Listen => "an address and a port such as \"127.0.0.1:7878\"".to_owned(),
            Self::After => {
                "\"off\", a ratio (\"2.0\"), a time (\"30m\"), \"forever\", or \"2.0,7d\" for whichever is first"
                    .to_owned()
            }
        }
    }

    /// The kind in one word, for scripts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Switch => "switch",
            Self::Number { .. } => "number",
            Self::Ratio => "ratio",
            Self::Rate => "rate",
            Self::Size => "size",
            Self::Time => "time",
            Self::Choice(_) => "choice",
            Self::Choices(_) => "choices",
            Self::Path => "path",
            Self::Paths => "paths",
            Self::Hosts => "hosts",
            Self::Text => "text",
            Self::Command => "command",
            Self::Bind => "bind",
            Self::Proxy => "proxy",
            Self::Listen => "listen",
            Self::After => "after",
        }
    }

    /// Whether the values are lists.
    pub const fn is_list(self) -> bool {
        matches!(self, Self::Choices(_) | Self::Paths | Self::Hosts | Self::Command)
    }

    /// Converts a value to bytes, bytes per second or seconds, where it means that; none for no limit.
    pub fn amount(self, value: &Value) -> Option<u64> {
        let text = value.plain();
        match self {
            Self::Rate => units::parse_rate(&text).ok().flatten(),
            Self::Size => units::parse_size(&text).ok(),
            Self::Time => super::parse_time(&text).ok().flatten().map(|time| time.as_secs()),
            _ => None,
        }
    }
}

fn one_of(words: &[&str]) -> String {
    match words {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// Whether a text is a name or an address, and a port.
fn is_host(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let named = match bare {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)),
    };
    named && port.parse::<u16>().is_ok_and(|port| port != 0)
}

/// Whether a path means the same wherever torr is called.
fn is_path(text: &str) -> bool {
    text.starts_with('/') || text == "~" || text.starts_with("~/")
}

/// Whether a text is an address or can be the name of an interface, which need not exist yet.
fn is_bindable(text: &str) -> bool {
    let name = text.len() <= 15 && text.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b':');
    text.parse::<IpAddr>().is_ok() || (name && text != "." && text != "..")
}

fn is_proxy(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h")
            && url.host_str().is_some_and(|host| !host.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_people_write_them() {
        let number = Kind::Number { min: 1, max: 9 };
        assert_eq!(Kind::Switch.read(" Yes "), Ok(Value::Switch(true)));
        assert_eq!(number.read("9"), Ok(Value::Number(9)));
        assert_eq!(Kind::Ratio.read("1.5"), Ok(Value::Decimal(1.5)));
        assert_eq!(Kind::Rate.read("2M"), Ok(Value::Text("2M".into())));
        assert_eq!(Kind::Paths.read("~/a"), Ok(Value::List(vec!["~/a".into()])));
        assert_eq!(Kind::Paths.read(r#"["/a", "~/b"]"#), Ok(Value::List(vec!["/a".into(), "~/b".into()])));
        assert_eq!(Kind::Hosts.read("[]"), Ok(Value::List(Vec::new())));
        for host in ["router.example:6881", "192.0.2.1:1", "[2001:db8::1]:25401"] {
            assert_eq!(Kind::Hosts.read(host), Ok(Value::List(vec![host.into()])));
        }
        assert_eq!(Kind::Command.read("[]"), Ok(Value::List(Vec::new())));
        assert_eq!(Kind::After.read("2.0,7d"), Ok(Value::Text("2.0,7d".into())));
        assert_eq!(Kind::Bind.read("wg0"), Ok(Value::Text("wg0".into())));
        assert_eq!(Kind::Bind.read("::1"), Ok(Value::Text("::1".into())));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        let refused = |kind: Kind, text| kind.read(text).unwrap_err();
        assert_eq!(refused(Kind::Number { min: 1, max: 9 }, "10"), "write a whole number from 1 to 9");
        assert_eq!(refused(Kind::Choice(&["a", "b", "c"]), "d"), "write a, b or c");
        assert!(refused(Kind::Rate, "200").contains("write 200K"));
        for (kind, bad) in [
            (Kind::Switch, "2"),
            (Kind::Ratio, "-1"),
            (Kind::Ratio, "NaN"),
            (Kind::Size, "big"),
            (Kind::Time, "soon"),
            (Kind::Path, "a/b"),
            (Kind::Hosts, "router.example"),
            (Kind::Hosts, "router.example:0"),
            (Kind::Hosts, "::1:6881"),
            (Kind::Hosts, "http://router.example:80"),
            (Kind::Paths, "[1]"),
            (Kind::Paths, "[\"/a\""),
            (Kind::Text, "a\u{1b}b"),
            (Kind::Bind, "an interface"),
            (Kind::Bind, "../etc"),
            (Kind::Proxy, "file:///etc/passwd"),
            (Kind::Listen, "127.0.0.1"),
            (Kind::After, "later"),
        ] {
            assert!(kind.read(bad).is_err(), "{kind:?} {bad}");
        }
        assert!(Kind::Switch.check(&Value::Text("true".into())).is_err());
        assert!(Kind::Rate.check(&Value::Number(-1)).is_err());
    }

    #[test]
    fn amounts_are_in_the_smallest_unit() {
        assert_eq!(Kind::Rate.amount(&Value::Text("500K".into())), Some(512_000));
        assert_eq!(Kind::Rate.amount(&Value::Text("none".into())), None);
        assert_eq!(Kind::Time.amount(&Value::Text("1h30m".into())), Some(5400));
        assert_eq!(Kind::Size.amount(&Value::Number(7)), Some(7));
        assert_eq!(Kind::Switch.amount(&Value::Switch(true)), None);
    }
}
