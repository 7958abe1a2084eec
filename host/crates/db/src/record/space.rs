//! The stored form of a Space's settings.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::name::{SpacePath, Subdomain};
use spaceport_core::space::{Preview, Sdk, SecretInfo, SleepAfter, Space, Variable, Visibility};

use crate::record::record_by_json;

record_by_json!(Space, SpaceV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpaceV1 {
    id: SpaceId,
    path: SpacePath,
    subdomain: Subdomain,
    owner: AccountId,
    creator: AccountId,
    created_at: u64,
    updated_at: u64,
    visibility: Visibility,
    sdk: Sdk,
    hardware: String,
    storage: Option<String>,
    sleep_after: SleepAfterV1,
    variables: BTreeMap<String, VariableV1>,
    secrets: BTreeMap<String, SecretInfoV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preview: Option<PreviewV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PreviewV1 {
    of: SpaceId,
    reference: String,
}

/// JSON has one `null`, so the two ways to say no number get words.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SleepAfterV1 {
    Default,
    Never,
    Seconds(u64),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VariableV1 {
    value: String,
    description: Option<String>,
    updated_at: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretInfoV1 {
    description: Option<String>,
    updated_at: u64,
}

impl From<&Space> for SpaceV1 {
    fn from(space: &Space) -> Self {
        Self {
            id: space.id,
            path: space.path.clone(),
            subdomain: space.subdomain.clone(),
            owner: space.owner,
            creator: space.creator,
            created_at: space.created_at,
            updated_at: space.updated_at,
            visibility: space.visibility,
            sdk: space.sdk,
            hardware: space.hardware.clone(),
            storage: space.storage.clone(),
            sleep_after: match space.sleep_after {
                SleepAfter::HostDefault => SleepAfterV1::Default,
                SleepAfter::Never => SleepAfterV1::Never,
                SleepAfter::After(idle) => SleepAfterV1::Seconds(idle.as_secs()),
            },
            variables: space.variables.iter().map(|(name, variable)| (name.clone(), variable.into())).collect(),
            secrets: space.secrets.iter().map(|(name, secret)| (name.clone(), secret.into())).collect(),
            preview: space.preview.clone().map(|Preview { of, reference }| PreviewV1 { of, reference }),
        }
    }
}

impl From<SpaceV1> for Space {
    fn from(stored: SpaceV1) -> Self {
        Self {
            id: stored.id,
            path: stored.path,
            subdomain: stored.subdomain,
            owner: stored.owner,
            creator: stored.creator,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
            visibility: stored.visibility,
            sdk: stored.sdk,
            hardware: stored.hardware,
            storage: stored.storage,
            sleep_after: match stored.sleep_after {
                SleepAfterV1::Default => SleepAfter::HostDefault,
                SleepAfterV1::Never => SleepAfter::Never,
                SleepAfterV1::Seconds(seconds) => SleepAfter::After(Duration::from_secs(seconds)),
            },
            variables: stored.variables.into_iter().map(|(name, variable)| (name, variable.into())).collect(),
            secrets: stored.secrets.into_iter().map(|(name, secret)| (name, secret.into())).collect(),
            preview: stored.preview.map(|PreviewV1 { of, reference }| Preview { of, reference }),
        }
    }
}

impl From<&Variable> for VariableV1 {
    fn from(variable: &Variable) -> Self {
        Self {
            value: variable.value.clone(),
            description: variable.description.clone(),
            updated_at: variable.updated_at,
        }
    }
}

impl From<VariableV1> for Variable {
    fn from(stored: VariableV1) -> Self {
        Self { value: stored.value, description: stored.description, updated_at: stored.updated_at }
    }
}

impl From<&SecretInfo> for SecretInfoV1 {
    fn from(secret: &SecretInfo) -> Self {
        Self { description: secret.description.clone(), updated_at: secret.updated_at }
    }
}

impl From<SecretInfoV1> for SecretInfo {
    fn from(stored: SecretInfoV1) -> Self {
        Self { description: stored.description, updated_at: stored.updated_at }
    }
}
