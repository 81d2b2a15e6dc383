//! How an error of a request stands on standard output under `--json`.

use serde::Serialize;

use super::exit::Exit;
use super::hint::hint;
use crate::app::Error;

/// The document of an error.
pub fn document(error: &Error) -> impl Serialize + '_ {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        ok: bool,
        code: u8,
        kind: &'static str,
        message: &'a str,
        hint: Option<String>,
        torrent: Option<String>,
    }
    Document {
        schema: "torr.error/1",
        ok: false,
        code: Exit::of(error).code(),
        kind: error.word,
        message: &error.message,
        hint: hint(error),
        torrent: error.torrent.map(|id| id.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::ErrorKind;
    use crate::base::InfoHashes;

    #[test]
    fn an_error_document_has_the_promised_fields_in_order() {
        let error = Error::new(ErrorKind::Network, "no_peers", "nobody answered")
            .hint("try later")
            .about(InfoHashes::from_v1([0xab; 20]));
        assert_eq!(
            serde_json::to_string(&document(&error)).unwrap(),
            format!(
                r#"{{"schema":"torr.error/1","ok":false,"code":4,"kind":"no_peers","message":"nobody answered","hint":"try later","torrent":"{}"}}"#,
                "ab".repeat(20)
            )
        );
    }
}
