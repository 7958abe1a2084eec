//! A table that was put in place, and whether it is still as it was.

use serde_json::Value;

use super::policy::Policy;
use super::rules::Behind;
use super::{Unfenced, nft};

/// Where the kernel says whether packets within a bridge are shown to the fence, for IPv4 and IPv6.
const BRIDGE_FILTERS: [&str; 2] =
    ["/proc/sys/net/bridge/bridge-nf-call-iptables", "/proc/sys/net/bridge/bridge-nf-call-ip6tables"];

/// What a look at the rules found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// They are as they were.
    Still,
    /// They were not, and have been put in place again.
    Again,
}

/// Rules that were put in place.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) behind: Behind,
    pub(super) policy: Policy,
    listing: Value,
}

impl Rules {
    /// Puts the rules in place, whole.
    pub(super) async fn put(behind: Behind, policy: Policy) -> Result<Self, Unfenced> {
        let listing = put_in_place(&behind, &policy).await?;
        Ok(Self { behind, policy, listing })
    }

    /// Whether they are as they were put in place.
    pub(super) async fn stand(&self) -> Result<bool, Unfenced> {
        Ok(nft::listing(&self.behind).await?.as_ref() == Some(&self.listing) && bridge_filters_are_on())
    }

    /// Looks whether they are as they were put in place, and puts them there again if not.
    pub(super) async fn check(&mut self) -> Result<Held, Unfenced> {
        if self.stand().await? {
            return Ok(Held::Still);
        }
        self.listing = put_in_place(&self.behind, &self.policy).await?;
        Ok(Held::Again)
    }
}

/// Puts the rules in place and tells what the kernel made of them.
async fn put_in_place(behind: &Behind, policy: &Policy) -> Result<Value, Unfenced> {
    nft::apply(&behind.render(policy)).await?;
    turn_on_bridge_filters();
    let listing = nft::listing(behind).await?;
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
