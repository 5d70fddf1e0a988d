//! A certificate authority of the sandbox's own and a certificate for loopback, so that clients that insist on
//! HTTPS can be pointed here with one extra trusted certificate.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const CA_FILE: &str = "ca.pem";
const CA_KEY_FILE: &str = "ca.key";
/// Names in the leaf certificate.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// Makes a TLS configuration; with a state directory the authority is kept there, so that trust survives a restart.
/// The leaf is fresh each time. Returns where clients find the authority's certificate.
///
/// # Errors
/// When files cannot be read or written, or do not hold a certificate authority.
pub fn configure(state_dir: Option<&Path>) -> io::Result<(Arc<ServerConfig>, Option<PathBuf>)> {
    let (issuer, path) = authority(state_dir)?;
    let leaf_key = KeyPair::generate().map_err(io::Error::other)?;
    let mut leaf = CertificateParams::new(NAMES.map(str::to_owned)).map_err(io::Error::other)?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
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

fn authority(state_dir: Option<&Path>) -> io::Result<(Issuer<'static, KeyPair>, Option<PathBuf>)> {
    let Some(dir) = state_dir else {
        return Ok((fresh_authority()?.0, None));
    };
    let (certificate, key) = (dir.join(CA_FILE), dir.join(CA_KEY_FILE));
    if certificate.exists() && key.exists() {
        let broken = |why: rcgen::Error| {
            let text = format!(
                "{} or {} is broken ({why}); delete both to have new ones made",
                certificate.display(),
                key.display()
            );
            io::Error::new(io::ErrorKind::InvalidData, text)
        };
        // The authority's name and key are all that signing needs; its certificate stays as clients know it.
        let key = KeyPair::from_pem(&std::fs::read_to_string(&key)?).map_err(broken)?;
        return Ok((Issuer::new(authority_params()?, key), Some(certificate)));
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
    Ok(params)
}
