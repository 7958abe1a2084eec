//! The network of Spaces and the fence around it.
//!
//! Spaces are on one network of the engine's, which has a bridge of its own. What comes from that bridge may go to TCP
//! ports 80, 443 and 8080 of public addresses, to what the operator allows on those ports, and to the engine's name
//! servers; not to another Space, not to this host, nowhere else, with IPv4 and IPv6 alike ([`policy`] says it, [`rules`]
//! writes it for the kernel). In comes what this host opens, and answers. The steps of builds run on the engine's default
//! bridge, since its builder knows no other: what goes out there obeys a rule that all plugins of the machine share ([`builds`]).
//!
//! Invariant: nothing is started under rules that were not seen to hold. [`Fence::hold`] puts them in place and then tries
//! everything that must fail, from inside containers on that network ([`probe`]); one attempt that gets through, and there
//! is no network for Spaces but a sentence on what got through. The rules stay when the plugin ends, as long as Spaces go on
//! running; that somebody removed them meanwhile is noticed by whoever holds them again and again.

mod builds;
mod commons;
mod engine;
mod held;
mod nft;
mod pause;
mod policy;
mod probe;
mod ranges;
mod rules;
mod stage;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bollard::Docker;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use tokio::sync::Mutex;

use builds::Builds;
use held::{Held, Rules};
use policy::Policy;
pub use policy::{Interface, InvalidInterface};
pub use probe::{INSIDE, inside};
use rules::Behind;

use crate::turn::COMMONS;

/// How often the rules are to be looked at: how long a Space can be unfenced once somebody has removed them.
pub const CHECK_EVERY: Duration = Duration::from_secs(10);

/// Where the kernel lists the interfaces of this process's network, a line each that begins with the name and a colon.
const INTERFACES: &str = "/proc/self/net/dev";

/// The network to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The engine's name for the network.
    pub name: String,
    /// The kernel's name for its bridge.
    pub bridge: Interface,
    /// Its addresses; `None`: the engine picks some.
    pub subnet: Option<Ipv4Net>,
    /// Its IPv6 addresses; `None`: containers have no IPv6.
    pub ipv6: Option<Ipv6Net>,
    /// The name servers the engine asks; empty: as it finds them itself.
    pub resolvers: Vec<IpAddr>,
    /// Whether builds run, and so the engine's default bridge is fenced as well.
    pub builds: bool,
    /// Where all plugins of this machine say what they let through there.
    pub commons: PathBuf,
    /// This program, which starts itself anew to try the network from inside.
    pub program: PathBuf,
}

/// Why there is no fence, and so no Space in a container.
#[derive(Debug, thiserror::Error)]
pub enum Unfenced {
    /// There is no `nft`.
    #[error("the network of Spaces cannot be fenced: the program nft is missing (package nftables)")]
    NoProgram,
    /// The plugin may not.
    #[error("the network of Spaces cannot be fenced: changing firewall rules needs root ({0})")]
    NotPermitted(String),
    /// The kernel or `nft` refuses the rules.
    #[error("the firewall rules for Spaces are refused: {0}")]
    Rules(String),
    /// The engine's bridges are in another place.
    #[error(
        "the network of Spaces cannot be fenced: its bridge {0} is not on this machine (a remote engine, a rootless one, or one in a virtual machine)"
    )]
    Elsewhere(String),
    /// What all plugins share is not to be had.
    #[error("the rule for builds, which all hosts on this machine share, cannot be settled: {0}")]
    Shared(String),
    /// There is a network of that name and it is another one.
    #[error("the engine has a network {name} that is none for Spaces: {reason}. Remove it, or name another one")]
    Other {
        /// The network.
        name: String,
        /// What is different.
        reason: String,
    },
    /// The engine does not do what is needed.
    #[error("the container engine: {0}")]
    Engine(#[from] bollard::errors::Error),
    /// The probe could not be carried out.
    #[error("whether the network of Spaces is fenced could not be tried: {0}")]
    Untried(String),
    /// Something got through.
    #[error("the network of Spaces is not fenced: {}", .0.join("; "))]
    Open(Vec<String>),
}

