//! Discussions and their events as clients read them. An author who is not known is left out: they take that for "deleted",
//! and stumble over a `null`.

use serde_json::{Map, Value, json};
use spaceport_control::service::{
    CommentTextView, CommentView, Conflicts, DiscussionDetails, DiscussionView, EventKindView, EventView,
};
use spaceport_core::name::OwnerName;

use super::super::time::iso;
use crate::markdown;

/// One line of the list.
pub(super) fn discussion_json(discussion: &DiscussionView) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("num", json!(discussion.number));
    put("title", json!(discussion.title));
    put("status", json!(discussion.status.as_str()));
    put("createdAt", json!(iso(discussion.created_at)));
    put("isPullRequest", json!(discussion.pull_request.is_some()));
    put("repo", json!({ "name": discussion.space.to_string(), "type": "space" }));
    put_author(&mut members, discussion.author.as_ref());
    Value::Object(members)
}

/// One with all that happened in it.
pub(super) fn details_json(details: &DiscussionDetails) -> Value {
    let mut json = discussion_json(&details.discussion);
    json["events"] = details.events.iter().map(event_json).collect();
    if let Some(pull) = &details.discussion.pull_request {
        let mut changes = json!({ "base": format!("refs/heads/{}", pull.base) });
        if let Some(merged) = &pull.merged {
            changes["mergeCommitId"] = json!(merged.commit.to_string());
        }
        json["changes"] = changes;
        json["filesWithConflicts"] = match &details.conflicts {
            None | Some(Conflicts::None) => json!([]),
            Some(Conflicts::Files(files)) => json!(files),
            Some(Conflicts::All) => json!(true),
        };
    }
    if let Some(diff) = &details.diff {
        json["diff"] = json!(diff);
    }
    json
}

/// Something that happened.
pub(super) fn event_json(event: &EventView) -> Value {
    let (kind, data) = match &event.kind {
        EventKindView::Comment(comment) => ("comment", comment_json(comment)),
        EventKindView::Status(status) => ("status-change", json!({ "status": status.as_str() })),
        EventKindView::Commit { oid, subject } => ("commit", json!({ "oid": oid.to_string(), "subject": subject })),
        EventKindView::Title { from, to } => ("title-change", json!({ "from": from, "to": to })),
    };
    let mut members = Map::new();
    members.insert("id".to_owned(), json!(event.id));
    members.insert("type".to_owned(), json!(kind));
    members.insert("createdAt".to_owned(), json!(iso(event.at)));
    members.insert("data".to_owned(), data);
    put_author(&mut members, event.author.as_ref());
    Value::Object(members)
}

fn comment_json(comment: &CommentView) -> Value {
    json!({
        "edited": !comment.history.is_empty(),
        "hidden": comment.is_hidden,
        "numEdits": comment.history.len(),
        "latest": text_json(&comment.latest),
        "history": comment.history.iter().map(text_json).collect::<Value>(),
    })
}

fn text_json(text: &CommentTextView) -> Value {
    let mut members = Map::new();
    members.insert("raw".to_owned(), json!(text.raw));
    members.insert("html".to_owned(), json!(markdown::comment(&text.raw)));
    members.insert("updatedAt".to_owned(), json!(iso(text.at)));
    put_author(&mut members, text.author.as_ref());
    Value::Object(members)
}

fn put_author(members: &mut Map<String, Value>, author: Option<&OwnerName>) {
    if let Some(author) = author {
        members.insert("author".to_owned(), json!({ "name": author.as_str(), "type": "user" }));
    }
}
