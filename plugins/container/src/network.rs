//! The network of Spaces and the fence around it.
//!
//! Spaces are on one network of the engine's, which has a bridge of its own. What comes from that bridge may go to TCP
//! ports 80, 443 and 8080 of public addresses, to what the operator allows on those ports, and to the engine's name
//! servers; not to another Space, not to this host, nowhere else, with IPv4 and IPv6 alike ([`policy`] says it, [`rules`]
//! writes it for the kernel). In comes what this host opens, and answers. The steps of builds run on the engine's default
//! bridge, since its builder knows no other: what goes out there obeys the same rule.
//!
//! Invariant: nothing is started under rules that were not seen to hold. [`Fence::hold`] puts them in place and then tries
//! everything that must fail, from inside containers on that network ([`probe`]); one attempt that gets through, and there
//! is no network for Spaces but a sentence on what got through. The rules stay when the plugin ends, since Spaces go on
//! running; that somebody removed them meanwhile is noticed by [`Fence::keep`].

mod engine;
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
use serde_json::Value;
use tokio::sync::Mutex;

use policy::Policy;
pub use policy::{Interface, InvalidInterface};
pub use probe::{INSIDE, inside};

/// How often the rules are to be looked at: how long a Space can be unfenced once somebody has removed them.
pub const CHECK_EVERY: Duration = Duration::from_secs(10);
/// Where the kernel says whether packets within a bridge are shown to the fence, for IPv4 and IPv6.
const BRIDGE_FILTERS: [&str; 2] =
    ["/proc/sys/net/bridge/bridge-nf-call-iptables", "/proc/sys/net/bridge/bridge-nf-call-ip6tables"];

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

/// What a look at the rules found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// They are as they were.
    Still,
    /// They were not, and have been put in place again.
    Again,
}

/// The network of Spaces, for containers only while [`Fence::hold`] says so.
#[derive(Debug)]
pub struct Fence {
    docker: Docker,
    config: NetworkConfig,
    /// Where the operator reads what happened.
    tell: fn(&str),
    /// Nobody starts anything while somebody else finds out whether the rules hold.
    standing: Mutex<Option<Standing>>,
    is_in_doubt: AtomicBool,
}

/// Rules that stand.
#[derive(Debug)]
struct Standing {
    rules: Rules,
    /// Whether they were seen to hold.
    is_proven: bool,
    looked_at: Instant,
}