impl Unfenced {
    fn untried(reason: impl Display) -> Self {
        Self::Untried(reason.to_string())
    }
}

/// The network of Spaces, for containers only while [`Fence::hold`] says so.
#[derive(Debug)]
pub struct Fence {
    docker: Docker,
    config: NetworkConfig,
    /// Where the operator reads what happened.
    tell: fn(&str),
    /// Nobody starts anything while somebody else finds out whether the rules hold.
    state: Mutex<State>,
    is_in_doubt: AtomicBool,
}

/// What is in place.
#[derive(Debug, Default)]
struct State {
    standing: Option<Standing>,
    /// This plugin's part in the rule for builds, which it has as long as it lives.
    builds: Option<Builds>,
    /// What the operator was told last that builds do not get.
    lacks: Vec<String>,
}

/// Rules that stand.
#[derive(Debug)]
struct Standing {
    /// What was asked for.
    policy: Policy,
    spaces: Rules,
    /// Whether they were seen to hold.
    is_proven: bool,
    looked_at: Instant,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            name: "spaceport".to_owned(),
            bridge: "spaceport0".parse().expect("the name is one"),
            subnet: None,
            ipv6: None,
            resolvers: Vec::new(),
            builds: true,
            commons: PathBuf::from(COMMONS),
            program: PathBuf::from("/proc/self/exe"),
        }
    }
}

impl NetworkConfig {
    /// Whom the engine asks for names.
    fn resolvers(&self) -> Vec<IpAddr> {
        if self.resolvers.is_empty() { engine::resolvers() } else { self.resolvers.clone() }
    }
}

impl Fence {
    /// A fence that does not stand yet.
    pub fn new(docker: Docker, config: NetworkConfig, tell: fn(&str)) -> Self {
        Self { docker, config, tell, state: Mutex::default(), is_in_doubt: AtomicBool::new(false) }
    }

    /// What the engine calls the network: the network mode of every container.
    pub fn network(&self) -> &str {
        &self.config.name
    }

    /// Makes sure that this rule is in force: before each start and each build, and every [`CHECK_EVERY`]. What was seen to
    /// hold is only looked at, and that at most as often; what was found changed is tried again.
    pub async fn hold(&self, ports: &[u16], allow: &[IpNet]) -> Result<(), Unfenced> {
        let mut state = self.state.lock().await;
        let policy = Policy { ports: ports.to_vec(), allow: allow.to_vec(), resolvers: self.config.resolvers() };
        let is_in_doubt = self.is_in_doubt.swap(false, Ordering::AcqRel);
        if let Some(standing) = &mut state.standing {
            standing.is_proven &= !is_in_doubt && standing.policy == policy;
            if standing.is_proven && standing.looked_at.elapsed() < CHECK_EVERY {
                return Ok(());
            }
            if standing.is_proven && state.look(self.tell).await? == Held::Still {
                return Ok(());
            }
        }
        self.establish(&mut state, policy).await?;
        state.tell_lacks(self.tell);
        Ok(())
    }

    /// The engine was started anew: what was seen before says nothing of now.
    pub fn doubt(&self) {
        self.is_in_doubt.store(true, Ordering::Release);
    }

    /// Takes the network of Spaces and its rules away; Spaces must be gone. The rule for builds stays: what has just begun there
    /// may not have heard yet that nobody waits for it.
    pub async fn leave(&self) -> Result<(), Unfenced> {
        self.state.lock().await.standing = None;
        stage::clear(&self.docker, &self.config.bridge).await?;
        engine::remove(&self.docker, &self.config.name).await?;
        nft::apply(&Behind::Spaces(self.config.bridge.clone()).remove()).await
    }

