//! The edge between visitors and Spaces.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use spaceport_tests::TestHost;

/// Sends raw bytes and returns whatever comes until the other side closes or is silent for a while.
fn raw(host: &TestHost, request: &str) -> String {
    let mut stream = TcpStream::connect(host.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn forged_and_hop_by_hop_headers_do_not_reach_the_guest() {
    let host = TestHost::start();
    let space = host.run_guest("echo", "echo", "");
    let answer = space.send(
        "GET",
        "/path?q=1",
        &[
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-host", "evil.example"),
            ("x-spaceport-request-id", "forged"),
            ("forwarded", "for=6.6.6.6"),
            ("x-hop", "1"),
            ("connection", "x-hop"),
            ("x-kept", "yes"),
        ],
        b"",
    );
    assert_eq!(answer.status, 200);
    let seen = answer.text().to_lowercase();
    assert!(!seen.contains("6.6.6.6") && !seen.contains("evil.example") && !seen.contains("forged"), "{seen}");
    assert!(!seen.contains("x-hop"), "{seen}");
    assert!(seen.contains("x-kept") && seen.contains("127.0.0.1"), "{seen}");
    assert!(answer.header("x-request-id").is_some());
}

#[test]
fn a_body_is_streamed_both_ways() {
    let host = TestHost::start();
    let space = host.run_guest("echo", "echo", "");
    let body: Vec<u8> = (0..=255u8).cycle().take(3 << 20).collect();
    let answer = space.send("POST", "/body", &[], &body);
    assert_eq!(answer.status, 200);
    assert!(answer.body == body, "{} of {} bytes", answer.body.len(), body.len());
}

#[test]
fn ambiguous_requests_are_refused() {
    let host = TestHost::start();
    let space = host.run_guest("echo", "echo", "");
    let authority = &space.authority;
    for head in [
        format!("GET / HTTP/1.1\r\nHost: {authority}\r\nHost: other\r\n\r\n"),
        "GET / HTTP/1.1\r\n\r\n".into(),
        format!("POST / HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        format!("POST / HTTP/1.1\r\nHost: {authority}\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost : {authority}\r\n\r\n"),
    ] {
        let answer = raw(&host, &head);
        assert!(answer.starts_with("HTTP/1.1 400") || answer.is_empty(), "{head}: {answer}");
    }
}

#[test]
fn an_unknown_space_is_404_and_the_hub_answers_at_its_own_name_only() {
    let host = TestHost::start();
    let nobody = host.visitor();
    let answer = nobody.get(&format!("no-such-space.{}", host.domain()), "/");
    assert_eq!((answer.status, answer.fault()), (404, Some("not_found")));
    assert_eq!(nobody.get(&host.domain(), "/healthz").status, 200);
    assert_eq!(nobody.get(&host.domain(), "/readyz").status, 200);
}

#[test]
fn browsers_get_a_page_and_programs_get_json() {
    let host = TestHost::start();
    let space = host.run_guest("trap", "trap_before", "");
    let page = space.send("GET", "/trap", &[("accept", "text/html,application/xhtml+xml")], b"");
    assert!(page.header("content-type").unwrap().starts_with("text/html"), "{:?}", page.headers);
    assert!(page.header("content-security-policy").is_some());
    let answer = space.get("/trap").json();
    assert_eq!(answer["error"], "guest_trap");
    assert!(answer["request_id"].is_string() && answer["message"].is_string(), "{answer}");
}

#[test]
fn events_arrive_as_they_are_sent() {
    let host = TestHost::start();
    let space = host.run_guest("sse", "sse", "");
    let mut stream = TcpStream::connect(host.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET /events HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n\r\n", space.authority).unwrap();
    let mut seen = String::new();
    let mut chunk = [0; 1024];
    let mut reads = 0;
    while seen.matches("data:").count() < 3 {
        let n = stream.read(&mut chunk).unwrap();
        assert!(n > 0, "the stream ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&chunk[..n]));
        reads += 1;
    }
    assert!(reads > 1, "all events came at once");
}

#[test]
fn every_answer_carries_one_date() {
    let host = TestHost::start();
    let space = host.run_guest("hello", "hello", "");
    for answer in [space.get("/"), host.visitor().get(&host.domain(), "/healthz")] {
        assert_eq!(answer.headers.iter().filter(|(name, _)| name == "date").count(), 1, "{:?}", answer.headers);
    }
}
