//! Requests that this host makes by itself, to addresses that its users have given: messages to webhooks.
//!
//! They go where requests of guests may go and nowhere else: `core::egress` decides, on the parts of the address first and
//! then on every address that the name resolves to, and the connection goes to the very address that was looked at. No
//! redirect is followed, and of the answer only the status is read. Everything has its time.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, Method, Request, header};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use spaceport_control::ports::{SendWebhook, WebhookRequest};
use spaceport_core::egress::EgressPolicy;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Url;

/// Longest wait for the addresses of a name.
const RESOLVE: Duration = Duration::from_secs(5);
/// Longest wait for a connection to one address.
const CONNECT: Duration = Duration::from_secs(5);
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;
/// Longest wait for everything: a receiver answers first and works then.
const WHOLE: Duration = Duration::from_secs(30);
/// Bytes of an answer's head that are read.
const MAX_HEAD: usize = 16 << 10;
/// By which a receiver knows who sends.
const X_WEBHOOK_SECRET: HeaderName = HeaderName::from_static("x-webhook-secret");
/// By which a receiver knows a message that it was sent before.
const X_WEBHOOK_DELIVERY: HeaderName = HeaderName::from_static("x-webhook-delivery");
/// Who sends.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("spaceport/", env!("CARGO_PKG_VERSION")));

/// Sends messages to webhooks.
pub struct WebhookSender {
    shared: Arc<Shared>,
}

struct Shared {
    policy: EgressPolicy,
    /// Made when it is needed first: it takes the certificates that the system trusts.
    tls: OnceLock<Arc<ClientConfig>>,
}

/// Where a message goes.
struct Target {
    is_tls: bool,
    host: String,
    port: u16,
    authority: HeaderValue,
    path: String,
}

impl WebhookSender {
    /// One that goes where this policy lets it: that of guests, without the narrowing of a single Space.
    pub fn new(policy: EgressPolicy) -> Self {
        Self { shared: Arc::new(Shared { policy, tls: OnceLock::new() }) }
    }
}

impl SendWebhook for WebhookSender {
    fn send(&self, request: WebhookRequest) -> BoxFuture<'static, Result<u16, String>> {
        let shared = self.shared.clone();
        let sent = async move {
            let sending = timeout(WHOLE, shared.send(request));
            sending.await.unwrap_or_else(|_| Err(format!("no answer within {} seconds", WHOLE.as_secs())))
        };
        sent.boxed()
    }
}

impl Shared {
    async fn send(&self, request: WebhookRequest) -> Result<u16, String> {
        let target = self.target(&request.url)?;
        let stream = self.connect(&target).await?;
        if !target.is_tls {
            return exchange(TokioIo::new(stream), &target, request).await;
        }
        let name = ServerName::try_from(target.host.clone()).map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(self.tls()?).connect(name, stream).await;
        let stream = stream.map_err(|error| format!("no secure connection to {}: {error}", target.host))?;
        exchange(TokioIo::new(stream), &target, request).await
    }

    fn target(&self, text: &str) -> Result<Target, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        let host = url.host_str().ok_or("the address names no host")?;
        let port = url.port_or_known_default().unwrap_or_default();
        let has_userinfo = !url.username().is_empty() || url.password().is_some();
        let allowed = self.policy.check_request(url.scheme(), host, port, has_userinfo);
        allowed.map_err(|denied| denied.to_string())?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Target {
            is_tls: url.scheme() == "https",
            authority: HeaderValue::try_from(authority).map_err(|error| error.to_string())?,
            path: url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
            // Brackets are for addresses within addresses.
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
        })
    }

    /// A connection to an address that may be connected to.
    async fn connect(&self, target: &Target) -> Result<TcpStream, String> {
        let addresses = resolve(&target.host, target.port).await?;
        // One that is not allowed condemns the name: whoever answers for it is not to be believed.
        for address in &addresses {
            self.policy.check_address(&target.host, address.ip()).map_err(|denied| denied.to_string())?;
        }
        let mut last = format!("{} has no address", target.host);
        for address in addresses {
            match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = format!("no connection to {}: {error}", target.host),
                Err(_) => last = format!("no connection to {} within {} seconds", target.host, CONNECT.as_secs()),
            }
        }
        Err(last)
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        if let Some(config) = self.tls.get() {
            return Ok(config.clone());
        }
        let mut roots = RootCertStore::empty();
        // Those that cannot be read are left out, as elsewhere on the system.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth();
        Ok(self.tls.get_or_init(|| Arc::new(config)).clone())
    }
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    // With the root's dot: the search list of the host's configuration is for the host's own names.
    let name = format!("{}.", host.trim_end_matches('.'));
    match timeout(RESOLVE, tokio::net::lookup_host((name, port))).await {
        Ok(Ok(found)) => Ok(found.take(MAX_ADDRESSES).collect()),
        Ok(Err(error)) => Err(format!("{host} cannot be found: {error}")),
        Err(_) => Err(format!("{host} cannot be found: no answer in time")),
    }
}

