//! A program and its arguments in one argument: `--run`.

/// A program and its arguments; at least the program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Words(Vec<String>);

impl Words {
    /// The program.
    pub fn program(&self) -> &str {
        &self.0[0]
    }

    /// Its arguments.
    pub fn arguments(&self) -> &[String] {
        &self.0[1..]
    }
}

/// Splits a command as a shell splits words, and does nothing else that a shell does: blanks part words,
/// `'…'` keeps everything, `"…"` keeps everything but `\"` and `\\`, a backslash outside of quotes keeps
/// the character behind it. `$`, `*`, `|`, `;` and `~` are characters like any other.
pub fn words(text: &str) -> Result<Words, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or("a ' is not closed")? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or("a \" is not closed")? {
                        '"' => break,
                        '\\' => match chars.next().ok_or("a \" is not closed")? {
                            c @ ('"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => {
                word.get_or_insert_default().push(chars.next().ok_or("nothing stands behind the last \\")?);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if words.first().is_none_or(String::is_empty) {
        return Err("it names no program".to_owned());
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err("no argument can hold a zero byte".to_owned());
    }
    Ok(Words(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_and_nothing_else_is_done() {
        for (text, parts) in [
            ("notify-send done", &["notify-send", "done"][..]),
            ("  a\t'b  c' \"d \\\" e\" f\\ g ", &["a", "b  c", "d \" e", "f g"]),
            ("a '' b\"c\"'d'", &["a", "", "bcd"]),
            ("echo $HOME *.txt | ~ `x` ; \"\\n\"", &["echo", "$HOME", "*.txt", "|", "~", "`x`", ";", "\\n"]),
        ] {
            let words = words(text).unwrap();
            assert_eq!((words.program(), words.arguments().len()), (parts[0], parts.len() - 1), "{text}");
            assert_eq!(words.arguments(), &parts[1..], "{text}");
        }
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        for bad in ["", "  ", "''", "a 'b", "a \"b", "a \"b\\", "a \\", "a\0"] {
            assert!(words(bad).is_err(), "{bad:?}");
        }
    }
}
