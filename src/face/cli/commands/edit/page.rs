//! A torrent's values as a page of TOML for an editor, and back.

use std::fmt;

use jiff::Timestamp;
use toml_edit::{Document, Item, Table, Value};

use crate::app::making::values::tracker_url;
use crate::app::making::values::{plain_name, web_seed};
use crate::base::Untrusted;
use crate::proto::metainfo::Fields;

/// A mistake in a page, with its line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    line: Option<usize>,
    what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.what)
    }
}

const HEAD: &str = "\
# Save and close the editor to continue. Empty or deleted values are removed.
# An empty page changes nothing.
";
const OUTER: [&str; 6] = ["comment", "created_by", "creation_date", "trackers", "web_seeds", "info"];
const INFO: [&str; 3] = ["name", "private", "source"];

/// The page; `title` says in one line which torrent it is about.
pub fn page(fields: &Fields, title: &str) -> String {
    let optional = |value: &Option<Untrusted>| quoted(value.as_ref().map_or("", Untrusted::raw));
    let date = match date(fields.creation_date) {
        Some(date) => format!("creation_date = {date}\n"),
        None => "# creation_date = 2026-11-02T19:04:00Z\n".to_owned(),
    };
    let tiers: String = fields
        .trackers
        .iter()
        .map(|tier| {
            format!("    [{}],\n", tier.iter().map(|url| quoted(url.raw())).collect::<Vec<_>>().join(", "))
        })
        .collect();
    let seeds: String = fields.web_seeds.iter().map(|url| format!("    {},\n", quoted(url.raw()))).collect();
    let list = |lines: &str| if lines.is_empty() { "[]".to_owned() } else { format!("[\n{lines}]") };
    format!(
        "# {title}\n{HEAD}\ncomment = {}\ncreated_by = {}\n{date}\n# One list per tier; torr tries the first tier first.\n\
         trackers = {}\nweb_seeds = {}\n\n# A change below changes the info hash: it makes another torrent.\n\
         [info]\nname = {}\nprivate = {}\nsource = {}\n",
        optional(&fields.comment),
        optional(&fields.created_by),
        list(&tiers),
        list(&seeds),
        quoted(fields.name.raw()),
        fields.private,
        optional(&fields.source),
    )
}

/// Reads a page. Nothing for an empty one. A URL that stands in `old` already is taken as it is, however odd.
pub fn read(text: &str, old: &Fields) -> Result<Option<Fields>, Wrong> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(None);
    }
    let document = Document::parse(text).map_err(|error| Wrong {
        line: error.span().map(|span| line_of(text, span.start)),
        what: Untrusted::new(error.message().replace('\n', ", ")).clean(),
    })?;
    let page = Page { text };
    let root = document.as_table();
    page.known(root, &OUTER)?;
    let empty = Table::new();
    let info = match root.get("info") {
        None => &empty,
        Some(item) => item
            .as_table()
            .ok_or_else(|| page.wrong(item, "'info' is a table: write [info] above its values"))?,
    };
    page.known(info, &INFO)?;
    let name = match info.get("name") {
        None => return Err(Wrong { line: None, what: "[info] needs a name".to_owned() }),
        Some(item) => {
            let name = page.text(item, "name")?;
            if *name != *old.name.raw() {
                plain_name(name).map_err(|error| page.wrong(item, &error))?;
            }
            Untrusted::new(name)
        }
    };
    let private = match info.get("private") {
        None => false,
        Some(item) => item.as_bool().ok_or_else(|| page.wrong(item, "'private' must be true or false"))?,
    };
    let optional = |table: &Table, key: &str| -> Result<Option<Untrusted>, Wrong> {
        let Some(item) = table.get(key) else { return Ok(None) };
        let text = page.text(item, key)?;
        Ok((!text.is_empty()).then(|| Untrusted::new(text)))
    };
    Ok(Some(Fields {
        trackers: page.trackers(root.get("trackers"), old)?,
        web_seeds: page.web_seeds(root.get("web_seeds"), old)?,
        comment: optional(root, "comment")?,
        created_by: optional(root, "created_by")?,
        creation_date: page.date(root.get("creation_date"), old)?,
        name,
        private,
        source: optional(info, "source")?,
    }))
}

