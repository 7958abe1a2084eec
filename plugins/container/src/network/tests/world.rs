//! Networks of the tests' own, which end with the processes that hold them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::network::policy::Traffic;
use crate::network::probe::{Attempt, Outcome, try_here};

pub(super) const HOST4: &str = "172.30.0.1";
pub(super) const HOST6: &str = "fd42::1";
pub(super) const A4: &str = "172.30.0.2";
pub(super) const A6: &str = "fd42::2";
pub(super) const B4: &str = "172.30.0.3";
pub(super) const B6: &str = "fd42::3";
pub(super) const BUILDS4: &str = "172.31.0.1";
pub(super) const BUILD4: &str = "172.31.0.2";
pub(super) const BUILDS6: &str = "fd43::1";
pub(super) const BUILD6: &str = "fd43::2";
/// Somebody else's container beside the builds.
pub(super) const NEIGHBOUR4: &str = "172.31.0.3";
pub(super) const NEIGHBOUR6: &str = "fd43::3";
/// The host's address towards the outside.
pub(super) const OUTER4: &str = "198.51.100.1";

/// Where everything that comes to the outside ends.
const SINK: u16 = 9999;
/// What the containers and the host listen on, beside [`SINK`].
const PORTS: [u16; 2] = [80, 443];
/// How long the links of a network may take to come up.
const SETTLED: Duration = Duration::from_secs(60);
/// How often silence is asked again.
const AGAIN: usize = 2;
/// The longest wait for an answer that is expected not to come.
const PATIENCE: Duration = Duration::from_millis(1500);

/// A network of its own, for as long as a process holds it.
pub(super) struct Namespace {
    holder: Child,
    stdin: Option<ChildStdin>,
}

/// A host, three containers and a neighbour, and the outside.
pub(super) struct World {
    pub(super) host: Namespace,
    pub(super) a: Namespace,
    b: Namespace,
    pub(super) build: Namespace,
    neighbour: Namespace,
    pub(super) outside: Namespace,
}

