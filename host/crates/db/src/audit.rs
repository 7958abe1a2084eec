//! The audit log: who has changed what, when and from where.

use std::collections::BTreeMap;

use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::lifecycle::Millis;

use crate::key::Key;

/// Where an entry stands: by time, then by a number drawn at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditKey {
    /// When.
    pub at: Millis,
    /// Keeps apart what happens within one millisecond.
    pub draw: u64,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Who.
    pub actor: AuditActor,
    /// The address that the request came from, if it came from one.
    pub from: Option<String>,
    /// What was done: `space.create`.
    pub action: String,
    /// The Space it was done to, by id and by its path at the time.
    pub space: Option<(SpaceId, String)>,
    /// What else it was done to: a user, an organization.
    pub target: Option<String>,
    /// More on it, by name. Never a secret.
    pub detail: BTreeMap<String, String>,
}

/// Who has changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditActor {
    /// A user, by id and by name at the time.
    User(AccountId, String),
    /// Whoever has the shell of this machine.
    Shell,
    /// The host by itself.
    Host,
}

impl Key for AuditKey {
    fn encode(&self, bytes: &mut Vec<u8>) {
        self.at.encode(bytes);
        self.draw.encode(bytes);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (at, draw) = bytes.split_at_checked(size_of::<u64>())?;
        Some(Self { at: u64::decode(at)?, draw: u64::decode(draw)? })
    }
}
