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

/// A random UUID of version 4 (RFC 9562).
pub fn uuid() -> String {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system has random numbers");
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
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
