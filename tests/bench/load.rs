//! Load and latency: `wrk` for throughput, a single connection for times of one request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// Connections of a throughput run.
const CONNECTIONS: &str = "64";
/// Length of a throughput run.
const LENGTH: &str = "4s";

/// Requests per second of `GET /` at a socket under a host name, by `wrk`.
pub fn requests_per_second(address: SocketAddr, host: &str) -> f64 {
    let output = Command::new("wrk")
        .args(["-t1", "-c", CONNECTIONS, "-d", LENGTH, "-H", &format!("Host: {host}"), &format!("http://{address}/")])
        .output()
        .unwrap_or_else(|error| panic!("run wrk: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("Non-2xx"), "errors under load:\n{text}");
    text.lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"))
        .and_then(|figure| figure.trim().parse().ok())
        .unwrap_or_else(|| panic!("wrk said:\n{text}"))
}

/// Times of `count` requests one after the other over one connection, sorted.
pub fn latencies(address: SocketAddr, host: &str, count: usize) -> Vec<Duration> {
    let mut connection = Connection::open(address, host);
    let mut times: Vec<_> = (0..count).map(|_| connection.time_to_first_byte()).collect();
    times.sort();
    times
}

/// A value at a quantile of sorted times, in milliseconds.
pub fn quantile_ms(sorted: &[Duration], quantile: f64) -> f64 {
    let index = ((sorted.len() as f64 - 1.0) * quantile).round() as usize;
    sorted.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

/// One kept-alive connection.
pub struct Connection {
    stream: TcpStream,
    /// The request, behind its path.
    head: String,
}

/// One answer.
pub struct Timed {
    /// Until its first byte.
    pub first: Duration,
    /// Until its last.
    pub whole: Duration,
    /// Its body, as it was sent.
    pub body: String,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr, host: &str) -> Self {
        Self::with_headers(address, host, "")
    }

    /// The same for requests with a token.
    pub fn with_token(address: SocketAddr, host: &str, token: &str) -> Self {
        Self::with_headers(address, host, &format!("Authorization: Bearer {token}\r\n"))
    }

    fn with_headers(address: SocketAddr, host: &str, headers: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("connect to {address}: {error}"));
        stream.set_nodelay(true).unwrap_or_else(|error| panic!("set TCP_NODELAY: {error}"));
        Self { stream, head: format!(" HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n") }
    }

    /// Sends `GET /`; the time to the first byte of a 200. Reads the whole answer, which must have a length.
    pub fn time_to_first_byte(&mut self) -> Duration {
        self.get("/").first
    }

    /// Sends a `GET`, which must be answered by a 200.
    pub fn get(&mut self, path: &str) -> Timed {
        let request = format!("GET {path}{}", self.head);
        let started = Instant::now();
        self.stream.write_all(request.as_bytes()).unwrap_or_else(|error| panic!("send: {error}"));
        let mut answer = Vec::new();
        let mut chunk = [0; 64 << 10];
        let mut first = None;
        loop {
            let n = self.stream.read(&mut chunk).unwrap_or_else(|error| panic!("receive: {error}"));
            assert!(n > 0, "the connection was closed: {}", String::from_utf8_lossy(&answer));
            first.get_or_insert_with(|| started.elapsed());
            answer.extend_from_slice(&chunk[..n]);
            if is_whole(&answer) {
                break;
            }
        }
        let whole = started.elapsed();
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&answer));
        let text = String::from_utf8_lossy(&answer);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
        Timed { first: first.unwrap_or_default(), whole, body }
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    match head.lines().find_map(|line| line.strip_prefix("content-length:")) {
        Some(length) => answer.len() >= end + 4 + length.trim().parse::<usize>().unwrap_or(0),
        None => answer.ends_with(b"0\r\n\r\n"),
    }
}
