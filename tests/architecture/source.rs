//! Rust source as tokens: comments gone, literals empty, test code apart.

use std::fs;
use std::path::{Path, PathBuf};

/// A word, `::`, `""` for any string, or one character of punctuation.
#[derive(Clone, Debug)]
pub struct Token {
    pub text: String,
    pub line: usize,
    /// Part of an item that is compiled for tests alone.
    pub test: bool,
}

/// One file: its name, its lines and its tokens.
#[derive(Debug)]
pub struct Source {
    pub path: PathBuf,
    pub lines: Vec<String>,
    pub tokens: Vec<Token>,
}

impl Source {
    pub fn read(path: &Path) -> Self {
        Self::new(path, &fs::read_to_string(path).expect("a source file can be read"))
    }

    pub fn new(path: &Path, text: &str) -> Self {
        let mut tokens = tokens(text);
        mark_tests(&mut tokens);
        Self { path: path.to_owned(), lines: text.lines().map(str::to_owned).collect(), tokens }
    }

    /// Turns all of the file into test code, as a module that is declared for tests alone.
    pub fn mark_as_test(&mut self) {
        self.tokens.iter_mut().for_each(|token| token.test = true);
    }

    /// Lines outside tests on which these words follow one another, `std::fs` as `std`, `::`, `fs`.
    pub fn lines_with(&self, words: &str) -> Vec<usize> {
        let wanted = tokens(words);
        let found = self.tokens.windows(wanted.len()).filter(|window| {
            !window[0].test && window.iter().zip(&wanted).all(|(token, want)| token.text == want.text)
        });
        found.map(|window| window[0].line).collect()
    }

    /// `path:line: what: the line itself`.
    pub fn complaint(&self, line: usize, what: &str) -> String {
        let text = self.lines.get(line - 1).map_or("", |text| text.trim());
        format!("{}:{line}: {what}: {text}", self.path.display())
    }
}

/// All Rust files below a folder, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(files_below(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let end = end_of_token(&chars, at);
        let text = match chars[at] {
            c if c.is_whitespace() => None,
            '/' if end > at + 1 => None,
            _ if end > at + 1 && matches!(chars[end - 1], '"' | '#' | '\'') => Some("\"\"".to_owned()),
            _ => Some(chars[at..end].iter().collect()),
        };
        tokens.extend(text.map(|text| Token { text, line, test: false }));
        line += chars[at..end].iter().filter(|&&c| c == '\n').count();
        at = end;
    }
    tokens
}

