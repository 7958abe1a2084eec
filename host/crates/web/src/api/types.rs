//! The wire's form of what operations answer. Members are those that clients read, with their spelling; a member that does
//! not exist on this host has the value that clients take for "none".

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use spaceport_control::service::{NewSetting, RuntimeView, SpaceView, TreeEntry};
use spaceport_core::space::{Sdk, Visibility};
use spaceport_core::stage::Stage;

use super::time::iso;
use crate::error::{ApiError, ApiResult};

/// A variable or secret as it is sent.
#[derive(Deserialize)]
pub(crate) struct Setting {
    key: Option<String>,
    value: Option<String>,
    description: Option<String>,
}

/// How a Space runs.
#[derive(Serialize, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Runtime {
    stage: &'static str,
    hardware: HardwareState,
    storage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gc_timeout: Option<Option<u64>>,
    replicas: Replicas,
    #[serde(skip_serializing_if = "Option::is_none")]
    dev_mode: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domains: Option<[Domain; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_position: Option<usize>,
}

#[derive(Serialize, Clone, PartialEq)]
struct HardwareState {
    current: Option<String>,
    requested: Option<String>,
}

#[derive(Serialize, Clone, PartialEq)]
struct Replicas {
    requested: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<u32>,
}

#[derive(Serialize, Clone, PartialEq)]
struct Domain {
    domain: String,
    stage: &'static str,
}

impl Setting {
    pub(crate) fn into_setting(self) -> ApiResult<NewSetting> {
        match (self.key, self.value) {
            (Some(name), Some(value)) => Ok(NewSetting { name, value, description: self.description }),
            (None, _) => Err(ApiError::bad_request("The body needs the member \"key\"")),
            (Some(name), None) => Err(ApiError::bad_request(format!("{name} needs the member \"value\""))),
        }
    }
}

/// Visibility as new clients send it, or as older ones do.
pub(crate) fn visibility(word: Option<&str>, private: Option<bool>) -> ApiResult<Option<Visibility>> {
    match (word, private) {
        (Some("public"), _) => Ok(Some(Visibility::Public)),
        (Some("protected"), _) => Ok(Some(Visibility::Protected)),
        (Some("private"), _) => Ok(Some(Visibility::Private)),
        (Some(other), _) => {
            Err(ApiError::bad_request(format!("visibility {other:?} is not known; use public, protected or private")))
        }
        (None, Some(true)) => Ok(Some(Visibility::Private)),
        (None, Some(false)) => Ok(Some(Visibility::Public)),
        (None, None) => Ok(None),
    }
}

impl From<&RuntimeView> for Runtime {
    fn from(view: &RuntimeView) -> Self {
        let is_up = matches!(view.stage, Stage::Running | Stage::RunningBuilding | Stage::RunningAppStarting);
        // A static Space uses no hardware, so nothing about it is said.
        let is_static = view.sdk == Sdk::Static;
        let hardware = HardwareState {
            current: view.current_hardware.clone().filter(|_| !is_static),
            requested: (!is_static).then(|| view.hardware.clone()),
        };
        let stage = view.stage.as_str();
        Self {
            stage,
            hardware,
            storage: view.storage.clone().filter(|_| !is_static),
            gc_timeout: (!is_static).then_some(view.sleep_after.map(whole_seconds)),
            replicas: Replicas { requested: 1, current: is_up.then_some(1) },
            dev_mode: (!is_static).then_some(false),
            domains: (!is_static).then(|| [Domain { domain: view.app_authority.clone(), stage: "READY" }]),
            sha: view.revision.map(|revision| revision.to_string()),
            error_message: view.error_message.clone(),
            queue_position: view.queue_position,
        }
    }
}

/// Seconds as clients count them: rounded up, since 0 would read as "at once".
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// How much of a Space is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Detail {
    /// Sizes and ids of files.
    pub(crate) has_blobs: bool,
    /// Only these members, beside the ids; all of them if empty.
    pub(crate) expand: Vec<String>,
}

/// A Space as the API tells of it.
pub(crate) fn space_json(view: &SpaceView, detail: &Detail) -> Value {
    let space = &view.space;
    let card = view.card_json();
    let modified = view.head.as_ref().map_or(space.updated_at, |head| head.at.max(space.created_at));
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("_id", json!(space.id.to_string()));
    put("id", json!(space.path.to_string()));
    put("author", json!(space.path.owner.as_str()));
    put("sha", json!(view.head.as_ref().map(|head| head.oid.to_string())));
    put("lastModified", json!(iso(modified)));
    put("createdAt", json!(iso(space.created_at)));
    put("private", json!(space.visibility == Visibility::Private));
    put("visibility", json!(space.visibility.as_str()));
    put("gated", json!(false));
    put("disabled", json!(false));
    put("likes", json!(view.likes.total));
    put("trendingScore", json!(view.likes.recent));
    put("discussionsDisabled", json!(view.discussions_disabled));
    put("tags", json!(view.tags()));
    put("sdk", json!(view.sdk.as_str()));
    put("subdomain", json!(space.subdomain.as_str()));
    put("host", json!(view.app_url));
    put("models", json!(view.linked.models));
    put("datasets", json!(view.linked.datasets));
    put("runtime", json!(Runtime::from(&view.runtime)));
    put("xetEnabled", json!(false));
    put("usedStorage", json!(view.files.iter().flatten().map(|file| size(file, view)).sum::<u64>()));
    if let Some(files) = &view.files {
        put("siblings", files.iter().map(|file| sibling(file, view, detail.has_blobs)).collect());
    }
    put("cardData", Value::Object(card));
    if !detail.expand.is_empty() {
        members.retain(|name, _| name == "_id" || name == "id" || detail.expand.contains(name));
    }
    Value::Object(members)
}

/// Bytes of a file, or of the large one that it stands for.
fn size(file: &TreeEntry, view: &SpaceView) -> u64 {
    view.large.get(&file.oid).map_or(file.size, |pointer| pointer.size)
}

fn sibling(file: &TreeEntry, view: &SpaceView, has_blobs: bool) -> Value {
    let mut sibling = json!({ "rfilename": file.path.as_str() });
    if has_blobs {
        sibling["size"] = json!(size(file, view));
        sibling["blobId"] = json!(file.oid.to_string());
        if let Some(pointer) = view.large.get(&file.oid) {
            let (sha256, pointer_size) = (pointer.oid.to_string(), file.size);
            sibling["lfs"] = json!({ "sha256": sha256, "size": pointer.size, "pointerSize": pointer_size });
        }
    }
    sibling
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_second_counts_as_one() {
        for (millis, seconds) in [(0, 0), (1, 1), (300, 1), (1000, 1), (1001, 2), (172_800_000, 172_800)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds, "{millis}");
        }
    }
}
