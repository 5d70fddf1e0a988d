//! Real bodies, spoilt: what the tests of parsers feed on. Included by path where a parser is; the same case is the same
//! bytes in every run.

/// Cases of one test: `CPQ_FUZZ_CASES`, usually 3,000.
pub fn cases() -> u64 {
    let asked = std::env::var("CPQ_FUZZ_CASES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(3_000)
}

/// Bytes that mean something to some parser, so that chance need not find them.
const TOKENS: [&[u8]; 28] = [
    b"\"",
    b"'",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"<",
    b">",
    b"</",
    b"&#x0;",
    b"&lt;",
    b"<![CDATA[",
    b"<!DOCTYPE a>",
    b"]]>",
    b"null",
    b"-",
    b"1e999",
    b"99999999999999999999999999999999",
    b"0.",
    b"\\u0000",
    b"\\ud800",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"%00",
    b"=",
];

/// One of the bodies, changed in one to eight places.
pub fn spoilt(bodies: &[&[u8]], case: u64) -> Vec<u8> {
    let mut chance = Chance(case.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bf0_3635);
    let mut bytes = bodies[chance.below(bodies.len())].to_vec();
    for _ in 0..=chance.below(8) {
        let at = chance.below(bytes.len() + 1);
        let to = (at + 1 + chance.below(16)).min(bytes.len());
        match chance.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 => bytes.truncate(at),
            2 if at < to => drop(bytes.drain(at..to)),
            3 if at < to => {
                let piece = bytes[at..to].repeat(1 + chance.below(64));
                bytes.splice(at..at, piece);
            }
            4 => {
                let other = bodies[chance.below(bodies.len())];
                let from = chance.below(other.len() + 1);
                let piece = &other[from..(from + chance.below(200)).min(other.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
            5 => {
                let token = TOKENS[chance.below(TOKENS.len())].repeat(1 + chance.below(3));
                bytes.splice(at..at, token);
            }
            6 if at < to => bytes[at..to].fill(u8::try_from(chance.below(256)).unwrap_or_default()),
            _ => bytes.insert(at, u8::try_from(chance.below(256)).unwrap_or_default()),
        }
    }
    bytes
}

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(end.max(1)).unwrap_or(1)).unwrap_or_default()
    }
}
