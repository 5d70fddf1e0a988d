//! Positions in the stream, as subscribers see them.

/// A position: ten bytes, of which the first eight are a number that grows with every event and the last two are zero,
/// as observed of the real service. Clients may send eight or ten; none may compute with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplayId(pub u64);

impl ReplayId {
    /// The bytes on the wire.
    pub fn to_bytes(self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.0.to_be_bytes());
        bytes
    }

    /// Reads eight or ten bytes; none for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<ReplayId> {
        let (number, rest) = bytes.split_first_chunk::<8>()?;
        matches!(rest, [] | [0, 0]).then(|| ReplayId(u64::from_be_bytes(*number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_ten_bytes_and_read_back_from_ten_or_eight() {
        let id = ReplayId(1_104_717);
        assert_eq!(id.to_bytes(), [0, 0, 0, 0, 0, 0x10, 0xDB, 0x4D, 0, 0]);
        assert_eq!(ReplayId::from_bytes(&id.to_bytes()), Some(id));
        assert_eq!(ReplayId::from_bytes(&id.to_bytes()[..8]), Some(id));
        for bad in [&[][..], &[1; 7], &[1; 9], &[1; 10], &[0; 11]] {
            assert_eq!(ReplayId::from_bytes(bad), None, "{bad:?}");
        }
    }
}
