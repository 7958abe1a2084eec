//! The Spaces that sign users in, as applications. `hf_oauth: true` in its front matter makes a Space one; its id is the
//! Space's, and its secret is derived from the host's key, the Space and how often it was made anew. So there is nothing to
//! register, nothing to lose, and a Space that is moved stays the application that it is.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use spaceport_core::env::OauthSettings;
use spaceport_core::id::SpaceId;
use spaceport_core::manifest::{Manifest, OauthManifest};
use spaceport_core::name::SpacePath;
use spaceport_core::oauth::{RedirectTarget, Scopes};
use spaceport_core::permission::{Action, Actor, Subject, TokenRole, User, can};
use spaceport_core::space::{Sdk, Space};
use spaceport_db::{Db, KeyStore, OauthApp, ReadError};

use super::super::Control;
use super::super::addresses::Addresses;
use super::super::audit::Act;
use super::super::error::{ServiceError, ServiceResult};
use super::super::passes::is_same;
use super::super::storage::read_failed;
use super::error::OauthError;

/// What the key is for from which the secrets of applications are derived.
const SECRET_PURPOSE: &str = "application secrets";

/// The application that `hf auth login` is, under the id that it has for itself everywhere.
const COMMAND_LINE: &str = "26be6b09-91c5-47da-9861-d2d2bb7a7e36";
/// What the command line does for its user: everything that it has commands for.
const COMMAND_LINE_SCOPES: [&str; 3] = ["read-repos", "write-repos", "manage-repos"];
/// How long a token of the command line holds, in minutes: a week, so that commands that run side by side seldom refresh at
/// the same moment.
const COMMAND_LINE_MINUTES: u32 = 7 * 24 * 60;

/// An application: a Space, or the command line.
#[derive(Debug, Clone)]
pub(super) struct App {
    pub(super) id: String,
    /// `None`: the command line.
    pub(super) space: Option<(Space, Arc<Manifest>)>,
    pub(super) oauth: OauthManifest,
}

/// What a Space needs to sign users in, if its front matter asks for that.
pub(crate) fn oauth_settings(
    db: &Db,
    keys: &KeyStore,
    addresses: &Addresses,
    space: SpaceId,
    manifest: &Manifest,
) -> Result<Option<OauthSettings>, ReadError> {
    let Some(oauth) = &manifest.oauth else { return Ok(None) };
    Ok(Some(OauthSettings {
        client_id: space.to_string(),
        client_secret: client_secret(db, keys, space)?,
        scopes: Scopes::of_manifest(oauth).to_string(),
        provider_url: addresses.hub_url(),
    }))
}

fn client_secret(db: &Db, keys: &KeyStore, space: SpaceId) -> Result<String, ReadError> {
    let number = db.oauth_apps().get(&space)?.map_or(0, |app| app.secret_number);
    let mut mac = blake3::Hasher::new_keyed(keys.derive(SECRET_PURPOSE).as_bytes());
    mac.update(space.as_bytes()).update(&number.to_be_bytes());
    Ok(BASE64.encode(mac.finalize().as_bytes()))
}

impl Control {
    /// The application of this id.
    pub(super) fn app(&self, client_id: &str) -> ServiceResult<Option<App>> {
        match client_id.parse() {
            _ if client_id == COMMAND_LINE => Ok(Some(App::command_line())),
            Ok(space) => self.app_of(Some(space)),
            Err(_) => Ok(None),
        }
    }

    /// A Space as an application, if it is one, or the command line.
    pub(super) fn app_of(&self, space: Option<SpaceId>) -> ServiceResult<Option<App>> {
        let Some(space) = space else { return Ok(Some(App::command_line())) };
        let Some(space) = self.inner.db.spaces().get(&space).map_err(read_failed)? else { return Ok(None) };
        let Some(manifest) = self.inner.fleet.manifest(space.id) else { return Ok(None) };
        let Some(oauth) = manifest.oauth.clone() else { return Ok(None) };
        Ok(Some(App { id: space.id.to_string(), space: Some((space, manifest)), oauth }))
    }

