//! Webhooks of a user: made, looked at, changed, and what became of their messages.

use std::sync::Arc;

use spaceport_core::egress::EgressPolicy;
use spaceport_core::id::WebhookId;
use spaceport_core::name::{OwnerName, SpacePath};
use spaceport_core::permission::{Action, Actor, Denied, TokenRole, User};
use spaceport_core::webhook::{Domain, MAX_SECRET, MAX_URL, MAX_WATCHED, MAX_WEBHOOKS, Target, Watched, Webhook};
use spaceport_db::{AccountKind, Batch, Version};

use super::Control;
use super::accounts::new_id;
use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::storage::{commit_failed, read_failed};
use crate::ports::SendWebhook;
use crate::webhooks::{Delivery, Happening};

/// Why a webhook that its owner has disabled is told nothing.
const BY_OWNER: &str = "disabled by its owner";

/// A webhook to be made, or what of one is to be changed: what is `None` stays.
#[derive(Clone, Default)]
pub struct NewWebhook {
    /// Where to send.
    pub url: Option<String>,
    /// What to watch: the kind (`user`, `org` or `space`) and the name of each.
    pub watched: Option<Vec<(String, String)>>,
    /// What to tell: `repo`, `discussion`.
    pub domains: Option<Vec<String>>,
    /// By which the receiver knows the messages; an empty one takes it away.
    pub secret: Option<String>,
}

/// A webhook as its owner sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookView {
    /// What it is. What it watches has the name that it has now.
    pub webhook: Webhook,
    /// Its secret, for those who may change it.
    pub secret: Option<String>,
}

impl Control {
    /// Begins to tell webhooks what happens, by this sender. Must be called within the runtime of the fleet, once.
    pub fn start_webhooks(&self, sender: Arc<dyn SendWebhook>) {
        self.inner.webhooks.start(sender);
    }

    /// Where messages to webhooks may go: where guests may.
    pub fn egress(&self) -> &EgressPolicy {
        &self.inner.fleet.config().egress
    }

    /// Tells the webhooks that it concerns what happened to a Space; returns when they are sure to be told.
    pub async fn tell_webhooks(&self, happening: Happening) {
        self.inner.webhooks.tell(happening).await;
    }

    /// The actor's webhooks, oldest first.
    pub fn webhooks(&self, actor: &Actor) -> ServiceResult<Vec<WebhookView>> {
        let user = signed(actor)?;
        let mut own = self.webhooks_of(user)?;
        own.sort_by_key(|webhook| (webhook.created_at, webhook.id));
        own.into_iter().map(|webhook| self.webhook_view(user, webhook)).collect()
    }

    /// One of the actor's webhooks.
    pub fn webhook(&self, actor: &Actor, id: &str) -> ServiceResult<WebhookView> {
        let user = signed(actor)?;
        let (webhook, _) = self.own_webhook(user, id)?;
        self.webhook_view(user, webhook)
    }

    /// What became of the last messages to one of the actor's webhooks, newest first.
    pub fn webhook_deliveries(&self, actor: &Actor, id: &str) -> ServiceResult<Vec<Delivery>> {
        let (webhook, _) = self.own_webhook(signed(actor)?, id)?;
        Ok(self.inner.webhooks.log(webhook.id))
    }

    /// Makes a webhook.
    pub async fn create_webhook(&self, actor: &Actor, new: NewWebhook) -> ServiceResult<WebhookView> {
        let user = writer(actor)?;
        if self.webhooks_of(user)?.len() >= MAX_WEBHOOKS {
            let message = format!("A user may have at most {MAX_WEBHOOKS} webhooks: delete one first");
            return Err(ServiceError::Invalid(message));
        }
        let now = self.inner.clock.now();
        let mut webhook = Webhook {
            id: WebhookId::from_bytes(new_id(now)),
            owner: user.id,
            url: String::new(),
            watched: Vec::new(),
            domains: Domain::ALL.to_vec(),
            disabled: None,
            created_at: now,
            updated_at: now,
        };
        let missing = |what: &str| ServiceError::Invalid(format!("A webhook needs {what}"));
        new.url.as_ref().ok_or_else(|| missing("a \"url\""))?;
        new.watched.as_ref().ok_or_else(|| missing("something to watch, in \"watched\""))?;
        let secret = self.apply(actor, &mut webhook, new)?;
        let db = &self.inner.db;
        let mut batch = self.noted(actor, of_webhook("webhook.create", &webhook));
        batch.insert_new(db.webhooks(), &webhook.id, &webhook);
        self.put_secret_of(&mut batch, webhook.id, secret.as_deref());
        db.commit(batch).await.map_err(commit_failed)?;
        tracing::info!(webhook = %webhook.id, actor = %user.name, "a webhook was made");
        self.webhook_view(user, webhook)
    }

