//! TLS, where the host ends it itself: the operator's certificate, whose files are read again when they have changed, so
//! that a renewed one needs no restart.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How often the files are looked at. Certificates are renewed days before they end.
const LOOK: Duration = Duration::from_secs(60);
/// What can be spoken inside, the better one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// First byte of every TLS connection: a record that is part of a handshake.
const HANDSHAKE: u8 = 22;
/// What a program gets that speaks plain HTTP to us.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 48\r\n\
    connection: close\r\n\r\nThis address speaks HTTPS: write https:// in it\n";

/// Where the certificate and its key are, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that lead to one that visitors know.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// A file that should hold certificates holds none.
    #[error("{} holds no certificate: it should begin with -----BEGIN CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    /// They do not fit.
    #[error("the certificate and the key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// Turns connections into TLS ones. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
}

/// The certificate in use, and the files it came from.
#[derive(Debug)]
struct Served {
    files: TlsFiles,
    interval: Duration,
    key: ArcSwap<CertifiedKey>,
    last_look: Mutex<Look>,
}

/// How the files were when they were last looked at.
#[derive(Debug)]
struct Look {
    at: Instant,
    stamps: Stamps,
}

/// When each of the two files last changed; `None` of one that is not there.
type Stamps = [Option<SystemTime>; 2];

impl Tls {
    /// Reads the files, which must be usable now; later ones that are not leave the last good certificate in use.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        Self::looking_every(LOOK, files)
    }

    fn looking_every(interval: Duration, files: TlsFiles) -> Result<Self, TlsError> {
        let look = Look { at: Instant::now(), stamps: files.stamps() };
        let key = ArcSwap::from_pointee(files.read()?);
        let served = Served { files, interval, key, last_look: Mutex::new(look) };
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(served));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Shakes hands over what `guard` makes of the socket. A peer that speaks plain HTTP is told so.
    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: TcpStream,
        guard: impl FnOnce(TcpStream) -> S,
    ) -> io::Result<TlsStream<S>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
            refuse_plain(&mut stream).await?;
            return Err(io::Error::other("it does not speak TLS"));
        }
        self.acceptor.accept(guard(stream)).await
    }
}

impl Served {
    /// Reads the files again if they have changed, at most once an interval: the first handshake after it pays for that.
    fn look(&self) {
        let Some(mut last) = self.last_look.try_lock() else { return };
        if last.at.elapsed() < self.interval {
            return;
        }
        last.at = Instant::now();
        let stamps = self.files.stamps();
        if stamps == last.stamps {
            return;
        }
        last.stamps = stamps;
        match self.files.read() {
            Ok(key) => {
                self.key.store(Arc::new(key));
                tracing::info!(cert = %self.files.cert.display(), "the certificate was read again");
            }
            Err(error) => {
                tracing::warn!(%error, "the certificate has changed for the worse; the one before stays in use")
            }
        }
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.look();
        Some(self.key.load_full())
    }
}

impl TlsFiles {
    fn stamps(&self) -> Stamps {
        [&self.cert, &self.key].map(|file| std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok())
    }

    fn read(&self) -> Result<CertifiedKey, TlsError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |source| TlsError::Unreadable { path, source }
        };
        let chain = CertificateDer::pem_file_iter(&self.cert).map_err(unreadable(&self.cert))?;
        let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(unreadable(&self.cert))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(self.cert.clone()));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(unreadable(&self.key))?;
        Ok(CertifiedKey::from_der(chain, key, &ring::default_provider())?)
    }
}

/// Says in plain HTTP what is wrong, once what the peer has sent so far is out of the way: a socket closed with bytes
/// unread is reset, and the answer with it.
async fn refuse_plain(stream: &mut TcpStream) -> io::Result<()> {
    let _ = stream.read(&mut [0; 4096]).await?;
    stream.write_all(PLAIN_HTTP).await?;
    stream.shutdown().await
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn files(dir: &Path, which: &str) -> TlsFiles {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/edge/tests/tls");
        let files = TlsFiles { cert: dir.join("cert.pem"), key: dir.join("key.pem") };
        fs::copy(fixtures.join(format!("{which}.cert.pem")), &files.cert).unwrap();
        fs::copy(fixtures.join(format!("{which}.key.pem")), &files.key).unwrap();
        files
    }

    fn served(files: &TlsFiles) -> Served {
        let look = Look { at: Instant::now(), stamps: files.stamps() };
        let key = ArcSwap::from_pointee(files.read().unwrap());
        Served { files: files.clone(), interval: Duration::ZERO, key, last_look: Mutex::new(look) }
    }

    /// As a later write would: these come within one tick of the file system's clock.
    fn touch(files: &TlsFiles, seconds: u64) {
        for file in [&files.cert, &files.key] {
            let later = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000 + seconds);
            fs::File::options().write(true).open(file).unwrap().set_modified(later).unwrap();
        }
    }

    #[test]
    fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
        let dir = tempfile::TempDir::new().unwrap();
        let first = files(dir.path(), "first");
        let served = served(&first);
        let in_use = || {
            served.look();
            served.key.load().cert[0].to_vec()
        };
        let before = in_use();
        touch(&files(dir.path(), "second"), 1);
        let renewed = in_use();
        assert_ne!(renewed, before);
        fs::write(&first.cert, "half a certi").unwrap();
        touch(&first, 2);
        assert_eq!(in_use(), renewed);
        touch(&files(dir.path(), "first"), 3);
        assert_eq!(in_use(), before);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let dir = tempfile::TempDir::new().unwrap();
        let good = files(dir.path(), "first");
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/edge/tests/tls");
        let refused = |files: TlsFiles| Tls::open(files).unwrap_err().to_string();
        let missing = refused(TlsFiles { cert: dir.path().join("nothing.pem"), ..good.clone() });
        assert!(missing.contains("nothing.pem"), "{missing}");
        let no_certificate = refused(TlsFiles { cert: good.key.clone(), ..good.clone() });
        assert!(no_certificate.contains("holds no certificate"), "{no_certificate}");
        let no_key = refused(TlsFiles { key: good.cert.clone(), ..good.clone() });
        assert!(no_key.contains("cert.pem"), "{no_key}");
        let foreign = refused(TlsFiles { key: fixtures.join("second.key.pem"), ..good.clone() });
        assert!(foreign.contains("cannot be used"), "{foreign}");
        assert!(Tls::open(good).is_ok());
    }
}
