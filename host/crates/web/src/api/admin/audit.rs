//! The audit log, newest first.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use spaceport_control::service::{AuditActor, AuditEntry, AuditFilter, AuditKey};

use super::super::items::ListAt;
use super::super::time::{iso, parse};
use super::Admin;
use crate::error::{ApiError, ApiResult};
use crate::router::AppState;

/// A page of the audit log: of an `actor`, about a `space`, `before` a moment.
pub(crate) async fn list(State(app): State<AppState>, Admin(actor): Admin, list: ListAt) -> ApiResult<Json<Value>> {
    let text = |name: &str| list.query.get(name).map(str::to_owned);
    let cursor = list.query.get("cursor");
    let before = match cursor.or(list.query.get("before")) {
        Some(text) => {
            let wrong = || ApiError::bad_request("\"before\" is a time such as 2026-08-31T12:00:00Z");
            Some(cursor_key(text).or_else(|| parse(text).map(|at| AuditKey { at, draw: 0 })).ok_or_else(wrong)?)
        }
        None => None,
    };
    let filter = AuditFilter { actor: text("actor"), space: text("space"), before };
    let page = app.control.audit(&actor, filter, list.limit()).await?;
    let items = page.entries.iter().map(|(key, entry)| entry_json(key, entry)).collect();
    let next = page.next.map(|key| cursor_text(&key));
    Ok(list.answer(items, next.as_deref()))
}

pub(crate) fn cursor_text(key: &AuditKey) -> String {
    format!("{}-{:016x}", key.at, key.draw)
}

pub(crate) fn cursor_key(text: &str) -> Option<AuditKey> {
    let (at, draw) = text.split_once('-')?;
    let draw = (draw.len() == 16).then(|| u64::from_str_radix(draw, 16).ok())??;
    Some(AuditKey { at: at.parse().ok()?, draw })
}

fn entry_json(key: &AuditKey, entry: &AuditEntry) -> Value {
    let actor = match &entry.actor {
        AuditActor::User(id, name) => json!({ "type": "user", "id": id.to_string(), "name": name }),
        AuditActor::Shell => json!({ "type": "shell" }),
        AuditActor::Host => json!({ "type": "host" }),
    };
    json!({
        "id": cursor_text(key),
        "at": iso(key.at),
        "actor": actor,
        "from": entry.from,
        "action": entry.action,
        "space": entry.space.as_ref().map(|(id, path)| json!({ "id": id.to_string(), "path": path })),
        "target": entry.target,
        "detail": entry.detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_a_key_and_a_day_is_none() {
        let key = AuditKey { at: 1_741_350_259_651, draw: 7 };
        assert_eq!(cursor_key(&cursor_text(&key)), Some(key));
        for text in ["2026-08-31", "2026-08-31T12:00:00Z", "5-7", ""] {
            assert_eq!(cursor_key(text), None, "{text}");
        }
    }
}
