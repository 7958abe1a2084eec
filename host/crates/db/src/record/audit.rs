//! The stored form of an entry of the audit log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spaceport_core::id::{AccountId, SpaceId};

use crate::audit::{AuditActor, AuditEntry};
use crate::record::record_by_json;

record_by_json!(AuditEntry, AuditEntryV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditEntryV1 {
    actor: AuditActorV1,
    from: Option<String>,
    action: String,
    space: Option<(SpaceId, String)>,
    target: Option<String>,
    detail: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AuditActorV1 {
    User(AccountId, String),
    Shell,
    Host,
}

impl From<&AuditEntry> for AuditEntryV1 {
    fn from(entry: &AuditEntry) -> Self {
        Self {
            actor: match &entry.actor {
                AuditActor::User(id, name) => AuditActorV1::User(*id, name.clone()),
                AuditActor::Shell => AuditActorV1::Shell,
                AuditActor::Host => AuditActorV1::Host,
            },
            from: entry.from.clone(),
            action: entry.action.clone(),
            space: entry.space.clone(),
            target: entry.target.clone(),
            detail: entry.detail.clone(),
        }
    }
}

impl From<AuditEntryV1> for AuditEntry {
    fn from(stored: AuditEntryV1) -> Self {
        Self {
            actor: match stored.actor {
                AuditActorV1::User(id, name) => AuditActor::User(id, name),
                AuditActorV1::Shell => AuditActor::Shell,
                AuditActorV1::Host => AuditActor::Host,
            },
            from: stored.from,
            action: stored.action,
            space: stored.space,
            target: stored.target,
            detail: stored.detail,
        }
    }
}
