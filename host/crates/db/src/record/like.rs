//! The stored form of a like.

use serde::{Deserialize, Serialize};

use crate::like::Like;
use crate::record::record_by_json;

record_by_json!(Like, LikeV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LikeV1 {
    at: u64,
}

impl From<&Like> for LikeV1 {
    fn from(like: &Like) -> Self {
        Self { at: like.at }
    }
}

impl From<LikeV1> for Like {
    fn from(stored: LikeV1) -> Self {
        Self { at: stored.at }
    }
}
