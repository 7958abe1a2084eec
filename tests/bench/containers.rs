//! Containers: what the way through the host costs beside going to the container directly, and a wake beside the engine's own
//! start of the same container.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use spaceport_tests::containers::{base_image, docker};
use spaceport_tests::{ContainerHost, Files, TestSpace, wait};

use crate::load::{Connection, latencies, quantile_ms, requests_per_second};
use crate::table::Table;

/// Requests whose times are compared.
const REQUESTS: usize = 2000;
/// Wakes measured, and starts beside them.
const WAKES: usize = 15;
/// Interleaved rounds of throughput; the best of each is what counts.
const ROUNDS: usize = 3;
/// Bytes of the large answer.
const LARGE: usize = 512 << 20;
/// How long the engine may take to stop one.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a wake may take longer than the engine's start, in milliseconds.
const WAKE_GOAL: f64 = 150.0;
/// What the way through the host may take longer, in milliseconds.
const PROXY_GOAL: f64 = 0.3;
/// The least part of the direct throughput.
const THROUGHPUT_GOAL: f64 = 0.6;

/// Every Space of this host sleeps as soon as nobody asks for it for this long.
const CONFIG: &str = "[lifecycle]\nsleep_after = \"5s\"\n";

/// The framework that most Docker Spaces are written with.
const APP: &str = r#"
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse

app = FastAPI()
block = bytes(1 << 20)

@app.get("/", response_class=PlainTextResponse)
async def root():
    return "hello"

@app.get("/large")
async def large():
    async def blocks():
        for _ in range(512):
            yield block
    return StreamingResponse(blocks(), headers={"content-length": str(512 << 20)})
"#;

/// The overhead of the edge, and of a wake.
pub fn all(table: &mut Table) {
    let Some(host) = ContainerHost::start_with(CONFIG, &[]) else { return };
    let dockerfile = format!(
        "FROM {}\nRUN python3 -m venv /venv && /venv/bin/pip install --quiet fastapi==0.121.0 uvicorn==0.38.0 httptools==0.7.1 \
         uvloop==0.22.1\nCOPY main.py /\nWORKDIR /\nCMD [\"/venv/bin/uvicorn\", \"main:app\", \"--host\", \"0.0.0.0\", \
         \"--port\", \"7860\", \"--no-access-log\"]\n",
        base_image()
    );
    let files = Files::default().with("README.md", "---\nsdk: docker\n---\n").with("Dockerfile", dockerfile);
    let space = host.push("fast", files.with("main.py", APP));
    host.brings(&space, "RUNNING");
    let direct = address(&host);
    overhead(table, &host, &space, direct);
    wakes(table, &host, &space);
}

/// Where the one container that runs listens.
fn address(host: &ContainerHost) -> SocketAddr {
    let found = host.containers();
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let ip = docker(&["inspect", "--format", format, &found[0]]);
    format!("{}:7860", ip.trim()).parse().unwrap_or_else(|error| panic!("{ip}: {error}"))
}

fn overhead(table: &mut Table, host: &ContainerHost, space: &TestSpace<'_>, direct: SocketAddr) {
    let there = quantile_ms(&latencies(direct, "app", REQUESTS), 0.5);
    let through = quantile_ms(&latencies(host.address(), &space.authority, REQUESTS), 0.5);
    table.note("container, direct, p50", there, "ms");
    table.at_most("container, through the edge, p50 more", through - there, "ms", PROXY_GOAL);
    let (mut requests, mut bytes) = ((0.0_f64, 0.0_f64), (0.0_f64, 0.0_f64));
    for _ in 0..ROUNDS {
        requests.0 = requests.0.max(requests_per_second(direct, "app"));
        requests.1 = requests.1.max(requests_per_second(host.address(), &space.authority));
        bytes.0 = bytes.0.max(bytes_per_second(direct, "app"));
        bytes.1 = bytes.1.max(bytes_per_second(host.address(), &space.authority));
    }
    table.note("container, direct", requests.0, "req/s");
    table.at_least("container, through the edge, requests", requests.1 / requests.0, "x", THROUGHPUT_GOAL);
    table.note("container, direct, one stream", bytes.0 / 1e6, "MB/s");
    table.at_least("container, through the edge, one stream", bytes.1 / bytes.0, "x", THROUGHPUT_GOAL);
}

/// How fast one large answer comes.
fn bytes_per_second(address: SocketAddr, host: &str) -> f64 {
    let mut stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("connect to {address}: {error}"));
    let began = Instant::now();
    let head = format!("GET /large HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap_or_else(|error| panic!("send: {error}"));
    let (mut chunk, mut taken) = (vec![0; 1 << 20], 0);
    while taken < LARGE {
        match stream.read(&mut chunk) {
            Ok(0) => panic!("{taken} bytes of {LARGE} came"),
            Ok(n) => taken += n,
            Err(error) => panic!("receive: {error}"),
        }
    }
    taken as f64 / began.elapsed().as_secs_f64()
}

/// A sleeping Space is asked for; beside it the engine starts a container of the same image that was stopped, and that is asked.
fn wakes(table: &mut Table, host: &ContainerHost, space: &TestSpace<'_>) {
    let image = docker(&["inspect", "--format", "{{.Image}}", &host.containers()[0]]);
    let peer = Peer(docker(&["create", "--publish", "127.0.0.1::7860", image.trim()]).trim().to_owned());
    let (mut ours, mut command, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..WAKES {
        sleep(host, space);
        let mut connection = Connection::open(host.address(), &space.authority);
        ours.push(connection.time_to_first_byte());
        let (start, first) = peer.start();
        command.push(start);
        theirs.push(first);
    }
    for times in [&mut ours, &mut command, &mut theirs] {
        times.sort();
    }
    let [ours, command, theirs] = [&ours, &command, &theirs].map(|times| quantile_ms(times, 0.5));
    table.note("docker start, the command, p50", command, "ms");
    table.note("docker start, first byte p50", theirs, "ms");
    table.note("wake of a container, first byte p50", ours, "ms");
    table.at_most("wake of a container, more than docker start", ours - theirs, "ms", WAKE_GOAL);
}

/// Waits until it sleeps and nothing of it runs.
fn sleep(host: &ContainerHost, space: &TestSpace<'_>) {
    space.reaches("SLEEPING");
    let gone = wait::until(PATIENCE, || host.containers().is_empty().then_some(()));
    assert!(gone.is_some(), "its container is still there");
}

/// A container that the engine's own command starts.
struct Peer(String);

impl Peer {
    /// Starts it; the time until the command has ended, and until the app has answered. It is stopped afterwards.
    fn start(&self) -> (Duration, Duration) {
        let began = Instant::now();
        docker(&["start", &self.0]);
        let started = began.elapsed();
        let port = docker(&["port", &self.0, "7860"]);
        let address: SocketAddr = port.trim().parse().unwrap_or_else(|error| panic!("{port}: {error}"));
        let answered = || {
            let mut stream = TcpStream::connect(address).ok()?;
            stream.write_all(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n").ok()?;
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()
        };
        while answered().is_none() {
            std::thread::sleep(Duration::from_millis(1));
            assert!(began.elapsed() < PATIENCE, "it does not answer");
        }
        let answered = began.elapsed();
        docker(&["kill", &self.0]);
        (started, answered)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        docker(&["rm", "--force", &self.0]);
    }
}
