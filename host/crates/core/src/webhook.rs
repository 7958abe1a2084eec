//! Webhooks: who asked to be told of what, and how long one goes on trying to tell.

use std::time::Duration;

use crate::id::{AccountId, SpaceId, WebhookId};
use crate::lifecycle::Millis;
use crate::space::Space;

/// Webhooks of one account: more than anybody looks after.
pub const MAX_WEBHOOKS: usize = 20;
/// Items that one webhook watches.
pub const MAX_WATCHED: usize = 50;
/// Longest address, in bytes.
pub const MAX_URL: usize = 2048;
/// Longest secret, in bytes: it travels in a header.
pub const MAX_SECRET: usize = 256;
/// Deliveries in a row that may fail, with all their tries, before a webhook is disabled.
pub const MAX_FAILURES: u32 = 5;
/// Pauses between the tries of one delivery: a receiver that is being restarted is back for the second, one that is
/// down for longer than all of them has to look for itself.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(10), Duration::from_secs(60), Duration::from_secs(5 * 60), Duration::from_secs(30 * 60)];

/// What a webhook is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Domain {
    /// A Space itself: made, moved, deleted, its content, its settings.
    Repo,
    /// Discussions and comments.
    Discussion,
}

impl Domain {
    /// Both, in the order of clients.
    pub const ALL: [Self; 2] = [Self::Repo, Self::Discussion];

    /// The word that clients use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repo => "repo",
            Self::Discussion => "discussion",
        }
    }

    /// The domain of a word; its plural is taken, too.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "repo" => Some(Self::Repo),
            "discussion" | "discussions" => Some(Self::Discussion),
            _ => None,
        }
    }
}

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Every Space of a user.
    User(AccountId),
    /// Every Space of an organization.
    Organization(AccountId),
    /// One Space, whatever it is called.
    Space(SpaceId),
}

/// Something that is watched, under the name that it had then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// What.
    pub target: Target,
    /// Its name.
    pub name: String,
}

/// An address that is told when something happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose it is. It is told only what this account may see.
    pub owner: AccountId,
    /// Where to send.
    pub url: String,
    /// What is watched.
    pub watched: Vec<Watched>,
    /// What is told of it.
    pub domains: Vec<Domain>,
    /// Why nothing is sent, if it is disabled.
    pub disabled: Option<String>,
    /// When it was made.
    pub created_at: Millis,
    /// When it was changed.
    pub updated_at: Millis,
}

impl Webhook {
    /// Whether it is to be told of something that happened to a Space.
    pub fn concerns(&self, space: &Space, domain: Domain) -> bool {
        let is_watched = |watched: &Watched| match watched.target {
            Target::User(owner) | Target::Organization(owner) => owner == space.owner,
            Target::Space(id) => id == space.id,
        };
        self.disabled.is_none() && self.domains.contains(&domain) && self.watched.iter().any(is_watched)
    }
}

/// How long to pause after so many tries that failed; `None`: it is given up.
pub fn pause_after(tries: usize) -> Option<Duration> {
    PAUSES.get(tries.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::name::{SpacePath, Subdomain};
    use crate::space::{Sdk, SleepAfter, Visibility};

    fn space() -> Space {
        let path: SpacePath = "ada/page".parse().unwrap();
        Space {
            id: SpaceId::from_bytes([1; 12]),
            subdomain: Subdomain::derive(&path),
            path,
            owner: AccountId::from_bytes([2; 12]),
            creator: AccountId::from_bytes([2; 12]),
            created_at: 1,
            updated_at: 1,
            visibility: Visibility::Public,
            sdk: Sdk::Static,
            hardware: "cpu-basic".into(),
            storage: None,
            sleep_after: SleepAfter::HostDefault,
            variables: BTreeMap::new(),
            secrets: BTreeMap::new(),
            preview: None,
        }
    }

    fn webhook(target: Target, domains: &[Domain], disabled: Option<&str>) -> Webhook {
        Webhook {
            id: WebhookId::from_bytes([3; 12]),
            owner: AccountId::from_bytes([4; 12]),
            url: "https://example.org/".into(),
            watched: vec![Watched { target, name: "x".into() }],
            domains: domains.to_vec(),
            disabled: disabled.map(str::to_owned),
            created_at: 1,
            updated_at: 1,
        }
    }

    #[test]
    fn it_is_told_of_what_it_watches_and_of_nothing_else() {
        let (own, other) = (AccountId::from_bytes([2; 12]), AccountId::from_bytes([9; 12]));
        let (this, that) = (SpaceId::from_bytes([1; 12]), SpaceId::from_bytes([9; 12]));
        for (target, domains, disabled, told) in [
            (Target::User(own), &Domain::ALL[..], None, true),
            (Target::Organization(own), &Domain::ALL[..1], None, true),
            (Target::Space(this), &Domain::ALL[..], None, true),
            (Target::User(other), &Domain::ALL[..], None, false),
            (Target::Space(that), &Domain::ALL[..], None, false),
            (Target::Space(this), &Domain::ALL[1..], None, false),
            (Target::Space(this), &Domain::ALL[..], Some("its owner wants so"), false),
        ] {
            let webhook = webhook(target, domains, disabled);
            assert_eq!(webhook.concerns(&space(), Domain::Repo), told, "{webhook:?}");
        }
    }

    #[test]
    fn pauses_grow_and_tries_end() {
        let pauses: Vec<Duration> = (1..).map_while(pause_after).collect();
        assert_eq!(pauses.len(), 4);
        assert!(pauses.is_sorted());
    }

    #[test]
    fn words_of_clients_read_back() {
        for domain in Domain::ALL {
            assert_eq!(Domain::parse(domain.as_str()), Some(domain));
        }
        assert_eq!(Domain::parse("discussions"), Some(Domain::Discussion));
        assert_eq!(Domain::parse("Repo"), None);
    }
}
