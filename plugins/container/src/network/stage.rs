//! Where the probe is carried out: two containers that do nothing, on a network of the engine's, made for it and removed
//! after it. One tries, the other is there to be reached by nobody but this host.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, NetworkSettings};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, RemoveContainerOptionsBuilder,
};
use futures_util::TryStreamExt;

use super::engine::{absent_is_none, gateways};
use super::policy::{Interface, Policy};
use super::probe::{self, Listener, Place};
use super::{NetworkConfig, Unfenced, nft, pause};

/// Marks the probe's containers.
const LABEL: &str = "spaceport.probe";
/// Ports on which the other container listens: two that are open to the outside, so that nothing but the rule between
/// Spaces keeps anybody from them.
const PEER_PORTS: [u16; 2] = [80, 8080];
/// Memory of a container that does nothing.
const MEMORY: i64 = 16 << 20;
/// An address to ask the kernel which of this host's it would use on the way there; nothing is sent.
const FAR: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 175, 48, 1)), 80),
    SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 1)), 80),
];

/// A container of the probe's.
struct Idle {
    pid: i64,
    addresses: Vec<IpAddr>,
}

/// Tries everything from the network of Spaces, and from the one of builds if that is fenced.
pub(super) async fn prove(docker: &Docker, config: &NetworkConfig, policy: &Policy) -> Result<(), Unfenced> {
    image(docker).await?;
    let mut holes = Vec::new();
    let networks = [Some((config.name.as_str(), "")), policy.builds.as_ref().map(|_| ("bridge", "builds: "))];
    for (network, prefix) in networks.into_iter().flatten() {
        clear(docker, &config.bridge).await?;
        let found = prove_on(docker, config, policy, network).await;
        clear(docker, &config.bridge).await?;
        holes.extend(found?.into_iter().map(|hole| format!("{prefix}{hole}")));
    }
    if holes.is_empty() { Ok(()) } else { Err(Unfenced::Open(holes)) }
}

async fn prove_on(
    docker: &Docker,
    config: &NetworkConfig,
    policy: &Policy,
    network: &str,
) -> Result<Vec<String>, Unfenced> {
    let [prober, peer] = names(&config.bridge);
    let (prober, peer) = (idle(docker, &prober, network).await?, idle(docker, &peer, network).await?);
    let mut host = gateways(docker, network).await?;
    host.extend(FAR.iter().filter_map(|far| own_address(*far)));
    // Whatever this host listens on at an address that containers see: a port of the probe's own stands for all.
    let listeners: Vec<TcpListener> = host.iter().filter_map(|address| TcpListener::bind((*address, 0)).ok()).collect();
    let ports = listeners.iter().filter_map(|listener| listener.local_addr().ok()).map(|at| at.port()).collect();
    let place = Place { host, host_ports: ports, peer: peer.addresses.clone(), peer_ports: PEER_PORTS.to_vec() };
    try_out(&config.program, policy, &prober, &peer, &place).await
}

async fn try_out(
    program: &Path,
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
    let attempts = probe::attempts(policy, place);
    nft::watch(&policy.spaces, &prober.addresses).await?;
    let outcomes = probe::try_from_inside(program, prober.pid, &attempts).await?;
    let mut refused = nft::Refused::new();
    for address in &prober.addresses {
        refused.extend(nft::refused(&policy.spaces, *address).await?);
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
    for name in names(bridge) {
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        absent_is_none(docker.remove_container(&name, Some(options)).await)?;
    }
    Ok(())
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
    let addresses = found.network_settings.as_ref().map(|settings| addresses(settings, network)).unwrap_or_default();
    match pid {
        Some(pid) if !addresses.is_empty() => Ok(Idle { pid, addresses }),
        _ => Err(Unfenced::Untried(format!("the container {name} does not run"))),
    }
}

fn addresses(settings: &NetworkSettings, network: &str) -> Vec<IpAddr> {
    let Some(endpoint) = settings.networks.as_ref().and_then(|networks| networks.get(network)) else {
        return Vec::new();
    };
    let texts = [&endpoint.ip_address, &endpoint.global_ipv6_address];
    texts.into_iter().flatten().filter_map(|text| text.parse().ok()).collect()
}

fn body(network: &str) -> ContainerCreateBody {
    let host = HostConfig {
        network_mode: Some(network.to_owned()),
        memory: Some(MEMORY),
        memory_swap: Some(MEMORY),
        pids_limit: Some(1),
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
