//! JSON for scripts, one document or one event per line.

use std::io;
use std::path::Path;

use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};

use crate::base::Untrusted;

/// The document as one line without its line end. Every character that could steer a terminal is
/// written as a `\u` escape: the value is exact, and looking at it is harmless.
pub fn line(document: &impl Serialize) -> String {
    let mut out = Vec::with_capacity(256);
    let mut writer = serde_json::Serializer::with_formatter(&mut out, Harmless);
    document.serialize(&mut writer).expect("our documents have string keys and memory does not fail");
    String::from_utf8(out).expect("the serializer writes UTF-8")
}

/// The document over several lines, for people, just as exact and harmless.
pub fn pretty(document: &impl Serialize) -> String {
    let mut out = Vec::with_capacity(1024);
    let formatter = HarmlessPretty(PrettyFormatter::new());
    let mut writer = serde_json::Serializer::with_formatter(&mut out, formatter);
    document.serialize(&mut writer).expect("our documents have string keys and memory does not fail");
    String::from_utf8(out).expect("the serializer writes UTF-8")
}

/// Raw bytes in hexadecimal, for paths that are no text.
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// The bytes of a path in hexadecimal, if it is no text; for the field `path_hex` beside `path`.
pub fn path_hex(path: &Path) -> Option<String> {
    path.to_str().is_none().then(|| hex(path.as_os_str().as_encoded_bytes()))
}

struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        escaped(writer, fragment)
    }
}

/// The same over several lines.
struct HarmlessPretty(PrettyFormatter<'static>);

impl Formatter for HarmlessPretty {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        escaped(writer, fragment)
    }

    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

fn escaped<W: io::Write + ?Sized>(writer: &mut W, fragment: &str) -> io::Result<()> {
    let mut begin = 0;
    for (at, c) in fragment.char_indices() {
        if steers(c) {
            writer.write_all(&fragment.as_bytes()[begin..at])?;
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            begin = at + c.len_utf8();
        }
    }
    writer.write_all(&fragment.as_bytes()[begin..])
}

/// Whether text from outside may not show this character as it is.
fn steers(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let mut buffer = [0; 4];
    let text: &str = c.encode_utf8(&mut buffer);
    Untrusted::new(text).clean() != text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_exact_and_harmless() {
        let name = "a\u{1b}[2J\u{9b}\u{202e}\u{7f}\"é日";
        let text = line(&serde_json::json!({ "name": name }));
        assert_eq!(text, r#"{"name":"a\u001b[2J\u009b\u202e\u007f\"é日"}"#);
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["name"], name);
        let several = pretty(&serde_json::json!({ "names": [name] }));
        assert_eq!(several.lines().count(), 5);
        assert!(several.contains(r#"    "a\u001b[2J\u009b\u202e\u007f\"é日""#), "{several}");
    }
}
