//! The stored form of a browser's session.

use serde::{Deserialize, Serialize};

use super::oauth::{HashV1, RoleV1};
use crate::record::record_by_json;
use crate::session::WebSession;

record_by_json!(WebSession, WebSessionV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebSessionV1 {
    role: RoleV1,
    token: Option<HashV1>,
    created_at: u64,
    expires_at: u64,
}

impl From<&WebSession> for WebSessionV1 {
    fn from(session: &WebSession) -> Self {
        Self {
            role: session.role.into(),
            token: session.token.map(Into::into),
            created_at: session.created_at,
            expires_at: session.expires_at,
        }
    }
}

impl From<WebSessionV1> for WebSession {
    fn from(stored: WebSessionV1) -> Self {
        Self {
            role: stored.role.into(),
            token: stored.token.map(Into::into),
            created_at: stored.created_at,
            expires_at: stored.expires_at,
        }
    }
}
