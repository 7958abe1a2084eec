//! Time, turns and bytes.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;
use tokio::time::sleep;
use wasmtime_wasi_http::Error;

use super::super::EgressLimits;
use super::server::{Server, head};
use super::{Space, text};

const SHORT: Duration = Duration::from_millis(400);

fn short() -> EgressLimits {
    EgressLimits { connect: SHORT, tls: SHORT, head: SHORT, idle: SHORT, ..EgressLimits::default() }
}

#[tokio::test]
async fn a_server_that_accepts_and_is_silent_is_given_up() {
    let _server = Server::start("127.40.10.1", |stream| async move {
        let _stream = stream;
        std::future::pending().await
    })
    .await;
    let mut space = Space::with_limits(&["127.40.10.1/32"], short());
    let error = space.get("http://127.40.10.1:8080/").await.unwrap_err();
    assert!(matches!(error, Error::HttpResponseTimeout), "{error}");
    let error = space.get("https://127.40.10.1:8080/").await.unwrap_err();
    assert!(matches!(error, Error::ConnectionTimeout), "in the TLS handshake: {error}");
}

#[tokio::test]
async fn a_body_that_falls_silent_is_given_up() {
    let _server = Server::answer("127.40.11.1", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello").await;
    let mut space = Space::with_limits(&["127.40.11.1/32"], short());
    let response = space.get("http://127.40.11.1:8080/").await.unwrap();
    let error = text(response).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error}");
}

#[tokio::test]
async fn a_body_that_is_cut_off_does_not_end_well() {
    let _server = Server::start("127.40.12.1", |stream| async move {
        let mut stream = BufReader::new(stream);
        head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello").await;
    })
    .await;
    let mut space = Space::new(&["127.40.12.1/32"]);
    let response = space.get("http://127.40.12.1:8080/").await.unwrap();
    let error = text(response).await.unwrap_err();
    assert!(matches!(error, Error::HttpResponseIncomplete | Error::ConnectionTerminated), "{error}");
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_cap() {
    let _server = Server::start("127.40.13.1", |stream| async move {
        let mut stream = BufReader::new(stream);
        head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let limits = EgressLimits { response_bytes: 100_000, ..EgressLimits::default() };
    let mut space = Space::with_limits(&["127.40.13.1/32"], limits);
    let mut body = space.get("http://127.40.13.1:8080/").await.unwrap().into_body();
    let mut read = 0;
    let error = loop {
        match body.frame().await.expect("an error before the end") {
            Ok(frame) => read += frame.into_data().unwrap().len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::HttpResponseBodySize(Some(100_000))), "{error}");
    assert!((30_000..=100_000).contains(&read), "{read}");
    let after = body.frame().await.expect("still no end");
    assert!(after.is_err(), "what was cut off never looks complete");
}

#[tokio::test]
async fn a_long_upload_is_no_slow_answer() {
    let _server = Server::start("127.40.14.1", |stream| async move {
        let mut stream = BufReader::new(stream);
        head(&mut stream).await;
        let mut body = Vec::new();
        while !body.ends_with(b"0\r\n\r\n") {
            if stream.read_buf(&mut body).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    })
    .await;
    let mut space = Space::with_limits(&["127.40.14.1/32"], short());
    let pieces = stream::iter(0..8).then(|_| async {
        sleep(SHORT / 4).await;
        Ok::<_, Error>(Frame::data(Bytes::from_static(b"piece")))
    });
    let request = Request::post("http://127.40.14.1:8080/").body(StreamBody::new(pieces).boxed_unsync()).unwrap();
    assert_eq!(text(space.send(request).await.unwrap()).await.unwrap(), "ok");
    assert_eq!(space.egress.counts().sent, 40);
}

#[tokio::test]
async fn one_request_more_than_the_turns_waits_and_then_fails() {
    let _server = Server::answer("127.40.15.1", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel").await;
    let limits = EgressLimits { per_instance: 2, connect: SHORT, ..EgressLimits::default() };
    let mut space = Space::with_limits(&["127.40.15.1/32"], limits);
    let url = "http://127.40.15.1:8080/";
    let first = space.get(url).await.unwrap();
    let _second = space.get(url).await.unwrap();
    let error = space.get(url).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLimitReached), "{error}");
    assert_eq!(space.log.all().len(), 1);
    // A body that nobody reads keeps its turn, and gives it back when it goes.
    let mut waiting = Box::pin(space.get(url));
    assert!((&mut waiting).now_or_never().is_none());
    drop(first);
    waiting.await.expect("the turn that came free");
}

#[tokio::test]
async fn instances_of_a_space_share_its_turns() {
    let _server = Server::answer("127.40.16.1", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel").await;
    let limits = EgressLimits { per_space: 1, connect: SHORT, ..EgressLimits::default() };
    let mut space = Space::with_limits(&["127.40.16.1/32"], limits);
    let _held = space.get("http://127.40.16.1:8080/").await.unwrap();
    space.hooks = super::super::EgressHooks::new(space.egress.clone(), space.log.clone());
    let error = space.get("http://127.40.16.1:8080/").await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLimitReached), "{error}");
}

#[tokio::test]
async fn a_visitors_request_allows_so_many_and_the_next_one_allows_them_again() {
    let _server = Server::echo("127.40.17.1").await;
    let limits = EgressLimits { per_request: 2, ..EgressLimits::default() };
    let mut space = Space::with_limits(&["127.40.17.1/32"], limits);
    let url = "http://127.40.17.1:8080/";
    for _ in 0..2 {
        space.hooks.begin_request(1);
        assert!(space.text(url).await.is_ok() && space.text(url).await.is_ok());
        assert!(matches!(space.text(url).await, Err(Error::ConnectionLimitReached)));
    }
    space.hooks.begin_request(2);
    space.hooks.begin_request(2);
    for _ in 0..4 {
        assert!(space.text(url).await.is_ok(), "two requests at once may send four");
    }
    assert!(matches!(space.text(url).await, Err(Error::ConnectionLimitReached)));
}

#[tokio::test]
async fn a_response_that_is_dropped_closes_its_connection() {
    let (closed, mut seen) = mpsc::channel(1);
    let _server = Server::start("127.40.18.1", move |stream| {
        let closed = closed.clone();
        async move {
            let mut stream = BufReader::new(stream);
            head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel").await;
            let end = stream.read(&mut [0]).await;
            let _ = closed.send(matches!(end, Ok(0) | Err(_))).await;
        }
    })
    .await;
    let mut space = Space::new(&["127.40.18.1/32"]);
    let response = space.get("http://127.40.18.1:8080/").await.unwrap();
    drop(response);
    assert_eq!(seen.recv().await, Some(true));
    assert_eq!(space.egress.pool().len(), 0);
}
