//! Names that follow from content, so that they are the same after every restart.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of a schema id.
const ID_BYTES: usize = 16;
/// Digits of a record id after prefix and instance.
const FIELD_ID_NUMBERS: u64 = 62_u64.pow(9);

/// A schema's id: 22 characters of unpadded base64url over 128 bits of a hash. Salesforce takes the MD5 of the schema
/// in a normal form that is not published; here it is the first half of the SHA-256 of the schema's text.
pub fn id(schema: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&sha256(schema)[..ID_BYTES])
}

/// The 15-character id of a custom field (key prefix `00N`), as the `doc` of its schema carries it.
pub fn field_id(object: &str, field: &str) -> String {
    let hash = sha256(format!("{object}.{field}").to_ascii_lowercase().as_bytes());
    let number = hash[..8].iter().fold(0, |n, byte| (n << 8) | u64::from(*byte)) % FIELD_ID_NUMBERS;
    let mut id = crate::org::Id::new(*b"00N", number).to_string();
    id.truncate(15);
    id
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    out
}
