use http_body_util::BodyExt;

use super::harness::*;

/// Messages that two parsers could end at different places. Each is followed by a request that must never be taken for
/// another visitor's.
const CORPUS: &[(&str, &str)] = &[
    ("both framings", "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("two transfer encodings", "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n"),
    ("chunked twice", "transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("chunked twice, apart", "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunked not last", "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("unknown encoding", "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("hidden encoding", "transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    ("space before colon", "transfer-encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("different lengths", "content-length: 4\r\ncontent-length: 5\r\n\r\nabcde"),
    ("lengths in one line", "content-length: 4, 5\r\n\r\nabcde"),
    ("signed length", "content-length: +4\r\n\r\nabcd"),
    ("hexadecimal length", "content-length: 0x4\r\n\r\nabcd"),
    ("folded header", "content-length:\r\n 4\r\n\r\nabcd"),
    ("bare line feeds in chunks", "transfer-encoding: chunked\r\n\r\n4\nabcd\n0\n\n"),
    ("chunk size too large", "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nabcd"),
    ("signed chunk size", "transfer-encoding: chunked\r\n\r\n+4\r\nabcd\r\n0\r\n\r\n"),
    ("chunk longer than it says", "transfer-encoding: chunked\r\n\r\n4\r\nabcdX\r\n0\r\n\r\n"),
    ("nul in a header", "x: a\0b\r\ncontent-length: 0\r\n\r\n"),
];

#[tokio::test]
async fn no_message_is_read_in_two_ways() {
    let front = Front::start().await;
    let space = front.space("echo", |request| async move {
        let path = request.uri().path().to_owned();
        match request.into_body().collect().await {
            Ok(body) => says(&[], format!("[{path} {}]", String::from_utf8_lossy(&body.to_bytes()))),
            Err(_) => says(&[], "[broken]"),
        }
    });
    for (what, message) in CORPUS {
        let before = space.calls();
        let follower = format!("GET /follower HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", space.host);
        let sent = format!("POST /first HTTP/1.1\r\nhost: {}\r\n{message}{follower}", space.host);
        let answer = front.raw(sent).await;
        let calls = space.calls() - before;
        assert!(calls <= 1, "{what}: the guest saw {calls} requests: {answer}");
        assert!(!answer.contains("/follower"), "{what}: {answer}");
        if calls == 1 {
            // Read in the one way that the standard prescribes, or told to the guest as broken; then closed.
            assert!(
                answer.contains("[/first ]") || answer.contains("[broken]") || answer.is_empty(),
                "{what}: {answer}"
            );
        } else {
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{what}: {answer}");
        }
    }
}

#[tokio::test]
async fn an_old_client_cannot_send_chunks() {
    let front = Front::start().await;
    let space = front.space("echo", |_| async { says(&[], "called") });
    let sent = format!("POST / HTTP/1.0\r\nhost: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", space.host);
    let answer = front.raw(sent).await;
    assert!(answer.is_empty() || answer.contains(" 400 "), "{answer}");
    assert_eq!(space.calls(), 0);
}

#[tokio::test]
async fn an_upgrade_is_a_plain_request_and_what_follows_it_stays_a_request() {
    let front = Front::start().await;
    let space = front.space("echo", |request| async move { says(&[], format!("[{}]", request.uri())) });
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n";
    let sent = format!(
        "GET /one HTTP/1.1\r\nhost: {0}\r\n{upgrade}\r\nGET /two HTTP/1.1\r\nhost: {0}\r\nconnection: close\r\n\r\n",
        space.host
    );
    let answer = front.raw(sent).await;
    assert!(answer.contains("[/one]") && answer.ends_with("[/two]"), "{answer}");
    assert!(!answer.contains("HTTP/1.1 101"), "{answer}");
    assert!(!space.seen().headers().contains_key("upgrade"));
}
