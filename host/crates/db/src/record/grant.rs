//! The stored form of a grant.

use serde::{Deserialize, Serialize};
use spaceport_core::grant::{Grant, GrantState};
use spaceport_core::id::{AccountId, GrantId};

use crate::record::record_by_json;

record_by_json!(Grant, GrantV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantV1 {
    id: GrantId,
    flavor: String,
    reason: String,
    asked_by: AccountId,
    asked_at: u64,
    state: GrantStateV1,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum GrantStateV1 {
    Pending,
    Approved { by: AccountId, at: u64, ended_at: Option<u64> },
    Denied { by: AccountId, at: u64, reason: String },
}

impl From<&Grant> for GrantV1 {
    fn from(grant: &Grant) -> Self {
        Self {
            id: grant.id,
            flavor: grant.flavor.clone(),
            reason: grant.reason.clone(),
            asked_by: grant.asked_by,
            asked_at: grant.asked_at,
            state: match &grant.state {
                GrantState::Pending => GrantStateV1::Pending,
                GrantState::Approved { by, at, ended_at } => {
                    GrantStateV1::Approved { by: *by, at: *at, ended_at: *ended_at }
                }
                GrantState::Denied { by, at, reason } => {
                    GrantStateV1::Denied { by: *by, at: *at, reason: reason.clone() }
                }
            },
        }
    }
}

impl From<GrantV1> for Grant {
    fn from(stored: GrantV1) -> Self {
        Self {
            id: stored.id,
            flavor: stored.flavor,
            reason: stored.reason,
            asked_by: stored.asked_by,
            asked_at: stored.asked_at,
            state: match stored.state {
                GrantStateV1::Pending => GrantState::Pending,
                GrantStateV1::Approved { by, at, ended_at } => GrantState::Approved { by, at, ended_at },
                GrantStateV1::Denied { by, at, reason } => GrantState::Denied { by, at, reason },
            },
        }
    }
}
