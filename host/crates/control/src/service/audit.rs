//! The audit log: who has changed what, when and from where. An entry goes into the batch of what it tells of, so there is
//! none without the change and no change without it. Names of secrets are in it, values never.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::Millis;
use spaceport_core::permission::Actor;
use spaceport_core::space::Space;
use spaceport_db::{AuditActor, AuditEntry, AuditKey, Batch, Db, ReadError};

use super::Control;
use super::admin::administrator;
use super::error::{ServiceError, ServiceResult};
use super::storage::{commit_failed, read_failed};

/// Longest detail, in bytes; the rest is cut off: an entry is a line, not an archive.
const MAX_DETAIL: usize = 200;
/// Entries that are read at a time while a page is looked for.
const AT_ONCE: usize = 1000;

tokio::task_local! {
    /// The address that a request came from.
    static FROM: String;
}

/// Does what somebody at an address asks for; entries of the audit log name the address.
pub async fn asked_from<T>(address: Option<IpAddr>, work: impl Future<Output = T>) -> T {
    match address {
        Some(address) => FROM.scope(address.to_string(), work).await,
        None => work.await,
    }
}

/// The address that is known to the task, for work that goes on in another.
pub(super) fn origin() -> Option<String> {
    FROM.try_with(String::clone).ok()
}

/// An entry about to be made.
#[derive(Clone)]
pub(crate) struct Act {
    from: Option<String>,
    action: &'static str,
    space: Option<(SpaceId, String)>,
    target: Option<String>,
    detail: BTreeMap<String, String>,
}

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of this user; `shell` and `host` are no users.
    pub actor: Option<String>,
    /// About the Space at this path, also under the paths that it had before.
    pub space: Option<String>,
    /// Before this one.
    pub before: Option<AuditKey>,
}

/// Entries, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// The entries, each with when.
    pub entries: Vec<(AuditKey, AuditEntry)>,
    /// What the next page is before, if there is one.
    pub next: Option<AuditKey>,
}

impl Act {
    /// Something that was done, as `thing.verb`.
    pub(super) fn new(action: &'static str) -> Self {
        Self { from: origin(), action, space: None, target: None, detail: BTreeMap::new() }
    }

    /// The same to a Space.
    pub(super) fn on(action: &'static str, space: &Space) -> Self {
        Self { space: Some((space.id, space.path.to_string())), ..Self::new(action) }
    }

    /// To whom or what else.
    pub(super) fn to(self, target: impl Display) -> Self {
        Self { target: Some(target.to_string()), ..self }
    }

    /// Asked for from an address that the task does not know.
    pub(super) fn from(self, origin: Option<String>) -> Self {
        Self { from: origin, ..self }
    }

    /// A detail. Never a secret.
    pub(crate) fn with(mut self, name: &str, value: impl Display) -> Self {
        let mut text = value.to_string();
        text.truncate(text.floor_char_boundary(MAX_DETAIL));
        self.detail.insert(name.to_owned(), text);
        self
    }
}

/// An actor as entries name it. Nobody changes anything without a name; what has none is the host's own doing.
pub(super) fn who(actor: &Actor) -> AuditActor {
    match actor {
        Actor::User(user) => AuditActor::User(user.id, user.name.to_string()),
        Actor::Nobody => AuditActor::Host,
    }
}

/// Adds an entry to the batch of what it tells of.
pub(crate) fn record(db: &Db, now: Millis, actor: AuditActor, act: Act, batch: &mut Batch) {
    let Act { from, action, space, target, detail } = act;
    let entry = AuditEntry { actor, from, action: action.to_owned(), space, target, detail };
    batch.put(db.audit(), &AuditKey { at: now, draw: rand::random() }, &entry);
}

impl Control {
    /// Adds an entry to the batch of what it tells of.
    pub(super) fn note(&self, batch: &mut Batch, actor: &Actor, act: Act) {
        record(&self.inner.db, self.inner.clock.now(), who(actor), act, batch);
    }

    /// A batch with an entry, for what is stored by others.
    pub(super) fn noted(&self, actor: &Actor, act: Act) -> Batch {
        let mut batch = Batch::default();
        self.note(&mut batch, actor, act);
        batch
    }

    /// Stores an entry about what is stored elsewhere, as refs in a repository are. That has happened: a failure is logged.
    pub(super) async fn note_alone(&self, actor: &Actor, act: Act) {
        let batch = self.noted(actor, act);
        if let Err(error) = self.inner.db.commit(batch).await.map_err(commit_failed) {
            tracing::error!(%error, "a change is missing from the audit log");
        }
    }

    /// A page of the audit log, newest first.
    pub async fn audit(&self, actor: &Actor, filter: AuditFilter, limit: usize) -> ServiceResult<AuditPage> {
        administrator(actor)?;
        let db = self.inner.db.clone();
        let found = tokio::task::spawn_blocking(move || page(&db, &filter, limit)).await;
        found.map_err(|error| ServiceError::internal("read the audit log", error))?.map_err(read_failed)
    }
}

fn page(db: &Arc<Db>, filter: &AuditFilter, limit: usize) -> Result<AuditPage, ReadError> {
    let space = match filter.space.as_deref().map(str::parse) {
        Some(Ok(path)) => db.space_id(&path)?,
        _ => None,
    };
    let is_wanted = |entry: &AuditEntry| {
        let is_actor = filter.actor.as_ref().is_none_or(|wanted| match &entry.actor {
            AuditActor::User(_, name) => name.eq_ignore_ascii_case(wanted),
            AuditActor::Shell => wanted == "shell",
            AuditActor::Host => wanted == "host",
        });
        is_actor
            && filter.space.as_ref().is_none_or(|wanted| {
                let about = entry.space.as_ref();
                about.is_some_and(|(id, path)| Some(*id) == space || path.eq_ignore_ascii_case(wanted))
            })
    };
    let mut found = AuditPage::default();
    let mut before = filter.before;
    loop {
        let entries = db.audit().last_before(before.as_ref(), AT_ONCE)?;
        let is_end = entries.len() < AT_ONCE;
        before = entries.last().map(|(key, _)| *key);
        for (key, entry) in entries.into_iter().filter(|(_, entry)| is_wanted(entry)) {
            if found.entries.len() == limit {
                found.next = found.entries.last().map(|(key, _)| *key);
                return Ok(found);
            }
            found.entries.push((key, entry));
        }
        if is_end {
            return Ok(found);
        }
    }
}
