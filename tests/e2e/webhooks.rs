//! Webhooks, told by a host that is killed meanwhile.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use spaceport_tests::{TestHost, TestSpace};

/// Longest wait for a message: the second try comes ten seconds after the first.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who is told, and takes it or hangs up.
struct Receiver {
    ip: IpAddr,
    takes: Arc<AtomicBool>,
    told: mpsc::Receiver<(String, Value)>,
}

impl Receiver {
    /// On port 8080 of a free loopback address, which the port rule allows.
    fn start() -> Self {
        let listener = (2..=250)
            .find_map(|last| TcpListener::bind((Ipv4Addr::new(127, 8, 9, last), 8080)).ok())
            .expect("a loopback address with a free port 8080");
        let ip = listener.local_addr().unwrap().ip();
        let takes = Arc::new(AtomicBool::new(false));
        let (sender, told) = mpsc::channel();
        let is_taking = takes.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let is_taken = is_taking.load(Ordering::SeqCst);
                let message = read(&stream);
                if is_taken {
                    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
                }
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self { ip, takes, told }
    }

    fn next(&self) -> (String, Value) {
        self.told.recv_timeout(PATIENCE).expect("it is told")
    }
}

/// The id and the text of a message.
fn read(stream: &TcpStream) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let (mut id, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "x-webhook-delivery" => value.clone_into(&mut id),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (id, serde_json::from_slice(&body).unwrap())
}

#[test]
fn what_was_to_be_told_when_the_host_was_killed_is_told_after_the_start() {
    let receiver = Receiver::start();
    let mut host = TestHost::start_with(&format!("[egress]\nallow = [\"{}/32\"]\n", receiver.ip));
    let new =
        json!({ "url": format!("http://{}:8080/hook", receiver.ip), "watched": [{ "type": "user", "name": "ada" }] });
    let headers = [("content-type", "application/json")];
    let body = new.to_string();
    let made = host.client().send("POST", &host.domain(), "/api/settings/webhooks", &headers, body.as_bytes());
    assert_eq!(made.status, 200, "{}", made.text());
    TestSpace::create(&host, "page", "static");
    let (id, first) = receiver.next();
    assert_eq!(first["event"], json!({ "action": "create", "scope": "repo" }));
    // What waits behind it was acknowledged, and never tried.
    TestSpace::named(&host, "page", ".static").post("/discussions", json!({ "title": "a question" }));
    host.kill();

    receiver.takes.store(true, Ordering::SeqCst);
    host.boot();
    let (again, second) = receiver.next();
    assert_eq!((again, second), (id.clone(), first));
    let (next, third) = receiver.next();
    assert_ne!(next, id);
    assert_eq!(third["event"], json!({ "action": "create", "scope": "discussion" }));
    assert_eq!(third["discussion"]["title"], "a question");
}
