//! TLS, with a certificate for `tls.test` that signs itself.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig};
use spaceport_core::egress::EgressPolicy;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio_rustls::TlsAcceptor;
use wasmtime_wasi_http::Error;

use super::super::{EgressLimits, EgressShared, Table};
use super::Space;
use super::server::{Server, head};

const CERTIFICATE: &[u8] = include_bytes!("tls.test.crt.der");
const KEY: &[u8] = include_bytes!("tls.test.key.der");

async fn server(ip: &str) -> Server {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], PrivateKeyDer::from(PrivatePkcs8KeyDer::from(KEY)))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Server::start(ip, move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let mut stream = BufReader::new(stream);
            while head(&mut stream).await.is_some() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret").await;
            }
        }
    })
    .await
}

fn trusting(roots: RootCertStore) -> Space {
    let names = Table::default();
    let shared = EgressShared::with_resolver_and_roots(Arc::new(names.clone()), roots);
    let policy = EgressPolicy { operator_allow: vec!["127.40.30.0/24".parse().unwrap()], ..EgressPolicy::default() };
    Space::of(policy, &shared, EgressLimits::default(), names)
}

#[tokio::test]
async fn a_server_proves_that_it_is_who_was_asked_for() {
    let server = server("127.40.30.1").await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(CERTIFICATE)).unwrap();
    let mut space = trusting(roots);
    space.name("tls.test", &[&["127.40.30.1"]]);
    space.name("other.test", &[&["127.40.30.1"]]);
    assert_eq!(space.text("https://tls.test:8080/").await.unwrap(), "secret");
    assert_eq!(space.text("https://tls.test:8080/").await.unwrap(), "secret");
    assert_eq!(server.connections(), 1);
    for url in ["https://other.test:8080/", "https://127.40.30.1:8080/"] {
        let error = space.text(url).await.unwrap_err();
        assert!(matches!(error, Error::TlsCertificateError), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let _server = server("127.40.30.2").await;
    let mut space = trusting(RootCertStore::empty());
    space.name("tls.test", &[&["127.40.30.2"]]);
    let error = space.text("https://tls.test:8080/").await.unwrap_err();
    assert!(matches!(error, Error::TlsCertificateError), "{error}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_a_protocol_error() {
    let _server = Server::start("127.40.30.3", |mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    })
    .await;
    let mut space = trusting(RootCertStore::empty());
    let error = space.text("https://127.40.30.3:8080/").await.unwrap_err();
    assert!(matches!(error, Error::TlsProtocolError | Error::ConnectionTerminated), "{error}");
}