/// Rules that were put in place.
#[derive(Debug)]
struct Rules {
    policy: Policy,
    listing: Value,
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
        Self { docker, config, tell, standing: Mutex::new(None), is_in_doubt: AtomicBool::new(false) }
    }

    /// What the engine calls the network: the network mode of every container.
    pub fn network(&self) -> &str {
        &self.config.name
    }

    /// Makes sure that this rule is in force: before each start and each build. What was seen to hold is only looked at,
    /// and that at most every [`CHECK_EVERY`].
    pub async fn hold(&self, ports: &[u16], allow: &[IpNet]) -> Result<(), Unfenced> {
        let mut standing = self.standing.lock().await;
        let is_in_doubt = self.is_in_doubt.swap(false, Ordering::AcqRel);
        if let Some(standing) = &mut *standing {
            let policy = &standing.rules.policy;
            standing.is_proven &= !is_in_doubt && policy.ports == ports && policy.allow == allow;
            if standing.is_proven && standing.looked_at.elapsed() < CHECK_EVERY {
                return Ok(());
            }
            if standing.is_proven {
                return standing.look(&self.config, self.tell).await;
            }
        }
        let policy = self.prepare(ports, allow).await?;
        let rules = Rules::put(policy).await?;
        let standing = standing.insert(Standing { rules, is_proven: false, looked_at: Instant::now() });
        stage::prove(&self.docker, &self.config, &standing.rules.policy).await?;
        standing.is_proven = true;
        Ok(())
    }

    /// Looks every [`CHECK_EVERY`] whether the rules are still there, and puts them there again. Never returns.
    pub async fn keep(&self) {
        loop {
            tokio::time::sleep(CHECK_EVERY).await;
            if let Some(standing) = &mut *self.standing.lock().await
                && let Err(error) = standing.look(&self.config, self.tell).await
            {
                (self.tell)(&error.to_string());
            }
        }
    }

    /// The engine was started anew: what was seen before says nothing of now.
    pub fn doubt(&self) {
        self.is_in_doubt.store(true, Ordering::Release);
    }

    /// Takes network and rules away. For the end of the installation; Spaces must be gone.
    pub async fn remove(&self) -> Result<(), Unfenced> {
        let mut standing = self.standing.lock().await;
        *standing = None;
        stage::clear(&self.docker, &self.config.bridge).await?;
        engine::remove(&self.docker, &self.config.name).await?;
        nft::apply(&rules::remove(&self.config.bridge)).await
    }

    /// Makes the network or finds it; the rule for it.
    async fn prepare(&self, ports: &[u16], allow: &[IpNet]) -> Result<Policy, Unfenced> {
        let config = &self.config;
        engine::ensure(&self.docker, config).await?;
        let builds = if config.builds { engine::default_bridge(&self.docker).await? } else { None };
        for bridge in [Some(&config.bridge), builds.as_ref()].into_iter().flatten() {
            if !PathBuf::from(format!("/sys/class/net/{bridge}")).exists() {
                return Err(Unfenced::Elsewhere(bridge.to_string()));
            }
        }
        let (ports, allow) = (ports.to_vec(), allow.to_vec());
        Ok(Policy { spaces: config.bridge.clone(), builds, ports, allow, resolvers: config.resolvers() })
    }
}

impl Standing {
    async fn look(&mut self, config: &NetworkConfig, tell: fn(&str)) -> Result<(), Unfenced> {
        let resolvers = config.resolvers();
        if resolvers != self.rules.policy.resolvers {
            // The machine has moved to other name servers, which Spaces that run need too. One set changes, no rule does.
            self.rules = Rules::put(Policy { resolvers, ..self.rules.policy.clone() }).await?;
        }
        if self.rules.check().await? == Held::Again {
            tell("somebody removed or changed the firewall rules for Spaces; they are in place again");
        }
        self.looked_at = Instant::now();
        Ok(())
    }
}

impl Rules {
    /// Puts the rules in place, whole.
    async fn put(policy: Policy) -> Result<Self, Unfenced> {
        let listing = put_in_place(&policy).await?;
        Ok(Self { policy, listing })
    }

    /// Looks whether they are as they were put in place, and puts them there again if not.
    async fn check(&mut self) -> Result<Held, Unfenced> {
        let now = nft::listing(&self.policy.spaces).await?;
        if now.as_ref() == Some(&self.listing) && bridge_filters_are_on() {
            return Ok(Held::Still);
        }
        self.listing = put_in_place(&self.policy).await?;
        Ok(Held::Again)
    }
}

/// Puts the rules in place and tells what the kernel made of them.
async fn put_in_place(policy: &Policy) -> Result<Value, Unfenced> {
    nft::apply(&rules::render(policy)).await?;
    turn_on_bridge_filters();
    let listing = nft::listing(&policy.spaces).await?;
    listing.ok_or_else(|| Unfenced::Rules("they are gone right after they were put in place".to_owned()))
}

/// Has the kernel show packets within a bridge to the fence. The engine does so as well; where neither can, the probe reaches
/// the other container and says so.
fn turn_on_bridge_filters() {
    for file in BRIDGE_FILTERS {
        let _ = std::fs::write(file, "1");
    }
}

/// Whether it does; a kernel that has no such switch has nothing to be looked at.
fn bridge_filters_are_on() -> bool {
    BRIDGE_FILTERS.iter().all(|file| std::fs::read_to_string(file).map_or(true, |value| value.trim() == "1"))
}
