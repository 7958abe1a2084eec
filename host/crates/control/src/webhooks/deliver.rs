//! One webhook after the other: tries, pauses, and in the end what became of it.

use spaceport_core::id::WebhookId;
use spaceport_core::webhook::{MAX_FAILURES, Webhook};
use spaceport_db::{Batch, CommitError};

use super::{Message, Outcome, Outlet, Webhooks};
use crate::ports::WebhookRequest;

/// How often a webhook is disabled anew that somebody changes at the same moment.
const DISABLINGS: usize = 3;

impl Webhooks {
    /// Sends what waits for a webhook until nothing does.
    pub(super) async fn work(&self, id: WebhookId) {
        let Some(outlet) = self.outlet.get() else { return };
        while let Some(message) = self.next(id) {
            match self.deliver(outlet, id, &message).await {
                Some(Outcome::Failed(why)) => {
                    self.note(id, &message, Outcome::Failed(why.clone()), 0);
                    if self.count_failure(id) >= MAX_FAILURES {
                        self.disable(id, &why).await;
                    }
                }
                Some(_) => self.forgive(id),
                None => self.drop_waiting(id),
            }
        }
    }

    fn next(&self, id: WebhookId) -> Option<Message> {
        let mut queues = self.queues.lock();
        let queue = queues.get_mut(&id)?;
        let message = queue.waiting.pop_front();
        queue.is_busy = message.is_some();
        message
    }

    /// Tries until the receiver takes it or it is given up; `None` if nothing is to be sent any more.
    async fn deliver(&self, outlet: &Outlet, id: WebhookId, message: &Message) -> Option<Outcome> {
        for tries in 1.. {
            // As it is now: its owner may have changed it meanwhile, because of the tries before.
            let (webhook, secret) = self.active(id)?;
            let Ok(turn) = outlet.turns.acquire().await else { return None };
            let request = WebhookRequest { url: webhook.url, secret, body: message.body.clone() };
            let why = match outlet.sender.send(request).await {
                Ok(status @ 200..=299) => {
                    self.note(id, message, Outcome::Delivered(status), 1);
                    return Some(Outcome::Delivered(status));
                }
                Ok(status) => format!("the receiver answered with status {status}"),
                Err(why) => why,
            };
            drop(turn);
            self.note(id, message, Outcome::Waiting(Some(why.clone())), 1);
            match (outlet.pause)(tries) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Some(Outcome::Failed(why)),
            }
        }
        None
    }

    /// A webhook that is there and not disabled, and its secret.
    fn active(&self, id: WebhookId) -> Option<(Webhook, Option<String>)> {
        let webhook = match self.db.webhooks().get(&id) {
            Ok(webhook) => webhook.filter(|webhook| webhook.disabled.is_none())?,
            Err(error) => {
                tracing::error!(webhook = %id, %error, "a webhook cannot be read");
                return None;
            }
        };
        let sealed = self.db.webhook_secrets().get(&id).ok().flatten();
        let secret = match sealed.map(|sealed| self.keys.open_webhook_secret(id, &sealed)) {
            None => None,
            Some(Ok(secret)) => Some(secret.reveal().to_owned()),
            Some(Err(error)) => {
                tracing::error!(webhook = %id, %error, "the secret of a webhook cannot be opened");
                return None;
            }
        };
        Some((webhook, secret))
    }

    /// Writes down how a delivery stands, after so many more tries.
    fn note(&self, id: WebhookId, message: &Message, outcome: Outcome, tries: usize) {
        let mut queues = self.queues.lock();
        let Some(queue) = queues.get_mut(&id) else { return };
        if let Some(logged) = queue.log.iter_mut().find(|logged| logged.number == message.number) {
            logged.outcome = outcome;
            logged.tries += tries;
        }
    }

    fn count_failure(&self, id: WebhookId) -> u32 {
        let mut queues = self.queues.lock();
        let Some(queue) = queues.get_mut(&id) else { return 0 };
        queue.failures += 1;
        queue.failures
    }

    /// What waits is not sent: the webhook is disabled or gone.
    fn drop_waiting(&self, id: WebhookId) {
        let mut queues = self.queues.lock();
        let Some(queue) = queues.get_mut(&id) else { return };
        queue.waiting.clear();
        for logged in queue.log.iter_mut().filter(|logged| matches!(logged.outcome, Outcome::Waiting(_))) {
            logged.outcome = Outcome::Failed("not sent: the webhook was disabled".to_owned());
        }
    }

    /// Sends nothing more until its owner has looked at it.
    async fn disable(&self, id: WebhookId, why: &str) {
        self.drop_waiting(id);
        let reason = format!("{MAX_FAILURES} messages in a row could not be delivered; the last: {why}");
        for _ in 0..DISABLINGS {
            let Ok(Some((mut webhook, version))) = self.db.webhooks().get_versioned(&id) else { return };
            webhook.disabled = Some(reason.clone());
            webhook.updated_at = self.clock.now();
            let mut batch = Batch::default();
            batch.replace(self.db.webhooks(), &id, &webhook, version);
            match self.db.commit(batch).await {
                Ok(_) => return tracing::info!(webhook = %id, reason, "a webhook was disabled"),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return tracing::warn!(webhook = %id, %error, "a webhook cannot be disabled"),
            }
        }
    }
}
