//! What a user has agreed to, and taking it back.

use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;
use spaceport_core::oauth::Scopes;
use spaceport_core::permission::Denied;
use spaceport_db::Batch;

use super::super::Control;
use super::super::error::ServiceResult;
use super::super::sessions::Session;
use super::super::storage::{commit_failed, read_failed};

/// A Space that a user has agreed to sign in at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedApp {
    /// The Space.
    pub id: SpaceId,
    /// Its path.
    pub path: SpacePath,
    /// To what.
    pub scopes: Scopes,
    /// When the user last agreed.
    pub at: Millis,
}

impl Control {
    /// The Spaces that a user has agreed to sign in at, newest first.
    pub fn connected_apps(&self, session: &Session) -> ServiceResult<Vec<ConnectedApp>> {
        let db = &self.inner.db;
        let mut apps = Vec::new();
        for ((_, id), consent) in db.oauth_consents().under(&session.user.id).map_err(read_failed)? {
            if let Some(space) = db.spaces().get(&id).map_err(read_failed)? {
                apps.push(ConnectedApp {
                    id,
                    path: space.path,
                    scopes: Scopes::parse(&consent.scopes),
                    at: consent.at,
                });
            }
        }
        apps.sort_by_key(|app| std::cmp::Reverse(app.at));
        Ok(apps)
    }

    /// Takes back what a user has agreed to: the Space's tokens are worth nothing any more, and the user is asked again.
    pub async fn disconnect_app(&self, session: &Session, id: &str) -> ServiceResult<()> {
        let (db, account) = (&self.inner.db, session.user.id);
        let space: SpaceId = id.parse().map_err(|_| Denied::Hidden)?;
        let mut batch = Batch::default();
        batch.delete(db.oauth_consents(), &(account, space));
        for (key, grant) in db.oauth_grants().under(&account).map_err(read_failed)? {
            if grant.space == space {
                batch.delete(db.oauth_grants(), &key);
            }
        }
        db.commit(batch).await.map_err(commit_failed)?;
        tracing::info!(user = %session.user.name, space_id = %space, "a user has taken back what a Space may do");
        Ok(())
    }
}
