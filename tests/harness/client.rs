//! An HTTP client that goes to the host's socket whatever the URL's name, so that no test depends on name resolution.

use std::io::Read;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

/// No single request of a test takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends requests to one socket.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    address: SocketAddr,
    token: Option<String>,
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// Whether the body ended as it should.
    pub is_complete: bool,
}

impl Client {
    /// A client of the host at this address.
    pub fn new(address: SocketAddr, token: Option<String>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .max_idle_connections_per_host(64);
        Self { agent: config.build().into(), address, token }
    }

    /// The same client without a token.
    pub fn as_nobody(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// `GET` of a path at a host name.
    #[track_caller]
    pub fn get(&self, host: &str, path: &str) -> Answer {
        self.send("GET", host, path, &[], &[])
    }

    /// Any request.
    #[track_caller]
    pub fn send(&self, method: &str, host: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, host, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {host}{path}: {error}"))
    }

    /// Any request, with the transport's error.
    pub fn try_send(
        &self,
        method: &str,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        let url = format!("http://{}{path}", self.address);
        let mut request = ureq::http::Request::builder().method(method).uri(url).header("host", host);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let has_body = !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH");
        let agent = self.agent.configure_request(request.body(body.to_vec())?).allow_non_standard_methods(true).build();
        let response = if has_body {
            self.agent.run(agent)?
        } else {
            let (parts, _) = agent.into_parts();
            self.agent.run(ureq::http::Request::from_parts(parts, ()))?
        };
        Ok(Answer::read(response))
    }
}

impl Answer {
    fn read(response: ureq::http::Response<ureq::Body>) -> Self {
        let (parts, body) = response.into_parts();
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let mut bytes = Vec::new();
        let is_complete = body.into_reader().read_to_end(&mut bytes).is_ok();
        Self { status: parts.status.as_u16(), headers, body: bytes, is_complete }
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    /// The code of an answer that the edge gave for a Space.
    pub fn fault(&self) -> Option<&str> {
        self.header("x-spaceport-error")
    }
}

/// The events of a stream up to where they are enough; `Err` with what came if that is not by the deadline.
#[track_caller]
pub fn sse_until(
    host: &crate::TestHost,
    path: &str,
    deadline: Duration,
    is_enough: impl Fn(&[Value]) -> bool,
) -> Result<Vec<Value>, Vec<Value>> {
    let head = format!("Authorization: Bearer {}\r\n\r\n", host.token());
    let mut stream = host.send_head(host.address(), &host.domain(), path, &head);
    let (started, mut bytes, mut piece) = (Instant::now(), Vec::new(), [0; 16 << 10]);
    loop {
        let events = events(&bytes);
        if is_enough(&events) {
            return Ok(events);
        }
        let left = deadline.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(events);
        }
        stream.set_read_timeout(Some(left)).unwrap();
        match stream.read(&mut piece) {
            Ok(length @ 1..) => bytes.extend_from_slice(&piece[..length]),
            _ => return Err(events),
        }
    }
}

fn events(bytes: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(bytes);
    // The last line may not be whole yet, and is no JSON then.
    text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect()
}
