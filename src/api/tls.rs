//! TLS by a certificate of one's own, which is taken anew when its file changes.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use cpq_domain::{Code, Error, Result};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::limits;

/// Speaks TLS 1.2 and 1.3 under the certificate of a file. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
}

/// The certificate in use, and where it came from.
struct Current {
    provider: Arc<CryptoProvider>,
    certificate: PathBuf,
    key: PathBuf,
    held: RwLock<Arc<CertifiedKey>>,
}

impl Tls {
    /// Reads a certificate with its chain, and its key; both PEM. [`Code::ConfigInvalid`] if they are no such files, or do
    /// not belong together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Tls> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let held = read(&provider, certificate, key)?;
        let current = Arc::new(Current {
            provider: provider.clone(),
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            held: RwLock::new(Arc::new(held)),
        });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|cause| Error::new(Code::Internal, "the TLS library offers no version").cause(cause))?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Tls { acceptor, current })
    }

    /// Looks at the files from now on, and takes what changed: a renewed certificate needs no restart. One that cannot be
    /// used is told, and the one in use stays.
    pub fn follow(&self) {
        let current = Arc::downgrade(&self.current);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(limits::CERTIFICATE_LOOK).await;
                let Some(current) = current.upgrade() else { return };
                current.look();
            }
        });
    }

    /// Takes the certificate that is in the files now.
    pub fn look(&self) {
        self.current.look();
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }
}

impl Current {
    fn look(&self) {
        let read = match read(&self.provider, &self.certificate, &self.key) {
            Ok(read) => read,
            Err(error) => {
                return tracing::error!(code = %error.code, error = %error, "the certificate is not taken anew");
            }
        };
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.cert != read.cert {
            tracing::info!(file = %self.certificate.display(), "a new certificate is in use");
            *held = Arc::new(read);
        }
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.held.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the certificate of {}", self.certificate.display())
    }
}

fn read(provider: &CryptoProvider, certificate: &Path, key: &Path) -> Result<CertifiedKey> {
    let wrong = |path: &Path, why: String| {
        let message = format!("{} cannot be used for TLS: {why}", path.display());
        Error::new(Code::ConfigInvalid, message).field("service.tls_certificate")
    };
    let chain: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&bytes(certificate)?).collect();
    let chain = chain.map_err(|cause| wrong(certificate, cause.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "it holds no certificate in PEM".into()));
    }
    let private =
        PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|cause| wrong(key, cause.to_string()))?;
    CertifiedKey::from_der(chain, private, provider).map_err(|cause| wrong(key, cause.to_string()))
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    let mut read = Vec::new();
    let outcome = std::fs::File::open(path)
        .and_then(|file| file.take(limits::CERTIFICATE_BYTES).read_to_end(&mut read));
    outcome.map_err(|cause| {
        let message = format!("cannot read {}: {cause}", path.display());
        Error::new(Code::ConfigInvalid, message).cause(cause)
    })?;
    Ok(read)
}
