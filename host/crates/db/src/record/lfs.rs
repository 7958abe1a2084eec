//! The stored form of a Space's large file.

use serde::{Deserialize, Serialize};

use crate::lfs::LfsLink;
use crate::record::record_by_json;

record_by_json!(LfsLink, LfsLinkV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LfsLinkV1 {
    size: u64,
    created_at: u64,
}

impl From<&LfsLink> for LfsLinkV1 {
    fn from(link: &LfsLink) -> Self {
        Self { size: link.size, created_at: link.created_at }
    }
}

impl From<LfsLinkV1> for LfsLink {
    fn from(stored: LfsLinkV1) -> Self {
        Self { size: stored.size, created_at: stored.created_at }
    }
}
