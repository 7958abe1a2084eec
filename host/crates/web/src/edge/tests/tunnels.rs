//! Connections that go on as WebSockets, and streams, between visitors and a real server behind the edge.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use spaceport_backend::{Proxy, ProxyError};
use spaceport_control::ports::Body;
use spaceport_core::fault::Fault;
use spaceport_core::space::{Sdk, Visibility};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::harness::*;

/// A server such as runs in containers: it echoes what goes on as `websocket`, and streams events when it is told to.
struct App {
    address: SocketAddr,
    told: Arc<Notify>,
    seen: Arc<Mutex<Option<HeaderMap>>>,
}

impl App {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let app = Self { address: listener.local_addr().unwrap(), told: Arc::default(), seen: Arc::default() };
        let (told, seen) = (app.told.clone(), app.seen.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (told, seen) = (told.clone(), seen.clone());
                let service = service_fn(move |request| {
                    *seen.lock() = Some(http::Request::<Incoming>::headers(&request).clone());
                    let told = told.clone();
                    async move { Ok::<_, Infallible>(answer(request, told)) }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service).with_upgrades());
            }
        });
        app
    }

    /// A Space of the kind docker in front of it.
    fn space(&self, front: &Front) -> Space {
        let proxy = Arc::new(Proxy::<Body>::new(self.address, PATIENCE));
        let space = front.space("boxed", move |request| {
            let call = proxy.call(request);
            async move {
                match call.await {
                    Ok(response) => Ok(response.map(BodyExt::boxed_unsync)),
                    Err(ProxyError::Unreachable(why)) => Err(Fault::ContainerUnreachable(why)),
                    Err(error) => Err(Fault::GuestBadResponse(error.to_string())),
                }
            }
        });
        space.change(|entry| entry.sdk = Sdk::Docker);
        space
    }
}

fn answer(mut request: Request<Incoming>, told: Arc<Notify>) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    match request.uri().path() {
        "/ws" => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let stream = TokioIo::new(upgrade.await.unwrap());
                let (mut from, mut to) = tokio::io::split(stream);
                to.write_all(b"welcome ").await.unwrap();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
            let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
            let response = response.header("connection", "upgrade").header("upgrade", "websocket");
            response.header("sec-websocket-accept", "y").header("x-spaceport-error", "forged").body(full()).unwrap()
        }
        "/events" => {
            let first = stream::iter([Ok(Frame::data(Bytes::from_static(b"data: 1\n\n")))]);
            let second = stream::once(async move {
                told.notified().await;
                Ok(Frame::data(Bytes::from_static(b"data: 2\n\n")))
            });
            let body = StreamBody::new(first.chain(second)).boxed_unsync();
            Response::builder().header(header::CONTENT_TYPE, "text/event-stream").body(body).unwrap()
        }
        path => Response::new(Full::new(Bytes::from(path.to_owned())).boxed_unsync()),
    }
}

fn full() -> UnsyncBoxBody<Bytes, Infallible> {
    Full::default().boxed_unsync()
}

fn handshake(host: &str, path: &str, protocol: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: keep-alive, Upgrade\r\nupgrade: {protocol}\r\n\
         sec-websocket-key: x\r\nsec-websocket-version: 13\r\nauthorization: Bearer sp_member\r\n\
         x-forwarded-for: 9.9.9.9\r\n\r\n"
    )
}

/// A visitor who has a WebSocket.
async fn connected(front: &Front, space: &Space) -> TcpStream {
    let mut stream = front.connect().await;
    stream.write_all(handshake(&space.host, "/ws", "websocket").as_bytes()).await.unwrap();
    let head = read_until(&mut stream, "welcome ").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    stream
}

