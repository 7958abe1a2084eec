use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::*;

/// A Space that answers by the head alone, and the hub where it does.
async fn uninterested(front: &Front) -> [(String, &'static str, &'static str); 2] {
    let space = front.space("page", |_| async { says(&[], "no, thank you") });
    let hub = format!("localhost:{}", front.addr.port());
    [(space.host, "/", "no, thank you"), (hub, "/large", "405")]
}

async fn ask(stream: &mut TcpStream, host: &str, path: &str, headers: &str) {
    let head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_body_that_comes_after_its_answer_does_not_cost_the_connection() {
    let front = Front::start().await;
    for (host, path, answer) in uninterested(&front).await {
        let mut stream = front.connect().await;
        for (headers, body) in
            [("content-length: 5", "later"), ("transfer-encoding: chunked", "5\r\nlater\r\n0\r\n\r\n")]
        {
            ask(&mut stream, &host, path, headers).await;
            read_until(&mut stream, answer).await;
            stream.write_all(body.as_bytes()).await.unwrap();
        }
        ask(&mut stream, &host, path, "content-length: 0").await;
        read_until(&mut stream, answer).await;
    }
}

#[tokio::test]
async fn a_visitor_who_sends_first_and_reads_then_gets_the_answer() {
    const SIZE: usize = 64 << 20;
    let front = Front::start().await;
    for (host, path, answer) in uninterested(&front).await {
        let mut stream = front.connect().await;
        ask(&mut stream, &host, path, &format!("content-length: {SIZE}")).await;
        for _ in 0..SIZE >> 20 {
            stream.write_all(&vec![b'x'; 1 << 20]).await.unwrap();
        }
        read_until(&mut stream, answer).await;
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_long() {
    let front = Front::start().await;
    for (host, path, answer) in uninterested(&front).await {
        let mut stream = front.connect().await;
        ask(&mut stream, &host, path, "content-length: 5").await;
        read_until(&mut stream, answer).await;
        let began = Instant::now();
        let ended = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 16])).await.expect("the connection ends");
        assert_eq!(ended.unwrap(), 0);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn whoever_asks_before_sending_is_not_told_to_send_what_nobody_wants() {
    let front = Front::start().await;
    for (host, path, answer) in uninterested(&front).await {
        let mut stream = front.connect().await;
        ask(&mut stream, &host, path, "content-length: 5\r\nexpect: 100-continue").await;
        let received = read_to_end(&mut stream).await;
        assert!(received.contains(answer) && !received.contains("100 Continue"), "{received}");
    }
}
