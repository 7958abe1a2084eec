//! Telling webhooks what has happened.
//!
//! ```text
//!   an operation ──▶ Happening ──▶ whom it concerns, and who may see it ──▶ a row, and a queue for each webhook ──▶ one try after another
//! ```
//!
//! Whoever changes a Space hands over a [`Happening`] and waits until its messages are stored: what an operation returned from
//! is told, even if the host is killed right after. Sending is waited for by nobody. Each webhook has a queue of its own, so
//! that one that is slow delays no other, and what it is told comes in order. A message that was taken a moment before the host
//! was killed may be sent again, under the same id. Queues are bounded: what is beyond the bounds is not told, and the log of
//! deliveries, which is in memory, says so.

mod deliver;
mod happening;
mod queue;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use spaceport_core::id::{DeliveryId, WebhookId};
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Subject, TokenRole, can};
use spaceport_core::revision::{DEPLOY_BRANCH, Oid};
use spaceport_core::space::Space;
use spaceport_core::webhook::{Webhook, pause_after};
use spaceport_db::{Batch, Db, KeyStore, ReadError, WebhookMessage};
use tokio::sync::Semaphore;

use crate::fleet::Shared;
use crate::ports::{Clock, SendWebhook};
use crate::service::{Accounts, new_id};
use queue::{Message, Queue};

pub use happening::{Happening, UpdatedRef};

/// Messages on their way at a time: each is a connection and no more.
const MAX_SENDING: usize = 8;
/// Bytes of messages that are stored in one batch, but for its last: well below what a batch may have.
const STORED_AT_ONCE: usize = 1 << 20;

/// What became of one message to a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// By which the receiver tells it from others.
    pub id: DeliveryId,
    /// The messages of a webhook count up.
    pub number: u64,
    /// When it happened.
    pub at: Millis,
    /// What happened, as its scope and action.
    pub event: String,
    /// To which Space.
    pub space: SpacePath,
    /// Tries so far.
    pub tries: usize,
    /// How it stands.
    pub outcome: Outcome,
}

/// How a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It waits, for its first try or after one that failed so.
    Waiting(Option<String>),
    /// The receiver took it, with this status.
    Delivered(u16),
    /// It was given up, for this reason.
    Failed(String),
}

/// The webhooks as they are told.
pub(crate) struct Webhooks {
    db: Arc<Db>,
    keys: KeyStore,
    clock: Arc<dyn Clock>,
    fleet: Arc<Shared>,
    outlet: OnceLock<Outlet>,
    queues: Mutex<HashMap<WebhookId, Queue>>,
    /// Whoever adds rows of messages or takes all of a webhook's away: queues are in the order of the rows.
    storing: tokio::sync::Mutex<()>,
}

/// What there is once messages can be sent.
struct Outlet {
    sender: Arc<dyn SendWebhook>,
    turns: Semaphore,
    /// The pause after so many tries; `None`: no more.
    pause: fn(usize) -> Option<Duration>,
}

impl Webhooks {
    pub(crate) fn new(db: Arc<Db>, keys: KeyStore, clock: Arc<dyn Clock>, fleet: Arc<Shared>) -> Arc<Self> {
        let (outlet, queues, storing) = (OnceLock::new(), Mutex::default(), tokio::sync::Mutex::default());
        Arc::new(Self { db, keys, clock, fleet, outlet, queues, storing })
    }

    /// Begins to tell, by this sender; first of all what was not told before.
    pub(crate) fn start(self: &Arc<Self>, sender: Arc<dyn SendWebhook>) {
        self.start_with(sender, pause_after);
    }

    /// The same with other pauses between tries.
    pub(crate) fn start_with(self: &Arc<Self>, sender: Arc<dyn SendWebhook>, pause: fn(usize) -> Option<Duration>) {
        let stored = self.db.webhook_messages().scan().unwrap_or_else(|error| {
            tracing::error!(%error, "messages to webhooks that waited cannot be read");
            Vec::new()
        });
        let mut queues = self.queues.lock();
        if self.outlet.set(Outlet { sender, turns: Semaphore::new(MAX_SENDING), pause }).is_err() {
            tracing::warn!("webhooks are told already");
            return;
        }
        for ((webhook, number), message) in stored {
            self.line_up(&mut queues, webhook, Message { number, stored: message });
        }
    }

    /// Tells whom it concerns. Returns when that is sure to happen.
    pub(crate) async fn tell(self: &Arc<Self>, happening: Happening) {
        if self.outlet.get().is_none() {
            return;
        }
        // A task of its own: whoever asked for the change may leave meanwhile.
        let webhooks = self.clone();
        let told = self.fleet.spawn(async move { webhooks.dispatch(&happening).await });
        if let Err(error) = told.await {
            tracing::error!(%error, "webhooks are not told of something");
        }
    }

    /// What became of the last messages to a webhook, newest first.
    pub(crate) fn log(&self, id: WebhookId) -> Vec<Delivery> {
        self.queues.lock().get(&id).map(|queue| queue.log.iter().rev().cloned().collect()).unwrap_or_default()
    }

    /// Earlier failures count no more: somebody has looked at the webhook.
    pub(crate) fn forgive(&self, id: WebhookId) {
        if let Some(queue) = self.queues.lock().get_mut(&id) {
            queue.failures = 0;
        }
    }