struct Page<'a> {
    text: &'a str,
}

impl Page<'_> {
    fn known(&self, table: &Table, keys: &[&str]) -> Result<(), Wrong> {
        for (key, _) in table {
            if !keys.contains(&key) {
                let span = table.key(key).and_then(toml_edit::Key::span);
                let what =
                    format!("unknown key '{}'; known keys are {}", Untrusted::new(key), keys.join(", "));
                return Err(Wrong { line: span.map(|span| line_of(self.text, span.start)), what });
            }
        }
        Ok(())
    }

    fn text<'i>(&self, item: &'i Item, key: &str) -> Result<&'i str, Wrong> {
        item.as_str().ok_or_else(|| self.wrong(item, &format!("'{key}' must be a string in quotes")))
    }

    fn trackers(&self, item: Option<&Item>, old: &Fields) -> Result<Vec<Vec<Untrusted>>, Wrong> {
        let Some(item) = item else { return Ok(Vec::new()) };
        let what = "'trackers' must be a list of lists: [[\"udp://…\"], [\"https://…\"]]";
        let tiers = item.as_array().ok_or_else(|| self.wrong(item, what))?;
        let mut all = Vec::new();
        for tier in tiers {
            let urls = tier.as_array().ok_or_else(|| self.wrong_value(tier, what))?;
            let known = |url: &Untrusted| old.trackers.iter().flatten().any(|other| other == url);
            let urls =
                urls.iter().map(|url| self.url(url, known, &tracker_url)).collect::<Result<Vec<_>, _>>()?;
            if !urls.is_empty() {
                all.push(urls);
            }
        }
        Ok(all)
    }

    fn web_seeds(&self, item: Option<&Item>, old: &Fields) -> Result<Vec<Untrusted>, Wrong> {
        let Some(item) = item else { return Ok(Vec::new()) };
        let urls =
            item.as_array().ok_or_else(|| self.wrong(item, "'web_seeds' must be a list of strings"))?;
        urls.iter().map(|url| self.url(url, |url| old.web_seeds.contains(url), &web_seed)).collect()
    }

    fn url(
        &self,
        value: &Value,
        known: impl Fn(&Untrusted) -> bool,
        check: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Untrusted, Wrong> {
        let text =
            value.as_str().ok_or_else(|| self.wrong_value(value, "a URL must be a string in quotes"))?;
        let url = Untrusted::new(text);
        if !known(&url) {
            check(text).map_err(|error| self.wrong_value(value, &error))?;
        }
        Ok(url)
    }

    fn date(&self, item: Option<&Item>, old: &Fields) -> Result<Option<i64>, Wrong> {
        let Some(item) = item else {
            // One that no calendar knows is not on the page, and so was not taken away.
            return Ok(old.creation_date.filter(|&date| self::date(Some(date)).is_none()));
        };
        let wrong = || self.wrong(item, "'creation_date' is written 2026-11-02T19:04:00Z, with its zone");
        let date = item.as_datetime().filter(|date| date.offset.is_some()).ok_or_else(wrong)?;
        let date: Timestamp = date.to_string().parse().map_err(|_| wrong())?;
        Ok(Some(date.as_second()))
    }

    fn wrong(&self, item: &Item, what: &str) -> Wrong {
        Wrong { line: item.span().map(|span| line_of(self.text, span.start)), what: what.to_owned() }
    }

    fn wrong_value(&self, value: &Value, what: &str) -> Wrong {
        Wrong { line: value.span().map(|span| line_of(self.text, span.start)), what: what.to_owned() }
    }
}

