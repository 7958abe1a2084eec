//! The stored form of a secret that was found.

use serde::{Deserialize, Serialize};
use spaceport_core::revision::Oid;

use crate::finding::Finding;
use crate::record::record_by_json;

record_by_json!(Finding, FindingV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FindingV1 {
    rule: String,
    path: String,
    line: u32,
    blob: Oid,
    revision: Oid,
    found_at: u64,
    excerpt: String,
    revoked: bool,
    in_history: bool,
}

impl From<&Finding> for FindingV1 {
    fn from(finding: &Finding) -> Self {
        Self {
            rule: finding.rule.clone(),
            path: finding.path.clone(),
            line: finding.line,
            blob: finding.blob,
            revision: finding.revision,
            found_at: finding.found_at,
            excerpt: finding.excerpt.clone(),
            revoked: finding.is_revoked,
            in_history: finding.is_in_history,
        }
    }
}

impl From<FindingV1> for Finding {
    fn from(stored: FindingV1) -> Self {
        Self {
            rule: stored.rule,
            path: stored.path,
            line: stored.line,
            blob: stored.blob,
            revision: stored.revision,
            found_at: stored.found_at,
            excerpt: stored.excerpt,
            is_revoked: stored.revoked,
            is_in_history: stored.in_history,
        }
    }
}
