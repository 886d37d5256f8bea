//! TLS: certificate and key of the service from PEM files, and HSTS.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use warp::http::HeaderValue;
use warp::http::header::STRICT_TRANSPORT_SECURITY;
use warp::reply::Response as Reply;

use crate::error::{Error, Result};

/// Two years, as hstspreload.org recommends.
const STRICT_TRANSPORT: &str = "max-age=63072000";

/// Acceptor for other protocols than HTTP, by ALPN.
#[cfg(any(feature = "flight", feature = "postgres"))]
pub fn speaking(acceptor: &TlsAcceptor, protocols: &[&[u8]]) -> TlsAcceptor {
    let mut config = ServerConfig::clone(acceptor.config());
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// # Errors
/// If a file cannot be read or contains nothing of the kind, or certificate and key do not match.
pub fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| Error::io("read a certificate in PEM", certificate, error))?;
    if chain.is_empty() {
        return Err(Error::File(format!("{certificate:?} holds no certificate in PEM")));
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| Error::io("read a private key in PEM", key, error))?;
    let wrong = |error| Error::io("use the certificate with the key", key, error);
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(wrong)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Adds HSTS (RFC 6797): browsers will return over TLS only.
pub fn with_strict_transport(mut reply: Reply) -> Reply {
    let strict = HeaderValue::from_static(STRICT_TRANSPORT);
    reply.headers_mut().insert(STRICT_TRANSPORT_SECURITY, strict);
    reply
}
