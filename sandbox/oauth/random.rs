//! Unguessable text for codes and tokens.

/// Letters of tokens.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

/// `length` random letters from `[A-Za-z0-9._]`.
pub fn text(length: usize) -> String {
    of(LETTERS, length)
}

/// `length` random hexadecimal digits.
pub fn hex(length: usize) -> String {
    of(b"0123456789abcdef", length)
}

/// `length` random letters of these. Their number is a power of two up to 256, so that a byte picks one without bias.
pub fn of<const N: usize>(letters: &[u8; N], length: usize) -> String {
    const { assert!(N.is_power_of_two() && N <= 256) };
    let mut bytes = vec![0_u8; length];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system has random numbers");
    let letter = |byte: &u8| char::from(letters[usize::from(*byte) % N]);
    bytes.iter().map(letter).collect()
}

/// A random UUID (RFC 9562, version 4).
pub fn uuid() -> String {
    let mut bytes = bytes::<16>();
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let number = u128::from_be_bytes(bytes);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        number >> 96,
        number >> 80 & 0xFFFF,
        number >> 64 & 0xFFFF,
        number >> 48 & 0xFFFF,
        number & 0xFFFF_FFFF_FFFF
    )
}

/// Random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system has random numbers");
    bytes
}

/// A random number below a power of two.
pub fn below(power_of_two: u64) -> u64 {
    u64::from_le_bytes(bytes()) & power_of_two.saturating_sub(1)
}

/// An opaque access token: `00D…` (15 letters of the organization id), `!`, random letters. Salesforce's CLI checks
/// tokens against `(00D\w{12,15})![.\w]*`.
pub fn access_token(organization_id: &str) -> String {
    format!(
        "{}!{}",
        organization_id.get(..15).unwrap_or(organization_id),
        text(96)
    )
}

/// A refresh token; real ones begin with `5Aep`.
pub fn refresh_token() -> String {
    format!("5Aep861{}", text(80))
}

/// An authorization code; real ones begin with `aPrx` and end so that they must be percent-encoded in a URL.
pub fn code() -> String {
    format!("aPrx{}==", text(60))
}
