//! The stored form of a webhook.

use serde::{Deserialize, Serialize};
use spaceport_core::id::{AccountId, SpaceId, WebhookId};
use spaceport_core::webhook::{Domain, Target, Watched, Webhook};

use crate::record::record_by_json;

record_by_json!(Webhook, WebhookV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookV1 {
    id: WebhookId,
    owner: AccountId,
    url: String,
    watched: Vec<WatchedV1>,
    domains: Vec<DomainV1>,
    disabled: Option<String>,
    created_at: u64,
    updated_at: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WatchedV1 {
    target: TargetV1,
    name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TargetV1 {
    User(AccountId),
    Organization(AccountId),
    Space(SpaceId),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DomainV1 {
    Repo,
    Discussion,
}

impl From<&Webhook> for WebhookV1 {
    fn from(webhook: &Webhook) -> Self {
        let watched = |watched: &Watched| WatchedV1 {
            target: match watched.target {
                Target::User(id) => TargetV1::User(id),
                Target::Organization(id) => TargetV1::Organization(id),
                Target::Space(id) => TargetV1::Space(id),
            },
            name: watched.name.clone(),
        };
        let domain = |domain: &Domain| match domain {
            Domain::Repo => DomainV1::Repo,
            Domain::Discussion => DomainV1::Discussion,
        };
        Self {
            id: webhook.id,
            owner: webhook.owner,
            url: webhook.url.clone(),
            watched: webhook.watched.iter().map(watched).collect(),
            domains: webhook.domains.iter().map(domain).collect(),
            disabled: webhook.disabled.clone(),
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

impl From<WebhookV1> for Webhook {
    fn from(stored: WebhookV1) -> Self {
        let watched = |watched: WatchedV1| Watched {
            target: match watched.target {
                TargetV1::User(id) => Target::User(id),
                TargetV1::Organization(id) => Target::Organization(id),
                TargetV1::Space(id) => Target::Space(id),
            },
            name: watched.name,
        };
        let domain = |domain| match domain {
            DomainV1::Repo => Domain::Repo,
            DomainV1::Discussion => Domain::Discussion,
        };
        Self {
            id: stored.id,
            owner: stored.owner,
            url: stored.url,
            watched: stored.watched.into_iter().map(watched).collect(),
            domains: stored.domains.into_iter().map(domain).collect(),
            disabled: stored.disabled,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    /// Text that version 1 wrote: it must read the same for ever.
    const V1: &str = r#"{"id":"030303030303030303030303","owner":"020202020202020202020202","url":"https://example.org/hook","watched":[{"target":{"user":"020202020202020202020202"},"name":"ada"},{"target":{"organization":"040404040404040404040404"},"name":"lab"},{"target":{"space":"010101010101010101010101"},"name":"ada/page"}],"domains":["repo","discussion"],"disabled":"its owner wants so","created_at":1,"updated_at":2}"#;

    #[test]
    fn the_form_of_version_1_is_fixed() {
        let id = |byte| AccountId::from_bytes([byte; 12]);
        let watched = |target, name: &str| Watched { target, name: name.into() };
        let webhook = Webhook {
            id: WebhookId::from_bytes([3; 12]),
            owner: id(2),
            url: "https://example.org/hook".into(),
            watched: vec![
                watched(Target::User(id(2)), "ada"),
                watched(Target::Organization(id(4)), "lab"),
                watched(Target::Space(SpaceId::from_bytes([1; 12])), "ada/page"),
            ],
            domains: Domain::ALL.to_vec(),
            disabled: Some("its owner wants so".into()),
            created_at: 1,
            updated_at: 2,
        };
        let mut bytes = Vec::new();
        webhook.encode(&mut bytes);
        assert_eq!(String::from_utf8_lossy(&bytes), V1);
        assert_eq!(Webhook::decode(1, V1.as_bytes()), Ok(webhook));
        assert!(Webhook::decode(2, V1.as_bytes()).is_err());
    }
}
