//! The stored forms of discussions, of their events, and of what a Space counts of them.

use serde::{Deserialize, Serialize};
use spaceport_core::discussion::DiscussionStatus;
use spaceport_core::id::AccountId;
use spaceport_core::revision::Oid;

use crate::discussion::{
    Comment, CommentText, Discussion, DiscussionBook, DiscussionEvent, EventKind, Merged, PullRequest,
};
use crate::record::record_by_json;

record_by_json!(Discussion, DiscussionV1);
record_by_json!(DiscussionEvent, EventV1);
record_by_json!(DiscussionBook, BookV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DiscussionV1 {
    title: String,
    author: AccountId,
    created_at: u64,
    status: DiscussionStatus,
    pull_request: Option<PullRequestV1>,
    events: u64,
    bytes: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PullRequestV1 {
    base: String,
    start: Oid,
    head: Oid,
    merged: Option<MergedV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MergedV1 {
    commit: Oid,
    fork: Oid,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventV1 {
    at: u64,
    author: Option<AccountId>,
    kind: KindV1,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum KindV1 {
    Comment { latest: TextV1, history: Vec<TextV1>, is_hidden: bool },
    Status(DiscussionStatus),
    Commit { oid: Oid, subject: String },
    Title { from: String, to: String },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextV1 {
    raw: String,
    author: AccountId,
    at: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BookV1 {
    last_number: u64,
    bytes: u64,
    is_disabled: bool,
}

impl From<&Discussion> for DiscussionV1 {
    fn from(discussion: &Discussion) -> Self {
        let merged = |merged: &Merged| MergedV1 { commit: merged.commit, fork: merged.fork };
        let pull_request = |pull: &PullRequest| PullRequestV1 {
            base: pull.base.clone(),
            start: pull.start,
            head: pull.head,
            merged: pull.merged.as_ref().map(merged),
        };
        Self {
            title: discussion.title.clone(),
            author: discussion.author,
            created_at: discussion.created_at,
            status: discussion.status,
            pull_request: discussion.pull_request.as_ref().map(pull_request),
            events: discussion.events,
            bytes: discussion.bytes,
        }
    }
}

impl From<DiscussionV1> for Discussion {
    fn from(stored: DiscussionV1) -> Self {
        let merged = |merged: MergedV1| Merged { commit: merged.commit, fork: merged.fork };
        let pull_request = |pull: PullRequestV1| PullRequest {
            base: pull.base,
            start: pull.start,
            head: pull.head,
            merged: pull.merged.map(merged),
        };
        Self {
            title: stored.title,
            author: stored.author,
            created_at: stored.created_at,
            status: stored.status,
            pull_request: stored.pull_request.map(pull_request),
            events: stored.events,
            bytes: stored.bytes,
        }
    }
}

impl From<&DiscussionEvent> for EventV1 {
    fn from(event: &DiscussionEvent) -> Self {
        let kind = match &event.kind {
            EventKind::Comment(comment) => KindV1::Comment {
                latest: (&comment.latest).into(),
                history: comment.history.iter().map(TextV1::from).collect(),
                is_hidden: comment.is_hidden,
            },
            EventKind::Status(status) => KindV1::Status(*status),
            EventKind::Commit { oid, subject } => KindV1::Commit { oid: *oid, subject: subject.clone() },
            EventKind::Title { from, to } => KindV1::Title { from: from.clone(), to: to.clone() },
        };
        Self { at: event.at, author: event.author, kind }
    }
}

impl From<EventV1> for DiscussionEvent {
    fn from(stored: EventV1) -> Self {
        let kind = match stored.kind {
            KindV1::Comment { latest, history, is_hidden } => EventKind::Comment(Comment {
                latest: latest.into(),
                history: history.into_iter().map(CommentText::from).collect(),
                is_hidden,
            }),
            KindV1::Status(status) => EventKind::Status(status),
            KindV1::Commit { oid, subject } => EventKind::Commit { oid, subject },
            KindV1::Title { from, to } => EventKind::Title { from, to },
        };
        Self { at: stored.at, author: stored.author, kind }
    }
}

impl From<&CommentText> for TextV1 {
    fn from(text: &CommentText) -> Self {
        Self { raw: text.raw.clone(), author: text.author, at: text.at }
    }
}

impl From<TextV1> for CommentText {
    fn from(stored: TextV1) -> Self {
        Self { raw: stored.raw, author: stored.author, at: stored.at }
    }
}

impl From<&DiscussionBook> for BookV1 {
    fn from(book: &DiscussionBook) -> Self {
        Self { last_number: book.last_number, bytes: book.bytes, is_disabled: book.is_disabled }
    }
}

impl From<BookV1> for DiscussionBook {
    fn from(stored: BookV1) -> Self {
        Self { last_number: stored.last_number, bytes: stored.bytes, is_disabled: stored.is_disabled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    /// Text that version 1 wrote: it must read the same for ever.
    const PULL_V1: &str = r#"{"title":"t","author":"010101010101010101010101","created_at":1,"status":"merged","pull_request":{"base":"main","start":"0707070707070707070707070707070707070707","head":"0808080808080808080808080808080808080808","merged":{"commit":"0909090909090909090909090909090909090909","fork":"0707070707070707070707070707070707070707"}},"events":3,"bytes":4}"#;
    const COMMENT_V1: &str = r#"{"at":5,"author":"010101010101010101010101","kind":{"comment":{"latest":{"raw":"b","author":"010101010101010101010101","at":6},"history":[{"raw":"a","author":"010101010101010101010101","at":5}],"is_hidden":false}}}"#;
    const EVENTS_V1: [&str; 3] = [
        r#"{"at":5,"author":null,"kind":{"status":"draft"}}"#,
        r#"{"at":5,"author":null,"kind":{"commit":{"oid":"0909090909090909090909090909090909090909","subject":"s"}}}"#,
        r#"{"at":5,"author":null,"kind":{"title":{"from":"a","to":"b"}}}"#,
    ];
    const BOOK_V1: &str = r#"{"last_number":7,"bytes":8,"is_disabled":true}"#;

    #[track_caller]
    fn is_fixed<T: Record + PartialEq + std::fmt::Debug>(text: &str, value: &T) {
        assert_eq!(T::decode(1, text.as_bytes()).as_ref(), Ok(value));
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
        assert!(T::decode(2, text.as_bytes()).unwrap_err().0.contains("newer"));
    }

    #[test]
    fn discussions_and_their_events_read_back_as_written() {
        let oid = |byte| Oid::from_bytes([byte; 20]);
        let ada = AccountId::from_bytes([1; 12]);
        let merged = Some(Merged { commit: oid(9), fork: oid(7) });
        let pull = PullRequest { base: "main".into(), start: oid(7), head: oid(8), merged };
        let discussion = Discussion {
            title: "t".into(),
            author: ada,
            created_at: 1,
            status: DiscussionStatus::Merged,
            pull_request: Some(pull),
            events: 3,
            bytes: 4,
        };
        is_fixed(PULL_V1, &discussion);
        let text = |raw: &str, at| CommentText { raw: raw.into(), author: ada, at };
        let comment = Comment { latest: text("b", 6), history: vec![text("a", 5)], is_hidden: false };
        let event = |author, kind| DiscussionEvent { at: 5, author, kind };
        is_fixed(COMMENT_V1, &event(Some(ada), EventKind::Comment(comment)));
        let commit = EventKind::Commit { oid: oid(9), subject: "s".into() };
        let title = EventKind::Title { from: "a".into(), to: "b".into() };
        let kinds = [EventKind::Status(DiscussionStatus::Draft), commit, title];
        for (text, kind) in EVENTS_V1.into_iter().zip(kinds) {
            is_fixed(text, &event(None, kind));
        }
        is_fixed(BOOK_V1, &DiscussionBook { last_number: 7, bytes: 8, is_disabled: true });
    }
}
