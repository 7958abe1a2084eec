//! The fence around the network of a real engine. Each test has a network of its own; the engine's others are left alone.

#![expect(clippy::unwrap_used, reason = "helpers of a test may unwrap as the test may")]
#![expect(clippy::print_stdout, reason = "what is skipped and what was told is part of the result")]

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::Command;
use std::thread;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, NetworkCreateRequest};
use bollard::query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use spaceport_container::network::{Fence, NetworkConfig};

const PORTS: [u16; 3] = [80, 443, 8080];
/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Must be there: set where the tests have to be run.
const NEEDED: &str = "SPACEPORT_NEEDS_DOCKER";

/// The engine; none, with a line that says so, where there is none.
async fn engine() -> Option<Docker> {
    let docker = Docker::connect_with_defaults().ok();
    match &docker {
        Some(engine) if engine.ping().await.is_ok() => docker,
        _ if std::env::var_os(NEEDED).is_some() => panic!("{NEEDED} is set, and no engine answers"),
        _ => {
            println!("skipped: no container engine answers here");
            None
        }
    }
}

fn config(which: &str) -> NetworkConfig {
    NetworkConfig {
        name: format!("spaceport-fence-{which}"),
        bridge: format!("spf-{which}").parse().unwrap(),
        // Others may be building here.
        builds: false,
        program: env!("CARGO_BIN_EXE_spaceport-container").into(),
        ..NetworkConfig::default()
    }
}

fn tell(line: &str) {
    println!("told: {line}");
}

fn has_table(which: &str) -> bool {
    table(&format!("spaceport_spf_{which}")).is_some()
}

