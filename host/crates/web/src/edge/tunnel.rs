//! A connection that goes on as something else once its request is answered with 101, such as a WebSocket: bytes move both
//! ways until an end closes, however long that takes.
//!
//! Only for Spaces in containers, whose apps have a connection of their own to give. The visitor's connection keeps its
//! place among the connections, its deadlines for bytes that nobody takes, and the request's ledger: a Space with an open
//! tunnel is in use and does not fall asleep. When the host stops, tunnels end at once: unlike an answer, one never would
//! by itself.

use std::io;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use http::{HeaderMap, HeaderValue, Request, Response, Version, header};
use http_body::Body as _;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use spaceport_core::fault::Fault;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::body::Ledger;
use super::upload::Upload;

/// Bytes that one direction holds at most: several frames of a chat, and little beside a connection's other buffers.
const PIECE: usize = 8 << 10;
/// How long one direction may go on after the other has ended: time for what was said last, not for a life of its own.
const LINGER: Duration = Duration::from_secs(10);
/// Protocols that would make the edge's own grammar of requests go on behind its back.
const NEVER: [&str; 3] = ["h2c", "http", "tls"];

/// What a visitor would go on with.
pub(super) struct Wish {
    protocol: HeaderValue,
    visitor: OnUpgrade,
}

/// A visitor and a Space that go on together.
pub(super) struct Tunnel {
    visitor: OnUpgrade,
    space: OnUpgrade,
}

impl Wish {
    /// The wish of a request, if it has one that can be passed on. Any other is an ordinary request.
    pub(super) fn take(request: &mut Request<Upload>) -> Option<Self> {
        let headers = request.headers();
        let mut protocols = headers.get_all(header::UPGRADE).iter();
        let (Some(protocol), None) = (protocols.next(), protocols.next()) else { return None };
        let is_whole = request.version() == Version::HTTP_11 && request.body().is_end_stream();
        if !is_whole || !says_upgrade(headers) || !may_be(protocol) {
            return None;
        }
        let protocol = protocol.clone();
        Some(Self { protocol, visitor: hyper::upgrade::on(request) })
    }

    /// Says it to the Space.
    pub(super) fn put(&self, headers: &mut HeaderMap) {
        set(headers, &self.protocol);
    }

    /// The tunnel that the Space grants with this answer, which is made the visitor's.
    pub(super) fn granted<B>(
        self,
        response: &mut Response<B>,
        clean: impl FnOnce(&mut HeaderMap),
    ) -> Result<Tunnel, Fault> {
        let protocol = response.headers().get(header::UPGRADE).cloned();
        let protocol = protocol.ok_or_else(|| Fault::GuestBadResponse("it goes on with nothing".into()))?;
        let space = hyper::upgrade::on(&mut *response);
        let headers = response.headers_mut();
        clean(headers);
        headers.remove(header::CONTENT_LENGTH);
        set(headers, &protocol);
        Ok(Tunnel { visitor: self.visitor, space })
    }
}

impl Tunnel {
    /// Moves bytes until an end closes. The ledger is closed then.
    pub(super) async fn run(self, mut ledger: Ledger) {
        // Either fails when its connection ends before the answer is out.
        let (Ok(visitor), Ok(space)) = tokio::join!(self.visitor, self.space) else { return };
        let mut to_visitor = 0;
        exchange(visitor, space, &mut to_visitor).await;
        ledger.end_tunnel(to_visitor);
    }
}

async fn exchange(visitor: Upgraded, space: Upgraded, to_visitor: &mut u64) {
    let (mut visitor_says, mut visitor_hears) = tokio::io::split(TokioIo::new(visitor));
    let (mut space_says, mut space_hears) = tokio::io::split(TokioIo::new(space));
    let mut to_space = 0;
    let there = pin!(pump(&mut visitor_says, &mut space_hears, &mut to_space));
    let back = pin!(pump(&mut space_says, &mut visitor_hears, to_visitor));
    // What goes wrong on one side ends both; there is nobody left to tell.
    match select(there, back).await {
        Either::Left((Ok(()), back)) => drop(timeout(LINGER, back).await),
        Either::Right((Ok(()), there)) => drop(timeout(LINGER, there).await),
        Either::Left((Err(_), _)) | Either::Right((Err(_), _)) => {}
    }
}

/// Moves bytes to the end of `from`, then ends `to`. Reads no more than has been taken.
async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    moved: &mut u64,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..length]).await?;
        to.flush().await?;
        *moved += length as u64;
    }
}

fn set(headers: &mut HeaderMap, protocol: &HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol.clone());
}

fn says_upgrade(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
}

/// Whether a protocol may be gone on with: one word, and none that is HTTP again.
fn may_be(protocol: &HeaderValue) -> bool {
    let Ok(word) = protocol.to_str() else { return false };
    let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._+/".contains(&byte));
    let name = word.split('/').next().unwrap_or_default();
    is_word && !NEVER.iter().any(|never| name.eq_ignore_ascii_case(never))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_one_word_and_not_http_again() {
        for word in ["websocket", "WebSocket", "mqtt", "tcp-tunnel/1.0"] {
            assert!(may_be(&HeaderValue::from_static(word)), "{word}");
        }
        for word in ["", "h2c", "H2C", "HTTP/2.0", "tls/1.0", "websocket, h2c", "a b"] {
            assert!(!may_be(&HeaderValue::from_static(word)), "{word:?}");
        }
    }

    #[test]
    fn the_word_may_stand_among_others() {
        let mut headers = HeaderMap::new();
        assert!(!says_upgrade(&headers));
        headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        assert!(says_upgrade(&headers));
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgraded"));
        assert!(!says_upgrade(&headers));
    }
}
