//! A request that is done at most once.

use crate::id::{ClientId, IdempotencyKey};

/// The caller's idempotency key, who it belongs to, and what it was sent with.
///
/// The scope of a key is the client, never its token: a rotated token must not open used keys again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyed {
    /// Who calls.
    pub client: ClientId,
    /// Under which key.
    pub key: IdempotencyKey,
    /// SHA-256 over method, path, sorted query and canonical body. Another request under the same key is refused.
    pub fingerprint: [u8; 32],
}
