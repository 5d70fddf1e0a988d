//! Checksums of what is stored: they notice an edit, a slip or a byte that flipped, not an attack.

/// FNV-1a over 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv).
#[derive(Clone, Copy)]
pub(crate) struct Checksum(u64);

impl Checksum {
    pub(crate) fn new() -> Checksum {
        Checksum(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    }

    pub(crate) fn number(&mut self, number: i64) {
        self.add(&number.to_le_bytes());
    }

    pub(crate) fn value(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of the draft's appendix.
    #[test]
    fn it_is_the_known_function() {
        let of = |text: &str| {
            let mut sum = Checksum::new();
            sum.add(text.as_bytes());
            sum.value()
        };
        assert_eq!(of(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(of("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(of("foobar"), 0x8594_4171_f739_67e8);
    }
}
