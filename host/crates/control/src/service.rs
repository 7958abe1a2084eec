//! The operations of this host: what its API, its pages, its shell and its plugins may ask for, each with its permission
//! check, its rules and its durable effect.
//!
//! An operation takes the actor first and a Space by its path, decides with `core`, stores with `db` and `git`, and tells
//! the fleet. What it returned has happened durably. Nothing here knows HTTP or what a response looks like.

mod account_changes;
mod accounts;
mod addresses;
mod admin;
mod attempts;
mod audit;
mod browsers;
mod commit;
mod discussions;
mod duplicate;
mod emails;
mod error;
mod files;
mod first;
mod git;
mod git_tree;
mod grants;
mod hardware;
mod hardware_rows;
mod joining;
mod lfs;
mod likes;
mod listing;
mod moving;
mod oauth;
mod organizations;
mod passes;
mod password;
mod plugins;
mod preupload;
mod previews;
mod profiles;
mod quotas;
mod readme;
mod refs;
mod running;
mod scan;
mod search;
mod sessions;
mod settings;
mod spaces;
mod spending;
mod ssh;
mod storage;
mod template;
#[cfg(test)]
mod tests;
mod token;
mod tokens;
mod usage;
mod view;
mod webhooks;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use spaceport_core::hardware::Catalogue;
use spaceport_core::id::SpaceId;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Denied, Subject, can};
use spaceport_core::space::Space;
use spaceport_db::{Db, KeyStore, SigningKey, Version};
use spaceport_git::Repos;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::fleet::Fleet;
use crate::ports::Clock;
use crate::scans::Scans;
use crate::webhooks::Webhooks;
use attempts::Attempts;

pub use crate::builder::BuildPhase;
pub use crate::lfs::LargeContent;
pub use crate::webhooks::{Delivery, Happening, Outcome, UpdatedRef};
pub(crate) use accounts::new_id;
pub use accounts::{AccountChanges, Accounts, NewToken, NewUser, SignedIn, TokenChanges};
pub use addresses::Addresses;
pub use admin::{Capacity, HardwareInUse};
pub(crate) use audit::record;
pub use audit::{AuditFilter, AuditPage, asked_from};
pub use browsers::BrowserView;
pub use commit::{FileChange, NewCommit};
pub use discussions::{
    CommentTextView, CommentView, Conflicts, DiscussionDetails, DiscussionFilter, DiscussionPage, DiscussionView,
    EventKindView, EventView, KindFilter, NewDiscussion, StatusFilter,
};
pub use duplicate::NewCopy;
pub use error::{ServiceError, ServiceResult};
pub use files::{FileContent, FolderEntry, FoundFile, Head};
pub use first::FirstAdministrator;
pub use git::GitPush;
pub use grants::{GrantAnswer, SpaceGrant};
pub use joining::Newcomer;
pub use lfs::{LFS_PART, LargeFile, LfsAct, LfsAnswer, LfsTicket};
pub use likes::LikeCount;
pub use listing::{Listing, SortBy, SpaceFilter};
pub(crate) use oauth::oauth_settings;
pub use oauth::{
    Authorization, AuthorizeRefusal, AuthorizeRequest, ConnectedApp, DeviceCode, DeviceQuestion, Granted, OauthBearer,
    OauthError, OauthProfile, Prompt, TokenAnswer, TokenRequest,
};
pub use organizations::MemberView;
pub use plugins::{PluginKindView, PluginView};
pub use preupload::{PlannedUpload, UploadPlan};
pub use previews::PreviewView;
pub use profiles::{OwnedSpace, Profile};
pub use quotas::QuotaView;
pub use readme::ReadmeReport;
pub use refs::{CommitPage, NamedRef, RefList};
pub use running::Restart;
pub use search::SpaceQuery;
pub use sessions::{NewSession, Session};
pub use settings::{NewSetting, Settled, Warning};
pub use spaceport_db::{
    AccessToken, Account, AccountEmail, AccountKind, AuditActor, AuditEntry, AuditKey, Finding, Member, OwnerQuota,
};
pub use spaceport_git::{LogEntry, PackStream, Service as GitService, TreeEntry};
pub use spaces::{NewSpace, SpaceChanges};
pub use spending::{Days, HardwareUse, SpaceUsage, StorageUse, UsageReport};
pub use ssh::{LfsPass, SshKeyView};
pub use token::{TOKEN_PREFIX, TokenText};
pub use tokens::{EntityKind, NamedEntity, NewOwnToken, ScopeView};
pub use usage::UsageView;
pub use view::{ReleaseView, RuntimeView, SpaceView};
pub(crate) use webhooks::of_webhook;
pub use webhooks::{NewWebhook, WebhookView};

/// The operations. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    inner: Arc<Inner>,
}

