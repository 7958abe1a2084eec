//! Throughput of a hello component, all limits and metrics on, against `wasmtime serve` of the same component.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use spaceport_tests::{TestHost, guests, wait};

use crate::load::requests_per_second;
use crate::table::Table;

/// Interleaved rounds; the median is what counts.
const ROUNDS: usize = 3;

/// wasi:http 0.2.
pub fn two(table: &mut Table) {
    compare(table, "hello", "0.2", 3.0);
}

/// wasi:http 0.3.
pub fn three(table: &mut Table) {
    compare(table, "hello_p3", "0.3", 0.9);
}

fn compare(table: &mut Table, guest: &str, version: &str, goal: f64) {
    let host = TestHost::start_with("");
    let space = host.run_guest("hello", guest, "");
    let peer = Peer::start(guest);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(requests_per_second(host.address(), &space.authority));
        theirs.push(requests_per_second(peer.address, "localhost"));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    table.note(format!("hello {version}, Spaceport"), ours, "req/s");
    table.note(format!("hello {version}, wasmtime serve"), theirs, "req/s");
    table.at_least(format!("hello {version}, ratio"), ours / theirs, "x", goal);
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// `wasmtime serve` with its defaults.
struct Peer {
    process: Child,
    address: SocketAddr,
}

impl Peer {
    fn start(guest: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.unwrap_or_else(|error| panic!("find a free port: {error}"));
        let tools = std::env::var_os("SPACEPORT_TOOLS").map(PathBuf::from).unwrap_or_default();
        let mut command = Command::new(tools.join("wasmtime"));
        command.args(["serve", "-S", "cli", "--addr", &address.to_string()]);
        if guest.ends_with("_p3") {
            command.args(["-W", "component-model-async", "-S", "p3"]);
        }
        let process = command
            .arg(guests::folder().join("test").join(format!("{guest}.wasm")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("run wasmtime: {error}; `cargo xtask bench` builds it"));
        let up = wait::until(Duration::from_secs(20), || std::net::TcpStream::connect(address).ok());
        assert!(up.is_some(), "wasmtime serve did not listen");
        Self { process, address }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
