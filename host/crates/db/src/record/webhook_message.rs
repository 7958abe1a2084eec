//! The stored form of a message to a webhook.

use serde::{Deserialize, Serialize};
use spaceport_core::id::DeliveryId;
use spaceport_core::name::SpacePath;

use crate::record::record_by_json;
use crate::webhook::WebhookMessage;

record_by_json!(WebhookMessage, WebhookMessageV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookMessageV1 {
    id: DeliveryId,
    at: u64,
    event: String,
    space: SpacePath,
    tries: u32,
    due_at: u64,
    error: Option<String>,
    body: String,
}

impl From<&WebhookMessage> for WebhookMessageV1 {
    fn from(message: &WebhookMessage) -> Self {
        let WebhookMessage { id, at, event, space, tries, due_at, error, body } = message.clone();
        Self { id, at, event, space, tries, due_at, error, body }
    }
}

impl From<WebhookMessageV1> for WebhookMessage {
    fn from(stored: WebhookMessageV1) -> Self {
        let WebhookMessageV1 { id, at, event, space, tries, due_at, error, body } = stored;
        Self { id, at, event, space, tries, due_at, error, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    /// Text that version 1 wrote: it must read the same for ever.
    const V1: &str = r#"{"id":"060606060606060606060606","at":1,"event":"repo create","space":"ada/page","tries":2,"due_at":3,"error":"nobody is there","body":"{\"a\":1}"}"#;

    #[test]
    fn the_form_of_version_1_is_fixed() {
        let message = WebhookMessage {
            id: DeliveryId::from_bytes([6; 12]),
            at: 1,
            event: "repo create".into(),
            space: "ada/page".parse().unwrap(),
            tries: 2,
            due_at: 3,
            error: Some("nobody is there".into()),
            body: r#"{"a":1}"#.into(),
        };
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        assert_eq!(String::from_utf8_lossy(&bytes), V1);
        assert_eq!(WebhookMessage::decode(1, V1.as_bytes()), Ok(message));
        assert!(WebhookMessage::decode(2, V1.as_bytes()).is_err());
    }
}
