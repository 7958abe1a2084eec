//! What happened to a Space, and how it is told: as version 3 of the Hub's messages.

use serde_json::{Map, Value, json};
use spaceport_core::revision::{BRANCHES, Oid};
use spaceport_core::space::{Space, Visibility};
use spaceport_core::webhook::Domain;

use crate::service::Addresses;

/// Refs of one push that are told; a push may move thousands.
const MAX_REFS_TOLD: usize = 100;

/// Something that happened to a Space.
#[derive(Debug, Clone)]
pub struct Happening {
    /// The Space: as it is then, or as it was if it was deleted or moved.
    pub space: Space,
    /// Of which kind it is.
    pub domain: Domain,
    /// `create`, `update`, `move` or `delete`.
    pub action: &'static str,
    /// Of what: `repo`, `repo.content`, `repo.config`, `discussion` or `discussion.comment`.
    pub scope: &'static str,
    /// What is told beside: members of the message.
    pub members: Map<String, Value>,
}

/// A ref that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatedRef {
    /// Its full name.
    pub name: String,
    /// Where it was; `None`: nowhere.
    pub old: Option<Oid>,
    /// Where it is; `None`: it is gone.
    pub new: Option<Oid>,
}

impl UpdatedRef {
    /// A branch that moved.
    pub fn branch(name: &str, old: Option<Oid>, new: Option<Oid>) -> Self {
        Self { name: format!("{BRANCHES}{name}"), old, new }
    }
}

impl Happening {
    fn of_repo(space: &Space, action: &'static str, scope: &'static str, members: Value) -> Self {
        let members = match members {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        Self { space: space.clone(), domain: Domain::Repo, action, scope, members }
    }

    /// It was made.
    pub fn created(space: &Space) -> Self {
        Self::of_repo(space, "create", "repo", Value::Null)
    }

    /// It was deleted.
    pub fn deleted(space: &Space) -> Self {
        Self::of_repo(space, "delete", "repo", Value::Null)
    }

    /// It got another path.
    pub fn moved(old: &Space, new: &Space) -> Self {
        let moved_to = json!({ "name": new.path, "owner": { "id": new.owner } });
        Self::of_repo(old, "move", "repo", json!({ "movedTo": moved_to }))
    }

    /// Its content changed.
    pub fn content(space: &Space, refs: &[UpdatedRef]) -> Self {
        let sha = |oid: Option<Oid>| oid.map(|oid| oid.to_string());
        let refs = refs.iter().take(MAX_REFS_TOLD);
        let refs: Vec<Value> = refs
            .map(|moved| json!({ "ref": moved.name, "oldSha": sha(moved.old), "newSha": sha(moved.new) }))
            .collect();
        Self::of_repo(space, "update", "repo.content", json!({ "updatedRefs": refs }))
    }

    /// Its settings changed; whether that was who may see it.
    pub fn settings(space: &Space, is_visibility: bool) -> Self {
        let updated = if is_visibility { json!({ "private": is_private(space) }) } else { json!({}) };
        Self::of_repo(space, "update", "repo.config", json!({ "updatedConfig": updated }))
    }

    /// Something about a discussion (`discussion`) or a comment (`discussion.comment`), with what is told of it.
    pub fn discussion(space: &Space, action: &'static str, scope: &'static str, members: Map<String, Value>) -> Self {
        Self { space: space.clone(), domain: Domain::Discussion, action, scope, members }
    }

    /// Whether the Space is gone.
    pub(super) fn is_deletion(&self) -> bool {
        (self.scope, self.action) == ("repo", "delete")
    }

    /// The message, but for the webhook that it is for.
    pub(super) fn message(&self, addresses: &Addresses, head: Option<Oid>) -> Map<String, Value> {
        let Self { space, action, scope, members, .. } = self;
        let mut repo = json!({
            "type": "space",
            "name": space.path,
            "id": space.id,
            "private": is_private(space),
            "subdomain": space.subdomain.as_str(),
            "url": {
                "web": addresses.page_url(&space.path),
                "api": format!("{}/api/spaces/{}", addresses.hub_url(), space.path),
            },
            "owner": { "id": space.owner },
        });
        if let Some(head) = head {
            repo["headSha"] = json!(head.to_string());
        }
        let mut message = members.clone();
        message.insert("event".to_owned(), json!({ "action": action, "scope": scope }));
        message.insert("repo".to_owned(), repo);
        message
    }
}

fn is_private(space: &Space) -> bool {
    space.visibility != Visibility::Public
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_receivers_read_it() {
        let addresses = Addresses { scheme: "https".into(), hub: "hub.test".into(), spaces: "s.test".into() };
        let space = crate::testing::space("page");
        let oid = Oid::from_bytes([7; 20]);
        let refs = [UpdatedRef { name: "refs/heads/main".into(), old: None, new: Some(oid) }];
        let message = Happening::content(&space, &refs).message(&addresses, Some(oid));
        let sha = "07".repeat(20);
        let expected = json!({
            "event": { "action": "update", "scope": "repo.content" },
            "repo": {
                "type": "space",
                "name": "ada/page",
                "id": space.id.to_string(),
                "private": false,
                "subdomain": "ada-page",
                "headSha": sha,
                "url": { "web": "https://hub.test/spaces/ada/page", "api": "https://hub.test/api/spaces/ada/page" },
                "owner": { "id": space.owner.to_string() },
            },
            "updatedRefs": [{ "ref": "refs/heads/main", "oldSha": null, "newSha": sha }],
        });
        assert_eq!(Value::Object(message), expected);
        let moved = Space { path: "bob/other".parse().unwrap(), ..space.clone() };
        let message = Happening::moved(&space, &moved).message(&addresses, None);
        assert_eq!(message["movedTo"], json!({ "name": "bob/other", "owner": { "id": space.owner.to_string() } }));
        assert_eq!((&message["repo"]["name"], message["repo"].get("headSha")), (&json!("ada/page"), None));
    }
}
