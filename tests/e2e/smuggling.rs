//! Messages that two parsers could end at different places: each is followed on its connection by a request that must
//! never be taken for a part of it, nor it for a request of its own.

use std::io::{Read, Write};

use spaceport_tests::neighbour::Neighbour;
use spaceport_tests::{TestHost, TestSpace, raw};

/// What is wrong with each, and the message from its request line's version on. `{host}` is the Space's name.
const CORPUS: [(&str, &str); 34] = [
    ("both framings", "1.1\r\nHost: {host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (
        "both framings, chunked first",
        "1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    ),
    (
        "two encodings",
        "1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    ),
    ("chunked twice", "1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("chunked not last", "1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("unknown encoding", "1.1\r\nHost: {host}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("hidden encoding", "1.1\r\nHost: {host}\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    ("quoted encoding", "1.1\r\nHost: {host}\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    ("encoding in an old version", "1.0\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("different lengths", "1.1\r\nHost: {host}\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"),
    ("lengths in one line", "1.1\r\nHost: {host}\r\nContent-Length: 4, 5\r\n\r\nabcde"),
    ("signed length", "1.1\r\nHost: {host}\r\nContent-Length: +4\r\n\r\nabcd"),
    ("negative length", "1.1\r\nHost: {host}\r\nContent-Length: -1\r\n\r\n"),
    ("hexadecimal length", "1.1\r\nHost: {host}\r\nContent-Length: 0x4\r\n\r\nabcd"),
    ("length beyond all numbers", "1.1\r\nHost: {host}\r\nContent-Length: 18446744073709551620\r\n\r\nabcd"),
    ("space in a length", "1.1\r\nHost: {host}\r\nContent-Length: 0 4\r\n\r\nabcd"),
    ("folded header", "1.1\r\nHost: {host}\r\nContent-Length:\r\n 4\r\n\r\nabcd"),
    ("folded encoding", "1.1\r\nHost: {host}\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n"),
    ("space before the colon", "1.1\r\nHost: {host}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("space before the first header", "1.1\r\n Host: {host}\r\nContent-Length: 0\r\n\r\n"),
    ("no colon", "1.1\r\nHost: {host}\r\nContent-Length 4\r\n\r\nabcd"),
    ("bare carriage return", "1.1\r\nHost: {host}\r\nX: a\rContent-Length: 30\r\n\r\n"),
    ("nul in a header", "1.1\r\nHost: {host}\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"),
    ("bare line feeds in chunks", "1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n4\nabcd\n0\n\n"),
    (
        "line feed in a chunk's extension",
        "1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n4;a\nb\r\nabcd\r\n0\r\n\r\n",
    ),
    (
        "chunk size beyond all numbers",
        "1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabcd",
    ),
    ("signed chunk size", "1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n+4\r\nabcd\r\n0\r\n\r\n"),
    ("chunk size with a prefix", "1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0x4\r\nabcd\r\n0\r\n\r\n"),
    ("chunk longer than it says", "1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcdX\r\n0\r\n\r\n"),
    ("chunk without its end", "1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd0\r\n\r\n"),
    ("two hosts", "1.1\r\nHost: {host}\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"),
    ("no host", "1.1\r\nContent-Length: 0\r\n\r\n"),
    ("version to come", "3.0\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"),
    ("two spaces before the version", "1.1 \r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"),
];

/// Unusual, and to be read in one way only: what is sent, the body that the app sees, and whether the follower is
/// answered too.
const UNUSUAL: [(&str, &str, &str); 6] = [
    ("the same length twice", "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", "abcd"),
    ("length as a header of the hop", "Connection: content-length\r\nContent-Length: 4\r\n\r\nabcd", "abcd"),
    ("encoding in capitals", "Transfer-Encoding: CHUNKED\r\n\r\n4\r\nabcd\r\n0\r\n\r\n", "abcd"),
    ("zeros before a chunk's size", "Transfer-Encoding: chunked\r\n\r\n0004\r\nabcd\r\n0\r\n\r\n", "abcd"),
    (
        "framing in the trailers",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\nContent-Length: 30\r\n\r\n",
        "abcd",
    ),
    ("another protocol asked for", "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nabcd", "abcd"),
];

fn follower(space: &TestSpace<'_>) -> String {
    format!("GET /follower HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", space.authority)
}

fn requests(space: &TestSpace<'_>) -> f64 {
    space.host.metric(&format!("spaceport_space_requests_total{{space=\"{}\"}}", space.id))
}

#[test]
fn no_message_is_read_in_two_ways() {
    let host = TestHost::start();
    let space = host.run_guest("echo", "echo", "");
    let neighbour = Neighbour::of(&host);
    neighbour.unharmed_by(|| {
        for (what, message) in CORPUS {
            let before = requests(&space);
            let message = message.replace("{host}", &space.authority);
            let answer = raw::say(&host, format!("POST /body HTTP/{message}{}", follower(&space)).as_bytes());
            let served = requests(&space) - before;
            assert!(served <= 1.0, "{what}: the Space saw {served} requests: {answer}");
            assert!(!answer.contains("/follower"), "{what}: {answer}");
            assert!(answer.matches("HTTP/1.").count() <= 1, "{what}: {answer}");
            if served == 0.0 {
                let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 400");
                assert!(is_refused, "{what}: {answer}");
            }
        }
        for (what, message, body) in UNUSUAL {
            let sent = format!("POST /body HTTP/1.1\r\nHost: {}\r\n{message}{}", space.authority, follower(&space));
            let answer = raw::say(&host, sent.as_bytes());
            assert!(answer.starts_with("HTTP/1.1 200"), "{what}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{what}: {answer}");
            assert!(answer.contains(body) && answer.contains("GET /follower?"), "{what}: {answer}");
            assert!(!answer.contains("101 Switching"), "{what}: {answer}");
        }
    });
}

#[test]
fn line_feeds_alone_end_a_head_as_for_everybody_or_not_at_all() {
    let host = TestHost::start();
    let space = host.run_guest("echo", "echo", "");
    // One that some take for a head's end, and others for a part of the line.
    let sent = format!("GET /one HTTP/1.1\nHost: {}\nX: a\n\n{}", space.authority, follower(&space));
    let answer = raw::say(&host, sent.as_bytes());
    let is_two = answer.contains("GET /one?") && answer.contains("GET /follower?");
    assert!(is_two || answer.starts_with("HTTP/1.1 400") || answer.is_empty(), "{answer}");
}

#[test]
fn a_body_that_the_app_does_not_read_is_not_the_next_request() {
    let host = TestHost::start();
    let space = host.run_guest("hello", "hello", "");
    let inner = follower(&space);
    let mut stream = raw::connect(&host);
    let head = format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n", space.authority, inner.len());
    stream.write_all(format!("{head}{inner}").as_bytes()).unwrap();
    let mut answers = String::new();
    let mut piece = [0; 4096];
    while !answers.ends_with("hello") {
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "{answers}");
        answers.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    // Whether the connection is kept or not: no second answer comes unasked.
    let last = format!("GET /last HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", space.authority);
    let _ = stream.write_all(last.as_bytes());
    let rest = String::from_utf8_lossy(&raw::heard(&mut stream)).into_owned();
    assert!(rest.matches("HTTP/1.1").count() <= 1, "{answers}{rest}");
}
