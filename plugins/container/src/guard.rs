//! What has to hold before anything is started: the network rule, and that a GPU has one owner.
//!
//! Both are looked at again and again, since others may change them: firewall rules, devices, containers that have ended. As
//! long as the network rule does not hold, nothing is built or started, and the plugin's health says why.

use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::errors::Error;
use ipnet::IpNet;
use parking_lot::Mutex;
use spaceport_backend_protocol::{Egress, ErrorCode, Health, Refusal};
use tokio::sync::OnceCell;

use crate::devices::{Devices, DevicesConfig};
use crate::instances::list;
use crate::names::Names;
use crate::network::{CHECK_EVERY, Fence, NetworkConfig};
use crate::owners;
use crate::plugin::Plugin;
use crate::program::say;
use crate::refusal::refuse;
use crate::versions::{TooOld, too_old};

/// The ports of the rule that is tried at the start, before the host has said which.
const PORTS: [u16; 3] = [80, 443, 8080];
/// Time between two looks for devices: asking NVIDIA's library may load a driver.
const DEVICES_EVERY: Duration = Duration::from_secs(60);

/// Longest wait for an engine that is to take the network back.
const LEAVE: Duration = Duration::from_secs(3);

/// Time between two looks for an engine that is away.
const AWAY: Duration = Duration::from_secs(1);

/// What is known of both.
pub(crate) struct Guard {
    fence: OnceCell<Fence>,
    pub(crate) devices: Devices,
    /// Held as long as it is tried: a look must not put a rule back that a start has just changed.
    rule: tokio::sync::Mutex<Rule>,
    /// What of the engine is too old.
    old: Mutex<TooOld>,
    /// Why nothing can be started.
    problem: Mutex<Option<String>>,
}

/// The network rule.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    ports: Vec<u16>,
    allow: Vec<IpNet>,
}

impl Guard {
    pub(crate) fn new(devices: DevicesConfig, allow: Vec<IpNet>) -> Self {
        let problem = Some("the network rule for Spaces is being tried".to_owned());
        Self {
            fence: OnceCell::new(),
            devices: Devices::new(devices),
            rule: tokio::sync::Mutex::new(Rule { ports: PORTS.to_vec(), allow }),
            old: Mutex::default(),
            problem: Mutex::new(problem),
        }
    }

    /// Why nothing can be started.
    pub(crate) fn problem(&self) -> Option<String> {
        self.problem.lock().clone()
    }

    /// Makes sure that a rule holds: a new one, or the last.
    async fn hold(&self, docker: &Docker, names: &Names, new: Option<Rule>) -> Result<(), String> {
        let mut rule = self.rule.lock().await;
        if let Some(new) = new {
            *rule = new;
        }
        let refused = self.old.lock().refused.clone();
        let outcome = match self.fence.get_or_try_init(|| async { fence(docker.clone(), names) }).await {
            Ok(_) if refused.is_some() => Err(refused.unwrap_or_default()),
            Ok(fence) => fence.hold(&rule.ports, &rule.allow).await.map_err(|error| error.to_string()),
            Err(words) => Err(words),
        };
        let before = std::mem::replace(&mut *self.problem.lock(), outcome.clone().err());
        if let Err(words) = &outcome
            && before.as_ref() != Some(words)
        {
            say(words);
        }
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
    let rule = Rule { ports: egress.ports.clone(), allow };
    let held = plugin.guard.hold(docker, &plugin.names, Some(rule)).await;
    held.map_err(|words| refuse(ErrorCode::Unavailable, &words))
}

/// Gives the network back when nothing is left in it: an engine has few. Whatever fails leaves it to the next plugin.
pub(crate) async fn leave(plugin: &Plugin) {
    let given_back = async {
        let fence = plugin.guard.fence.get()?;
        let left = list(plugin).await.ok()?;
        if left.instances.is_empty() { fence.leave().await.ok() } else { None }
    };
    // Nobody waits for it.
    let _ = tokio::time::timeout(LEAVE, given_back).await;
}

/// Looks for ever whether all holds, and at once when the engine was started anew.
pub(crate) async fn watch(plugin: std::sync::Arc<Plugin>) {
    let mut looked = None;
    loop {
        // It may be back before anybody has noticed that it was away, but for who was listening.
        let mut end = std::pin::pin!(plugin.engine.end());
        loop {
            let turn = async {
                match plugin.engine.health().await {
                    // What goes wrong here the plugin's health tells, and the next look tries again.
                    Health::Ready => _ = look(&plugin, &mut looked).await,
                    Health::Unready { .. } => doubt(&plugin),
                }
                tokio::time::sleep(CHECK_EVERY).await;
            };
            tokio::select! {
                () = &mut end => break,
                () = turn => {}
            }
        }
        doubt(&plugin);
        tokio::time::sleep(AWAY).await;
    }
}

/// What was seen before says nothing of now.
fn doubt(plugin: &Plugin) {
    if let Some(fence) = plugin.guard.fence.get() {
        fence.doubt();
    }
}

async fn look(plugin: &Plugin, looked: &mut Option<Instant>) -> Result<(), Error> {
    let docker = plugin.engine.client().await?;
    // Whose they are is known before anybody can have one, and which there are before anybody is told that all is ready.
    if looked.is_none() {
        owners::sweep(plugin, &docker).await?;
    }
    owners::settle(plugin, &docker).await?;
    if looked.is_none_or(|at| at.elapsed() >= DEVICES_EVERY) {
        *looked = Some(Instant::now());
        let old = too_old(&docker.version().await?);
        let before = std::mem::replace(&mut *plugin.guard.old.lock(), old.clone());
        old.notes.iter().filter(|note| !before.notes.contains(note)).for_each(|note| say(note));
        owners::find(plugin, &docker).await?;
    }
    // What goes wrong with it is told where it is tried, and everybody else asks for it again.
    let _ = plugin.guard.hold(&docker, &plugin.names, None).await;
    Ok(())
}
