use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::harness::*;
use crate::edge::config::FIRST_HEAD;
use crate::edge::server::Drained;
use crate::edge::tls::{Tls, TlsFiles};

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/edge/tests/tls").join(name)
}

async fn front() -> Front {
    front_with(FIRST_HEAD).await
}

async fn front_with(first_head: Duration) -> Front {
    let files = TlsFiles { cert: fixture("first.cert.pem"), key: fixture("first.key.pem") };
    let tls = Tls::open(files).unwrap();
    Front::start_with(|config| {
        config.tls = Some(tls);
        config.public_scheme = crate::edge::context::Scheme::Https;
        config.deadlines.first_head = first_head;
    })
    .await
}

/// A connection of a client that trusts the certificate and speaks one protocol.
async fn connect(front: &Front, protocol: &[u8]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(fixture("first.cert.pem")).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, front.connect().await).await.unwrap()
}

#[tokio::test]
async fn both_protocols_are_spoken_inside() {
    let front = front().await;
    let space = front.space("app", async |_| says(&[], "from the guest"));
    let h1 = TokioIo::new(connect(&front, b"http/1.1").await);
    let (mut sender, connection) = http1::handshake::<_, Full<bytes::Bytes>>(h1).await.unwrap();
    tokio::spawn(connection);
    let reply = Reply::read(sender.send_request(get(&space.host, "/", &[])).await.unwrap()).await;
    assert_eq!((reply.status.as_u16(), reply.text()), (200, "from the guest"));
    assert_eq!(space.seen().headers()["x-forwarded-proto"], "https");

    let h2 = connect(&front, b"h2").await;
    assert_eq!(h2.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (mut sender, connection) =
        http2::handshake::<_, _, Full<bytes::Bytes>>(TokioExecutor::new(), TokioIo::new(h2)).await.unwrap();
    tokio::spawn(connection);
    let uri = format!("https://{}/", space.host);
    let reply = Reply::read(sender.send_request(http::Request::get(uri).body(Full::default()).unwrap()).await.unwrap());
    assert_eq!(reply.await.text(), "from the guest");
}

#[tokio::test]
async fn plain_http_is_told_what_to_write() {
    let front = front().await;
    let answer = front.raw("GET / HTTP/1.1\r\nhost: app.localhost\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("write https:// in it\n"), "{answer}");
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let front = front_with(Duration::from_millis(300)).await;
    for sent in ["", "\u{16}", "\u{16}\u{3}\u{1}\u{2}"] {
        assert_eq!(front.raw(sent).await, "", "{sent:?}");
    }
    let mut idle = front.connect().await;
    assert_eq!(front.drain().await.unwrap(), Drained { cut: 0 });
    assert_eq!(idle.read(&mut [0]).await.unwrap_or(0), 0);
}
