//! A certificate authority of the sandbox's own and a certificate for loopback, so that clients that insist on
//! HTTPS can be pointed here with one extra trusted certificate.

use crate::clock::Clock;
use jiff::civil::Date;
use jiff::{Span, ToSpan};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const CA_FILE: &str = "ca.pem";
const CA_KEY_FILE: &str = "ca.key";
/// Names in the leaf certificate.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// Life of a leaf: some clients take none that lives longer than 398 days.
const LEAF_DAYS: i64 = 397;
/// Life of the authority, which people put into trust stores.
const AUTHORITY_DAYS: i64 = 3_650;

/// Makes a TLS configuration; with a state directory the authority is kept there, so that trust survives a restart.
/// The leaf is fresh each time, and good for loopback and `more` names. Returns where clients find the authority's certificate.
///
/// # Errors
/// When files cannot be read or written, or do not hold a certificate authority.
pub fn configure(
    state_dir: Option<&Path>,
    more: &[String],
) -> io::Result<(Arc<ServerConfig>, Option<PathBuf>)> {
    let (issuer, path) = authority(state_dir)?;
    let names: Vec<String> = NAMES
        .map(str::to_owned)
        .into_iter()
        .chain(more.iter().cloned())
        .collect();
    let leaf_key = KeyPair::generate().map_err(io::Error::other)?;
    let mut leaf = CertificateParams::new(names).map_err(io::Error::other)?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    set_life(&mut leaf, LEAF_DAYS);
    let leaf = leaf.signed_by(&leaf_key, &issuer).map_err(io::Error::other)?;
    let key = PrivateKeyDer::try_from(leaf_key.serialize_der()).map_err(io::Error::other)?;
    // The provider is named here, so that nothing depends on what the process has installed.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .map_err(io::Error::other)?;
    Ok((Arc::new(config), path))
}

/// The same for gRPC, which says so in the handshake (ALPN, RFC 9113 §3.2).
pub fn for_http2(config: &ServerConfig) -> Arc<ServerConfig> {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

fn authority(state_dir: Option<&Path>) -> io::Result<(Issuer<'static, KeyPair>, Option<PathBuf>)> {
    let Some(dir) = state_dir else {
        return Ok((fresh_authority()?.0, None));
    };
    let (certificate, key) = (dir.join(CA_FILE), dir.join(CA_KEY_FILE));
    if certificate.exists() && key.exists() {
        let broken = |why: String| {
            let text = format!(
                "{} or {} is broken ({why}); delete both to have new ones made",
                certificate.display(),
                key.display()
            );
            io::Error::new(io::ErrorKind::InvalidData, text)
        };
        // The authority's name and key are all that signing needs; its certificate stays as clients know it.
        let pair = KeyPair::from_pem(&std::fs::read_to_string(&key)?);
        let pair = pair.map_err(|error| broken(error.to_string()))?;
        if !belong_together(&std::fs::read_to_string(&certificate)?, &pair) {
            return Err(broken("they do not belong together".to_owned()));
        }
        return Ok((Issuer::new(authority_params()?, pair), Some(certificate)));
    }
    let (issuer, pem) = fresh_authority()?;
    crate::snapshot::write_private(&key, issuer.key().serialize_pem().as_bytes())?;
    std::fs::write(&certificate, pem)?;
    Ok((issuer, Some(certificate)))
}

fn fresh_authority() -> io::Result<(Issuer<'static, KeyPair>, String)> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let params = authority_params()?;
    let certificate = params.self_signed(&key).map_err(io::Error::other)?;
    let pem = certificate.pem();
    Ok((Issuer::new(params, key), pem))
}

fn authority_params() -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
    params.distinguished_name.push(
        DnType::CommonName,
        "Salesforce-compatible sandbox on this machine",
    );
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_life(&mut params, AUTHORITY_DAYS);
    Ok(params)
}

/// From yesterday, for clocks that are behind. Clients judge certificates by the machine's clock, so the sandbox's own,
/// which tests move about, must not show here.
fn set_life(params: &mut CertificateParams, days: i64) {
    let today = Clock::default().now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let moved = |by: Span| {
        let date: Date = today.saturating_add(by);
        date_time_ymd(
            date.year().into(),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    params.not_before = moved(-1.day());
    params.not_after = moved(days.days());
}

/// Whether this certificate is about this key; the one kept with another key would make every client refuse.
fn belong_together(certificate: &str, key: &KeyPair) -> bool {
    let Ok(certificate) = CertificateDer::from_pem_slice(certificate.as_bytes()) else {
        return false;
    };
    let public = key.subject_public_key_info();
    certificate.windows(public.len()).any(|part| part == public)
}
