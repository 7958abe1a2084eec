//! The stored form of an owner's quota.

use serde::{Deserialize, Serialize};

use crate::quota::OwnerQuota;
use crate::record::record_by_json;

record_by_json!(OwnerQuota, OwnerQuotaV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnerQuotaV1 {
    spaces: Option<u64>,
    storage_bytes: Option<u64>,
    lfs_bytes: Option<u64>,
}

impl From<&OwnerQuota> for OwnerQuotaV1 {
    fn from(quota: &OwnerQuota) -> Self {
        Self { spaces: quota.spaces, storage_bytes: quota.storage_bytes, lfs_bytes: quota.lfs_bytes }
    }
}

impl From<OwnerQuotaV1> for OwnerQuota {
    fn from(stored: OwnerQuotaV1) -> Self {
        Self { spaces: stored.spaces, storage_bytes: stored.storage_bytes, lfs_bytes: stored.lfs_bytes }
    }
}
