//! The half of the probe that runs inside a container's network: this very program, started anew, which enters the network
//! of a container and of nothing else of it. So what is proved holds for the path that a container's packets take, and the
//! image needs no tools.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::{ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use super::{Attempt, Outcome};
use crate::network::Unfenced;
use crate::network::policy::Traffic;

/// The program's first argument when it is started as this half.
pub const INSIDE: &str = "probe-inside";

/// How long an attempt waits for an answer: a network within one machine answers in less than a thousandth of it.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long a datagram waits for one. The kernel does not tell of every one that is refused, so that silence is usual; the
/// ledger knows.
const SILENCE: Duration = Duration::from_millis(300);
/// Attempts to reach what has to be reached.
const TRIES: usize = 5;
/// How long the other half waits for this one.
const WHOLE: Duration = Duration::from_secs(30);
/// A port, where none matters.
const ANY_PORT: u16 = 80;
/// What a listener says to whoever reaches it.
const WORD: &[u8] = b"reached\n";
/// Bytes of a request: there are some dozens of attempts.
const REQUEST: u64 = 1 << 20;

/// What is asked of this half.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    /// Try these.
    Try(Vec<(IpAddr, Wire)>),
    /// Listen on these ports until the input ends.
    Listen(Vec<u16>),
}

/// [`Traffic`] on the wire.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wire {
    Tcp(u16),
    Udp(u16),
}

impl From<Traffic> for Wire {
    fn from(traffic: Traffic) -> Self {
        match traffic {
            Traffic::Tcp(port) => Self::Tcp(port),
            Traffic::Udp(port) => Self::Udp(port),
        }
    }
}

/// Tries everything from inside the network of a process.
pub(in crate::network) async fn try_from_inside(
    program: &std::path::Path,
    pid: i64,
    attempts: &[Attempt],
) -> Result<Vec<Outcome>, Unfenced> {
    let request = Request::Try(attempts.iter().map(|attempt| (attempt.to, attempt.traffic.into())).collect());
    let (mut child, stdin) = start(program, pid, &request).await?;
    drop(stdin);
    let mut answer = String::new();
    if let Some(stdout) = &mut child.stdout {
        let read = timeout(WHOLE, stdout.read_to_string(&mut answer)).await;
        read.map_err(|_| Unfenced::untried("the probe did not end"))?.map_err(Unfenced::untried)?;
    }
    match serde_json::from_str(&answer) {
        Ok(outcomes) => Ok(outcomes),
        Err(_) => Err(Unfenced::untried(last_words(child).await)),
    }
}

/// Something that listens inside the network of a process, for as long as this value lives.
pub(in crate::network) struct Listener {
    _child: Child,
    _stdin: Option<ChildStdin>,
}

impl Listener {
    /// Listens on these ports; returns when it does.
    pub(in crate::network) async fn start(
        program: &std::path::Path,
        pid: i64,
        ports: &[u16],
    ) -> Result<Self, Unfenced> {
        let (mut child, stdin) = start(program, pid, &Request::Listen(ports.to_vec())).await?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let mut stdout = tokio::io::BufReader::new(stdout);
            let read = timeout(WHOLE, stdout.read_line(&mut line)).await;
            read.map_err(|_| Unfenced::untried("nothing listens in the container"))?.map_err(Unfenced::untried)?;
        }
        match line.as_str() {
            "listening\n" => Ok(Self { _child: child, _stdin: stdin }),
            _ => Err(Unfenced::untried(last_words(child).await)),
        }
    }

    /// Whether one that listens so is reached from here. On a busy machine that may take a moment.
    pub(in crate::network) async fn is_reached(at: SocketAddr) -> bool {
        let reached = tokio::task::spawn_blocking(move || (0..TRIES).any(|_| reaches(at) == Outcome::Reached));
        reached.await.unwrap_or(false)
    }
}

async fn start(
    program: &std::path::Path,
    pid: i64,
    request: &Request,
) -> Result<(Child, Option<ChildStdin>), Unfenced> {
    let mut command = Command::new(program);
    command.arg(INSIDE).arg(format!("/proc/{pid}/ns/net")).env_clear().kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(Unfenced::untried)?;
    let mut stdin = child.stdin.take();
    if let Some(stdin) = &mut stdin {
        let mut line = serde_json::to_vec(request).map_err(Unfenced::untried)?;
        line.push(b'\n');
        // One that has ended already says why on its standard error.
        let _ = stdin.write_all(&line).await;
    }
    Ok((child, stdin))
}

