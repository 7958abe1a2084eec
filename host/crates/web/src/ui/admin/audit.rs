//! Who has changed what, newest first.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::{AuditActor, AuditEntry, AuditFilter, AuditKey};

use super::super::chrome::{Chrome, show};
use super::super::settings::Frame;
use super::{Administrator, ROWS, frame};
use crate::api::admin::audit::{cursor_key, cursor_text};
use crate::api::time::iso;
use crate::error::ApiResult;
use crate::extract::QueryPairs;
use crate::router::AppState;

#[derive(Template)]
#[template(path = "admin_audit.html")]
struct AuditPage {
    chrome: Chrome,
    frame: Frame,
    actor: String,
    space: String,
    entries: Vec<EntryRow>,
    /// Where the first page is, if this is another.
    first: Option<String>,
    next: Option<String>,
}

struct EntryRow {
    at: String,
    actor: String,
    from: String,
    action: String,
    /// The Space, or the other thing that it is about.
    about: String,
    detail: String,
}

/// A page of it.
pub(super) async fn page(
    State(app): State<AppState>,
    Administrator { actor, chrome }: Administrator,
    query: QueryPairs,
) -> ApiResult<Response> {
    let text = |name: &str| query.get(name).map(str::trim).unwrap_or_default().to_owned();
    let (wanted, space) = (text("actor"), text("space"));
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    let before = query.get("cursor").and_then(cursor_key);
    let filter = AuditFilter { actor: some(&wanted), space: some(&space), before };
    let found = app.control.audit(&actor, filter, ROWS).await?;
    let page = AuditPage {
        chrome,
        frame: frame("Audit log"),
        entries: found.entries.iter().map(|(key, entry)| row(key, entry)).collect(),
        first: before.map(|_| format!("?{}", query.with("cursor", ""))),
        next: found.next.map(|key| format!("?{}", query.with("cursor", &cursor_text(&key)))),
        actor: wanted,
        space,
    };
    show(&app, StatusCode::OK, &page)
}

fn row(key: &AuditKey, entry: &AuditEntry) -> EntryRow {
    let detail: Vec<String> = entry.detail.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let space = entry.space.as_ref().map(|(_, path)| path.clone());
    EntryRow {
        at: iso(key.at),
        actor: match &entry.actor {
            AuditActor::User(_, name) => name.clone(),
            AuditActor::Shell => "shell".to_owned(),
            AuditActor::Host => "host".to_owned(),
        },
        from: entry.from.clone().unwrap_or_default(),
        action: entry.action.clone(),
        about: [space, entry.target.clone()].into_iter().flatten().collect::<Vec<_>>().join(" "),
        detail: detail.join(", "),
    }
}