    /// Forgets a webhook there is not any more.
    pub(crate) fn forget(&self, id: WebhookId) {
        self.queues.lock().remove(&id);
    }

    async fn dispatch(self: &Arc<Self>, happening: &Happening) {
        let concerned = match self.concerned(happening) {
            Ok(concerned) if concerned.is_empty() => return,
            Ok(concerned) => concerned,
            Err(error) => {
                tracing::error!(space = %happening.space.path, %error, "webhooks cannot be told of something");
                return;
            }
        };
        let message = happening.message(&self.fleet.config.addresses, self.head(happening).await);
        let _storing = self.storing.lock().await;
        let admitted = concerned.iter().filter_map(|webhook| self.admit(webhook, happening, message.clone()));
        let mut part = Vec::new();
        let mut bytes = 0;
        for (webhook, message) in admitted {
            bytes += message.stored.body.len();
            part.push((webhook, message));
            if bytes >= STORED_AT_ONCE {
                self.store(std::mem::take(&mut part)).await;
                bytes = 0;
            }
        }
        self.store(part).await;
    }

    /// Where the deploy branch is. A Space that was deleted has none, though its repository may be there for a moment yet.
    async fn head(&self, happening: &Happening) -> Option<Oid> {
        if happening.is_deletion() {
            return None;
        }
        self.fleet.repos.repo(happening.space.id).head(DEPLOY_BRANCH).await.ok().flatten()
    }

    /// Those that are to be told, and whose owners may know.
    fn concerned(&self, happening: &Happening) -> Result<Vec<Webhook>, ReadError> {
        let all = self.db.webhooks().scan()?.into_iter().map(|(_, webhook)| webhook);
        let watching = all.filter(|webhook| webhook.concerns(&happening.space, happening.domain));
        let mut concerned = Vec::new();
        for webhook in watching {
            if self.sees(&webhook, &happening.space)? {
                concerned.push(webhook);
            }
        }
        Ok(concerned)
    }

    fn sees(&self, webhook: &Webhook, space: &Space) -> Result<bool, ReadError> {
        let Some(account) = self.db.accounts().get(&webhook.owner)? else { return Ok(false) };
        let user = Accounts::new(self.db.clone(), self.clock.clone()).user(account, TokenRole::Write);
        Ok(user.is_ok_and(|user| can(&Actor::User(user), Action::See, Subject::of(space)).is_ok()))
    }

    /// The message for one webhook, if there is room for it; how that stands is written down either way.
    fn admit(
        &self,
        webhook: &Webhook,
        happening: &Happening,
        mut message: Map<String, Value>,
    ) -> Option<(WebhookId, Message)> {
        message.insert("webhook".to_owned(), json!({ "id": webhook.id, "version": 3 }));
        let now = self.clock.now();
        let stored = WebhookMessage {
            id: DeliveryId::from_bytes(new_id(now)),
            at: now,
            event: format!("{} {}", happening.scope, happening.action),
            space: happening.space.path.clone(),
            tries: 0,
            due_at: now,
            error: None,
            body: Value::Object(message).to_string(),
        };
        let mut queues = self.queues.lock();
        let queue = queues.entry(webhook.id).or_default();
        queue.next += 1;
        let message = Message { number: queue.next, stored };
        let mut delivery = message.delivery();
        let refused = queue.admit(now, message.stored.body.len()).err();
        let is_admitted = refused.is_none();
        if let Some(why) = refused {
            delivery.outcome = Outcome::Failed(why);
        }
        queue.record(delivery);
        is_admitted.then_some((webhook.id, message))
    }

    /// Stores messages and has them sent.
    async fn store(self: &Arc<Self>, messages: Vec<(WebhookId, Message)>) {
        let mut batch = Batch::default();
        for (webhook, message) in &messages {
            batch.put(self.db.webhook_messages(), &(*webhook, message.number), &message.stored);
        }
        if batch.is_empty() {
            return;
        }
        let stored = self.db.commit(batch).await;
        if let Err(error) = &stored {
            tracing::error!(%error, "messages to webhooks cannot be stored");
        }
        let mut queues = self.queues.lock();
        for (webhook, message) in messages {
            match stored {
                Ok(_) => self.line_up(&mut queues, webhook, message),
                Err(_) => {
                    let queue = queues.entry(webhook).or_default();
                    let outcome = Outcome::Failed("not sent: this host could not store it".to_owned());
                    queue.record(Delivery { outcome, ..message.delivery() });
                }
            }
        }
    }

    /// Puts a stored message behind those that wait, and sees to it that somebody works on them.
    fn line_up(self: &Arc<Self>, queues: &mut HashMap<WebhookId, Queue>, webhook: WebhookId, message: Message) {
        let queue = queues.entry(webhook).or_default();
        queue.next = queue.next.max(message.number);
        queue.record(message.delivery());
        queue.waiting.push_back(message);
        if !std::mem::replace(&mut queue.is_busy, true) {
            let webhooks = self.clone();
            self.fleet.spawn(async move {
                let closing = webhooks.fleet.closing.clone();
                closing.run_until_cancelled(webhooks.work(webhook)).await;
            });
        }
    }
}