impl Namespace {
    fn new() -> Option<Self> {
        let mut command = Command::new("unshare");
        command.args(["--net", "--", "sh", "-c", "echo ready; read _"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut holder = command.spawn().ok()?;
        let (stdin, stdout) = (holder.stdin.take(), holder.stdout.take()?);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).ok()?;
        let made = Self { holder, stdin };
        (line == "ready\n").then(|| {
            made.ip("link set lo up");
            made
        })
    }

    fn enter(&self) {
        let file = std::fs::File::open(format!("/proc/{}/ns/net", self.holder.id())).unwrap();
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    }

    /// Does something in this network, in a thread of its own.
    pub(super) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let within = || {
                self.enter();
                work()
            };
            scope.spawn(within).join().unwrap()
        })
    }

    /// What comes of these attempts. One that nothing came back for is made again: a busy machine may have been too slow.
    pub(super) fn tries(&self, attempts: &[Attempt]) -> Vec<Outcome> {
        let mut outcomes = self.within(|| try_here(attempts));
        for _ in 0..AGAIN {
            let silent: Vec<usize> = (0..outcomes.len()).filter(|at| outcomes[*at] == Outcome::Silent).collect();
            let again: Vec<Attempt> = silent.iter().map(|at| attempts[*at].clone()).collect();
            let answers = self.within(|| try_here(&again));
            silent.into_iter().zip(answers).for_each(|(at, answer)| outcomes[at] = answer);
        }
        outcomes
    }

    pub(super) fn connect(&self, to: &str) -> TcpStream {
        let to: SocketAddr = to.parse().unwrap();
        self.within(|| TcpStream::connect_timeout(&to, PATIENCE).unwrap())
    }

    fn ip(&self, words: &str) {
        self.program("ip", words);
    }

    fn program(&self, program: &str, words: &str) {
        let words: Vec<&str> = words.split_whitespace().collect();
        let output = self.within(|| Command::new(program).args(&words).output().unwrap());
        assert!(output.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Joins this network to a bridge of the host's.
    fn plug_into(&self, host: &Self, bridge: &str, addresses: &[&str], gateways: &[&str]) {
        let (pid, port) = (self.holder.id(), format!("v{}", self.holder.id()));
        host.ip(&format!("link add {port} type veth peer name eth0 netns {pid}"));
        host.ip(&format!("link set {port} master {bridge} up"));
        for address in addresses {
            let option = if address.contains(':') { "nodad" } else { "" };
            self.ip(&format!("addr add {address} dev eth0 {option}"));
        }
        self.ip("link set eth0 up");
        gateways.iter().for_each(|gateway| self.ip(&format!("route add default via {gateway}")));
        self.listen(&PORTS);
    }

    /// Answers on these ports, whatever comes.
    fn listen(&self, ports: &[u16]) {
        for port in ports {
            let (tcp, udp) = self.within(|| {
                let udp = UdpSocket::bind(("::", *port)).unwrap();
                (TcpListener::bind(("::", *port)).unwrap(), udp)
            });
            thread::spawn(move || {
                for mut stream in tcp.incoming().flatten() {
                    thread::spawn(move || {
                        let mut buffer = [0; 64];
                        while let Ok(read @ 1..) = stream.read(&mut buffer) {
                            let _ = stream.write_all(&buffer[..read]);
                        }
                    });
                }
            });
            thread::spawn(move || {
                let mut buffer = [0; 64];
                while let Ok((read, from)) = udp.recv_from(&mut buffer) {
                    let _ = udp.send_to(&buffer[..read], from);
                }
            });
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.holder.wait();
    }
}

impl World {
    /// Builds it; `None`, with a line that says why, where this machine does not let us.
    pub(super) fn build() -> Option<Self> {
        let has_nft = Command::new("nft").arg("--version").output().is_ok_and(|output| output.status.success());
        let Some(host) = has_nft.then(Namespace::new).flatten() else {
            println!("skipped: the fence needs root and the programs nft, ip and unshare");
            return None;
        };
        let rest = [(); 5].map(|()| Namespace::new().unwrap());
        let [a, b, build, neighbour, outside] = rest;
        host.within(|| {
            for (file, value) in [("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")] {
                std::fs::write(format!("/proc/sys/net/{file}"), value).unwrap();
            }
        });
        bridge(&host, "sp0", &[&format!("{HOST4}/24"), &format!("{HOST6}/64")]);
        bridge(&host, "dk0", &[&format!("{BUILDS4}/24"), "fd43::1/64"]);
        host.listen(&PORTS);
        let (spaces, builds) = ([HOST4, HOST6], [BUILDS4, "fd43::1"]);
        a.plug_into(&host, "sp0", &[&format!("{A4}/24"), &format!("{A6}/64")], &spaces);
        b.plug_into(&host, "sp0", &[&format!("{B4}/24"), &format!("{B6}/64")], &spaces);
        build.plug_into(&host, "dk0", &[&format!("{BUILD4}/24"), "fd43::2/64"], &builds);
        neighbour.plug_into(&host, "dk0", &[&format!("{NEIGHBOUR4}/24"), "fd43::3/64"], &builds);
        join_outside(&host, &outside);
        let world = Self { host, a, b, build, neighbour, outside };
        world.settle();
        Some(world)
    }

    /// Waits until everybody's links are up, which the kernel sees to in its own time: until the outside and the neighbours
    /// are reached with both families.
    fn settle(&self) {
        let to = |address: &str| Attempt {
            what: address.to_owned(),
            to: address.parse().unwrap(),
            traffic: Traffic::Tcp(PORTS[0]),
            listens: true,
        };
        let beyond = ["192.175.48.1", "2620:4f:8000::1"].map(to);
        let inside = [A4, A6, B4, B6, BUILD4, NEIGHBOUR4].map(to);
        let end = Instant::now() + SETTLED;
        loop {
            let everybody = [&self.a, &self.b, &self.build, &self.neighbour].into_iter();
            let mut outcomes = everybody.flat_map(|one| one.tries(&beyond)).chain(self.host.tries(&inside));
            if outcomes.all(|outcome| outcome == Outcome::Reached) {
                return;
            }
            assert!(Instant::now() < end, "the networks of this test do not come up");
        }
    }

    /// Carries something out in the host's network.
    pub(super) fn run<T: Send>(&self, work: impl Future<Output = T> + Send) -> T {
        self.host.within(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(work)
        })
    }
}

fn bridge(host: &Namespace, name: &str, addresses: &[&str]) {
    host.ip(&format!("link add {name} type bridge"));
    for address in addresses {
        let option = if address.contains(':') { "nodad" } else { "" };
        host.ip(&format!("addr add {address} dev {name} {option}"));
    }
    host.ip(&format!("link set {name} up"));
}

/// The outside: the way to everywhere, and whatever comes ends at one place that answers.
fn join_outside(host: &Namespace, outside: &Namespace) {
    host.ip(&format!("link add out type veth peer name eth0 netns {}", outside.holder.id()));
    host.ip(&format!("addr add {OUTER4}/24 dev out"));
    host.ip("addr add fd44::1/64 dev out nodad");
    host.ip("link set out up");
    outside.ip("addr add 198.51.100.2/24 dev eth0");
    outside.ip("addr add fd44::2/64 dev eth0 nodad");
    outside.ip("link set eth0 up");
    for gateway in ["198.51.100.2", "fd44::2"] {
        host.ip(&format!("route add default via {gateway}"));
    }
    for gateway in [OUTER4, "fd44::1"] {
        outside.ip(&format!("route add default via {gateway}"));
    }
    outside.listen(&[SINK]);
    let script = format!(
        "table inet sink {{\nchain in {{ type nat hook prerouting priority -100;\nmeta l4proto {{ tcp, udp }} redirect to :{SINK}\n}}\n}}\n"
    );
    outside.within(|| {
        let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        nft.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success());
    });
}

/// Whether what is written comes back.
pub(super) fn echoes(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(b"word");
    stream.read_exact(&mut [0; 4]).is_ok()
}