/// The end of the word, literal, comment or character that begins at `at`.
fn end_of_token(chars: &[char], at: usize) -> usize {
    let next = |ahead: usize| chars.get(at + ahead).copied().unwrap_or('\0');
    let find = |from: usize, wanted: &str| {
        let wanted: Vec<char> = wanted.chars().collect();
        let found = (from..chars.len()).find(|&i| chars[i..].starts_with(&wanted));
        found.map_or(chars.len(), |i| i + wanted.len())
    };
    match chars[at] {
        '/' if next(1) == '/' => (at..chars.len()).find(|&i| chars[i] == '\n').unwrap_or(chars.len()),
        '/' if next(1) == '*' => end_of_block_comment(chars, at),
        '"' => end_of_quoted(chars, at, '"'),
        '\'' if next(1) == '\\' || next(2) == '\'' => end_of_quoted(chars, at, '\''),
        ':' if next(1) == ':' => at + 2,
        c if is_word(c) => {
            let end = (at..chars.len()).find(|&i| !is_word(chars[i])).unwrap_or(chars.len());
            let prefix: String = chars[at..end].iter().collect();
            let after = chars.get(end).copied().unwrap_or('\0');
            let hashes = chars[end..].iter().take_while(|&&c| c == '#').count();
            let is_string = chars.get(end + hashes) == Some(&'"');
            match prefix.as_str() {
                "r" | "br" | "cr" if is_string => {
                    find(end + hashes + 1, &format!("\"{}", "#".repeat(hashes)))
                }
                "b" | "c" if after == '"' => end_of_quoted(chars, end, '"'),
                "b" if after == '\'' => end_of_quoted(chars, end, '\''),
                _ => end,
            }
        }
        _ => at + 1,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn end_of_quoted(chars: &[char], at: usize, quote: char) -> usize {
    let mut i = at + 1;
    while i < chars.len() && chars[i] != quote {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

fn end_of_block_comment(chars: &[char], at: usize) -> usize {
    let (mut i, mut depth) = (at, 0);
    while i < chars.len() {
        if chars[i..].starts_with(&['/', '*']) {
            (depth, i) = (depth + 1, i + 2);
        } else if chars[i..].starts_with(&['*', '/']) {
            (depth, i) = (depth - 1, i + 2);
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    chars.len()
}

/// Marks each item below `#[cfg(test)]` or `#[test]`, from its attribute to its end and no further.
fn mark_tests(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        if !is_at(tokens, at, "#") {
            at += 1;
            continue;
        }
        let inner = is_at(tokens, at + 1, "!");
        let bracket = at + 1 + usize::from(inner);
        let mut end = if is_at(tokens, bracket, "[") { end_of_group(tokens, bracket) } else { at + 1 };
        if is_for_tests(&tokens[at..end]) {
            end = if inner { tokens.len() } else { end_of_item(tokens, end) };
            tokens[at..end].iter_mut().for_each(|token| token.test = true);
        }
        at = end;
    }
}

fn is_for_tests(attribute: &[Token]) -> bool {
    let words: Vec<&str> =
        attribute.iter().map(|t| t.text.as_str()).filter(|w| w.starts_with(is_word)).collect();
    words == ["test"] || (words.first() == Some(&"cfg") && words.contains(&"test") && !words.contains(&"not"))
}

/// The end of the item, statement, field or arm that begins at `at`, further attributes included.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    while is_at(tokens, at, "#") {
        at = end_of_group(tokens, at + 1);
    }
    if is_at(tokens, at, "pub") {
        at = if is_at(tokens, at + 1, "(") { end_of_group(tokens, at + 1) } else { at + 1 };
    }
    let word = |ahead: usize| tokens.get(at + ahead).map_or("", |token| token.text.as_str());
    let is_fn = word(0) == "fn" || (matches!(word(0), "const" | "unsafe" | "async") && word(1) == "fn");
    // A group of braces does not end these, and a comma between generic parameters does not end those.
    let by_semicolon = !is_fn && matches!(word(0), "use" | "const" | "static" | "let" | "type");
    let by_comma = !is_fn && !by_semicolon && !matches!(word(0), "struct" | "enum" | "trait" | "impl");
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            ";" => return at + 1,
            "," if by_comma => return at + 1,
            ")" | "]" | "}" => return at,
            "{" if !by_semicolon => return end_of_group(tokens, at),
            "(" | "[" | "{" => at = end_of_group(tokens, at),
            _ => at += 1,
        }
    }
    at
}

/// The place behind the bracket that closes the one at `at`.
pub fn end_of_group(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth <= 0 {
            return i + 1;
        }
    }
    tokens.len()
}

pub fn is_at(tokens: &[Token], at: usize, text: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.text == text)
}

mod tests {
    use super::*;

    /// The words of a text that are not test code.
    fn code(text: &str) -> String {
        let source = Source::new(Path::new("planted.rs"), text);
        source.tokens.iter().filter(|t| !t.test).map(|t| t.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn code_after_a_test_module_is_read() {
        let text = "#[cfg(test)]\nmod scenarios;\nfn f() { std::fs::read(\"a\"); SystemTime::now(); }";
        let source = Source::new(Path::new("planted.rs"), text);
        assert_eq!(source.lines_with("std::fs"), [3]);
        assert_eq!(source.lines_with("SystemTime"), [3]);
    }

    #[test]
    fn test_items_end_where_they_end() {
        assert_eq!(code("#[cfg(test)] mod tests { fn a() { '}'; \"}\"; } } one"), "one");
        assert_eq!(code("#[cfg(test)] #[allow(x)] pub(crate) fn f<A, B>(a: [u8; 2]) { {} } one"), "one");
        assert_eq!(code("#[cfg(test)] use a::{b, c}; one"), "one");
        assert_eq!(code("#[cfg(test)] const A: X = X { a: 1 }; one"), "one");
        assert_eq!(code("struct S { #[cfg(test)] a: Vec<u8>, b: u8 }"), "struct S { b : u8 }");
        assert_eq!(code("struct S { b: u8, #[cfg(test)] a: u8 } one"), "struct S { b : u8 , } one");
        assert_eq!(
            code("#[cfg(all(test, unix))] mod a; #[cfg(not(test))] mod b;"),
            "# [ cfg ( not ( test ) ) ] mod b ;"
        );
        assert_eq!(code("#![cfg(test)] fn a() {} fn b() {}"), "");
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        assert_eq!(code("// std::fs\na /* b /* c */ d */ e"), "a e");
        assert_eq!(code(r##"a "\"b" r#"c " d"# b"e" b'f' '\'' 'g' h"##), r#"a "" "" "" "" "" "" h"#);
        assert_eq!(code("fn f<'a>(x: &'a str)"), "fn f < ' a > ( x : & ' a str )");
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        let text = "/* one\ntwo */ \"three\nfour\" tokio";
        assert_eq!(Source::new(Path::new("planted.rs"), text).lines_with("tokio"), [3]);
    }
}
