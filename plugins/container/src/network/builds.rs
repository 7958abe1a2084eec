//! The rule for the steps of builds. The engine runs everybody's on one bridge, whoever asked for them, and nothing on a packet
//! says whose it is. So all plugins of a machine share one rule there, which lets through what each of them does: no
//! host's builds get further by another's rule.
//!
//! The rule follows from those who live ([`Commons`]), and each of them sees to it that it does. Who has gone narrows nothing any
//! more, and opens nothing for those who are left; the last leaves it as it is.

use std::net::IpAddr;
use std::path::Path;

use super::commons::Commons;
use super::held::{Held, Rules};
use super::policy::{Interface, Policy};
use super::rules::Behind;
use super::{Unfenced, nft};
use crate::turn::Turn;

/// This plugin's part in it.
#[derive(Debug)]
pub(super) struct Builds {
    pub(super) bridge: Interface,
    commons: Commons,
    own: Policy,
    /// What all let through.
    rules: Option<Rules>,
}

impl Builds {
    /// Nothing yet, on this bridge.
    pub(super) fn on(bridge: Interface, top: &Path) -> Result<Self, Unfenced> {
        let commons = Commons::of(top, &bridge);
        let commons = commons.map_err(|error| Unfenced::Shared(format!("{}: {error}", top.display())))?;
        let own = Policy { ports: Vec::new(), allow: Vec::new(), resolvers: Vec::new() };
        Ok(Self { bridge, commons, own, rules: None })
    }

    /// Has a say from now on, and puts the rule of all in place. It is this plugin's turn until what is given back is
    /// dropped: time to try the rule while nobody changes it.
    pub(super) async fn hold(&mut self, own: Policy) -> Result<(Turn, &Policy), Unfenced> {
        let turn = self.commons.turn().await?;
        self.commons.sit(&turn, &own)?;
        self.own = own;
        let policy = self.shared(&self.own.resolvers)?;
        let rules = self.rules.insert(Rules::put(Behind::Builds(self.bridge.clone()), policy).await?);
        Ok((turn, &rules.policy))
    }

    /// Looks whether the rule in place is the one of all, and puts it there if not.
    pub(super) async fn check(&mut self) -> Result<Held, Unfenced> {
        // Whoever is writing in this moment makes this an error.
        if let Some(rules) = &self.rules
            && self.shared(&self.own.resolvers).is_ok_and(|shared| shared == rules.policy)
            && rules.stand().await?
        {
            return Ok(Held::Still);
        }
        self.hold(self.own.clone()).await?;
        Ok(Held::Again)
    }

    /// What this plugin's operator allows and others on this machine do not.
    pub(super) fn lacks(&self) -> Vec<String> {
        let Some(rules) = &self.rules else { return Vec::new() };
        rules.policy.allows_less_than(&self.own).into_iter().map(ToString::to_string).collect()
    }

    /// Takes this plugin's part away. The rule goes with the last.
    pub(super) async fn leave(mut self, resolvers: &[IpAddr]) -> Result<(), Unfenced> {
        let turn = self.commons.turn().await?;
        self.commons.leave(&turn);
        let behind = Behind::Builds(self.bridge);
        match Policy::of_all(&self.commons.said()?, resolvers) {
            Some(others) => Rules::put(behind, others).await.map(drop),
            None => nft::apply(&behind.remove()).await,
        }
    }

    /// What all let through. Without this plugin's own seat, which somebody may have swept away, there is nothing to say.
    fn shared(&self, resolvers: &[IpAddr]) -> Result<Policy, Unfenced> {
        let shared = Policy::of_all(&self.commons.said()?, resolvers);
        shared.ok_or_else(|| Unfenced::Shared("nobody has a say any more".to_owned()))
    }
}
