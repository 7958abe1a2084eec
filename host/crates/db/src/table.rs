//! Typed tables: which key and which value belong together, and how both become bytes.
//!
//! A stored key is the table's number followed by the encoded key, so all tables share one ordered key space and a batch
//! over several tables is one write. A stored value is a version byte followed by the record (JSON, or raw bytes for
//! sealed secrets). Numbers and encodings are for ever; a changed record gets a new version and keeps reading the old.

use std::fmt;
use std::marker::PhantomData;

use spaceport_core::grant::Grant;
use spaceport_core::id::{AccountId, GrantId, SignInId, SpaceId, WebhookId};
use spaceport_core::lfs::LfsOid;
use spaceport_core::lifecycle::State;
use spaceport_core::space::Space;
use spaceport_core::ssh::Fingerprint;
use spaceport_core::webhook::Webhook;

use crate::account::{AccessToken, Account, TokenHash};
use crate::audit::{AuditEntry, AuditKey};
use crate::discussion::{Discussion, DiscussionBook, DiscussionEvent};
use crate::email::AccountEmail;
use crate::error::ReadError;
use crate::finding::Finding;
use crate::hardware::HardwareChange;
use crate::index::{Index, Row};
use crate::key::{Key, Under};
use crate::keys::SealedSecret;
use crate::lfs::LfsLink;
use crate::like::Like;
use crate::linked::LinkedRepos;
use crate::member::Member;
use crate::oauth::{OauthApp, OauthConsent, OauthGrant};
use crate::plugin::PluginOff;
use crate::quota::OwnerQuota;
use crate::record::{Record, RecordError};
use crate::release::BuiltRelease;
use crate::session::WebSession;
use crate::ssh_key::{SshKey, SshKeyUse};
use crate::usage::{DayUsage, MonthStorage, UsageKey};
use crate::webhook::WebhookMessage;

/// The tables, by the number that stands in front of every stored key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TableId {
    /// Facts about the database itself.
    Meta = 1,
    /// Settings of Spaces.
    Spaces = 2,
    /// Lifecycles of Spaces.
    Lifecycles = 3,
    /// Built revisions.
    Releases = 4,
    /// Users and organizations.
    Accounts = 5,
    /// Access tokens by hash.
    Tokens = 6,
    /// Sealed secrets.
    Secrets = 7,
    /// Spaces by `owner/name` in lower case.
    SpacePaths = 8,
    /// Spaces by subdomain.
    Subdomains = 9,
    /// Accounts by name in lower case.
    AccountNames = 10,
    /// Members of organizations, by organization.
    Members = 11,
    /// The same, by user.
    Memberships = 12,
    /// Spaces by an `owner/name` in lower case that they had before.
    MovedPaths = 20,
    /// Who likes which Space.
    Likes = 21,
    /// Discussions and pull requests of Spaces.
    Discussions = 22,
    /// What happened in them.
    DiscussionEvents = 23,
    /// What a Space knows of all of them.
    DiscussionBooks = 24,
    /// Spaces that sign users in, where their secret was made anew.
    OauthApps = 34,
    /// What users have agreed to.
    OauthConsents = 35,
    /// Sign-ins at Spaces: codes and tokens.
    OauthGrants = 36,
    /// Browsers in which a user is signed in.
    WebSessions = 37,
    /// Addresses that are told of what happens.
    Webhooks = 26,
    /// Sealed secrets of those.
    WebhookSecrets = 27,
    /// Messages to those that were not taken yet.
    WebhookMessages = 44,
    /// E-mail addresses of users.
    Emails = 45,
    /// Plugins that are switched off.
    PluginsOff = 47,
    /// Rows of hardware as administrators have made them.
    HardwareChanges = 48,
    /// Public keys of users, by fingerprint.
    SshKeys = 30,
    /// When each was used last.
    SshKeyUses = 31,
    /// Models and datasets that Spaces use.
    LinkedRepos = 32,
    /// Secrets that were found in repositories.
    Findings = 33,
    /// Large files of Spaces.
    LfsLinks = 40,
    /// Previews by the Space they belong to and their ref.
    Previews = 46,
    /// What Spaces have used, by day.
    Usage = 38,
    /// Storage tiers that Spaces had, by month.
    StorageMonths = 39,
    /// Grants of hardware.
    Grants = 41,
    /// Who has changed what.
    Audit = 42,
    /// How much owners may have.
    Quotas = 43,
}

