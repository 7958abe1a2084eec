//! What a user has agreed to, and taking it back.

use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;
use spaceport_core::oauth::Scopes;
use spaceport_core::permission::{Actor, Denied};

use super::super::Control;
use super::super::audit::Act;
use super::super::error::ServiceResult;
use super::super::sessions::Session;
use super::super::storage::{commit_failed, read_failed};
use super::token::end_of;

/// By what the command line is named where a Space is named by its id.
const COMMAND_LINE: &str = "command-line";

/// A Space that a user has agreed to sign in at, or the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedApp {
    /// By what it is named to be disconnected.
    pub id: String,
    /// The Space's path; `None`: the command line.
    pub path: Option<SpacePath>,
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
                let (path, scopes) = (Some(space.path), Scopes::parse(&consent.scopes));
                apps.push(ConnectedApp { id: id.to_string(), path, scopes, at: consent.at });
            }
        }
        // Of the command line every sign-in is asked for anew; what is told is the last.
        let (now, grants) = (self.inner.clock.now(), db.oauth_grants().under(&session.user.id).map_err(read_failed)?);
        let grants = grants.into_iter().map(|(_, grant)| grant);
        let of_command_line = grants.filter(|grant| grant.space.is_none() && end_of(grant) > now);
        if let Some(grant) = of_command_line.max_by_key(|grant| grant.created_at) {
            let (id, scopes) = (COMMAND_LINE.to_owned(), Scopes::parse(&grant.scopes));
            apps.push(ConnectedApp { id, path: None, scopes, at: grant.created_at });
        }
        apps.sort_by_key(|app| std::cmp::Reverse(app.at));
        Ok(apps)
    }

    /// Takes back what a user has agreed to: the Space's tokens are worth nothing any more, and the user is asked again.
    pub async fn disconnect_app(&self, session: &Session, id: &str) -> ServiceResult<()> {
        let (db, account) = (&self.inner.db, session.user.id);
        let space: Option<SpaceId> = match id {
            COMMAND_LINE => None,
            id => Some(id.parse().map_err(|_| Denied::Hidden)?),
        };
        let actor = Actor::User(session.user.clone());
        let mut batch = self.noted(&actor, Act::new("oauth.disconnect").to(id));
        if let Some(space) = space {
            batch.delete(db.oauth_consents(), &(account, space));
        }
        for (key, grant) in db.oauth_grants().under(&account).map_err(read_failed)? {
            if grant.space == space {
                batch.delete(db.oauth_grants(), &key);
            }
        }
        db.commit(batch).await.map_err(commit_failed)?;
        tracing::info!(user = %session.user.name, space_id = ?space, "a user has taken back what a Space may do");
        Ok(())
    }
}
