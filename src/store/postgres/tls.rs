//! TLS to the server: always verified.

use std::path::Path;

use cpq_domain::{Code, Error, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A connector that trusts these authorities, or the system's. It is also needed for connections in the clear, which
/// never use it.
pub(super) fn connector(authorities: Option<&Path>, wanted: bool) -> Result<MakeRustlsConnect> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(file) => add_file(&mut roots, file)?,
        None if wanted => add_system(&mut roots)?,
        None => {}
    }
    // The program installs its one provider at the start; tests may come without.
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::new(Code::Internal, "TLS cannot be set up").cause(cause))?;
    Ok(MakeRustlsConnect::new(
        config.with_root_certificates(roots).with_no_client_auth(),
    ))
}

fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<()> {
    let refused = |why: String| {
        let message = format!(
            "the certificate authorities in {} cannot be used: {why}",
            file.display()
        );
        Error::new(Code::ConfigInvalid, message).field("store.url")
    };
    let certificates = CertificateDer::pem_file_iter(file).map_err(|why| refused(why.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|why| refused(why.to_string()))?;
        roots.add(certificate).map_err(|why| refused(why.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(refused("there is no certificate in it".into())),
        false => Ok(()),
    }
}

fn add_system(roots: &mut RootCertStore) -> Result<()> {
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let message = "this machine has no certificate authorities, so no server can be verified";
        return Err(Error::new(Code::ConfigInvalid, message)
            .field("store.url")
            .next("install ca-certificates, or name a file: sslrootcert=FILE"));
    }
    Ok(())
}
