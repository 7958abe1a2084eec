//! Where the probe is carried out: two containers that do nothing, on a network of the engine's, made for it and removed
//! after it. One tries, the other is there to be reached by nobody but this host.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, RemoveContainerOptionsBuilder,
};
use futures_util::TryStreamExt;

use super::engine::{self, absent_is_none};
use super::policy::{Interface, Policy};
use super::probe::{self, Listener, Place};
use super::rules::Behind;
use super::{NetworkConfig, Unfenced, nft, pause};

/// Marks the probe's containers.
const LABEL: &str = "spaceport.probe";
/// Ports on which the other container listens: two that are open to the outside, so that nothing but the rule between
/// Spaces keeps anybody from them.
const PEER_PORTS: [u16; 2] = [80, 8080];
/// Memory of a container that does nothing.
const MEMORY: i64 = 16 << 20;
/// Processes and threads in it: what the engine starts it by has some too.
const PIDS: i64 = 16;
/// An address to ask the kernel which of this host's it would use on the way there; nothing is sent.
const FAR: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 175, 48, 1)), 80),
    SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 1)), 80),
];

/// A container of the probe's.
struct Idle {
    pid: i64,
    addresses: Vec<IpAddr>,
    /// This host's, as the container sees it. What the engine says of the network may lack them.
    gateways: Vec<IpAddr>,
}

/// Tries everything from behind a bridge; the holes.
pub(super) async fn prove(
    docker: &Docker,
    config: &NetworkConfig,
    behind: Behind,
    policy: &Policy,
) -> Result<Vec<String>, Unfenced> {
    let network = match &behind {
        Behind::Spaces(_) => config.name.as_str(),
        Behind::Builds(_) => engine::DEFAULT,
    };
    image(docker).await?;
    clear(docker, &config.bridge).await?;
    let found = prove_on(docker, config, &behind, policy, network).await;
    clear(docker, &config.bridge).await?;
    found
}

async fn prove_on(
    docker: &Docker,
    config: &NetworkConfig,
    behind: &Behind,
    policy: &Policy,
    network: &str,
) -> Result<Vec<String>, Unfenced> {
    let [prober, peer] = names(&config.bridge);
    let (prober, peer) = tokio::try_join!(idle(docker, &prober, network), idle(docker, &peer, network))?;
    let on_link = engine::subnets(docker, network).await?;
    if prober.gateways.is_empty() {
        return Err(Unfenced::Untried(format!("the containers of network {network} have no gateway")));
    }
    let mut host = prober.gateways.clone();
    host.extend(FAR.iter().filter_map(|far| own_address(*far)));
    // Whatever this host listens on at an address that containers see: a port of the probe's own stands for all.
    let listeners: Vec<TcpListener> = host.iter().filter_map(|address| TcpListener::bind((*address, 0)).ok()).collect();
    let host_ports = listeners.iter().filter_map(|listener| listener.local_addr().ok()).map(|at| at.port()).collect();
    let (peer_ports, at) = (PEER_PORTS.to_vec(), peer.addresses.clone());
    let place = Place { host, host_ports, peer: at, peer_ports, on_link };
    try_out(&config.program, behind, policy, &prober, &peer, &place).await
}

async fn try_out(
    program: &Path,
    behind: &Behind,
    policy: &Policy,
    prober: &Idle,
    peer: &Idle,
    place: &Place,
) -> Result<Vec<String>, Unfenced> {
    let _listener = Listener::start(program, peer.pid, &PEER_PORTS).await?;
    for address in &peer.addresses {
        let at = SocketAddr::new(*address, PEER_PORTS[0]);
        if !Listener::is_reached(at).await {
            return Err(Unfenced::Untried(format!("this host does not reach its own container at {at}")));
        }
    }
    let attempts = probe::with_route(probe::attempts(policy, place));
    nft::watch(behind, &prober.addresses).await?;
    let outcomes = probe::try_from_inside(program, prober.pid, &attempts).await?;
    let mut refused = nft::Refused::new();
    for address in &prober.addresses {
        refused.extend(nft::refused(behind, *address).await?);
    }
    Ok(probe::holes(&attempts, &outcomes, &refused))
}

/// This host's own address on the way to another.
fn own_address(far: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(if far.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).ok()?;
    socket.connect(far).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

/// The names of the two containers, apart from those of another plugin on this machine.
fn names(bridge: &Interface) -> [String; 2] {
    ["a", "b"].map(|which| format!("spaceport-probe-{which}-{bridge}"))
}

/// Removes what a probe left, whenever it was.
pub(super) async fn clear(docker: &Docker, bridge: &Interface) -> Result<(), Unfenced> {
    let options = || Some(RemoveContainerOptionsBuilder::default().force(true).build());
    let [prober, peer] = names(bridge);
    let remove = async |name: &str| absent_is_none(docker.remove_container(name, options()).await);
    tokio::try_join!(remove(&prober), remove(&peer)).map(drop)
}

/// Makes the image of a container that does nothing, unless the engine has it.
async fn image(docker: &Docker) -> Result<(), Unfenced> {
    let name = format!("{}:{}", pause::IMAGE, pause::TAG);
    if absent_is_none(docker.inspect_image(&name).await)?.is_some() {
        return Ok(());
    }
    let options = CreateImageOptionsBuilder::default().from_src("-").repo(pause::IMAGE).tag(pause::TAG).build();
    let body = bollard::body_full(pause::image().into());
    let made: Result<Vec<_>, _> = docker.create_image(Some(options), Some(body), None).try_collect().await;
    made?;
    Ok(())
}

async fn idle(docker: &Docker, name: &str, network: &str) -> Result<Idle, Unfenced> {
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    docker.create_container(Some(options), body(network)).await?;
    docker.start_container(name, None).await?;
    let found = docker.inspect_container(name, None).await?;
    let pid = found.state.as_ref().and_then(|state| state.pid).filter(|pid| *pid > 0);
    let networks = found.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
    let endpoint = networks.and_then(|networks| networks.get(network)).cloned().unwrap_or_default();
    let addresses = parsed([&endpoint.ip_address, &endpoint.global_ipv6_address]);
    let gateways = parsed([&endpoint.gateway, &endpoint.ipv6_gateway]);
    match pid {
        Some(pid) if !addresses.is_empty() => Ok(Idle { pid, addresses, gateways }),
        _ => Err(Unfenced::Untried(format!("the container {name} does not run"))),
    }
}

fn parsed(texts: [&Option<String>; 2]) -> Vec<IpAddr> {
    texts.into_iter().flatten().filter_map(|text| text.parse().ok()).collect()
}

fn body(network: &str) -> ContainerCreateBody {
    let host = HostConfig {
        network_mode: Some(network.to_owned()),
        memory: Some(MEMORY),
        memory_swap: Some(MEMORY),
        pids_limit: Some(PIDS),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        readonly_rootfs: Some(true),
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        ..HostConfig::default()
    };
    ContainerCreateBody {
        image: Some(format!("{}:{}", pause::IMAGE, pause::TAG)),
        cmd: Some(vec![pause::PATH.to_owned()]),
        user: Some("1000:1000".to_owned()),
        labels: Some(HashMap::from([(LABEL.to_owned(), "1".to_owned())])),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}
