//! Telling webhooks what has happened.
//!
//! ```text
//!   an operation ──▶ Happening ──▶ whom it concerns, and who may see it ──▶ a queue for each webhook ──▶ one try after another
//! ```
//!
//! Whoever changes a Space hands over a [`Happening`] and waits for nothing. Each webhook has a queue of its own, so that one
//! that is slow delays no other, and what it is told comes in order. All of it is in memory and bounded: what is beyond the
//! bounds, and what waits when the host stops, is not told; the log of deliveries says the former. That a webhook is
//! disabled after failures is stored.

mod deliver;
mod happening;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use spaceport_core::id::WebhookId;
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Subject, TokenRole, can};
use spaceport_core::revision::{DEPLOY_BRANCH, Oid};
use spaceport_core::space::Space;
use spaceport_core::webhook::{Webhook, pause_after};
use spaceport_db::{Db, KeyStore, ReadError};
use tokio::sync::{Semaphore, mpsc};

use crate::fleet::Shared;
use crate::ports::{Clock, SendWebhook};
use crate::service::Accounts;

pub use happening::{Happening, UpdatedRef};

/// Happenings that nobody was chosen for yet: choosing takes milliseconds, and a burst of pushes fits.
const MAX_HAPPENINGS: usize = 1024;
/// Messages that wait for one webhook: half an hour of a busy Space, some hundred KiB.
const MAX_WAITING: usize = 100;
/// Messages to one webhook in a day, as on the Hub.
const MAX_IN_A_DAY: u32 = 1000;
/// A day.
const DAY: Millis = 24 * 60 * 60 * 1000;
/// Deliveries that are remembered for each webhook.
const MAX_LOGGED: usize = 20;
/// Messages on their way at a time: each is a connection and no more.
const MAX_SENDING: usize = 8;

/// What became of one message to a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The messages of a webhook count up, from the start of the host on.
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
}

/// What there is once messages can be sent.
struct Outlet {
    sender: Arc<dyn SendWebhook>,
    happenings: mpsc::Sender<Happening>,
    turns: Semaphore,
    /// The pause after so many tries; `None`: no more.
    pause: fn(usize) -> Option<Duration>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Message>,
    /// Somebody works on it.
    is_busy: bool,
    /// Deliveries that failed one after the other.
    failures: u32,
    log: VecDeque<Delivery>,
    /// When the day that is counted began, and the messages since.
    day: (Millis, u32),
    next: u64,
}

struct Message {
    number: u64,
    body: Bytes,
}

