//! The fence around the network of a real engine. Each test has a network of its own; the engine's others are left alone.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, NetworkCreateRequest};
use bollard::query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use spaceport_container::network::{Fence, NetworkConfig};

const PORTS: [u16; 3] = [80, 443, 8080];
/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The engine; none, with a line that says so, where there is none.
async fn engine() -> Option<Docker> {
    let docker = Docker::connect_with_defaults().ok();
    match &docker {
        Some(engine) if engine.ping().await.is_ok() => docker,
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
    let table = format!("spaceport_spf_{which}");
    Command::new("nft").args(["list", "table", "inet", &table]).output().unwrap().status.success()
}

#[tokio::test]
async fn the_network_of_spaces_is_fenced_and_seen_to_be() {
    let Some(docker) = engine().await else { return };
    let fence = Fence::new(docker.clone(), config("one"), tell);
    fence.hold(&PORTS, &[]).await.unwrap();
    assert!(has_table("one"));
    let network = docker.inspect_network(fence.network(), None).await.unwrap();
    assert_eq!(network.options.unwrap()["com.docker.network.bridge.enable_icc"], "false");

    let again = Instant::now();
    fence.hold(&PORTS, &[]).await.unwrap();
    assert!(again.elapsed() < Duration::from_millis(50), "what was seen is not tried again: {:?}", again.elapsed());
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
        (asks_for_a_name(), TcpStream::connect_timeout(&at_host, PATIENCE), served)
    });
    let reached = TcpStream::connect_timeout(&own, PATIENCE);
    drop(served);
    container.remove(&docker).await;
    fence.remove().await.unwrap();
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    reached.unwrap();
    // Whatever the answer is (there may be no such name), the question went all the way; 2 is the word for one that did not.
    assert_ne!(answered.unwrap(), 2, "the engine's resolver could not ask on");
}

/// The answer's code of the engine's resolver to a question for an address.
fn asks_for_a_name() -> io::Result<u8> {
    const QUESTION: &[u8] = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(QUESTION, "127.0.0.11:53")?;
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
