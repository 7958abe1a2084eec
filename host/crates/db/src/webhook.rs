//! What webhooks have beside their own row: a secret, sealed as those of Spaces are, under a name that none of those can
//! have, and the messages that were not taken yet.

use spaceport_core::id::{DeliveryId, SpaceId, WebhookId};
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;

use crate::batch::Batch;
use crate::db::Db;
use crate::error::ReadError;
use crate::keys::{KeyStore, SealedSecret, SecretValue, UnsealError};

/// No name of a variable or secret: those have letters, digits and underscores.
const NAME: &str = "webhook secret";

/// A message to a webhook that was not taken yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookMessage {
    /// By which its receiver knows it from others: the same at every try.
    pub id: DeliveryId,
    /// When it happened.
    pub at: Millis,
    /// What happened, as its scope and action.
    pub event: String,
    /// To which Space, under the path that it had then.
    pub space: SpacePath,
    /// Tries that failed.
    pub tries: u32,
    /// When the next is due.
    pub due_at: Millis,
    /// Why the last failed.
    pub error: Option<String>,
    /// What is sent.
    pub body: String,
}

impl KeyStore {
    /// Seals the secret that a webhook is known by.
    pub fn seal_webhook_secret(&self, webhook: WebhookId, value: &str) -> SealedSecret {
        self.seal_secret(SpaceId::from_bytes(*webhook.as_bytes()), NAME, value)
    }

    /// Opens the secret that was sealed for this webhook.
    pub fn open_webhook_secret(&self, webhook: WebhookId, sealed: &SealedSecret) -> Result<SecretValue, UnsealError> {
        self.open_secret(SpaceId::from_bytes(*webhook.as_bytes()), NAME, sealed)
    }
}

impl Batch {
    /// Removes a webhook with its secret and the messages that it was not told yet.
    pub fn remove_webhook(&mut self, db: &Db, webhook: WebhookId) -> Result<&mut Self, ReadError> {
        self.remove_webhook_messages(db, webhook)?;
        Ok(self.delete(db.webhooks(), &webhook).delete(db.webhook_secrets(), &webhook))
    }

    /// Removes the messages that a webhook was not told yet.
    pub fn remove_webhook_messages(&mut self, db: &Db, webhook: WebhookId) -> Result<&mut Self, ReadError> {
        for (key, _) in db.webhook_messages().under(&webhook)? {
            self.delete(db.webhook_messages(), &key);
        }
        Ok(self)
    }
}
