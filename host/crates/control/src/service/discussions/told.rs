//! What webhooks are told of discussions: the members `discussion` and `comment` of the Hub's messages.

use serde_json::{Map, Value, json};
use spaceport_core::id::{ID_BYTES, SpaceId};
use spaceport_core::space::Space;
use spaceport_db::{Discussion, DiscussionEvent, EventKind};

use super::super::{Addresses, Control, Happening};
use super::view::event_id;

/// What happened to a discussion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It was opened, with what was said first.
    Opened,
    /// It has another title or status.
    Changed,
    /// It was removed.
    Removed,
    /// Something was said.
    Said,
    /// Something that was said reads differently, or is hidden.
    Reworded,
}

impl Told {
    fn scope(self) -> &'static str {
        match self {
            Self::Opened | Self::Changed | Self::Removed => "discussion",
            Self::Said | Self::Reworded => "discussion.comment",
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Opened | Self::Said => "create",
            Self::Changed | Self::Reworded => "update",
            Self::Removed => "delete",
        }
    }

    /// Whether what is told has a comment.
    fn has_comment(self) -> bool {
        matches!(self, Self::Opened | Self::Said | Self::Reworded)
    }
}

impl Control {
    /// Tells the webhooks that it concerns what happened to a discussion; the event is what was said, if something was.
    pub(super) async fn tell_of(
        &self,
        told: Told,
        space: &Space,
        (number, discussion): (u64, &Discussion),
        event: Option<(u64, &DiscussionEvent)>,
    ) {
        let thread = Address::new(self.addresses(), space, number);
        let mut members = Map::new();
        members.insert("discussion".to_owned(), thread.discussion(space.id, discussion));
        let said = event.filter(|_| told.has_comment()).and_then(|(index, event)| thread.comment(index, event));
        members.extend(said.map(|comment| ("comment".to_owned(), comment)));
        self.tell_webhooks(Happening::discussion(space, told.action(), told.scope(), members)).await;
    }
}

/// Where a discussion is.
struct Address {
    web: String,
    api: String,
    number: u64,
}

impl Address {
    fn new(addresses: &Addresses, space: &Space, number: u64) -> Self {
        let web = format!("{}/discussions/{number}", addresses.page_url(&space.path));
        let api = format!("{}/api/spaces/{}/discussions/{number}", addresses.hub_url(), space.path);
        Self { web, api, number }
    }

    fn discussion(&self, space: SpaceId, discussion: &Discussion) -> Value {
        let mut told = json!({
            "id": discussion_id(space, self.number),
            "num": self.number,
            "title": discussion.title,
            "status": discussion.status.as_str(),
            "isPullRequest": discussion.pull_request.is_some(),
            "author": { "id": discussion.author },
            "url": { "web": self.web, "api": self.api },
        });
        if let Some(pull) = &discussion.pull_request {
            told["changes"] = json!({ "base": format!("refs/heads/{}", pull.base) });
            if let Some(merged) = &pull.merged {
                told["changes"]["mergeCommitId"] = json!(merged.commit.to_string());
            }
        }
        told
    }

    /// Something that was said; what is hidden is not told.
    fn comment(&self, index: u64, event: &DiscussionEvent) -> Option<Value> {
        let EventKind::Comment(comment) = &event.kind else { return None };
        let id = event_id(self.number, index);
        let mut told = json!({
            "id": id,
            "author": { "id": event.author.unwrap_or(comment.latest.author) },
            "hidden": comment.is_hidden,
            "url": { "web": format!("{}#{id}", self.web) },
        });
        if !comment.is_hidden {
            told["content"] = json!(comment.latest.raw);
        }
        Some(told)
    }
}

/// By which a discussion is told from those of all Spaces: 24 hexadecimal digits, as receivers want.
fn discussion_id(space: SpaceId, number: u64) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(space.as_bytes()).update(&number.to_be_bytes());
    hash.finalize().as_bytes()[..ID_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discussion_has_an_id_of_its_own_among_those_of_all_spaces() {
        let [a, b] = [1, 2].map(|byte| SpaceId::from_bytes([byte; ID_BYTES]));
        let ids = [discussion_id(a, 1), discussion_id(a, 2), discussion_id(b, 1)];
        assert!(ids.iter().all(|id| id.parse::<SpaceId>().is_ok()), "{ids:?}");
        assert!(ids[0] != ids[1] && ids[0] != ids[2], "{ids:?}");
        assert_eq!(discussion_id(a, 1), ids[0]);
    }
}
