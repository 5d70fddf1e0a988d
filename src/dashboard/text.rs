//! Text of others in our pages: neither markup, nor a change of the direction in which our own words are read.

use std::fmt::{self, Write};

use askama::filters::{Escaper, Html};

/// Writes a text into a page.
#[derive(Clone, Copy)]
pub(crate) struct Text;

impl Escaper for Text {
    fn write_escaped_str<W: Write>(&self, mut page: W, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(turns) {
            let (before, after) = rest.split_at(at);
            Html.write_escaped_str(&mut page, before)?;
            let mut letters = after.chars();
            if let Some(letter) = letters.next() {
                write!(page, "[U+{:04X}]", u32::from(letter))?;
            }
            rest = letters.as_str();
        }
        Html.write_escaped_str(page, rest)
    }
}

/// Whether a letter turns those around it: an embedding, override or isolate (Unicode Standard Annex #9, 2.1 to 2.4).
/// Without them a text of Hebrew or Arabic still runs as it should.
fn turns(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut page = String::new();
        Text.write_escaped_str(&mut page, text)
            .expect("a string takes all");
        page
    }

    #[test]
    fn a_text_is_neither_markup_nor_turns_what_stands_around_it() {
        assert_eq!(written("<b>\"x\"</b>"), "&#60;b&#62;&#34;x&#34;&#60;/b&#62;");
        assert_eq!(written("a\u{202e}b<\u{2066}"), "a[U+202E]b&#60;[U+2066]");
        assert_eq!(written("שלום ü"), "שלום ü");
    }
}
