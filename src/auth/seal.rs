//! Sealing at rest: AES-256-GCM (NIST SP 800-38D) under a key that can be rotated.
//!
//! A sealed value is `version (1) ‖ key id (8) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`. The additional data binds the
//! header, the purpose and the connection, so that a value copied to another row or used for another purpose does not
//! open. Nonces are random: with 96 bits, four billion values per key are safe, and we seal a few per hour.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cpq_domain::id::ConnectionName;
use cpq_domain::world::World;
use cpq_domain::{Code, Error, Result};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::keyfile;

const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 8;
const HEADER: usize = 1 + ID_BYTES;

/// Names a sealing key: the first 8 bytes of a hash of it, so that equal keys have equal names everywhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; ID_BYTES]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Clone)]
pub(crate) struct SealingKey {
    pub(crate) id: KeyId,
    pub(crate) bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl SealingKey {
    pub(crate) fn random(world: &dyn World) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        world.fill_random(bytes.as_mut());
        SealingKey::new(bytes)
    }

    fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(b"cpq sealing key id\0");
        hash.update(bytes.as_ref());
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&hash.finish().as_ref()[..ID_BYTES]);
        SealingKey { id: KeyId(id), bytes }
    }

    /// Reads base64 of 32 bytes; `None` when it is anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let raw = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if raw.len() != KEY_BYTES {
            return None;
        }
        bytes.copy_from_slice(&raw);
        Some(SealingKey::new(bytes))
    }

    fn cipher(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, self.bytes.as_ref()).expect("the key has 32 bytes"))
    }
}

/// The sealing keys of this installation. The newest seals; all of them open.
pub struct Keyring {
    /// Oldest first.
    keys: RwLock<Vec<SealingKey>>,
    file: Option<PathBuf>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("keys", &self.key_ids())
            .field("file", &self.file)
            .finish()
    }
}

impl Keyring {
    /// Reads the key file, and writes one with a fresh key (mode 0600) if there is none.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] when others may read the file or when it is malformed, [`Code::StoreUnavailable`] when
    /// it cannot be read or written.
    pub fn from_file(path: &Path, world: &dyn World) -> Result<Self> {
        let keys = keyfile::read_or_create(path, world)?;
        Ok(Keyring {
            keys: RwLock::new(keys),
            file: Some(path.to_owned()),
        })
    }

    /// Takes the keys from a value, e.g. of an environment variable: base64 of 32 bytes. Several are separated by
    /// commas, the newest first; so that a key is replaced by putting the new one in front of it.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] when the value is anything else.
    pub fn from_base64(value: &SecretString) -> Result<Self> {
        let parsed: Option<Vec<_>> = value
            .expose_secret()
            .split(',')
            .rev()
            .map(SealingKey::parse)
            .collect();
        let keys = parsed.ok_or_else(|| {
            Error::new(
                Code::ConfigInvalid,
                "the sealing key is not base64 of exactly 32 bytes",
            )
            .next("make one with `openssl rand -base64 32`; separate several by commas, the newest first")
        })?;
        Ok(Keyring {
            keys: RwLock::new(keys),
            file: None,
        })
    }

    /// One random key that is kept nowhere: it opens nothing that is stored. For looking without making a key file.
    pub fn passing(world: &dyn World) -> Self {
        Keyring {
            keys: RwLock::new(vec![SealingKey::random(world)]),
            file: None,
        }
    }