    /// Gives a Space a new secret; the one before it is worth nothing from then on, and the Space starts with the new one.
    pub async fn rotate_oauth_secret(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<()> {
        let found = self.space(actor, path, Action::Write)?;
        if self.app_of(Some(found.id))?.is_none() {
            let message = "This Space signs nobody in: write hf_oauth: true into its README first";
            return Err(ServiceError::Invalid(message.to_owned()));
        }
        let table = self.inner.db.oauth_apps();
        let now = self.inner.clock.now();
        self.change(actor, found.id, |space, batch| {
            self.note(batch, actor, Act::on("oauth.secret.rotate", space));
            // Within the turn of the Space, so that no two changes make the same number.
            let number = table.get(&found.id).map_err(read_failed)?.map_or(0, |app| app.secret_number);
            batch.put(table, &found.id, &OauthApp { secret_number: number + 1, rotated_at: now });
            Ok(())
        })
        .await?;
        tracing::info!(space = %found.path, "the secret of an application was made anew");
        Ok(())
    }

    /// Checks the secret that an application shows.
    pub(super) fn check_client_secret(&self, app: &App, shown: &str) -> Result<(), OauthError> {
        let wrong = || OauthError::InvalidClient("the client secret is wrong".to_owned());
        let space = app.space_id().ok_or_else(wrong)?;
        let secret = client_secret(&self.inner.db, &self.inner.keys, space).map_err(read_failed)?;
        if is_same(shown.as_bytes(), secret.as_bytes()) { Ok(()) } else { Err(wrong()) }
    }

    /// Whether a user may sign in at an application: it is visible to the user, and the user belongs to one of the
    /// organizations that it is for.
    pub(super) fn check_user(&self, app: &App, user: &User) -> Result<(), OauthError> {
        let actor = Actor::User(User { role: TokenRole::Write, ..user.clone() });
        let Some((space, _)) = &app.space else { return Ok(()) };
        if can(&actor, Action::VisitApp, Subject::of(space)).is_err() {
            return Err(OauthError::AccessDenied("you may not visit this Space".to_owned()));
        }
        let orgs = &app.oauth.authorized_orgs;
        let belongs = |org: &String| {
            let account = org.parse().ok().and_then(|org| self.inner.accounts.account(&org).ok());
            account.is_some_and(|account| account.id == user.id || user.role_in(account.id).is_some())
        };
        if orgs.is_empty() || orgs.iter().any(belongs) {
            return Ok(());
        }
        Err(OauthError::AccessDenied(format!("only members of {} may sign in to this Space", orgs.join(", "))))
    }

    /// The address to send a user back to, if it is one of the Space's own: a host name at which that Space answers, and
    /// the port of all Spaces.
    pub(super) fn own_redirect(&self, app: &App, text: &str) -> Option<RedirectTarget> {
        let target = RedirectTarget::parse(text)?;
        let addresses = self.addresses();
        let is_https = addresses.scheme == "https";
        let default = if is_https { 443 } else { 80 };
        let port = addresses.spaces.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(default);
        // Libraries that know the Hub alone write `https` whatever the host's scheme; that gives nothing away.
        let is_downgrade = is_https && !target.is_https;
        let is_port = target.port == port || (target.is_https && !is_https && target.port == 443 && port == 80);
        let slot = self.inner.fleet.shared().routes.slot(&target.host)?;
        let is_own = Some(slot.entry.load().space) == app.space_id();
        (is_own && is_port && !is_downgrade).then_some(target)
    }
}

impl App {
    fn command_line() -> Self {
        let scopes = COMMAND_LINE_SCOPES.map(str::to_owned).into();
        let expiration_minutes = COMMAND_LINE_MINUTES;
        let oauth = OauthManifest { scopes, expiration_minutes, authorized_orgs: Vec::new() };
        Self { id: COMMAND_LINE.to_owned(), space: None, oauth }
    }

    /// The Space, unless it is the command line.
    pub(super) fn space_id(&self) -> Option<SpaceId> {
        self.space.as_ref().map(|(space, _)| space.id)
    }

    /// Whether it has no place to keep a secret: everybody can read a page.
    pub(super) fn is_public(&self) -> bool {
        self.space.as_ref().is_none_or(|(_, manifest)| manifest.sdk == Sdk::Static)
    }

    /// What it may ask for.
    pub(super) fn scopes(&self) -> Scopes {
        Scopes::of_manifest(&self.oauth)
    }
}
