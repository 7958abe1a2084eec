//! Whether an app answers yet.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// Longest wait for a connection to an instance that has just been started.
const CONNECT: Duration = Duration::from_secs(1);
/// Shortest pause between two tries: an app that starts at once is not kept waiting.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause: an app that fetches its models for minutes is not worn down.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// A pause is this part of the time so far: no app is kept waiting for longer than that part of what it took itself.
const PART: u32 = 20;

/// Asks for the front page until there is an answer, whatever it is.
pub(super) async fn answers(address: SocketAddr) {
    let began = Instant::now();
    while ask(address).await.is_none() {
        sleep((began.elapsed() / PART).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
    }
}

/// One question. An app may take as long as it likes for the answer once it has taken the question.
async fn ask(address: SocketAddr) -> Option<()> {
    let stream = timeout(CONNECT, TcpStream::connect(address)).await.ok()?.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::get("/")
        .header(HOST, address.to_string())
        .header(USER_AGENT, "spaceport-probe")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let mut answer = pin!(sender.send_request(request));
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // It has brought the answer, or there will be none.
        _ = connection => answer.await,
    }
    .ok()
    .map(drop)
}
