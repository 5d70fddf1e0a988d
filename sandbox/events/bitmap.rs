//! Lists of fields as bitmaps (Pub/Sub API, Event Deserialization Considerations): bit n is field n of the schema,
//! the header being field 0; parts of a compound field have a bitmap of their own behind its position.

use std::fmt::Write;

/// A set of fields of one schema.
#[derive(Debug, Default)]
pub struct Fields {
    top: Bits,
    parts: Vec<(usize, Bits)>,
}

#[derive(Debug, Default)]
struct Bits(Vec<u8>);

impl Fields {
    /// Adds a field of the record.
    pub fn add(&mut self, at: usize) {
        self.top.set(at);
    }

    /// Adds a part of a compound field. The compound itself is not in the set by that.
    pub fn add_part(&mut self, at: usize, part: usize) {
        match self.parts.last_mut().filter(|(known, _)| *known == at) {
            Some((_, bits)) => bits.set(part),
            None => {
                let mut bits = Bits::default();
                bits.set(part);
                self.parts.push((at, bits));
            }
        }
    }

    /// The texts that stand in a header: the record's bitmap if any, then those of compounds.
    pub fn texts(&self) -> Vec<String> {
        let top = (!self.top.0.is_empty()).then(|| self.top.text(None));
        let parts = self.parts.iter().map(|(at, bits)| bits.text(Some(*at)));
        top.into_iter().chain(parts).collect()
    }
}

impl Bits {
    fn set(&mut self, at: usize) {
        if self.0.len() <= at / 8 {
            self.0.resize(at / 8 + 1, 0);
        }
        self.0[at / 8] |= 1 << (at % 8);
    }

    /// Upper-case digits, two for each byte, the highest byte first.
    fn text(&self, parent: Option<usize>) -> String {
        let mut text = String::with_capacity(8 + self.0.len() * 2);
        // Writing into a string cannot fail.
        if let Some(parent) = parent {
            let _ = write!(text, "{parent}-");
        }
        text.push_str("0x");
        for byte in self.0.iter().rev() {
            let _ = write!(text, "{byte:02X}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Fields;

    #[test]
    fn bits_are_hexadecimal_with_the_highest_byte_first_and_an_even_number_of_digits() {
        let mut fields = Fields::default();
        assert!(fields.texts().is_empty());
        for at in [22, 5] {
            fields.add(at);
        }
        assert_eq!(fields.texts(), ["0x400020"]);
        fields.add_part(4, 0);
        fields.add_part(4, 3);
        fields.add_part(10, 9);
        assert_eq!(fields.texts(), ["0x400020", "4-0x09", "10-0x0200"]);
    }

    #[test]
    fn parts_alone_have_no_bitmap_of_the_record() {
        let mut fields = Fields::default();
        fields.add_part(5, 1);
        assert_eq!(fields.texts(), ["5-0x02"]);
    }
}