/// What the kernel has of a table.
fn table(name: &str) -> Option<String> {
    let output = Command::new("nft").args(["list", "table", "inet", name]).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// A set of a table, as it is listed.
fn set(table: &str, name: &str) -> String {
    let start = table.find(&format!("set {name} {{")).unwrap();
    table[start..].split_inclusive('}').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_network_of_spaces_is_fenced_and_seen_to_be() {
    let Some(docker) = engine().await else { return };
    let fence = Fence::new(docker.clone(), config("one"), tell);
    fence.hold(&PORTS, &[]).await.unwrap();
    assert!(has_table("one"));
    let network = docker.inspect_network(fence.network(), None).await.unwrap();
    assert_eq!(network.options.unwrap()["com.docker.network.bridge.enable_icc"], "false");

    // What was seen to hold is not tried again; what is new is.
    fence.hold(&PORTS, &[]).await.unwrap();
    fence.hold(&PORTS, &["203.0.113.0/24".parse().unwrap()]).await.unwrap();
    // Another process, such as the next one of this plugin, finds the network and proves it for itself.
    let next = Fence::new(docker.clone(), config("one"), tell);
    next.hold(&PORTS, &[]).await.unwrap();

    next.remove().await.unwrap();
    next.remove().await.unwrap();
    assert!(!has_table("one"));
    assert!(docker.inspect_network(next.network(), None).await.is_err());
}

#[tokio::test]
async fn an_open_network_of_the_same_name_is_refused_in_words() {
    let Some(docker) = engine().await else { return };
    let config = config("two");
    let open = NetworkCreateRequest { name: config.name.clone(), ..NetworkCreateRequest::default() };
    docker.create_network(open).await.unwrap();
    let fence = Fence::new(docker.clone(), config, tell);
    let refused = fence.hold(&PORTS, &[]).await.unwrap_err().to_string();
    docker.remove_network(fence.network()).await.unwrap();
    assert!(refused.contains("spaceport-fence-two") && refused.contains("its option"), "{refused}");
    assert!(!has_table("two"));
}

#[tokio::test]
async fn a_container_asks_for_names_and_answers_the_host_and_reaches_nothing_of_it() {
    let Some(docker) = engine().await else { return };
    let fence = Fence::new(docker.clone(), config("three"), tell);
    fence.hold(&PORTS, &[]).await.unwrap();
    let container = Container::start(&docker, fence.network()).await;
    let host: SocketAddr = format!("{}:0", container.gateway).parse().unwrap();
    let listener = TcpListener::bind(host).unwrap();
    let at_host = listener.local_addr().unwrap();
    let own: SocketAddr = format!("{}:8080", container.address).parse().unwrap();

    let (answered, refused, served) = container.within(move || {
        let served = TcpListener::bind(own).unwrap();
        (asks_for_a_name("127.0.0.11"), TcpStream::connect_timeout(&at_host, PATIENCE), served)
    });
    let reached = TcpStream::connect_timeout(&own, PATIENCE);
    drop(served);
    container.remove(&docker).await;
    fence.remove().await.unwrap();
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    reached.unwrap();
    // Whatever the answer is (there may be no such name), the question went all the way; 2 is the word for one that did not.
    match answered {
        Ok(answer) => assert_ne!(answer, 2, "the engine's resolver could not ask on"),
        Err(_) if !has_resolver() => println!("not tried: this machine's name server does not answer"),
        Err(error) => panic!("the engine's resolver does not answer: {error}"),
    }
}

#[tokio::test]
async fn addresses_that_the_probe_would_try_may_be_the_networks_own() {
    let Some(docker) = engine().await else { return };
    for (which, subnet) in [("high", "172.31.0.0/16"), ("last", "192.168.240.0/20")] {
        let fence = Fence::new(docker.clone(), NetworkConfig { subnet: subnet.parse().ok(), ..config(which) }, tell);
        let held = fence.hold(&PORTS, &[]).await;
        fence.remove().await.unwrap();
        held.unwrap();
    }
}

#[tokio::test]
async fn several_hosts_on_one_machine_fence_the_bridge_of_builds_together() {
    let Some(docker) = engine().await else { return };
    let fence = |which| Fence::new(docker.clone(), NetworkConfig { builds: true, ..config(which) }, tell);
    let (one, other) = (fence("four"), fence("five"));
    let (wide, narrow) = (["203.0.113.0/24", "198.51.100.0/24"], ["203.0.113.0/25"]);
    let (wide, narrow) = (wide.map(|net| net.parse().unwrap()), narrow.map(|net| net.parse().unwrap()));
    let (first, second) = tokio::join!(one.hold(&PORTS, &wide), other.hold(&PORTS, &narrow));
    first.unwrap();
    second.unwrap();
    // Hosts beside this test may narrow it further; nobody widens it.
    let builds = || table("spaceport_builds_docker0").unwrap();
    assert!(!set(&builds(), "allowed4").contains("198.51.100.0"), "{}", builds());
    other.remove().await.unwrap();
    assert!(builds().contains("goto refuse"), "one goes, and the rule is there all the time: {}", builds());
    one.doubt();
    one.hold(&PORTS, &wide).await.unwrap();
    one.remove().await.unwrap();
}

#[tokio::test]
async fn what_is_narrower_stays_so_however_often_it_is_looked_at() {
    let Some(docker) = engine().await else { return };
    let fence = Fence::new(docker.clone(), config("six"), tell);
    fence.hold(&PORTS, &["203.0.113.0/24".parse().unwrap()]).await.unwrap();
    let allowed = || set(&table("spaceport_spf_six").unwrap(), "allowed4");
    assert!(allowed().contains("203.0.113.0/24"), "{}", allowed());
    // Who asked for the narrower rule hangs up while it is put in place: as soon as the kernel has it.
    {
        let mut asked = std::pin::pin!(fence.hold(&PORTS, &[]));
        while allowed().contains("203.0.113.0/24") {
            let _ = tokio::time::timeout(Duration::from_millis(1), &mut asked).await;
        }
    }
    fence.hold(&PORTS, &[]).await.unwrap();
    assert!(!allowed().contains("203.0.113.0/24"), "{}", allowed());
    // Somebody widens it by hand: it is put in place again, and tried.
    let widen = ["add", "element", "inet", "spaceport_spf_six", "allowed4", "{ 203.0.113.0/24 }"];
    assert!(Command::new("nft").args(widen).status().unwrap().success());
    fence.doubt();
    fence.hold(&PORTS, &[]).await.unwrap();
    assert!(!allowed().contains("203.0.113.0/24"), "{}", allowed());
    fence.remove().await.unwrap();
}

/// Whether this machine's first name server answers.
fn has_resolver() -> bool {
    let conf = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let first = conf.lines().find_map(|line| line.strip_prefix("nameserver "));
    first.is_some_and(|server| asks_for_a_name(server.trim()).is_ok())
}

/// The answer's code of a resolver to a question for an address.
fn asks_for_a_name(resolver: &str) -> io::Result<u8> {
    const QUESTION: &[u8] = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(QUESTION, (resolver, 53))?;
    let mut answer = [0; 512];
    socket.recv(&mut answer)?;
    Ok(answer[3] & 0xf)
}

/// A container of the probe's image, which does nothing.
struct Container {
    name: String,
    pid: i64,
    address: String,
    gateway: String,
}

impl Container {
    async fn start(docker: &Docker, network: &str) -> Self {
        let name = format!("{network}-test");
        let body = ContainerCreateBody {
            image: Some("spaceport-probe:1".to_owned()),
            cmd: Some(vec!["/pause".to_owned()]),
            host_config: Some(HostConfig { network_mode: Some(network.to_owned()), ..HostConfig::default() }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        docker.create_container(Some(options), body).await.unwrap();
        docker.start_container(&name, None).await.unwrap();
        let found = docker.inspect_container(&name, None).await.unwrap();
        let endpoint = found.network_settings.unwrap().networks.unwrap().remove(network).unwrap();
        let pid = found.state.unwrap().pid.unwrap();
        Self { name, pid, address: endpoint.ip_address.unwrap(), gateway: endpoint.gateway.unwrap() }
    }

    /// Does something in the container's network.
    fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let pid = self.pid;
        thread::scope(|scope| {
            let within = move || {
                let network = std::fs::File::open(format!("/proc/{pid}/ns/net")).unwrap();
                move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            };
            scope.spawn(within).join().unwrap()
        })
    }

    async fn remove(self, docker: &Docker) {
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        docker.remove_container(&self.name, Some(options)).await.unwrap();
    }
}
