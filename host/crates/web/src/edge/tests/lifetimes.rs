use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use spaceport_control::ports::Body;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

use super::harness::*;
use crate::edge::server::Drained;

/// A body that sends one part, waits to be told, and sends another.
fn in_two_parts(told: Arc<Notify>, held: Arc<()>) -> Response<Body> {
    let first = stream::iter([Ok(Frame::data(Bytes::from_static(b"first")))]);
    let second = stream::once(async move {
        told.notified().await;
        Ok(Frame::data(Bytes::from_static(b"second")))
    });
    let frames = first.chain(second).map(move |frame| {
        let _ = &held;
        frame
    });
    Response::new(StreamBody::new(frames).boxed_unsync())
}

struct TwoParts {
    space: Space,
    told: Arc<Notify>,
    alive: Arc<()>,
}

fn two_parts(front: &Front) -> TwoParts {
    let (told, alive) = (Arc::new(Notify::new()), Arc::new(()));
    let (tell, held) = (told.clone(), alive.clone());
    let space = front.space("slow", move |_| {
        let response = in_two_parts(tell.clone(), held.clone());
        async { Ok(response) }
    });
    TwoParts { space, told, alive }
}

#[tokio::test]
async fn a_visitor_who_leaves_ends_the_guests_stream() {
    let front = Front::start().await;
    let TwoParts { space, alive, .. } = two_parts(&front);
    let mut stream = front.connect().await;
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", space.host).as_bytes()).await.unwrap();
    read_until(&mut stream, "first").await;
    assert_eq!(space.slot.in_flight(), 1);
    drop(stream);
    let slot = space.slot.clone();
    eventually("the end of the request", move || slot.in_flight() == 0).await;
    // The Space's own and this one.
    assert_eq!(Arc::strong_count(&alive), 2);
}

#[tokio::test]
async fn a_visitor_who_leaves_ends_the_guests_call() {
    let front = Front::start().await;
    let alive = Arc::new(());
    let held = alive.clone();
    let space = front.space("silent", move |_| {
        let held = held.clone();
        async move {
            let _held = held;
            std::future::pending().await
        }
    });
    let mut stream = front.connect().await;
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", space.host).as_bytes()).await.unwrap();
    let called = space.upstream.clone();
    let calls = alive.clone();
    eventually("the call", move || Arc::strong_count(&calls) > 3 && Arc::strong_count(&called) > 0).await;
    drop(stream);
    eventually("the end of the call", move || Arc::strong_count(&alive) == 2).await;
    assert_eq!(space.slot.in_flight(), 0);
}

#[tokio::test]
async fn a_request_counts_until_its_last_byte() {
    let front = Front::start().await;
    let TwoParts { space, told, .. } = two_parts(&front);
    let mut stream = front.connect().await;
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", space.host).as_bytes()).await.unwrap();
    let head = read_until(&mut stream, "first").await;
    assert!(head.starts_with("HTTP/1.1 200"));
    assert_eq!(space.slot.in_flight(), 1);
    told.notify_one();
    read_until(&mut stream, "second").await;
    let slot = space.slot.clone();
    eventually("the end of the request", move || slot.in_flight() == 0).await;
    assert_eq!(space.slot.last_used(), 1_800_000_000_000);
    assert_eq!(space.slot.metrics.counts().response_bytes, "firstsecond".len() as u64);
}

#[tokio::test]
async fn requests_in_flight_end_before_the_server_does() {
    let front = Front::start().await;
    let TwoParts { space, told, .. } = two_parts(&front);
    let addr = front.addr;
    let mut idle = front.connect().await;
    let mut stream = front.connect().await;
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", space.host).as_bytes()).await.unwrap();
    read_until(&mut stream, "first").await;
    let drained = front.drain();
    assert_eq!(read_to_end(&mut idle).await, "");
    eventually("the end of listening", move || std::net::TcpStream::connect(addr).is_err()).await;
    assert!(!drained.is_finished());
    told.notify_one();
    assert!(read_to_end(&mut stream).await.ends_with("6\r\nsecond\r\n0\r\n\r\n"));
    assert_eq!(drained.await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off() {
    let front = Front::start_with(|config| config.deadlines.drain = Duration::from_millis(100)).await;
    let TwoParts { space, alive, .. } = two_parts(&front);
    let mut stream = front.connect().await;
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", space.host).as_bytes()).await.unwrap();
    read_until(&mut stream, "first").await;
    assert_eq!(front.drain().await.unwrap(), Drained { cut: 1 });
    assert!(!read_to_end(&mut stream).await.contains("0\r\n\r\n"));
    eventually("the guest's release", move || Arc::strong_count(&alive) == 2).await;
}

#[tokio::test]
async fn statuses_without_a_body_have_none() {
    let front = Front::start().await;
    let space = front.space("odd", |request| async move {
        let status: u16 = request.uri().path()[1..].parse().unwrap();
        Ok(Response::builder().status(status).header("content-length", "4").body(full("body")).unwrap())
    });
    let answer = front
        .raw(format!(
            "GET /204 HTTP/1.1\r\nhost: {0}\r\n\r\nGET /304 HTTP/1.1\r\nhost: {0}\r\n\r\nHEAD /200 HTTP/1.1\r\nhost: {0}\r\nconnection: close\r\n\r\n",
            space.host
        ))
        .await;
    assert!(!answer.contains("body"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 3, "{answer}");
}
