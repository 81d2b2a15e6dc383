//! Text in the language of manual pages.

use clap_mangen::roff::{Inline, Roff, bold, roman};

/// A page that grows section by section.
#[derive(Default)]
pub struct Writer(String);

impl Writer {
    /// Takes over what another has rendered, without the definitions that every rendering begins with.
    pub fn rendered(&mut self, text: &str) -> &mut Self {
        self.0.push_str(text.strip_prefix(Roff::new().render().as_str()).unwrap_or(text));
        self
    }

    /// The title line: name, number of the section, what the name of the section is.
    pub fn title(&mut self, name: &str, section: u8, date: &str, manual: &str) -> &mut Self {
        let source = concat!("torr ", env!("CARGO_PKG_VERSION"));
        let section = section.to_string();
        self.add(|roff| {
            roff.control("TH", [name, section.as_str(), date, source, manual]);
        })
    }

    /// A section begins.
    pub fn section(&mut self, name: &str) -> &mut Self {
        self.add(|roff| {
            roff.control("SH", [name]);
        })
    }

    /// A part of a section begins.
    pub fn part(&mut self, name: &str) -> &mut Self {
        self.add(|roff| {
            roff.control("SS", [name]);
        })
    }

    /// A line that flows together with those around it.
    pub fn flow(&mut self, text: &str) -> &mut Self {
        self.add(|roff| {
            roff.text([roman(text)]);
        })
    }

    /// A new paragraph.
    pub fn paragraph(&mut self) -> &mut Self {
        self.add(|roff| {
            roff.control("PP", []);
        })
    }

    /// A line of bold and plain runs by turns, bold first.
    pub fn mixed(&mut self, runs: &[&str]) -> &mut Self {
        let runs: Vec<Inline> = runs
            .iter()
            .enumerate()
            .map(|(at, run)| if at % 2 == 0 { bold(*run) } else { roman(*run) })
            .collect();
        self.add(|roff| {
            roff.text(runs);
        })
    }

    /// A term with what it means.
    pub fn term(&mut self, runs: &[&str], meaning: &str) -> &mut Self {
        self.add(|roff| {
            roff.control("TP", []);
        });
        self.mixed(runs).flow(meaning)
    }

    /// Lines that stay as they are.
    pub fn verbatim(&mut self, lines: &[&str]) -> &mut Self {
        self.add(|roff| {
            roff.control("RS", ["4"]).control("nf", []);
            for line in lines {
                roff.text([roman(*line)]);
            }
            roff.control("fi", []).control("RE", []);
        })
    }

    /// The whole page.
    pub fn finish(&self) -> String {
        format!("{}{}", Roff::new().render(), self.0)
    }

    fn add(&mut self, what: impl FnOnce(&mut Roff)) -> &mut Self {
        let mut roff = Roff::new();
        what(&mut roff);
        let text = roff.render();
        self.rendered(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_a_request() {
        let mut writer = Writer::default();
        writer.section("NAME").flow(".TH x").flow("it's a\\b").verbatim(&["'x", ""]);
        let text = writer.finish();
        assert_eq!(text.matches(".ds Aq").count(), 2, "{text}");
        assert!(
            text.ends_with(".SH NAME\n\\&.TH x\nit\\*(Aqs a\\\\b\n.RS 4\n.nf\n\\*(Aqx\n\n.fi\n.RE\n"),
            "{text}"
        );
    }
}