/// Sends the message and reads the status of the answer.
async fn exchange<I>(io: I, target: &Target, message: WebhookRequest) -> Result<u16, String>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let failed = |error: hyper::Error| format!("no answer from {}: {}", target.host, cause(&error));
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD);
    let (mut sender, connection) = builder.handshake::<_, Full<Bytes>>(io).await.map_err(failed)?;
    let request = request(target, message)?;
    let answer = sender.send_request(request);
    tokio::pin!(connection, answer);
    // The connection moves only while somebody looks at it, and is closed when this returns.
    let response = tokio::select! {
        response = &mut answer => response.map_err(failed)?,
        ended = &mut connection => match ended {
            Ok(()) => answer.await.map_err(failed)?,
            Err(error) => return Err(failed(error)),
        },
    };
    Ok(response.status().as_u16())
}

fn request(target: &Target, message: WebhookRequest) -> Result<Request<Full<Bytes>>, String> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(&target.path)
        .header(header::HOST, &target.authority)
        .header(header::USER_AGENT, AGENT)
        .header(header::CONTENT_TYPE, "application/json")
        .header(X_WEBHOOK_DELIVERY, message.id.to_string())
        .header(header::CONNECTION, "close");
    if let Some(secret) = message.secret {
        let mut secret =
            HeaderValue::try_from(secret).map_err(|_| "the secret cannot be sent as a header".to_owned())?;
        secret.set_sensitive(true);
        request = request.header(X_WEBHOOK_SECRET, secret);
    }
    request.body(Full::new(message.body)).map_err(|error| error.to_string())
}

/// What is at the bottom of an error: hyper's own words say little.
fn cause(error: &hyper::Error) -> String {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use spaceport_core::id::DeliveryId;

    use super::*;

    fn message(url: &str) -> WebhookRequest {
        let id = DeliveryId::from_bytes([1; 12]);
        WebhookRequest { id, url: url.into(), secret: None, body: Bytes::from_static(b"{}") }
    }

    #[tokio::test]
    async fn nothing_goes_where_guests_may_not_go() {
        let sender = WebhookSender::new(EgressPolicy::default());
        for (url, words) in [
            ("http://127.0.0.1:8080/", "not a public address"),
            ("http://[::1]/", "not a public address"),
            ("http://0x7f000001/", "not a public address"),
            ("http://169.254.169.254/latest/meta-data", "not a public address"),
            ("http://example.org:25/", "only ports"),
            ("ftp://example.org/", "only http and https"),
            ("http://ada@example.org/", "no user name"),
            ("example.org", "relative URL"),
        ] {
            let refused = sender.send(message(url)).await.unwrap_err();
            assert!(refused.contains(words), "{url}: {refused}");
        }
    }

    #[tokio::test]
    async fn a_receiver_that_says_nothing_of_use_is_told_in_words() {
        let listener = tokio::net::TcpListener::bind("127.43.0.1:8080").await.unwrap();
        let policy = EgressPolicy { operator_allow: vec!["127.43.0.0/16".parse().unwrap()], ..Default::default() };
        let sender = WebhookSender::new(policy);
        for answer in ["", "nonsense\r\n\r\n"] {
            let answering = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await.unwrap();
            };
            let (sent, ()) = tokio::join!(sender.send(message("http://127.43.0.1:8080/hook")), answering);
            assert!(sent.as_ref().unwrap_err().contains("no answer from 127.43.0.1"), "{sent:?}");
        }
        let refused = sender.send(message("http://127.43.0.2:8080/")).await.unwrap_err();
        assert!(refused.contains("no connection to 127.43.0.2"), "{refused}");
    }
}
