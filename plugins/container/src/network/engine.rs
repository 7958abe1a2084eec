//! The network as the engine has it.

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, NetworkInspect};
use ipnet::IpNet;

use super::policy::{Interface, engine_resolvers};
use super::{NetworkConfig, Unfenced};

/// The engine's option for the kernel's name of a bridge.
const BRIDGE: &str = "com.docker.network.bridge.name";
/// The engine's option for whether containers on one network reach each other.
const BETWEEN: &str = "com.docker.network.bridge.enable_icc";
/// The engine's network that a container is on if nothing else is said: the builder's, too.
pub(super) const DEFAULT: &str = "bridge";
/// Marks what belongs to Spaceport.
pub(super) const LABEL: &str = "spaceport.network";

/// Makes the network, or makes sure that the one of that name is it.
pub(super) async fn ensure(docker: &Docker, config: &NetworkConfig) -> Result<(), Unfenced> {
    if let Some(found) = inspect(docker, &config.name).await? {
        return is_ours(&found, config).map_err(|reason| Unfenced::Other { name: config.name.clone(), reason });
    }
    docker.create_network(request(config)).await?;
    Ok(())
}

fn request(config: &NetworkConfig) -> NetworkCreateRequest {
    let subnets = config.subnet.map(|net| net.to_string()).into_iter().chain(config.ipv6.map(|net| net.to_string()));
    let subnets: Vec<_> = subnets.map(|subnet| IpamConfig { subnet: Some(subnet), ..IpamConfig::default() }).collect();
    let ipam = (!subnets.is_empty()).then(|| Ipam { config: Some(subnets), ..Ipam::default() });
    NetworkCreateRequest {
        name: config.name.clone(),
        driver: Some("bridge".to_owned()),
        enable_ipv6: Some(config.ipv6.is_some()),
        ipam,
        options: Some(options(config)),
        labels: Some(HashMap::from([(LABEL.to_owned(), "1".to_owned())])),
        ..NetworkCreateRequest::default()
    }
}

fn options(config: &NetworkConfig) -> HashMap<String, String> {
    [(BRIDGE, config.bridge.to_string()), (BETWEEN, "false".to_owned())]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
}

/// Whether a network is as it would have been made; if not, in what it differs.
fn is_ours(found: &NetworkInspect, config: &NetworkConfig) -> Result<(), String> {
    if found.driver.as_deref() != Some("bridge") {
        return Err("it is no bridge".to_owned());
    }
    let has = found.options.clone().unwrap_or_default();
    for (key, wanted) in options(config) {
        if has.get(&key) != Some(&wanted) {
            return Err(format!("its option {key} is not {wanted}"));
        }
    }
    if found.enable_ipv6.unwrap_or(false) != config.ipv6.is_some() {
        return Err(format!("IPv6 is to be {}", if config.ipv6.is_some() { "on" } else { "off" }));
    }
    let ipam = found.ipam.as_ref().and_then(|ipam| ipam.config.as_ref()).into_iter().flatten();
    let subnets: Vec<&str> = ipam.filter_map(|part| part.subnet.as_deref()).collect();
    let wanted = config.subnet.map(|net| net.trunc().to_string()).into_iter();
    let wanted = wanted.chain(config.ipv6.map(|net| net.trunc().to_string()));
    match wanted.into_iter().find(|net| !subnets.contains(&net.as_str())) {
        Some(net) => Err(format!("its addresses are not {net}")),
        None => Ok(()),
    }
}

/// The kernel's name for the bridge of the engine's default network; `None` if the engine was told to have none.
pub(super) async fn default_bridge(docker: &Docker) -> Result<Option<Interface>, Unfenced> {
    let Some(found) = inspect(docker, DEFAULT).await? else { return Ok(None) };
    let Some(name) = found.options.as_ref().and_then(|options| options.get(BRIDGE)) else { return Ok(None) };
    name.parse().map(Some).map_err(Unfenced::untried)
}

/// A network's own addresses.
pub(super) async fn subnets(docker: &Docker, name: &str) -> Result<Vec<IpNet>, Unfenced> {
    let found = inspect(docker, name).await?;
    let ipam = found.and_then(|found| found.ipam?.config).unwrap_or_default();
    Ok(ipam.iter().filter_map(|part| part.subnet.as_ref()?.parse().ok()).collect())
}

/// Removes the network; one that is gone already is no mistake.
pub(super) async fn remove(docker: &Docker, name: &str) -> Result<(), Unfenced> {
    absent_is_none(docker.remove_network(name).await).map(drop)
}

async fn inspect(docker: &Docker, name: &str) -> Result<Option<NetworkInspect>, Unfenced> {
    absent_is_none(docker.inspect_network(name, None).await)
}

/// What the engine does not have is no error.
pub(super) fn absent_is_none<T>(answer: Result<T, Error>) -> Result<Option<T>, Unfenced> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The name servers that the engine asks, as it finds them on this machine.
pub(super) fn resolvers() -> Vec<IpAddr> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let behind_stub = read("/run/systemd/resolve/resolv.conf");
    let conf = read("/etc/resolv.conf").unwrap_or_default();
    engine_resolvers(read("/etc/docker/daemon.json").as_deref(), &conf, behind_stub.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(config: &NetworkConfig) -> NetworkInspect {
        let asked = request(config);
        NetworkInspect {
            driver: asked.driver,
            options: asked.options,
            enable_ipv6: asked.enable_ipv6,
            ipam: asked.ipam,
            ..NetworkInspect::default()
        }
    }

    #[test]
    fn a_network_that_was_made_so_is_ours_and_another_one_is_not() {
        let config = NetworkConfig { ipv6: Some("fd00:5::/64".parse().unwrap()), ..NetworkConfig::default() };
        assert_eq!(is_ours(&found(&config), &config), Ok(()));
        let plain = NetworkConfig::default();
        let mut open = found(&plain);
        open.options.as_mut().unwrap().insert(BETWEEN.to_owned(), "true".to_owned());
        let host = NetworkInspect { driver: Some("host".to_owned()), ..found(&plain) };
        let moved = NetworkConfig { subnet: Some("172.30.0.0/16".parse().unwrap()), ..NetworkConfig::default() };
        for (network, config, word) in [
            (open, &plain, "enable_icc"),
            (host, &plain, "no bridge"),
            (found(&plain), &config, "IPv6"),
            (found(&config), &plain, "IPv6"),
            (found(&plain), &moved, "172.30.0.0/16"),
        ] {
            let reason = is_ours(&network, config).unwrap_err();
            assert!(reason.contains(word), "{reason}");
        }
    }
}
