//! A user's SSH keys, and how to clone with them.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::super::chrome::{Chrome, show};
use super::{Frame, Own, frame};
use crate::api::time::iso;
use crate::error::ApiResult;
use crate::router::AppState;

#[derive(Template)]
#[template(path = "settings_keys.html")]
struct KeysPage {
    chrome: Chrome,
    frame: Frame,
    keys: Vec<KeyRow>,
    /// Where this host listens for SSH, if it does.
    door: Option<Door>,
}

struct KeyRow {
    id: String,
    title: String,
    kind: String,
    fingerprint: String,
    created_at: String,
    last_used_at: Option<String>,
}

struct Door {
    url: String,
    fingerprint: String,
    known_hosts: String,
}

/// The page.
pub(super) async fn page(State(app): State<AppState>, Own { session, actor, chrome }: Own) -> ApiResult<Response> {
    let keys = app.control.ssh_keys(&actor)?.into_iter().map(|key| KeyRow {
        id: key.fingerprint.id(),
        kind: key.text.split(' ').next().unwrap_or_default().to_owned(),
        fingerprint: key.fingerprint.to_string(),
        created_at: iso(key.created_at),
        last_used_at: key.last_used_at.map(iso),
        title: key.title,
    });
    let keys = keys.collect();
    let door = app.ssh.as_ref().map(|door| Door {
        url: format!("ssh://git@{}:{}/spaces/{}/NAME", door.host, door.port, session.user.name),
        fingerprint: door.fingerprint.clone(),
        known_hosts: format!("[{}]:{} {}", door.host, door.port, door.key),
    });
    show(&app, StatusCode::OK, &KeysPage { chrome, frame: frame("SSH keys"), keys, door })
}