async fn last_words(mut child: Child) -> String {
    let mut words = String::new();
    if let Some(stderr) = &mut child.stderr {
        let _ = timeout(WHOLE, stderr.read_to_string(&mut words)).await;
    }
    let last = words.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or("the probe ended without a word").to_owned()
}

/// This half's `main`: to be called before any thread exists, with the arguments after [`INSIDE`].
pub fn inside(arguments: &[String]) -> ExitCode {
    match work(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever started it reads this.
            let _ = writeln!(io::stderr(), "the network of a container cannot be tried from inside: {error}");
            ExitCode::FAILURE
        }
    }
}

fn work(arguments: &[String]) -> io::Result<()> {
    let [network] = arguments else { return Err(io::Error::other("it takes the path of a network")) };
    let network = std::fs::File::open(network)?;
    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
    let mut input = BufReader::new(io::stdin().lock());
    let mut line = String::new();
    Read::by_ref(&mut input).take(REQUEST).read_line(&mut line)?;
    match serde_json::from_str(&line)? {
        Request::Try(attempts) => {
            let mut answer = serde_json::to_vec(&try_all(attempts))?;
            answer.push(b'\n');
            io::stdout().write_all(&answer)
        }
        Request::Listen(ports) => {
            ports.into_iter().try_for_each(listen)?;
            io::stdout().write_all(b"listening\n")?;
            // To the end of the input.
            io::copy(&mut input, &mut io::sink()).map(drop)
        }
    }
}

/// Tries everything from the network of this thread.
#[cfg(test)]
pub(in crate::network) fn try_here(attempts: &[Attempt]) -> Vec<Outcome> {
    try_all(attempts.iter().map(|attempt| (attempt.to, attempt.traffic.into())).collect())
}

/// Tries everything at once: one that nothing answers takes its whole time.
fn try_all(attempts: Vec<(IpAddr, Wire)>) -> Vec<Outcome> {
    let threads: Vec<_> = attempts
        .into_iter()
        .map(|(to, wire)| {
            thread::spawn(move || match wire {
                Wire::Tcp(port) => reaches(SocketAddr::new(to, port)),
                Wire::Udp(port) => answers(SocketAddr::new(to, port)),
            })
        })
        .collect();
    // One that died has shown nothing.
    threads.into_iter().map(|thread| thread.join().unwrap_or(Outcome::Silent)).collect()
}

/// Whether a connection comes about.
fn reaches(to: SocketAddr) -> Outcome {
    if !has_route(to) {
        return Outcome::NoRoute;
    }
    match TcpStream::connect_timeout(&to, PATIENCE) {
        Ok(_) => Outcome::Reached,
        Err(error) => failure(&error),
    }
}

/// Those that this host itself has a way for. What it has none for nobody can reach through it, and no rule is asked.
pub(in crate::network) fn with_route(mut attempts: Vec<Attempt>) -> Vec<Attempt> {
    attempts.retain(|attempt| has_route(SocketAddr::new(attempt.to, ANY_PORT)));
    attempts
}

/// Whether this network has a way there at all, which sends nothing. An error of the attempt itself would not tell: a router
/// far behind an open fence may be the one that knows no way.
fn has_route(to: SocketAddr) -> bool {
    bound(to).and_then(|socket| socket.connect(to)).is_ok()
}

fn bound(to: SocketAddr) -> io::Result<UdpSocket> {
    UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })
}

/// Whether anything comes back for a datagram: a question for the root, which every name server answers in some way.
fn answers(to: SocketAddr) -> Outcome {
    const QUESTION: [u8; 17] = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
    if !has_route(to) {
        return Outcome::NoRoute;
    }
    let exchange = || -> io::Result<usize> {
        let socket = bound(to)?;
        socket.connect(to)?;
        socket.set_read_timeout(Some(SILENCE))?;
        socket.send(&QUESTION)?;
        socket.recv(&mut [0; 512])
    };
    match exchange() {
        Ok(_) => Outcome::Reached,
        Err(error) => failure(&error),
    }
}

fn failure(error: &io::Error) -> Outcome {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Outcome::Silent,
        _ => Outcome::Failed,
    }
}

/// Listens for as long as this process lives.
fn listen(port: u16) -> io::Result<()> {
    // Without IPv6 there is no such address; with it, one takes both.
    let listener = TcpListener::bind(("::", port)).or_else(|_| TcpListener::bind(("0.0.0.0", port)))?;
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(WORD);
        }
    });
    Ok(())
}
