//! Durable state: what Spaceport knows beside repositories, artifacts and files of Spaces.
//!
//! Two parts, one truth. The *journal* is an append-only, checksummed log of batches; a batch is acknowledged when it is
//! on disk there. The *index* (sled) holds the rows as they are now; it is compared with the journal at every start and
//! made again whenever in doubt. One thread writes, in groups that share an fsync; a read waits for it only while it applies
//! such a group to the index, never for an fsync.
//!
//! ```no_run
//! # async fn example(dir: &std::path::Path, space: &spaceport_core::space::Space) -> Result<(), Box<dyn std::error::Error>> {
//! use spaceport_db::{Batch, Db, KeyStore, Options};
//!
//! let keys = KeyStore::open(&dir.join("keys"))?;
//! let (db, report) = Db::open(&dir.join("store"), &keys, Options::default())?;
//! let mut batch = Batch::default();
//! batch.insert_space(&db, space);
//! db.commit(batch).await?; // durable, or CommitError::Conflict if the name is taken
//! assert!(db.space_by_path(&space.path)?.is_some());
//! # Ok(())
//! # }
//! ```
//!
//! Nothing outside can tell sled from a successor, and nothing here knows HTTP, guests or what a lifecycle means.

mod account;
mod audit;
mod batch;
mod db;
mod dir;
mod discussion;
mod email;
mod error;
mod finding;
mod hardware;
mod index;
mod journal;
mod key;
mod keys;
mod lfs;
mod like;
mod linked;
mod lock;
mod member;
mod metrics;
mod oauth;
mod open;
mod plugin;
mod quota;
mod record;
mod release;
mod session;
mod shelf;
mod space;
mod ssh_key;
mod table;
#[cfg(test)]
mod testing;
mod usage;
mod watchdog;
mod webhook;
mod writer;

pub use account::{AccessToken, Account, AccountKind, PasswordHash, TokenHash};
pub use audit::{AuditActor, AuditEntry, AuditKey};
pub use batch::{Batch, Expect, MAX_BATCH};
pub use db::{Db, Health};
pub use dir::create_private_dir;
pub use discussion::{
    Comment, CommentText, Discussion, DiscussionBook, DiscussionEvent, EventKind, Merged, PullRequest,
};
pub use email::AccountEmail;
pub use error::{CommitError, OpenError, ReadError};
pub use finding::Finding;
pub use hardware::HardwareChange;
pub use key::{Key, Under};
pub use keys::{
    KEY_BYTES, KeyError, KeyStore, MASTER_KEY_FILE, SIGNING_KEY_FILE, SealedSecret, SecretValue, SigningKey, Subkey,
    UnsealError,
};
pub use lfs::LfsLink;
pub use like::Like;
pub use linked::LinkedRepos;
pub use member::Member;
pub use metrics::MetricsBucket;
pub use oauth::{GrantStage, OauthApp, OauthConsent, OauthGrant};
pub use open::{IndexReport, OnDamage, OpenReport, Options};
pub use plugin::PluginOff;
pub use quota::OwnerQuota;
pub use record::{Record, RecordError};
pub use release::BuiltRelease;
pub use session::WebSession;
pub use shelf::Likes;
pub use ssh_key::{SshKey, SshKeyUse};
pub use table::{Table, TableId, Version};
pub use usage::{DayUsage, MonthStorage, OwnerPeriod, Period, Stay, TierUse, UsageKey, UsagePeriod};
pub use webhook::WebhookMessage;