impl TableId {
    /// The table's name, for messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Spaces => "spaces",
            Self::Lifecycles => "lifecycles",
            Self::Releases => "releases",
            Self::Accounts => "accounts",
            Self::Tokens => "tokens",
            Self::Secrets => "secrets",
            Self::SpacePaths => "space_paths",
            Self::Subdomains => "subdomains",
            Self::AccountNames => "account_names",
            Self::Members => "members",
            Self::Memberships => "memberships",
            Self::MovedPaths => "moved_paths",
            Self::Likes => "likes",
            Self::Discussions => "discussions",
            Self::DiscussionEvents => "discussion_events",
            Self::DiscussionBooks => "discussion_books",
            Self::OauthApps => "oauth_apps",
            Self::OauthConsents => "oauth_consents",
            Self::OauthGrants => "oauth_grants",
            Self::WebSessions => "web_sessions",
            Self::Webhooks => "webhooks",
            Self::WebhookSecrets => "webhook_secrets",
            Self::WebhookMessages => "webhook_messages",
            Self::Emails => "emails",
            Self::PluginsOff => "plugins_off",
            Self::HardwareChanges => "hardware_changes",
            Self::SshKeys => "ssh_keys",
            Self::SshKeyUses => "ssh_key_uses",
            Self::LinkedRepos => "linked_repos",
            Self::Findings => "findings",
            Self::LfsLinks => "lfs_links",
            Self::Previews => "previews",
            Self::Usage => "usage",
            Self::StorageMonths => "storage_months",
            Self::Grants => "grants",
            Self::Audit => "audit",
            Self::Quotas => "quotas",
        }
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The number of the batch that last wrote a row; what [`crate::Expect::Version`] compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub(crate) u64);

/// A table as seen through an open database: reads here, writes through a [`crate::Batch`].
pub struct Table<'db, K, V> {
    pub(crate) id: TableId,
    index: &'db Index,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for Table<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Table<'_, K, V> {}

impl<'db, K: Key, V: Record> Table<'db, K, V> {
    pub(crate) fn new(id: TableId, index: &'db Index) -> Self {
        Self { id, index, types: PhantomData }
    }

    /// The value at a key.
    pub fn get(self, key: &K) -> Result<Option<V>, ReadError> {
        Ok(self.get_versioned(key)?.map(|(value, _)| value))
    }

    /// The value at a key, and the version to expect when it is to be replaced.
    pub fn get_versioned(self, key: &K) -> Result<Option<(V, Version)>, ReadError> {
        match self.index.get(&self.full_key(key))? {
            None => Ok(None),
            Some(row) => Ok(Some((self.value(&row.value)?, Version(row.version)))),
        }
    }

    /// Every row, in the order of the keys. One read of the whole table: for start-up and lists, not for requests.
    pub fn scan(self) -> Result<Vec<(K, V)>, ReadError> {
        self.rows(&[self.id as u8])
    }

    /// Up to `most` rows from the first key on, in order: the oldest, where keys begin with a time.
    pub fn first(self, most: usize) -> Result<Vec<(K, V)>, ReadError> {
        self.decoded(self.index.slice(&[self.id as u8], &[self.id as u8 + 1], false, most)?)
    }

    /// Up to `most` rows before a key, or before the end, backwards: the newest, where keys begin with a time.
    pub fn last_before(self, before: Option<&K>, most: usize) -> Result<Vec<(K, V)>, ReadError> {
        let end = before.map_or_else(|| vec![self.id as u8 + 1], |key| self.full_key(key));
        self.decoded(self.index.slice(&[self.id as u8], &end, true, most)?)
    }

    /// How many rows there are; looks at each.
    pub fn count(self) -> Result<usize, ReadError> {
        self.index.count(&[self.id as u8])
    }

    /// The rows whose key starts with `parent`, in order: the releases of a Space, its secrets.
    pub fn under<P: Key>(self, parent: &P) -> Result<Vec<(K, V)>, ReadError>
    where
        K: Under<P>,
    {
        let mut prefix = vec![self.id as u8];
        parent.encode(&mut prefix);
        self.rows(&prefix)
    }

    pub(crate) fn full_key(self, key: &K) -> Vec<u8> {
        let mut bytes = vec![self.id as u8];
        key.encode(&mut bytes);
        bytes
    }

    fn rows(self, prefix: &[u8]) -> Result<Vec<(K, V)>, ReadError> {
        self.decoded(self.index.scan(prefix)?)
    }

    fn decoded(self, rows: Vec<(Vec<u8>, Row)>) -> Result<Vec<(K, V)>, ReadError> {
        let decode = |(key, row): (Vec<u8>, Row)| Ok((self.key(&key)?, self.value(&row.value)?));
        rows.into_iter().map(decode).collect()
    }

    pub(crate) fn key(self, stored: &[u8]) -> Result<K, ReadError> {
        K::decode(&stored[1..]).ok_or_else(|| ReadError::Row { table: self.id, why: "its key is malformed".into() })
    }

    fn value(self, stored: &[u8]) -> Result<V, ReadError> {
        let (version, bytes) = stored.split_first().unwrap_or((&0, &[]));
        V::decode(*version, bytes).map_err(|RecordError(why)| ReadError::Row { table: self.id, why })
    }
}