struct Inner {
    db: Arc<Db>,
    repos: Arc<Repos>,
    keys: KeyStore,
    fleet: Fleet,
    clock: Arc<dyn Clock>,
    accounts: Accounts,
    /// Wrong passwords of late.
    attempts: Attempts,
    /// Signs who has signed in, once it could be read.
    signing: OnceLock<SigningKey>,
    /// Programs that wait for a user's answer.
    devices: oauth::DeviceRequests,
    /// By which the first administrator is made.
    first: first::FirstLink,
    /// Accounts that people have made of late.
    joined: joining::Joined,
    webhooks: Arc<Webhooks>,
    scans: Scans,
    /// By which changes to one Space happen one after the other; those that somebody holds or waits for.
    turns: parking_lot::Mutex<HashMap<SpaceId, Arc<Mutex<()>>>>,
    /// By which one Space after the other is given to an owner, and an owner is not deleted meanwhile.
    places: Mutex<()>,
}

/// The turn to change a Space, for whoever may; others wait until it is dropped.
struct Turn {
    /// The Space as it was when the turn came.
    space: Space,
    version: Version,
    _guard: OwnedMutexGuard<()>,
}

/// What operations work with.
pub struct ControlParts {
    /// Durable state.
    pub db: Arc<Db>,
    /// Repositories.
    pub repos: Arc<Repos>,
    /// Seals secrets.
    pub keys: KeyStore,
    /// What runs, and under which rules of the operator.
    pub fleet: Fleet,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Control {
    /// The operations over these parts.
    pub fn new(parts: ControlParts) -> Self {
        let ControlParts { db, repos, keys, fleet, clock } = parts;
        let accounts = Accounts::new(db.clone(), clock.clone());
        let webhooks = Webhooks::new(db.clone(), keys.clone(), clock.clone(), fleet.shared().clone());
        let inner = Inner {
            db,
            repos,
            keys,
            fleet,
            clock,
            accounts,
            attempts: Attempts::default(),
            signing: OnceLock::new(),
            devices: oauth::DeviceRequests::default(),
            first: first::FirstLink::default(),
            joined: joining::Joined::default(),
            webhooks,
            scans: Scans::default(),
            turns: parking_lot::Mutex::default(),
            places: Mutex::default(),
        };
        let control = Self { inner: Arc::new(inner) };
        control.begin_sign_ins();
        control
    }

    /// Users and tokens.
    pub fn accounts(&self) -> &Accounts {
        &self.inner.accounts
    }

    /// What runs.
    pub fn fleet(&self) -> &Fleet {
        &self.inner.fleet
    }

    /// Hardware and storage on offer.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.inner.fleet.shared().catalogue()
    }

    /// Where everything is reached.
    pub fn addresses(&self) -> &Addresses {
        &self.inner.fleet.config().addresses
    }

    /// Whether changes can be stored, for a readiness probe.
    pub fn is_ready(&self) -> bool {
        self.inner.db.health().read_only.is_none()
    }

    /// The Space at a path, if the actor may do this with it. A Space that is missing is refused as a hidden one is.
    pub fn space(&self, actor: &Actor, path: &SpacePath, action: Action) -> ServiceResult<Space> {
        let Some(space) = self.inner.db.space_by_path(path).map_err(storage::read_failed)? else {
            return Err(self.moved(actor, path)?);
        };
        can(actor, action, Subject::of(&space))?;
        Ok(space)
    }

    /// Whether the actor may do this with a Space now, whatever its path is by now.
    pub fn may(&self, actor: &Actor, action: Action, space: SpaceId) -> ServiceResult<bool> {
        let found = self.inner.db.spaces().get(&space).map_err(storage::read_failed)?;
        Ok(found.is_some_and(|space| can(actor, action, Subject::of(&space)).is_ok()))
    }

    /// Why there is no Space at a path. Where one has gone is told to those who may see it.
    fn moved(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<ServiceError> {
        let moved = self.inner.db.moved_from(path).map_err(storage::read_failed)?;
        let is_seen = |space: &Space| can(actor, Action::See, Subject::of(space)).is_ok();
        Ok(moved.filter(is_seen).map_or(Denied::Hidden.into(), |space| ServiceError::Moved(space.path)))
    }

    /// Waits for the turn to change a Space. The permission is checked when the turn has come, since the Space may have got
    /// another owner meanwhile, or be gone.
    async fn settings_turn(&self, actor: &Actor, space: SpaceId) -> ServiceResult<Turn> {
        self.turn_to(actor, Action::Write, space).await
    }

    /// The same for somebody who needs another right.
    async fn turn_to(&self, actor: &Actor, action: Action, space: SpaceId) -> ServiceResult<Turn> {
        let guard = self.bare_turn(space).await;
        let found = self.inner.db.spaces().get_versioned(&space).map_err(storage::read_failed)?;
        let (space, version) = found.ok_or(Denied::Hidden)?;
        can(actor, action, Subject::of(&space))?;
        Ok(Turn { space, version, _guard: guard })
    }

    /// Waits for the turn of a Space that is about to be made, on which nobody has rights yet.
    async fn bare_turn(&self, space: SpaceId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.inner.turns.lock();
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(space).or_default())
        };
        turn.lock_owned().await
    }
}
