//! Our desktop entry. It also remembers what was before, so that it can be taken back.

/// The line that marks a desktop entry as torr's.
const MARK: &str = "X-Torr-Register=1";
/// The beginnings of the lines that hold the former defaults, one for each type.
const BEFORE: [&str; 2] = ["X-Torr-Before-Magnet=", "X-Torr-Before-Torrent="];
const MADE: &str = "X-Torr-Made=";

/// The values stored in torr's desktop entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The former default for each type, if there was one.
    pub before: [Option<String>; 2],
    /// The parts that were added to set the new defaults.
    pub made: Made,
}

/// The parts of a file that were added to set a default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Made {
    /// The file was not there.
    File,
    /// The section was not there.
    Section,
    /// Only the lines.
    Nothing,
}

impl Made {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Section => "section",
            Self::Nothing => "nothing",
        }
    }

    /// Parses the word for a value.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::File, Self::Section, Self::Nothing].into_iter().find(|made| made.word() == word)
    }
}

impl Entry {
    /// Reads an entry of ours; one of somebody else is none.
    pub fn parse(text: &str) -> Option<Self> {
        text.lines().find(|line| *line == MARK)?;
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
        let made = value(MADE).and_then(|word| Made::parse(&word)).unwrap_or(Made::Nothing);
        Some(Self { before: BEFORE.map(value), made })
    }

    /// The entry, with the program as it is called.
    pub fn text(&self, program: &str) -> String {
        let mut text = format!(
            "[Desktop Entry]\n\
             Type=Application\n\
             Name=torr\n\
             Comment=Download with BitTorrent in a terminal\n\
             Exec={program} open %u\n\
             Terminal=true\n\
             NoDisplay=true\n\
             Categories=Network;FileTransfer;P2P;\n\
             MimeType={};\n\
             {MARK}\n\
             {MADE}{}\n",
            super::TYPES.join(";"),
            self.made.word()
        );
        for (key, value) in BEFORE.iter().zip(&self.before) {
            if let Some(value) = value {
                text.push_str(&format!("{key}{value}\n"));
            }
        }
        text
    }
}

/// A path as an argument of `Exec`: quoted for the command line there, and then as any string of such
/// a file.
pub fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) {
        return path.to_owned();
    }
    let mut inner = String::new();
    for c in path.chars() {
        match c {
            '"' | '`' | '$' | '\\' => inner.extend(['\\', c]),
            '%' => inner.push_str("%%"),
            c => inner.push(c),
        }
    }
    format!("\"{}\"", inner.replace('\\', "\\\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_remembers() {
        let entry = Entry { before: [Some("a.desktop;b.desktop;".to_owned()), None], made: Made::Section };
        let text = entry.text("torr");
        assert!(text.contains("\nExec=torr open %u\n"), "{text}");
        assert!(text.contains("\nMimeType=x-scheme-handler/magnet;application/x-bittorrent;\n"), "{text}");
        assert_eq!(Entry::parse(&text), Some(entry));
        assert_eq!(Entry::parse("[Desktop Entry]\nName=torr\nExec=torr %u\n"), None);
    }

    #[test]
    fn a_path_is_quoted_as_entries_want_it() {
        assert_eq!(quoted("/usr/bin/torr"), "/usr/bin/torr");
        assert_eq!(quoted("/a b/torr"), "\"/a b/torr\"");
        assert_eq!(quoted("/$x%/t"), "\"/\\\\$x%%/t\"");
    }
}