/// The tables of [`crate::Db`], one method each.
macro_rules! tables {
    ($($(#[$doc:meta])* $method:ident: $id:ident, $key:ty => $value:ty;)*) => {
        impl crate::Db {
            $($(#[$doc])*
            pub fn $method(&self) -> Table<'_, $key, $value> {
                Table::new(TableId::$id, self.index())
            })*
        }
    };
}

tables! {
    /// Settings of Spaces.
    spaces: Spaces, SpaceId => Space;
    /// Lifecycles of Spaces.
    lifecycles: Lifecycles, SpaceId => State;
    /// Built revisions, by Space and number.
    releases: Releases, (SpaceId, u64) => BuiltRelease;
    /// Users and organizations.
    accounts: Accounts, AccountId => Account;
    /// Access tokens, by the hash of the token.
    tokens: Tokens, TokenHash => AccessToken;
    /// Secrets, by Space and name; [`crate::KeyStore::open_secret`] reveals one.
    secrets: Secrets, (SpaceId, String) => SealedSecret;
    /// Spaces by [`spaceport_core::name::SpacePath::key`].
    space_paths: SpacePaths, String => SpaceId;
    /// Spaces by subdomain.
    subdomains: Subdomains, String => SpaceId;
    /// Accounts by name in lower case.
    account_names: AccountNames, String => AccountId;
    /// Members, by organization and user.
    members: Members, (AccountId, AccountId) => Member;
    /// The same, by user and organization.
    memberships: Memberships, (AccountId, AccountId) => Member;
    /// Spaces by the [`spaceport_core::name::SpacePath::key`] of a path that they had before.
    moved_paths: MovedPaths, String => SpaceId;
    /// Likes, by Space and account.
    likes: Likes, (SpaceId, AccountId) => Like;
    /// Discussions and pull requests, by Space and number.
    discussions: Discussions, (SpaceId, u64) => Discussion;
    /// What happened in a discussion, by Space, its number and that of the event.
    discussion_events: DiscussionEvents, (SpaceId, (u64, u64)) => DiscussionEvent;
    /// What a Space knows of all its discussions.
    discussion_books: DiscussionBooks, SpaceId => DiscussionBook;
    /// Spaces that sign users in, where their secret was made anew.
    oauth_apps: OauthApps, SpaceId => OauthApp;
    /// What users have agreed to, by user and Space.
    oauth_consents: OauthConsents, (AccountId, SpaceId) => OauthConsent;
    /// Sign-ins at Spaces, by user.
    oauth_grants: OauthGrants, (AccountId, SignInId) => OauthGrant;
    /// Browsers in which a user is signed in, by user and the hash of what the browser holds.
    web_sessions: WebSessions, (AccountId, TokenHash) => WebSession;
    /// Webhooks.
    webhooks: Webhooks, WebhookId => Webhook;
    /// Secrets of webhooks; [`crate::KeyStore::open_webhook_secret`] reveals one.
    webhook_secrets: WebhookSecrets, WebhookId => SealedSecret;
    /// Messages to webhooks that were not taken yet, by webhook and in the order of what happened.
    webhook_messages: WebhookMessages, (WebhookId, u64) => WebhookMessage;
    /// E-mail addresses, by user.
    emails: Emails, AccountId => AccountEmail;
    /// Plugins that are switched off, by name.
    plugins_off: PluginsOff, String => PluginOff;
    /// Rows of hardware as administrators have made them, by flavor.
    hardware_changes: HardwareChanges, String => HardwareChange;
    /// Public keys by which users sign in over SSH, by fingerprint.
    ssh_keys: SshKeys, Fingerprint => SshKey;
    /// When each was used last.
    ssh_key_uses: SshKeyUses, Fingerprint => SshKeyUse;
    /// Models and datasets that the code of Spaces names.
    linked_repos: LinkedRepos, SpaceId => LinkedRepos;
    /// Secrets that were found in repositories, by Space and what was found where.
    findings: Findings, (SpaceId, String) => Finding;
    /// Large files, by Space and content.
    lfs_links: LfsLinks, (SpaceId, LfsOid) => LfsLink;
    /// Previews, by the Space they belong to and their ref.
    previews: Previews, (SpaceId, String) => SpaceId;
    /// What Spaces have used, by day, owner and Space.
    usage: Usage, UsageKey => DayUsage;
    /// Storage tiers that Spaces had, by month, owner and Space.
    storage_months: StorageMonths, UsageKey => MonthStorage;
    /// Grants, by Space and id.
    grants: Grants, (SpaceId, GrantId) => Grant;
    /// The audit log, by time.
    audit: Audit, AuditKey => AuditEntry;
    /// Quotas, by owner.
    quotas: Quotas, AccountId => OwnerQuota;
}
