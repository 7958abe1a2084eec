//! The stored form of a release.

use serde::{Deserialize, Serialize};
use spaceport_core::lifecycle::Release;
use spaceport_core::revision::Oid;

use crate::record::record_by_json;
use crate::release::BuiltRelease;

record_by_json!(BuiltRelease, BuiltReleaseV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BuiltReleaseV1 {
    number: u64,
    revision: Oid,
    artifact: String,
    readme: String,
    created_at: u64,
}

impl From<&BuiltRelease> for BuiltReleaseV1 {
    fn from(release: &BuiltRelease) -> Self {
        Self {
            number: release.release.number,
            revision: release.release.revision,
            artifact: release.artifact.clone(),
            readme: release.readme.clone(),
            created_at: release.created_at,
        }
    }
}

impl From<BuiltReleaseV1> for BuiltRelease {
    fn from(stored: BuiltReleaseV1) -> Self {
        Self {
            release: Release { number: stored.number, revision: stored.revision },
            artifact: stored.artifact,
            readme: stored.readme,
            created_at: stored.created_at,
        }
    }
}