    /// Seals `plaintext` for this purpose and connection under the newest key.
    ///
    /// # Errors
    /// Those of reading the key file: it is read again first, because another process may have rotated it.
    pub fn seal(
        &self,
        purpose: &str,
        connection: &ConnectionName,
        plaintext: &[u8],
        world: &dyn World,
    ) -> Result<Vec<u8>> {
        self.reload()?;
        let key = self.newest();
        let mut nonce = [0; NONCE_LEN];
        world.fill_random(&mut nonce);
        let header = [&[VERSION][..], &key.id.0].concat();
        let mut body = Zeroizing::new(plaintext.to_vec());
        key.cipher()
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound_to(&header, purpose, connection)),
                &mut *body,
            )
            .map_err(|_| Error::new(Code::Internal, "the value to seal is too long"))?;
        Ok([&header[..], &nonce, &body].concat())
    }

    /// Opens what was sealed for this purpose and connection.
    ///
    /// # Errors
    /// [`Code::SealingKeyWrong`] when no key of ours opens it, or when it was changed or moved.
    pub fn open(
        &self,
        purpose: &str,
        connection: &ConnectionName,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let wrong = |why: &str| {
            Error::new(
                Code::SealingKeyWrong,
                format!("the stored secrets of `{connection}` do not open: {why}"),
            )
            .connection(connection.as_str())
        };
        let id =
            Self::sealed_with(sealed).ok_or_else(|| wrong("they are cut off or of an unknown format"))?;
        let (header, rest) = sealed.split_at(HEADER);
        let key = self
            .key(id)?
            .ok_or_else(|| wrong(&format!("they are sealed with the key {id}, which is not here")))?;
        let nonce = Nonce::try_assume_unique_for_key(&rest[..NONCE_LEN])
            .map_err(|_| wrong("the nonce is cut off"))?;
        let mut body = Zeroizing::new(rest[NONCE_LEN..].to_vec());
        let length = key
            .cipher()
            .open_in_place(nonce, Aad::from(bound_to(header, purpose, connection)), &mut body)
            .map_err(|_| wrong("they were changed, or belong to another connection"))?
            .len();
        body.truncate(length);
        Ok(body)
    }

    /// Which key a sealed value needs; `None` when it is not a sealed value.
    pub fn sealed_with(sealed: &[u8]) -> Option<KeyId> {
        if sealed.len() < HEADER + NONCE_LEN + AES_256_GCM.tag_len() || sealed[0] != VERSION {
            return None;
        }
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&sealed[1..HEADER]);
        Some(KeyId(id))
    }

    /// Names of the keys, oldest first; the last one seals.
    pub fn key_ids(&self) -> Vec<KeyId> {
        self.keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|key| key.id)
            .collect()
    }

    /// First half of a rotation: adds a fresh key to the file, which seals from now on; the old ones still open.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] when the keys were handed in as a value and no file can be changed; see
    /// [`Keyring::from_base64`].
    pub fn rotate(&self, world: &dyn World) -> Result<KeyId> {
        let Some(path) = &self.file else {
            return Err(Error::new(
                Code::ConfigInvalid,
                "the sealing key is a value that this program cannot change",
            )
            .next("put a new key and a comma in front of the old one, then run the rotation again"));
        };
        let keys = keyfile::change(path, |keys| keys.push(SealingKey::random(world)))?;
        self.replace(keys);
        Ok(self.newest().id)
    }

    /// Second half of a rotation: drops every key that is neither the newest nor in `used`. Returns the dropped ones.
    /// Keys handed in as a value stay; the names tell which can be taken out.
    pub fn retire(&self, used: &[KeyId]) -> Result<Vec<KeyId>> {
        self.reload()?;
        let newest = self.newest().id;
        let keep = |id: &KeyId| *id == newest || used.contains(id);
        let dropped = self.key_ids().into_iter().filter(|id| !keep(id)).collect();
        if let Some(path) = &self.file {
            self.replace(keyfile::change(path, |keys| keys.retain(|key| keep(&key.id)))?);
        }
        Ok(dropped)
    }

    /// Whether the keys are in a file that [`Keyring::rotate`] can change.
    pub fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// Reads the key file again: another process may have rotated it.
    fn reload(&self) -> Result<()> {
        if let Some(path) = &self.file {
            self.replace(keyfile::read(path)?);
        }
        Ok(())
    }

    fn replace(&self, keys: Vec<SealingKey>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    fn newest(&self) -> SealingKey {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.last()
            .expect("a keyring is never empty: reading refuses an empty file or value")
            .clone()
    }

    fn key(&self, id: KeyId) -> Result<Option<SealingKey>> {
        let find = |keys: &[SealingKey]| keys.iter().find(|key| key.id == id).cloned();
        let known = find(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        if known.is_some() {
            return Ok(known);
        }
        self.reload()?;
        Ok(find(&self.keys.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The additional data. Purposes and connection names hold no NUL, so that no two pairs give the same bytes.
fn bound_to(header: &[u8], purpose: &str, connection: &ConnectionName) -> Vec<u8> {
    [header, purpose.as_bytes(), b"\0", connection.as_str().as_bytes()].concat()
}
