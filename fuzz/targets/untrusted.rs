//! Text from outside, made fit for a terminal.

use torr::base::Untrusted;

pub fn run(data: &[u8]) {
    let (columns, text) = data.split_first().unwrap_or((&0, &[]));
    let text = Untrusted::from_bytes(text);
    let clean = text.clean();
    assert!(
        !clean.contains(
            |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        )
    );
    assert_eq!(Untrusted::new(clean.as_str()).clean(), clean, "clean text is left as it is");
    assert_eq!(text.to_string(), clean);
    let columns = usize::from(*columns);
    let fit = text.fit(columns);
    assert!(unicode_columns(&fit) <= columns, "{fit:?} is wider than {columns}");
    assert!(fit == clean || fit.ends_with('…') || columns == 0);
}

/// A lower bound of the width: what is not shown at all counts nothing.
fn unicode_columns(text: &str) -> usize {
    text.chars().filter(char::is_ascii_graphic).count()
}
