//! Secrets of webhooks: sealed as those of Spaces are, under a name that none of those can have.

use spaceport_core::id::{SpaceId, WebhookId};

use crate::keys::{KeyStore, SealedSecret, SecretValue, UnsealError};

/// No name of a variable or secret: those have letters, digits and underscores.
const NAME: &str = "webhook secret";

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