    /// Takes all away, for the end of the installation.
    pub async fn remove(&self) -> Result<(), Unfenced> {
        self.leave().await?;
        let mut state = self.state.lock().await;
        if let Some(bridge) = self.builds_on().await? {
            let part = self.part(&mut state, bridge)?;
            let resolvers = self.config.resolvers();
            part.leave(&resolvers).await?;
        }
        Ok(())
    }

    /// Puts all in place, and tries it.
    async fn establish(&self, state: &mut State, policy: Policy) -> Result<(), Unfenced> {
        let config = &self.config;
        engine::ensure(&self.docker, config).await?;
        is_here(&config.bridge)?;
        let spaces = Rules::put(Behind::Spaces(config.bridge.clone()), policy.clone()).await?;
        let standing = Standing { policy: policy.clone(), spaces, is_proven: false, looked_at: Instant::now() };
        let spaces = &state.standing.insert(standing).spaces;
        let mut holes = stage::prove(&self.docker, config, spaces.behind.clone(), &spaces.policy).await?;
        if let Some(bridge) = self.builds_on().await? {
            is_here(&bridge)?;
            let part = self.part(state, bridge.clone())?;
            let builds = state.builds.insert(part);
            let (_turn, shared) = builds.hold(policy).await?;
            let found = stage::prove(&self.docker, config, Behind::Builds(bridge), shared).await?;
            holes.extend(found.into_iter().map(|hole| format!("builds: {hole}")));
        } else {
            state.builds = None;
        }
        if !holes.is_empty() {
            return Err(Unfenced::Open(holes));
        }
        if let Some(standing) = &mut state.standing {
            (standing.is_proven, standing.looked_at) = (true, Instant::now());
        }
        Ok(())
    }

    /// The bridge that the steps of builds run on, if there are any.
    async fn builds_on(&self) -> Result<Option<Interface>, Unfenced> {
        if self.config.builds { engine::default_bridge(&self.docker).await } else { Ok(None) }
    }

    /// This plugin's part in the rule for that bridge: the one that it has, or a new one.
    fn part(&self, state: &mut State, bridge: Interface) -> Result<Builds, Unfenced> {
        match state.builds.take() {
            Some(part) if part.bridge == bridge => Ok(part),
            _ => Builds::on(bridge, &self.config.commons),
        }
    }
}

/// Whether a bridge is one of this machine's: among the interfaces of the network that this process is in.
fn is_here(bridge: &Interface) -> Result<(), Unfenced> {
    let interfaces = std::fs::read_to_string(INTERFACES).map_err(Unfenced::untried)?;
    let is_here =
        |line: &str| line.trim_start().strip_prefix(&bridge.to_string()).is_some_and(|it| it.starts_with(':'));
    if interfaces.lines().any(is_here) { Ok(()) } else { Err(Unfenced::Elsewhere(bridge.to_string())) }
}

impl State {
    /// Looks whether all rules are in place, and puts them there if not. Those are still to be tried.
    async fn look(&mut self, tell: fn(&str)) -> Result<Held, Unfenced> {
        let Some(standing) = &mut self.standing else { return Ok(Held::Again) };
        let spaces = standing.spaces.check().await?;
        if spaces == Held::Again {
            tell("somebody removed or changed the firewall rules for Spaces; they are in place again");
        }
        let builds = match &mut self.builds {
            Some(builds) => builds.check().await?,
            None => Held::Still,
        };
        standing.looked_at = Instant::now();
        standing.is_proven = spaces == Held::Still && builds == Held::Still;
        Ok(if standing.is_proven { Held::Still } else { Held::Again })
    }

    /// Tells the operator what builds do not get, once.
    fn tell_lacks(&mut self, tell: fn(&str)) {
        let lacks = self.builds.as_ref().map(Builds::lacks).unwrap_or_default();
        if lacks != self.lacks && !lacks.is_empty() {
            tell(&format!(
                "another host on this machine does not allow {}: builds of this one cannot connect there either, since the \
                 engine runs both hosts' on one bridge",
                lacks.join(", ")
            ));
        }
        self.lacks = lacks;
    }
}