#[tokio::test]
async fn a_websocket_goes_through_both_ways_and_holds_its_space() {
    let (front, app) = (Front::start().await, App::start().await);
    let space = app.space(&front);
    let mut stream = front.connect().await;
    stream.write_all(handshake(&space.host, "/ws", "websocket").as_bytes()).await.unwrap();
    let head = read_until(&mut stream, "welcome ").await;
    for line in ["HTTP/1.1 101 ", "upgrade: websocket\r\n", "connection: upgrade\r\n", "sec-websocket-accept: y\r\n"] {
        assert!(head.contains(line), "{line} {head}");
    }
    assert!(head.contains("x-request-id: ") && !head.contains("forged"), "{head}");
    let seen = app.seen.lock().take().unwrap();
    assert_eq!(
        (&seen["upgrade"], &seen["sec-websocket-version"]),
        (&"websocket".parse().unwrap(), &"13".parse().unwrap())
    );
    assert!(!seen.contains_key("authorization") && seen["x-forwarded-for"] == "127.0.0.1", "{seen:?}");

    for word in ["one ", "two ", &"x".repeat(100_000)] {
        let (mut from, mut to) = stream.split();
        let mut back = vec![0; word.len()];
        let (sent, read) = tokio::join!(to.write_all(word.as_bytes()), from.read_exact(&mut back));
        sent.unwrap();
        read.unwrap();
        assert_eq!(back, word.as_bytes());
    }
    let slot = space.slot.clone();
    assert_eq!(slot.in_flight(), 1, "a Space with a visitor does not sleep");
    drop(stream);
    eventually("the visitor's leave", move || slot.in_flight() == 0).await;
}

#[tokio::test]
async fn the_end_of_the_apps_side_is_the_visitors() {
    let front = Front::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = App { address: listener.local_addr().unwrap(), told: Arc::default(), seen: Arc::default() };
    let space = app.space(&front);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, "\r\n\r\n").await;
        let answer = b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nlast words";
        stream.write_all(answer).await.unwrap();
    });
    let answer = front.raw(handshake(&space.host, "/ws", "websocket")).await;
    assert!(answer.ends_with("\r\n\r\nlast words"), "{answer}");
}

#[tokio::test]
async fn a_stopping_host_ends_websockets_at_once() {
    let (front, app) = (Front::start().await, App::start().await);
    let space = app.space(&front);
    let mut stream = connected(&front, &space).await;
    let drained = front.drain();
    assert_eq!(read_to_end(&mut stream).await, "");
    assert_eq!(drained.await.unwrap().cut, 0);
}

#[tokio::test]
async fn only_a_container_is_asked_to_go_on_and_never_with_http_again() {
    let (front, app) = (Front::start().await, App::start().await);
    let space = app.space(&front);
    for protocol in ["h2c", "HTTP/2.0", "websocket, h2c"] {
        let answer = front.raw(handshake(&space.host, "/x", protocol).replace("keep-alive", "close")).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("/x"), "{protocol}: {answer}");
        assert!(!app.seen.lock().take().unwrap().contains_key("upgrade"), "{protocol}");
    }
    space.change(|entry| entry.sdk = Sdk::Wasm);
    let answer = front.raw(handshake(&space.host, "/x", "websocket").replace("keep-alive", "close")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(!app.seen.lock().take().unwrap().contains_key("upgrade"));
}

#[tokio::test]
async fn an_app_that_goes_on_unasked_gives_no_answer() {
    let front = Front::start().await;
    let space = front.space("rude", |_| async {
        Ok(Response::builder().status(101).header("upgrade", "websocket").body(super::harness::full("")).unwrap())
    });
    space.change(|entry| entry.sdk = Sdk::Docker);
    assert_eq!(front.get(&space.host, "/").await.error(), "guest_bad_response");
}

#[tokio::test]
async fn a_private_space_goes_on_with_its_members_alone() {
    let (front, app) = (Front::start().await, App::start().await);
    let space = app.space(&front);
    space.change(|entry| entry.visibility = Visibility::Private);
    let stranger = handshake(&space.host, "/ws", "websocket").replace("sp_member", "sp_stranger");
    let answer = front.raw(stranger.replace("keep-alive", "close")).await;
    assert!(answer.starts_with("HTTP/1.1 404 ") && app.seen.lock().is_none(), "{answer}");
    drop(connected(&front, &space).await);
}

#[tokio::test]
async fn events_arrive_as_they_are_sent() {
    let (front, app) = (Front::start().await, App::start().await);
    let space = app.space(&front);
    let mut stream = front.connect().await;
    stream.write_all(format!("GET /events HTTP/1.1\r\nhost: {}\r\n\r\n", space.host).as_bytes()).await.unwrap();
    read_until(&mut stream, "data: 1").await;
    app.told.notify_one();
    read_until(&mut stream, "data: 2").await;
}

#[tokio::test]
async fn a_container_that_is_gone_is_said_to_be() {
    let front = Front::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = App { address: listener.local_addr().unwrap(), told: Arc::default(), seen: Arc::default() };
    drop(listener);
    let space = app.space(&front);
    let reply = front.get(&space.host, "/").await;
    assert_eq!((reply.status.as_u16(), reply.error().as_str()), (502, "container_unreachable"));
}