impl Webhooks {
    pub(crate) fn new(db: Arc<Db>, keys: KeyStore, clock: Arc<dyn Clock>, fleet: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { db, keys, clock, fleet, outlet: OnceLock::new(), queues: Mutex::default() })
    }

    /// Begins to tell, by this sender.
    pub(crate) fn start(self: &Arc<Self>, sender: Arc<dyn SendWebhook>) {
        self.start_with(sender, pause_after);
    }

    /// The same with other pauses between tries.
    pub(crate) fn start_with(self: &Arc<Self>, sender: Arc<dyn SendWebhook>, pause: fn(usize) -> Option<Duration>) {
        let (happenings, mut received) = mpsc::channel(MAX_HAPPENINGS);
        let outlet = Outlet { sender, happenings, turns: Semaphore::new(MAX_SENDING), pause };
        if self.outlet.set(outlet).is_err() {
            tracing::warn!("webhooks are told already");
            return;
        }
        let webhooks = self.clone();
        self.fleet.spawn(async move {
            let closing = webhooks.fleet.closing.clone();
            let dispatching = async {
                while let Some(happening) = received.recv().await {
                    webhooks.dispatch(&happening).await;
                }
            };
            closing.run_until_cancelled(dispatching).await;
        });
    }

    /// Tells whom it concerns. Never waits.
    pub(crate) fn tell(&self, happening: Happening) {
        let Some(outlet) = self.outlet.get() else { return };
        if let Err(error) = outlet.happenings.try_send(happening) {
            tracing::warn!(%error, "webhooks are not told of something");
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
        for webhook in concerned {
            self.enqueue(&webhook, happening, message.clone());
        }
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

    fn enqueue(self: &Arc<Self>, webhook: &Webhook, happening: &Happening, mut message: Map<String, Value>) {
        message.insert("webhook".to_owned(), json!({ "id": webhook.id, "version": 3 }));
        let body = Bytes::from(Value::Object(message).to_string());
        let now = self.clock.now();
        let mut queues = self.queues.lock();
        let queue = queues.entry(webhook.id).or_default();
        queue.next += 1;
        let number = queue.next;
        let mut delivery = Delivery {
            number,
            at: now,
            event: format!("{} {}", happening.scope, happening.action),
            space: happening.space.path.clone(),
            tries: 0,
            outcome: Outcome::Waiting(None),
        };
        if let Err(why) = queue.admit(now) {
            delivery.outcome = Outcome::Failed(why);
            return queue.record(delivery);
        }
        queue.record(delivery);
        queue.waiting.push_back(Message { number, body });
        if !std::mem::replace(&mut queue.is_busy, true) {
            let (webhooks, id) = (self.clone(), webhook.id);
            self.fleet.spawn(async move {
                let closing = webhooks.fleet.closing.clone();
                closing.run_until_cancelled(webhooks.work(id)).await;
            });
        }
    }
}

impl Queue {
    /// Whether there is room for another message, now.
    fn admit(&mut self, now: Millis) -> Result<(), String> {
        if now.saturating_sub(self.day.0) >= DAY {
            self.day = (now, 0);
        }
        if self.day.1 >= MAX_IN_A_DAY {
            return Err(format!("not sent: a webhook is told at most {MAX_IN_A_DAY} times in a day"));
        }
        if self.waiting.len() >= MAX_WAITING {
            return Err(format!("not sent: {MAX_WAITING} messages wait already"));
        }
        self.day.1 += 1;
        Ok(())
    }

    /// Writes down how a delivery stands.
    fn record(&mut self, delivery: Delivery) {
        match self.log.iter_mut().find(|logged| logged.number == delivery.number) {
            Some(logged) => *logged = delivery,
            None => {
                if self.log.len() >= MAX_LOGGED {
                    self.log.pop_front();
                }
                self.log.push_back(delivery);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_bounded_and_so_is_a_day() {
        let mut queue = Queue::default();
        for number in 0..MAX_WAITING as u64 {
            assert_eq!(queue.admit(DAY), Ok(()));
            queue.waiting.push_back(Message { number, body: Bytes::new() });
        }
        assert!(queue.admit(DAY).unwrap_err().contains("wait already"));
        queue.waiting.clear();
        while queue.admit(DAY).is_ok() {}
        assert_eq!(queue.day.1, MAX_IN_A_DAY);
        assert!(queue.admit(2 * DAY - 1).unwrap_err().contains("in a day"));
        assert_eq!(queue.admit(2 * DAY), Ok(()));
    }

    #[test]
    fn the_log_has_the_last_and_each_once() {
        let mut queue = Queue::default();
        let delivery = |number, tries| Delivery {
            number,
            at: 1,
            event: "repo create".into(),
            space: "ada/page".parse().unwrap(),
            tries,
            outcome: Outcome::Waiting(None),
        };
        for number in 0..2 * MAX_LOGGED as u64 {
            queue.record(delivery(number, 0));
            queue.record(delivery(number, 1));
        }
        assert_eq!(queue.log.len(), MAX_LOGGED);
        assert!(queue.log.iter().all(|logged| logged.tries == 1));
        assert_eq!(queue.log.back().map(|logged| logged.number), Some(2 * MAX_LOGGED as u64 - 1));
    }
}
