//! RSA keys: one that signs identity tokens, one whose public half is registered with the default app.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const JWT_KEY_FILE: &str = "jwt.key";
const SIGNING_KEY_FILE: &str = "id-token.key";
/// Key id in headers of identity tokens and in `/id/keys`.
pub const SIGNING_KEY_ID: &str = "sandbox-1";
/// When the key for access tokens was made, as its id says in milliseconds; real orgs have one per org and rotation.
const ACCESS_KEY_MADE: u64 = 1_767_225_600_000;

/// Key id in headers of access tokens in JWT format. It is the same key, published a second time.
pub fn access_key_id(organization: &str) -> String {
    let short = organization.get(..15).unwrap_or(organization);
    format!("CORE_ATJWT.{short}.{ACCESS_KEY_MADE}")
}

/// The keys of one sandbox.
pub struct Keys {
    /// Where a client finds the private key of the default app.
    pub jwt_private_key_path: Option<PathBuf>,
    /// Public half of that key, PEM.
    pub jwt_public_key: Option<String>,
    state_dir: Option<PathBuf>,
    signing: OnceLock<EncodingKey>,
}

impl Keys {
    /// Reads the keys of the state directory, making what is missing. Without a directory there is no private key
    /// to hand out, so none is made.
    ///
    /// # Errors
    /// When a key cannot be read or written.
    pub fn open(state_dir: Option<&Path>) -> io::Result<Self> {
        let jwt = state_dir
            .map(|dir| dir.join(JWT_KEY_FILE))
            .map(|path| key_pair_at(&path).map(|pair| (path, pair)));
        let jwt = jwt.transpose()?;
        let public = jwt.as_ref().map(|(_, pair)| public_pem(pair)).transpose()?;
        Ok(Self {
            jwt_private_key_path: jwt.map(|(path, _)| path),
            jwt_public_key: public,
            state_dir: state_dir.map(Path::to_owned),
            signing: OnceLock::new(),
        })
    }

    /// The key for identity tokens; made at its first use, because few clients ask for `openid`.
    ///
    /// # Errors
    /// When it cannot be made, read or written.
    pub fn signing(&self) -> io::Result<&EncodingKey> {
        if let Some(key) = self.signing.get() {
            return Ok(key);
        }
        let pair = match &self.state_dir {
            Some(dir) => key_pair_at(&dir.join(SIGNING_KEY_FILE))?,
            None => generate()?,
        };
        let key = EncodingKey::from_rsa_pem(private_pem(&pair)?.as_bytes()).map_err(io::Error::other)?;
        Ok(self.signing.get_or_init(|| key))
    }

    /// Public half of [`Keys::signing`] as a JSON Web Key (RFC 7517) of this id.
    ///
    /// # Errors
    /// As [`Keys::signing`].
    pub fn jwk(&self, id: &str) -> io::Result<serde_json::Value> {
        let mut jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(self.signing()?, Algorithm::RS256)
            .map_err(io::Error::other)?;
        jwk.common.key_id = Some(id.to_owned());
        jwk.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
        serde_json::to_value(jwk).map_err(io::Error::other)
    }
}

fn key_pair_at(path: &Path) -> io::Result<KeyPair> {
    match std::fs::read_to_string(path) {
        Ok(pem) => key_pair_from(&pem).ok_or_else(|| {
            let text = format!(
                "{} is not an RSA private key; delete it to have a new one made",
                path.display()
            );
            io::Error::new(io::ErrorKind::InvalidData, text)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let pair = generate()?;
            crate::snapshot::write_private(path, private_pem(&pair)?.as_bytes())?;
            Ok(pair)
        }
        Err(error) => Err(error),
    }
}

fn generate() -> io::Result<KeyPair> {
    KeyPair::generate(KeySize::Rsa2048).map_err(io::Error::other)
}

fn key_pair_from(pem: &str) -> Option<KeyPair> {
    let body: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .map(str::trim)
        .collect();
    KeyPair::from_pkcs8(&BASE64_STANDARD.decode(body).ok()?).ok()
}

fn private_pem(pair: &KeyPair) -> io::Result<String> {
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(io::Error::other)?;
    Ok(pem("PRIVATE KEY", der.as_ref()))
}

fn public_pem(pair: &KeyPair) -> io::Result<String> {
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(io::Error::other)?;
    Ok(pem("PUBLIC KEY", der.as_ref()))
}

/// Textual encoding of RFC 7468: base64 in lines of 64.
fn pem(label: &str, der: &[u8]) -> String {
    let encoded = BASE64_STANDARD.encode(der);
    let lines = encoded
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
    format!(
        "-----BEGIN {label}-----\n{}-----END {label}-----\n",
        lines.collect::<String>()
    )
}
