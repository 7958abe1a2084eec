use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::harness::*;

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_connection_that_sends_no_head_is_closed() {
    let front = Front::start_with(|config| config.deadlines.first_head = SHORT).await;
    let space = front.space("hello", |_| async { says(&[], "fine") });
    let beginnings = ["", "G", "GET / HTTP/1.1\r\nhost: x", "PRI * HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
    for beginning in beginnings {
        let mut stream = front.connect().await;
        let began = Instant::now();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        read_to_end(&mut stream).await;
        assert!(began.elapsed() < SHORT * 3, "{beginning:?} was held for {:?}", began.elapsed());
    }
    assert_eq!(front.get(&space.host, "/").await.text(), "fine");
}

#[tokio::test]
async fn dribbled_bytes_buy_no_time() {
    let front = Front::start_with(|config| config.deadlines.first_head = SHORT).await;
    let (mut reader, mut writer) = front.connect().await.into_split();
    let began = Instant::now();
    let dribble = tokio::spawn(async move {
        for byte in "GET / HTTP/1.1\r\nx-slow: ".bytes().chain(std::iter::repeat(b'a')) {
            if writer.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, reader.read_to_end(&mut rest)).await.expect("the connection is closed");
    assert!(began.elapsed() < SHORT * 3);
    dribble.abort();
}

#[tokio::test]
async fn an_idle_connection_outlives_the_head_deadline_and_not_its_own() {
    let front = Front::start_with(|config| {
        config.deadlines.first_head = SHORT;
        config.deadlines.head = SHORT;
        config.deadlines.keep_alive = SHORT * 3;
    })
    .await;
    let space = front.space("hello", |_| async { says(&[], "fine") });
    let request = format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", space.host);
    let mut stream = front.connect().await;
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).await.unwrap();
        assert!(answer[..length].ends_with(b"fine"));
        tokio::time::sleep(SHORT * 2).await;
    }
    let began = Instant::now();
    stream.write_all(b"GET /").await.unwrap();
    read_to_end(&mut stream).await;
    assert!((SHORT / 2..SHORT * 2).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_body_that_stops_coming_ends_the_guests_call() {
    let front = Front::start_with(|config| config.deadlines.body_idle = SHORT).await;
    let alive = Arc::new(());
    let held = alive.clone();
    let space = front.space("upload", move |request| {
        let held = held.clone();
        async move {
            let _held = held;
            // A guest that cannot tell a broken body from a slow one.
            let _ = request.into_body().collect().await;
            std::future::pending().await
        }
    });
    let answer = front.raw(format!("POST / HTTP/1.1\r\nhost: {}\r\ncontent-length: 10\r\n\r\nhalf", space.host)).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("\"client_timeout\"") && answer.contains("connection: close"), "{answer}");
    eventually("the end of the guest's call", move || Arc::strong_count(&alive) == 2).await;
}

#[tokio::test]
async fn a_slow_but_steady_body_arrives() {
    let front = Front::start_with(|config| config.deadlines.body_idle = SHORT).await;
    let space = front
        .space("upload", |request| async move { says(&[], request.into_body().collect().await.unwrap().to_bytes()) });
    let mut stream = front.connect().await;
    let head = format!("POST / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: 5\r\n\r\n", space.host);
    stream.write_all(head.as_bytes()).await.unwrap();
    for byte in *b"whole" {
        tokio::time::sleep(SHORT / 3).await;
        stream.write_all(&[byte]).await.unwrap();
    }
    assert!(read_to_end(&mut stream).await.ends_with("whole"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let front = Front::start_with(|config| config.max_request_body = 1000).await;
    let space = front.space("upload", |request| async move {
        match request.into_body().collect().await {
            Ok(body) => says(&[], body.to_bytes().len().to_string()),
            Err(_) => std::future::pending().await,
        }
    });
    let post = |size: usize| Request::post("/").header("host", &space.host).body(Full::from(vec![b'x'; size])).unwrap();
    assert_eq!(front.send(post(1000)).await.text(), "1000");
    let declared = front.send(post(1001)).await;
    assert_eq!((declared.status.as_u16(), declared.error().as_str()), (413, "body_too_large"));
    assert_eq!(space.calls(), 1, "a guest was started for a body that says it is too large");
    let chunk = format!("258\r\n{}\r\n", "x".repeat(600));
    let head = format!("POST / HTTP/1.1\r\nhost: {}\r\ntransfer-encoding: chunked\r\n\r\n", space.host);
    let answer = front.raw(format!("{head}{chunk}{chunk}0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("body_too_large"), "{answer}");
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let front = Front::start().await;
    let space = front.space("hello", |_| async { says(&[], "fine") });
    let long = "x".repeat(70 << 10);
    let answer = front.raw(format!("GET /{long} HTTP/1.1\r\nhost: {}\r\n\r\n", space.host)).await;
    assert!(answer.starts_with("HTTP/1.1 414"), "{answer}");
    let answer =
        front.raw(format!("GET / HTTP/1.1\r\nhost: {}\r\nx-a: {long}\r\nx-b: {long}\r\n\r\n", space.host)).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let answer = front.raw(format!("GET / HTTP/1.1\r\nhost: {}\r\n{many}\r\n", space.host)).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(space.calls(), 0);
}

/// A guest that sends for ever, and how much of it was taken.
fn endless(taken: &Arc<AtomicU64>) -> Response<spaceport_control::ports::Body> {
    let taken = taken.clone();
    let frames = stream::repeat_with(move || {
        taken.fetch_add(16 << 10, Ordering::SeqCst);
        Ok(Frame::data(Bytes::from_static(&[b'x'; 16 << 10])))
    });
    Response::new(StreamBody::new(frames).boxed_unsync())
}

#[tokio::test]
async fn a_visitor_who_takes_nothing_holds_back_the_guest_and_is_cut_off() {
    let front = Front::start_with(|config| config.deadlines.write_idle = SHORT).await;
    let taken = Arc::new(AtomicU64::new(0));
    let counter = taken.clone();
    let space = front.space("endless", move |_| {
        let answer = endless(&counter);
        async { Ok(answer) }
    });
    let mut stream = front.connect().await;
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", space.host).as_bytes()).await.unwrap();
    let slot = space.slot.clone();
    eventually("the call", {
        let slot = slot.clone();
        move || slot.in_flight() == 1
    })
    .await;
    eventually("the end of the request", move || slot.in_flight() == 0).await;
    // What the kernel's buffers for both ends take, and no more.
    assert!(taken.load(Ordering::SeqCst) < 16 << 20, "{}", taken.load(Ordering::SeqCst));
}

#[tokio::test]
async fn an_h2_stream_without_a_reader_lets_its_guest_go() {
    let front = Front::start_with(|config| config.deadlines.write_idle = SHORT).await;
    let (taken, alive) = (Arc::new(AtomicU64::new(0)), Arc::new(()));
    let (counter, held) = (taken.clone(), alive.clone());
    let space = front.space("endless", move |_| {
        let (answer, held) = (endless(&counter), held.clone());
        let answer = answer.map(|body| {
            body.map_frame(move |frame| {
                let _ = &held;
                frame
            })
            .boxed_unsync()
        });
        async { Ok(answer) }
    });
    let mut sender = front.h2().await;
    let mut request = get(&space.host, "/", &[]);
    *request.uri_mut() = format!("http://{}/", space.host).parse().unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert!(Arc::strong_count(&alive) > 2);
    eventually("the guest's release", move || Arc::strong_count(&alive) == 2).await;
    let slot = space.slot.clone();
    eventually("the end of the request", move || slot.in_flight() == 0).await;
    drop(response);
}

#[tokio::test]
async fn an_h2_stream_without_a_reader_holds_nothing_whoever_answers_it() {
    let front = Front::start_with(|config| {
        config.deadlines.write_idle = SHORT;
        config.deadlines.keep_alive = SHORT;
    })
    .await;
    let space = front.space("site", |request| async move {
        let size = if request.uri().path() == "/large" { 1 << 20 } else { 100 };
        says(&[("cdn-cache-control", "max-age=60")], vec![b'x'; size])
    });
    let hub = format!("localhost:{}", front.addr.port());
    for (host, path) in [(&space.host, "/small"), (&space.host, "/large"), (&space.host, "/large"), (&hub, "/large")] {
        let mut sender = front
            .h2_with(|builder| {
                builder.initial_stream_window_size(0);
            })
            .await;
        let mut request = get(host, path, &[]);
        *request.uri_mut() = format!("http://{host}{path}").parse().unwrap();
        let response = sender.send_request(request).await.unwrap();
        let slot = space.slot.clone();
        eventually("the end of the request", move || slot.in_flight() == 0).await;
        // The connection is idle then, for all the server knows, and ends as such.
        eventually("the end of the connection", move || sender.is_closed()).await;
        drop(response);
    }
}

#[tokio::test]
async fn connections_beyond_the_cap_are_closed_at_once() {
    let front = Front::start_with(|config| config.max_connections = 3).await;
    let space = front.space("hello", |_| async { says(&[], "fine") });
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(front.connect().await);
    }
    assert_eq!(front.raw(format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", space.host)).await, "");
    held.clear();
    let deadline = Instant::now() + PATIENCE;
    let request = format!("GET / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", space.host);
    while !front.raw(&request).await.ends_with("fine") {
        assert!(Instant::now() < deadline, "a place that was given back is not given out");
    }
}

/// One frame of h2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn an_h2_peer_that_takes_everything_back_is_told_to_calm_down() {
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];
    let front = Front::start().await;
    let space = front.space("hello", |_| std::future::pending());
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    sent.extend(frame(SETTINGS, 0, 0, &[]));
    // GET / over http, from the static table, and the authority in full.
    let mut head = vec![0x82, 0x86, 0x84, 0x41, space.host.len() as u8];
    head.extend_from_slice(space.host.as_bytes());
    for stream in (1..4001).step_by(2) {
        sent.extend(frame(HEADERS, 0x5, stream, &head));
        sent.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    let mut stream = front.connect().await;
    let _ = stream.write_all(&sent).await;
    let mut received = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received)).await.expect("the connection is closed");
    let is_goaway = |at: usize| received[at + 3] == GOAWAY && received[at + 13..at + 17] == ENHANCE_YOUR_CALM;
    assert!((0..received.len().saturating_sub(17)).any(is_goaway), "{received:?}");
    let slot = space.slot.clone();
    eventually("the end of every request", move || slot.in_flight() == 0).await;
    assert!(space.calls() < 2000);
}
