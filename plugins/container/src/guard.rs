//! What has to hold before anything is started: the network rule, and that a GPU has one owner.
//!
//! Both are looked at again and again, since others may change them: firewall rules, devices, containers that have ended. As
//! long as the network rule does not hold, nothing is built or started, and the plugin's health says why.

use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{KillContainerOptions, ListContainersOptions};
use ipnet::IpNet;
use parking_lot::Mutex;
use spaceport_backend_protocol::{Egress, ErrorCode, Health, InstanceId, Refusal};
use tokio::sync::OnceCell;

use crate::devices::{Devices, DevicesConfig, EngineCan};
use crate::names::{LABEL_DEVICES, LABEL_INSTANCE, Names};
use crate::network::{CHECK_EVERY, Fence, NetworkConfig};
use crate::plugin::Plugin;
use crate::program::say;
use crate::refusal::refuse;

/// The ports of the rule that is tried at the start, before the host has said which.
const PORTS: [u16; 3] = [80, 443, 8080];
/// Time between two looks for devices: asking NVIDIA's library may load a driver.
const DEVICES_EVERY: Duration = Duration::from_secs(60);

/// What is known of both.
pub(crate) struct Guard {
    fence: OnceCell<Fence>,
    pub(crate) devices: Devices,
    rule: Mutex<Rule>,
}

/// The network rule.
#[derive(Debug, Clone)]
struct Rule {
    ports: Vec<u16>,
    allow: Vec<IpNet>,
    /// Why it does not hold.
    problem: Option<String>,
}

impl Guard {
    pub(crate) fn new(devices: DevicesConfig) -> Self {
        let problem = Some("the network rule for Spaces is being tried".to_owned());
        let rule = Rule { ports: PORTS.to_vec(), allow: Vec::new(), problem };
        Self { fence: OnceCell::new(), devices: Devices::new(devices), rule: Mutex::new(rule) }
    }

    /// Why nothing can be started.
    pub(crate) fn problem(&self) -> Option<String> {
        self.rule.lock().problem.clone()
    }

    async fn hold(&self, docker: &Docker, names: &Names, ports: Vec<u16>, allow: Vec<IpNet>) -> Result<(), String> {
        let fence = self.fence.get_or_try_init(|| async { fence(docker.clone(), names) }).await?;
        let outcome = fence.hold(&ports, &allow).await.map_err(|error| error.to_string());
        *self.rule.lock() = Rule { ports, allow, problem: outcome.clone().err() };
        outcome
    }
}

fn fence(docker: Docker, names: &Names) -> Result<Fence, String> {
    let bridge = names.bridge().parse().map_err(|error| format!("{}: {error}", names.bridge()))?;
    let config = NetworkConfig { name: names.network(), bridge, ..NetworkConfig::default() };
    Ok(Fence::new(docker, config, |line| say(&line)))
}

/// Makes sure that this rule holds, before a build or a start.
pub(crate) async fn hold(plugin: &Plugin, docker: &Docker, egress: &Egress) -> Result<(), Refusal> {
    let allow = egress.allow.iter().filter_map(|network| IpNet::new(network.address, network.prefix).ok()).collect();
    let held = plugin.guard.hold(docker, &plugin.names, egress.ports.clone(), allow).await;
    held.map_err(|words| refuse(ErrorCode::Unavailable, &words))
}

/// Looks for ever whether all holds.
pub(crate) async fn watch(plugin: std::sync::Arc<Plugin>) {
    let (mut was_away, mut looked) = (false, None);
    loop {
        match plugin.engine.health().await {
            Health::Ready => {
                if std::mem::take(&mut was_away)
                    && let Some(fence) = plugin.guard.fence.get()
                {
                    fence.doubt();
                }
                // What goes wrong here the plugin's health tells, and the next look tries again.
                let _ = look(&plugin, &mut looked).await;
            }
            Health::Unready { .. } => was_away = true,
        }
        tokio::time::sleep(CHECK_EVERY).await;
    }
}

async fn look(plugin: &Plugin, looked: &mut Option<Instant>) -> Result<(), Error> {
    let docker = plugin.engine.client().await?;
    let Rule { ports, allow, problem } = plugin.guard.rule.lock().clone();
    if let Err(words) = plugin.guard.hold(&docker, &plugin.names, ports, allow).await
        && problem.as_ref() != Some(&words)
    {
        say(&words);
    }
    if looked.is_none_or(|at| at.elapsed() >= DEVICES_EVERY) {
        *looked = Some(Instant::now());
        find(plugin, &docker).await?;
    }
    settle(plugin, &docker).await
}

/// Which devices there are. Who has one that is gone cannot go on.
async fn find(plugin: &Plugin, docker: &Docker) -> Result<(), Error> {
    let info = docker.info().await?;
    let can = EngineCan {
        nvidia_runtime: info.runtimes.is_some_and(|runtimes| runtimes.contains_key("nvidia")),
        cdi: info.cdi_spec_dirs.is_some_and(|folders| !folders.is_empty()),
    };
    let (devices, before) = (plugin.guard.devices.clone(), plugin.guard.devices.notes());
    let lost = tokio::task::spawn_blocking(move || devices.look(can)).await.unwrap_or_default();
    for note in plugin.guard.devices.notes().iter().filter(|note| !before.contains(note)) {
        say(note);
    }
    for lost in lost {
        kill(plugin, docker, &lost.instance, &lost.to_string()).await;
    }
    Ok(())
}

/// Who has which: what the containers that run say.
async fn settle(plugin: &Plugin, docker: &Docker) -> Result<(), Error> {
    let mark = plugin.guard.devices.mark();
    let options = ListContainersOptions { filters: Some(plugin.names.filter()), ..ListContainersOptions::default() };
    let running: Vec<(InstanceId, Vec<String>)> = docker
        .list_containers(Some(options))
        .await?
        .into_iter()
        .filter_map(|container| {
            let labels = container.labels?;
            let ids = labels.get(LABEL_DEVICES)?.split(',').map(str::to_owned).collect();
            Some((labels.get(LABEL_INSTANCE)?.parse().ok()?, ids))
        })
        .collect();
    for conflict in plugin.guard.devices.settle(mark, &running) {
        kill(plugin, docker, &conflict.instance, &conflict.to_string()).await;
    }
    Ok(())
}

async fn kill(plugin: &Plugin, docker: &Docker, id: &InstanceId, why: &str) {
    say(&format_args!("instance {id} is ended: {why}"));
    let options = KillContainerOptions { signal: "SIGKILL".to_owned() };
    // It may have ended in this moment.
    let _ = docker.kill_container(&plugin.names.container(id), Some(options)).await;
}
