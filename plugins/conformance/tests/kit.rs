//! The kit finds what is wrong: plugins that say nothing, nonsense, or the right thing to the wrong question.

#![expect(clippy::unwrap_used, reason = "helpers of a test may unwrap as the test may")]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use spaceport_backend_conformance::{Finding, Kit, check};

/// Listens, and answers every connection in one way.
fn plugin(socket: &Path, answer: fn(UnixStream)) {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(answer));
}

fn findings(answer: fn(UnixStream)) -> Vec<Finding> {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    plugin(&socket, answer);
    let mut told = 0;
    let found = check(&Kit { call: Duration::from_millis(200), ..Kit::new(&socket) }, &mut |_| told += 1);
    assert_eq!(told, found.len());
    found
}

fn wrong(found: &[Finding], rule: &str) -> String {
    let finding = found.iter().find(|finding| finding.rule.contains(rule)).unwrap();
    finding.wrong.clone().unwrap_or_else(|| panic!("{rule:?} holds"))
}

#[test]
fn nobody_listens() {
    let dir = tempfile::tempdir().unwrap();
    let found = check(&Kit::new(&dir.path().join("socket")), &mut |_| {});
    assert!(found.iter().all(|finding| finding.wrong.is_some()), "{found:?}");
}

#[test]
fn garbage_is_no_answer() {
    let found = findings(|mut stream| {
        let _ = stream.write_all(b"\x16\x03\x01 no HTTP at all\r\n\r\n");
    });
    assert!(wrong(&found, "which versions").contains("no HTTP"), "{found:?}");
}

#[test]
fn one_answer_to_everything_is_seen_through() {
    let found = findings(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let body = r#"{"protocol":"spaceport-backend","versions":[1],"status":"ready","instances":[]}"#;
        let head =
            format!("HTTP/1.1 200 OK\r\nspaceport-call: conformance-1\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = stream.write_all((head + body).as_bytes());
    });
    let holds = |rule: &str| found.iter().any(|finding| finding.rule.contains(rule) && finding.wrong.is_none());
    assert!(holds("which versions") && holds("whether it is well") && holds("lists its instances"), "{found:?}");
    wrong(&found, "every row of hardware");
    wrong(&found, "no_such_call");
    wrong(&found, "not JSON");
    wrong(&found, "cannot be asked for anything");
}

#[test]
fn an_answer_to_another_call_is_none() {
    let found = findings(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let body = r#"{"protocol":"spaceport-backend","versions":[1]}"#;
        let head = format!("HTTP/1.1 200 OK\r\nspaceport-call: 4711\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = stream.write_all((head + body).as_bytes());
    });
    assert!(wrong(&found, "which versions").contains("4711"), "{found:?}");
}