/// A date on the page, where a calendar knows it.
fn date(seconds: Option<i64>) -> Option<String> {
    let date = Timestamp::from_second(seconds?).ok()?;
    (0..=253_402_300_799).contains(&date.as_second()).then(|| date.to_string())
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
}

/// A text of TOML. Whatever could steer a terminal or hide from the eye is escaped.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        let mut buffer = [0; 4];
        let plain: &str = c.encode_utf8(&mut buffer);
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            _ if c.is_control() || (!c.is_ascii() && Untrusted::new(plain).clean() != plain) => {
                out.push_str(&format!("\\U{:08X}", u32::from(c)));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields() -> Fields {
        Fields {
            trackers: vec![vec!["udp://a:1".into(), "odd".into()], vec!["http://b/announce".into()]],
            web_seeds: vec!["http://w/".into()],
            comment: Some("a \"b\"\n\u{1b}[2J\u{202e}é".into()),
            created_by: None,
            creation_date: Some(1_762_110_240),
            name: "photos".into(),
            private: true,
            source: Some("s".into()),
        }
    }

    #[test]
    fn a_page_reads_back_as_what_it_says() {
        let page = page(&fields(), "photos, 3 files");
        assert!(page.starts_with("# photos, 3 files\n# Save"), "{page}");
        assert!(page.contains("creation_date = 2025-11-02T19:04:00Z\n"), "{page}");
        assert!(page.contains("    [\"udp://a:1\", \"odd\"],\n"), "{page}");
        assert!(page.chars().all(|c| c == '\n' || !c.is_control()) && !page.contains('\u{202e}'), "{page}");
        assert_eq!(read(&page, &fields()), Ok(Some(fields())));
        let none = Fields { name: "x".into(), ..Fields::default() };
        assert_eq!(read(&super::page(&none, "t"), &none), Ok(Some(none)));
        let odd = Fields { creation_date: Some(-5), ..fields() };
        assert_eq!(read(&super::page(&odd, "t"), &odd), Ok(Some(odd)));
    }

    #[test]
    fn an_empty_page_changes_nothing_and_what_is_gone_is_taken_away() {
        assert_eq!(read("", &fields()), Ok(None));
        assert_eq!(read("# only\n\n  # words\n", &fields()), Ok(None));
        let left = read("[info]\nname = 'y'\n", &fields()).unwrap().unwrap();
        assert_eq!(left, Fields { name: "y".into(), ..Fields::default() });
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, what) in [
            ("\n\ncomment = 5\n[info]\nname='x'", 3, "'comment' must be a string"),
            ("[info]\nname='x'\ncolour='y'", 3, "unknown key 'colour'; known keys are name, private, source"),
            ("info = 3", 1, "'info' is a table"),
            ("[info]\nname='a/b'", 2, "plain name"),
            ("[info]\nname='x'\nprivate=1", 3, "true or false"),
            ("trackers=['udp://a:1']\n[info]\nname='x'", 1, "list of lists"),
            ("trackers=[\n['nonsense']]\n[info]\nname='x'", 2, "not a URL"),
            ("web_seeds=['ftp://x']\n[info]\nname='x'", 1, "a web seed is http"),
            ("creation_date=2026-01-01\n[info]\nname='x'", 1, "with its zone"),
            ("comment = \n[info]\nname='x'", 1, ""),
        ] {
            let wrong = read(text, &fields()).unwrap_err();
            assert_eq!(wrong.line, Some(line), "{text}: {wrong}");
            assert!(wrong.what.contains(what) && !wrong.to_string().contains('\n'), "{text}: {wrong}");
        }
        assert_eq!(read("comment='x'", &fields()).unwrap_err().to_string(), "[info] needs a name");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "\\PC*|.{0,20}") {
            let line = format!("x = {}", quoted(&text));
            let document = Document::parse(line.as_str()).unwrap();
            prop_assert_eq!(document.as_table()["x"].as_str(), Some(text.as_str()));
        }
    }
}
