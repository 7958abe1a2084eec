//! What the scanner found in a Space's repository.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use spaceport_control::service::Finding;

use super::items::ListAt;
use super::time::iso;
use super::told_to;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::extract::SpaceAt;
use crate::router::AppState;

/// Lists findings, those of the newest head first.
pub(crate) async fn findings(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    list: ListAt,
) -> ApiResult<Json<Value>> {
    let findings = app.control.findings(&actor, &path).map_err(told_to(&actor))?;
    Ok(list.part(&findings, finding_json))
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "rule": finding.rule,
        "path": finding.path,
        "line": finding.line,
        "excerpt": finding.excerpt,
        "revision": finding.revision.to_string(),
        "found_at": iso(finding.found_at),
        "revoked": finding.is_revoked,
        "in_history": finding.is_in_history,
    })
}
