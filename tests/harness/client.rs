//! An HTTP client that goes to the host's socket whatever the URL's name, so that no test depends on name resolution.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

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

/// How long a stream of logs is silent before its backlog is taken to be over.
const SSE_SILENCE: Duration = Duration::from_millis(300);

/// The events that a stream sends at once.
#[track_caller]
pub fn sse_backlog(host: &crate::TestHost, path: &str) -> Vec<Value> {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(host.address()).unwrap();
    stream.set_read_timeout(Some(SSE_SILENCE)).unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        host.domain(),
        host.token()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // Ends by the time-out: the stream itself goes on.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter_map(|data| serde_json::from_str(data).ok())
        .collect()
}
