//! A program and its arguments in one argument: `--run`.

/// A program and its arguments; at least the program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Words(Vec<String>);

impl Words {
    /// Name or path of the program.
    pub fn program(&self) -> &str {
        &self.0[0]
    }

    /// Arguments of the program.
    pub fn arguments(&self) -> &[String] {
        &self.0[1..]
    }
}

/// Splits a command into words as a POSIX shell does, and does nothing else that a shell does: `$`, `*`, `|`, `;`
/// and `~` are characters like any other.
pub fn words(text: &str) -> Result<Words, String> {
    let words = shell_words::split(text).map_err(|_| "a quotation mark is not closed".to_owned())?;
    if words.first().is_none_or(String::is_empty) {
        return Err("the command is empty".to_owned());
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err("an argument contains a zero byte".to_owned());
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
        for bad in ["", "  ", "''", "a 'b", "a \"b", "a \"b\\", "a\0"] {
            assert!(words(bad).is_err(), "{bad:?}");
        }
    }
}