    /// Changes a webhook.
    pub async fn update_webhook(&self, actor: &Actor, id: &str, changes: NewWebhook) -> ServiceResult<WebhookView> {
        let user = writer(actor)?;
        let (mut webhook, version) = self.own_webhook(user, id)?;
        let secret = self.apply(actor, &mut webhook, changes)?;
        webhook.updated_at = self.inner.clock.now();
        let db = &self.inner.db;
        let mut batch = self.noted(actor, of_webhook("webhook.change", &webhook));
        batch.replace(db.webhooks(), &webhook.id, &webhook, version);
        self.put_secret_of(&mut batch, webhook.id, secret.as_deref());
        db.commit(batch).await.map_err(commit_failed)?;
        self.webhook_view(user, webhook)
    }

    /// Has a webhook told again, or no more.
    pub async fn enable_webhook(&self, actor: &Actor, id: &str, is_enabled: bool) -> ServiceResult<WebhookView> {
        let user = writer(actor)?;
        let (mut webhook, version) = self.own_webhook(user, id)?;
        webhook.disabled = (!is_enabled).then(|| webhook.disabled.unwrap_or_else(|| BY_OWNER.to_owned()));
        webhook.updated_at = self.inner.clock.now();
        let db = &self.inner.db;
        let action = if is_enabled { "webhook.enable" } else { "webhook.disable" };
        let mut batch = self.noted(actor, of_webhook(action, &webhook));
        batch.replace(db.webhooks(), &webhook.id, &webhook, version);
        db.commit(batch).await.map_err(commit_failed)?;
        if is_enabled {
            self.inner.webhooks.forgive(webhook.id);
        }
        self.webhook_view(user, webhook)
    }

    /// Deletes a webhook.
    pub async fn delete_webhook(&self, actor: &Actor, id: &str) -> ServiceResult<()> {
        let user = writer(actor)?;
        let (webhook, _) = self.own_webhook(user, id)?;
        let db = &self.inner.db;
        let mut batch = self.noted(actor, of_webhook("webhook.delete", &webhook));
        batch.remove_webhook(db, webhook.id).map_err(read_failed)?;
        db.commit(batch).await.map_err(commit_failed)?;
        self.inner.webhooks.forget(webhook.id);
        tracing::info!(webhook = %webhook.id, actor = %user.name, "a webhook was deleted");
        Ok(())
    }

    fn webhooks_of(&self, user: &User) -> ServiceResult<Vec<Webhook>> {
        let all = self.inner.db.webhooks().scan().map_err(read_failed)?.into_iter();
        Ok(all.map(|(_, webhook)| webhook).filter(|webhook| webhook.owner == user.id).collect())
    }

    /// A webhook of this user; somebody else's is not there.
    fn own_webhook(&self, user: &User, id: &str) -> ServiceResult<(Webhook, Version)> {
        let missing = || ServiceError::NoSuchWebhook(id.chars().take(64).collect());
        let key = id.parse::<WebhookId>().map_err(|_| missing())?;
        let found = self.inner.db.webhooks().get_versioned(&key).map_err(read_failed)?;
        found.filter(|(webhook, _)| webhook.owner == user.id).ok_or_else(missing)
    }

    fn webhook_view(&self, user: &User, mut webhook: Webhook) -> ServiceResult<WebhookView> {
        for watched in &mut webhook.watched {
            let now = match watched.target {
                Target::User(id) | Target::Organization(id) => {
                    self.inner.accounts.account_by_id(id)?.map(|account| account.name.to_string())
                }
                // Its name may have changed since the user could see it.
                Target::Space(id) if self.may(&Actor::User(user.clone()), Action::See, id)? => {
                    self.inner.db.spaces().get(&id).map_err(read_failed)?.map(|space| space.path.to_string())
                }
                Target::Space(_) => None,
            };
            watched.name = now.unwrap_or_else(|| watched.name.clone());
        }
        let sealed = match user.role >= TokenRole::Write {
            true => self.inner.db.webhook_secrets().get(&webhook.id).map_err(read_failed)?,
            false => None,
        };
        let secret = sealed.map(|sealed| self.inner.keys.open_webhook_secret(webhook.id, &sealed)).transpose();
        let secret = secret.map_err(|error| ServiceError::internal("open the secret of a webhook", error))?;
        Ok(WebhookView { webhook, secret: secret.map(|secret| secret.reveal().to_owned()) })
    }

