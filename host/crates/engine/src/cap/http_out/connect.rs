//! A connection to one of several addresses that were all found allowed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::Error;

use super::body::RequestBody;
use super::error::{from_connect, from_tls};
use super::limits::{CHUNK, EgressLimits, HEAD_START, RESPONSE_HEADERS};
use super::target::Target;

/// An open HTTP connection. Dropping it closes the socket.
pub(super) struct Connection {
    pub(super) sender: SendRequest<RequestBody>,
    task: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connects, and shakes hands where the target wants TLS.
pub(super) async fn connect(
    target: &Target,
    addresses: &[IpAddr],
    tls: impl FnOnce() -> Arc<ClientConfig>,
    limits: &EgressLimits,
) -> Result<Connection, Error> {
    let stream = match timeout(limits.connect, race(addresses, target.port)).await {
        Ok(stream) => stream.map_err(|error| from_connect(&error))?,
        Err(_) => return Err(Error::ConnectionTimeout),
    };
    // A request is written head and body: waiting for more to send would cost a delayed acknowledgement each time.
    stream.set_nodelay(true).map_err(|error| from_connect(&error))?;
    if !target.tls {
        return handshake(TokioIo::new(stream)).await;
    }
    let connector = TlsConnector::from(tls());
    match timeout(limits.tls, connector.connect(target.server_name()?, stream)).await {
        Ok(Ok(stream)) => handshake(TokioIo::new(stream)).await,
        Ok(Err(error)) => Err(from_tls(&error)),
        Err(_) => Err(Error::ConnectionTimeout),
    }
}

async fn handshake<I>(io: I) -> Result<Connection, Error>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_headers(RESPONSE_HEADERS).max_buf_size(CHUNK);
    let (sender, connection) = builder.handshake(io).await.map_err(|error| super::error::from_hyper(&error))?;
    // Ends with the connection's last handle: see `Drop`. What it fails with, the exchange is told as well.
    let task = tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(Connection { sender, task: task.abort_handle() })
}

/// The first of the addresses that answers. Each gets a head start before the next; one that fails gives way at once.
async fn race(addresses: &[IpAddr], port: u16) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter().map(|address| SocketAddr::new(*address, port));
    let mut running = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::HostUnreachable);
    loop {
        match waiting.next() {
            Some(address) => running.push(TcpStream::connect(address)),
            None if running.is_empty() => return Err(last),
            None => {}
        }
        let more = waiting.len() > 0;
        tokio::select! {
            outcome = running.next() => match outcome {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => last = error,
                None => {}
            },
            () = sleep(HEAD_START), if more => {}
        }
    }
}

/// Addresses of both families in turn, the resolver's order kept within each, so that a broken family costs one head
/// start and not one for each of its addresses.
pub(super) fn interleaved(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = addresses.iter().partition(|address| address.is_ipv6());
    let mut v6 = v6.into_iter();
    let mut v4 = v4.into_iter();
    let mut mixed = Vec::with_capacity(addresses.len());
    loop {
        match (v6.next(), v4.next()) {
            (None, None) => return mixed,
            pair => mixed.extend(pair.0.into_iter().chain(pair.1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let addresses: Vec<IpAddr> =
            ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"].map(|text| text.parse().unwrap()).into();
        let mixed: Vec<String> = interleaved(&addresses).iter().map(ToString::to_string).collect();
        assert_eq!(mixed, ["2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    }

    #[tokio::test]
    async fn a_dead_address_gives_way_to_the_next() {
        let listener = tokio::net::TcpListener::bind("127.41.0.2:8080").await.unwrap();
        let stream = race(&["127.41.0.1".parse().unwrap(), "127.41.0.2".parse().unwrap()], 8080).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
        assert_eq!(
            race(&["127.41.0.3".parse().unwrap()], 8080).await.unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
    }
}
