use http::StatusCode;

use super::harness::*;

#[tokio::test]
async fn the_host_alone_decides_who_answers() {
    let front = Front::start().await;
    let space = front.space("hello", |_| async { says(&[], "the space") });
    let hub = format!("localhost:{}", front.addr.port());
    assert_eq!(front.get(&hub, "/").await.text(), "the hub");
    assert_eq!(front.get("127.0.0.1", "/").await.text(), "the hub");
    assert_eq!(front.get(&space.host, "/").await.text(), "the space");
    assert_eq!(front.get("HELLO.localhost", "/").await.text(), "the space");
    let missing = front.get("other.localhost", "/").await;
    assert_eq!((missing.status, missing.error().as_str()), (StatusCode::NOT_FOUND, "not_found"));
    let foreign = front.get("evil.example", "/").await;
    assert_eq!((foreign.status, foreign.error().as_str()), (StatusCode::MISDIRECTED_REQUEST, "misdirected"));
}

#[tokio::test]
async fn a_request_must_name_one_host() {
    let front = Front::start().await;
    let space = front.space("hello", |_| async { says(&[], "the space") });
    for head in [
        "GET / HTTP/1.1\r\nhost: hello.localhost\r\nhost: hello.localhost\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: hello.localhost, other.localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: user@hello.localhost\r\n\r\n",
        "GET http://other.localhost/ HTTP/1.1\r\nhost: hello.localhost\r\n\r\n",
    ] {
        let answer = front.raw(head).await;
        assert!(answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.0 400"), "{head:?}: {answer}");
        assert!(answer.contains("\"bad_host\""), "{head:?}: {answer}");
    }
    assert_eq!(space.calls(), 0);
    let answer = front
        .raw("GET http://hello.localhost/x?y HTTP/1.1\r\nhost: hello.localhost\r\nconnection: close\r\n\r\n")
        .await;
    assert!(answer.ends_with("the space"), "{answer}");
    assert_eq!(space.seen().uri(), "/x?y");
}

#[tokio::test]
async fn tunnels_and_echoes_are_not_offered() {
    let front = Front::start().await;
    let space = front.space("hello", |_| async { says(&[], "the space") });
    for head in ["CONNECT hello.localhost:80", "TRACE /", "OPTIONS *"] {
        let answer = front.raw(format!("{head} HTTP/1.1\r\nhost: hello.localhost\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{head}: {answer}");
    }
    assert_eq!(space.calls(), 0);
}

#[tokio::test]
async fn h2_without_tls_is_spoken_too() {
    let front = Front::start().await;
    let space = front.space("hello", |_| async { says(&[], "the space") });
    let mut sender = front.h2().await;
    let mut request = get(&space.host, "/", &[]);
    request.headers_mut().remove("host");
    *request.uri_mut() = format!("http://{}/path", space.host).parse().unwrap();
    let reply = Reply::read(sender.send_request(request.clone()).await.unwrap()).await;
    assert_eq!(reply.text(), "the space");
    let seen = space.seen();
    assert_eq!(
        (seen.uri().to_string().as_str(), seen.headers()["host"].to_str().unwrap()),
        ("/path", space.host.as_str())
    );
    request.headers_mut().insert("host", "other.localhost".parse().unwrap());
    let reply = Reply::read(sender.send_request(request).await.unwrap()).await;
    assert_eq!(reply.error(), "bad_host");
}

#[tokio::test]
async fn the_hub_streams_both_ways_and_knows_who_asks() {
    let front = Front::start_with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let body: bytes::Bytes = (0..300_000u32).map(|n| n as u8).collect::<Vec<_>>().into();
    let request = http::Request::post("/echo").header("host", "localhost").body(body.clone().into()).unwrap();
    assert_eq!(front.send(request).await.body, body);
    let forwarded = [("x-forwarded-for", "6.6.6.6, 203.0.113.9"), ("x-forwarded-proto", "https")];
    let who = front.get_with("localhost", "/who", &forwarded).await;
    assert_eq!(who.text(), "203.0.113.9 https");
    assert_eq!(who.header("x-request-id").len(), 32);
}