    /// Puts what is new into a webhook, with every rule checked; the secret, if there is a new one.
    fn apply(&self, actor: &Actor, webhook: &mut Webhook, new: NewWebhook) -> ServiceResult<Option<String>> {
        if let Some(url) = new.url {
            self.check_url(&url)?;
            webhook.url = url;
        }
        if let Some(watched) = new.watched {
            if watched.is_empty() || watched.len() > MAX_WATCHED {
                return Err(ServiceError::Invalid(format!("A webhook watches 1 to {MAX_WATCHED} items")));
            }
            let found = watched.iter().map(|(kind, name)| self.watched(actor, kind, name));
            webhook.watched = found.collect::<ServiceResult<_>>()?;
        }
        if let Some(domains) = new.domains {
            let unknown = |word: &String| {
                ServiceError::Invalid(format!("{word:?} is no domain of webhooks: \"repo\" and \"discussion\" are"))
            };
            let parsed = domains.iter().map(|word| Domain::parse(word).ok_or_else(|| unknown(word)));
            let mut parsed = parsed.collect::<ServiceResult<Vec<_>>>()?;
            parsed.sort_unstable();
            parsed.dedup();
            if parsed.is_empty() {
                return Err(ServiceError::Invalid("A webhook needs a domain: \"repo\" or \"discussion\"".to_owned()));
            }
            webhook.domains = parsed;
        }
        if let Some(secret) = &new.secret {
            // It is sent as a header.
            if secret.len() > MAX_SECRET || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
                let message =
                    format!("The secret of a webhook has at most {MAX_SECRET} letters, digits and signs of ASCII");
                return Err(ServiceError::Invalid(message));
            }
        }
        Ok(new.secret)
    }

    /// Refuses an address that no message could be sent to.
    fn check_url(&self, text: &str) -> ServiceResult<()> {
        let invalid = |why: String| ServiceError::Invalid(format!("The \"url\" of a webhook cannot be used: {why}"));
        if text.len() > MAX_URL {
            return Err(invalid(format!("it has more than {MAX_URL} bytes")));
        }
        let url = url::Url::parse(text).map_err(|error| invalid(error.to_string()))?;
        let host = url.host_str().ok_or_else(|| invalid("it names no host".to_owned()))?;
        let port = url.port_or_known_default().unwrap_or_default();
        let has_userinfo = !url.username().is_empty() || url.password().is_some();
        let policy = self.egress();
        policy.check_request(url.scheme(), host, port, has_userinfo).map_err(|denied| invalid(denied.to_string()))
    }

    fn watched(&self, actor: &Actor, kind: &str, name: &str) -> ServiceResult<Watched> {
        let target = match kind {
            "space" => {
                let path: SpacePath =
                    name.parse().map_err(|_| ServiceError::Invalid(format!("{name:?} is no name of a Space")))?;
                Target::Space(self.space(actor, &path, Action::See)?.id)
            }
            "user" | "org" => {
                let owner: OwnerName = name.parse().map_err(|_| ServiceError::AccountNotFound(name.to_owned()))?;
                let account = self.inner.accounts.account(&owner)?;
                match account.kind {
                    AccountKind::User => Target::User(account.id),
                    AccountKind::Organization => Target::Organization(account.id),
                }
            }
            _ => {
                let message = format!("{kind:?} cannot be watched here: \"user\", \"org\" and \"space\" can");
                return Err(ServiceError::Invalid(message));
            }
        };
        Ok(Watched { target, name: name.to_owned() })
    }

    fn put_secret_of(&self, batch: &mut Batch, id: WebhookId, secret: Option<&str>) {
        let secrets = self.inner.db.webhook_secrets();
        match secret {
            None => {}
            Some("") => drop(batch.delete(secrets, &id)),
            Some(secret) => drop(batch.put(secrets, &id, &self.inner.keys.seal_webhook_secret(id, secret))),
        }
    }
}

/// Something that was done to a webhook. Of its address only the host is told: many a receiver knows its callers by the rest.
pub(crate) fn of_webhook(action: &'static str, webhook: &Webhook) -> Act {
    let host = url::Url::parse(&webhook.url).ok().and_then(|url| url.host_str().map(str::to_owned));
    Act::new(action).to(webhook.id).with("host", host.unwrap_or_default())
}

fn signed(actor: &Actor) -> ServiceResult<&User> {
    match actor {
        Actor::User(user) => Ok(user),
        Actor::Nobody => Err(Denied::SignIn.into()),
    }
}

fn writer(actor: &Actor) -> ServiceResult<&User> {
    let user = signed(actor)?;
    if user.role < TokenRole::Write {
        return Err(ServiceError::Forbidden("Changing webhooks needs a token with the role \"write\"".to_owned()));
    }
    Ok(user)
}
