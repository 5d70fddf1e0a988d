//! Unguessable text for codes and tokens.

/// Letters of tokens; 64 of them, so that a byte's low six bits pick one without bias.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

/// `length` random letters from `[A-Za-z0-9._]`.
pub fn text(length: usize) -> String {
    let mut bytes = vec![0_u8; length];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system has random numbers");
    bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte & 63)]))
        .collect()
}

/// `length` random hexadecimal digits.
pub fn hex(length: usize) -> String {
    let mut bytes = vec![0_u8; length];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system has random numbers");
    let digit = |byte: &u8| char::from_digit(u32::from(byte & 15), 16).unwrap_or('0');
    bytes.iter().map(digit).collect()
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
