//! One webhook after the other: tries, pauses, and in the end what became of it.

use std::time::Duration;

use bytes::Bytes;
use spaceport_core::id::WebhookId;
use spaceport_core::webhook::{MAX_FAILURES, Webhook};
use spaceport_db::{AuditActor, Batch, CommitError, Expect};

use super::queue::Message;
use super::{Outcome, Outlet, Webhooks};
use crate::ports::WebhookRequest;
use crate::service::{of_webhook, record};

/// How often a webhook is disabled anew that somebody changes at the same moment.
const DISABLINGS: usize = 3;

impl Webhooks {
    /// Sends what waits for a webhook until nothing does.
    pub(super) async fn work(&self, id: WebhookId) {
        let Some(outlet) = self.outlet.get() else { return };
        while let Some(mut message) = self.next(id) {
            match self.deliver(outlet, id, &mut message).await {
                Some(Outcome::Failed(why)) => {
                    self.note(id, &message, Outcome::Failed(why.clone()), 0);
                    self.settle(id, &message).await;
                    if self.count_failure(id) >= MAX_FAILURES {
                        self.disable(id, &why).await;
                    }
                }
                Some(_) => {
                    self.settle(id, &message).await;
                    self.forgive(id);
                }
                None => self.drop_waiting(id).await,
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
    async fn deliver(&self, outlet: &Outlet, id: WebhookId, message: &mut Message) -> Option<Outcome> {
        loop {
            self.wait_until_due(outlet, message).await;
            // As it is now: its owner may have changed it meanwhile, because of the tries before.
            let why = match self.active(id) {
                Ok(None) => return None,
                Ok(Some((webhook, secret))) => {
                    let Ok(_turn) = outlet.turns.acquire().await else { return None };
                    let body = Bytes::from(message.stored.body.clone());
                    let request = WebhookRequest { id: message.stored.id, url: webhook.url, secret, body };
                    match outlet.sender.send(request).await {
                        Ok(status @ 200..=299) => {
                            self.note(id, message, Outcome::Delivered(status), 1);
                            return Some(Outcome::Delivered(status));
                        }
                        Ok(status) => format!("the receiver answered with status {status}"),
                        Err(why) => why,
                    }
                }
                Err(why) => why,
            };
            self.note(id, message, Outcome::Waiting(Some(why.clone())), 1);
            message.stored.tries += 1;
            let Some(pause) = (outlet.pause)(message.stored.tries as usize) else { return Some(Outcome::Failed(why)) };
            message.stored.due_at = self.clock.now().saturating_add(pause.as_millis() as u64);
            message.stored.error = Some(why);
            if !self.keep(id, message).await {
                return None;
            }
        }
    }

    /// Waits for the time of the next try, but never for longer than the pause before it: clocks are set.
    async fn wait_until_due(&self, outlet: &Outlet, message: &Message) {
        let wait = Duration::from_millis(message.stored.due_at.saturating_sub(self.clock.now()));
        let longest = (outlet.pause)(message.stored.tries as usize).unwrap_or_default();
        if message.stored.tries > 0 {
            tokio::time::sleep(wait.min(longest)).await;
        }
    }

    /// A webhook that is there and not disabled, and its secret; or why that cannot be said.
    fn active(&self, id: WebhookId) -> Result<Option<(Webhook, Option<String>)>, String> {
        let unreadable = |what: &str, error: &dyn std::fmt::Display| {
            tracing::error!(webhook = %id, %error, "{what} cannot be read");
            format!("{what} cannot be read by this host")
        };
        let found = self.db.webhooks().get(&id).map_err(|error| unreadable("the webhook", &error))?;
        let Some(webhook) = found.filter(|webhook| webhook.disabled.is_none()) else { return Ok(None) };
        let sealed = self.db.webhook_secrets().get(&id).map_err(|error| unreadable("its secret", &error))?;
        let secret = sealed.map(|sealed| self.keys.open_webhook_secret(id, &sealed)).transpose();
        let secret = secret.map_err(|error| unreadable("its secret", &error))?;
        Ok(Some((webhook, secret.map(|secret| secret.reveal().to_owned()))))
    }

    /// Stores how far a message has come; not, if it is not to be sent any more.
    async fn keep(&self, id: WebhookId, message: &Message) -> bool {
        let (messages, key) = (self.db.webhook_messages(), (id, message.number));
        let mut batch = Batch::default();
        batch.expect(messages, &key, Expect::Present).put(messages, &key, &message.stored);
        match self.db.commit(batch).await {
            Ok(_) => true,
            Err(CommitError::Conflict { .. }) => false,
            Err(error) => {
                tracing::warn!(webhook = %id, %error, "a try of a message is not stored");
                true
            }
        }
    }

    /// Forgets a message that is over and done with. If that fails it is sent again after the next start.
    async fn settle(&self, id: WebhookId, message: &Message) {
        let mut batch = Batch::default();
        batch.delete(self.db.webhook_messages(), &(id, message.number));
        if let Err(error) = self.db.commit(batch).await {
            tracing::warn!(webhook = %id, %error, "a message that is over stays stored");
        }
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
    async fn drop_waiting(&self, id: WebhookId) {
        let _storing = self.storing.lock().await;
        if let Some(queue) = self.queues.lock().get_mut(&id) {
            queue.waiting.clear();
            for logged in queue.log.iter_mut().filter(|logged| matches!(logged.outcome, Outcome::Waiting(_))) {
                logged.outcome = Outcome::Failed("not sent: the webhook was disabled".to_owned());
            }
        }
        let mut batch = Batch::default();
        let removed = match batch.remove_webhook_messages(&self.db, id) {
            Ok(_) => self.db.commit(batch).await.map(drop).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = removed {
            tracing::warn!(webhook = %id, error, "messages that are not sent stay stored");
        }
    }

    /// Sends nothing more until its owner has looked at it.
    async fn disable(&self, id: WebhookId, why: &str) {
        self.drop_waiting(id).await;
        let reason = format!("{MAX_FAILURES} messages in a row could not be delivered; the last: {why}");
        for _ in 0..DISABLINGS {
            let Ok(Some((mut webhook, version))) = self.db.webhooks().get_versioned(&id) else { return };
            webhook.disabled = Some(reason.clone());
            webhook.updated_at = self.clock.now();
            let mut batch = Batch::default();
            let act = of_webhook("webhook.disable", &webhook).with("why", &reason);
            record(&self.db, self.clock.now(), AuditActor::Host, act, &mut batch);
            batch.replace(self.db.webhooks(), &id, &webhook, version);
            match self.db.commit(batch).await {
                Ok(_) => return tracing::info!(webhook = %id, reason, "a webhook was disabled"),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return tracing::warn!(webhook = %id, %error, "a webhook cannot be disabled"),
            }
        }
    }
}
