//! Discussions and pull requests of a Space.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::{
    Conflicts, DiscussionFilter, DiscussionView, EventKindView, EventView, KindFilter, StatusFilter,
};
use spaceport_core::discussion::{DiscussionStatus, pull_ref};
use spaceport_core::permission::Action;

use super::super::chrome::{Chrome, Reader, show};
use super::files::{encoded_segment, patch_lines};
use super::{SHORT_ID, SpaceHead};
use crate::api::discussions::DiscussionAt;
use crate::api::time::iso;
use crate::error::ApiResult;
use crate::extract::{QueryPairs, SpaceAt};
use crate::markdown;
use crate::router::AppState;

/// Discussions on a page.
const PER_PAGE: usize = 30;

#[derive(Template)]
#[template(path = "space_discussions.html")]
struct ListPage {
    chrome: Chrome,
    head: SpaceHead,
    discussions: Vec<Line>,
    total: usize,
    /// Of which status and kind they are.
    status: &'static str,
    kind: &'static str,
    after: Option<String>,
}

/// A discussion on the list.
struct Line {
    number: u64,
    title: String,
    author: String,
    created_at: String,
    status: Status,
    is_pull_request: bool,
}

/// A status as it is shown.
struct Status(DiscussionStatus);

impl Status {
    fn mood(&self) -> &'static str {
        match self.0 {
            DiscussionStatus::Open => "good",
            DiscussionStatus::Draft => "idle",
            DiscussionStatus::Closed => "bad",
            DiscussionStatus::Merged => "busy still",
        }
    }
}

#[derive(Template)]
#[template(path = "space_discussion.html")]
struct DiscussionPage {
    chrome: Chrome,
    head: SpaceHead,
    thread: Line,
    is_merged: bool,
    events: Vec<Event>,
    pull: Option<Pull>,
    /// Whether the visitor takes part.
    may_talk: bool,
    /// Whether the visitor changes its status and title: its author, and who may write to the Space.
    may_change: bool,
}

/// What happened.
struct Event {
    id: String,
    at: String,
    author: String,
    what: What,
}

enum What {
    /// Something was said: as HTML.
    Comment {
        html: String,
        is_edited: bool,
    },
    Hidden,
    Status(Status),
    Commit {
        short: String,
        oid: String,
        subject: String,
    },
    Title {
        from: String,
        to: String,
    },
}

/// What a pull request is besides.
struct Pull {
    base: String,
    /// Its head as it stands in an address.
    at: String,
    is_open: bool,
    conflicts: Vec<String>,
    can_be_merged: bool,
    patch: Vec<(&'static str, String)>,
}

impl From<&DiscussionView> for Line {
    fn from(view: &DiscussionView) -> Self {
        Self {
            number: view.number,
            title: view.title.clone(),
            author: name_of(view.author.as_ref()),
            created_at: iso(view.created_at),
            status: Status(view.status),
            is_pull_request: view.pull_request.is_some(),
        }
    }
}

impl From<EventView> for Event {
    fn from(view: EventView) -> Self {
        let what = match view.kind {
            EventKindView::Comment(comment) if comment.is_hidden => What::Hidden,
            EventKindView::Comment(comment) => {
                What::Comment { html: markdown::comment(&comment.latest.raw), is_edited: !comment.history.is_empty() }
            }
            EventKindView::Status(status) => What::Status(Status(status)),
            EventKindView::Commit { oid, subject } => {
                let oid = oid.to_string();
                What::Commit { short: oid.chars().take(SHORT_ID).collect(), oid, subject }
            }
            EventKindView::Title { from, to } => What::Title { from, to },
        };
        Self { id: view.id, at: iso(view.at), author: name_of(view.author.as_ref()), what }
    }
}

/// The list.
pub(crate) async fn list_page(
    State(app): State<AppState>,
    Reader { visitor, chrome }: Reader,
    SpaceAt(path): SpaceAt,
    query: QueryPairs,
) -> ApiResult<Response> {
    let head = SpaceHead::at(&app, &visitor, &path, "Community").await?;
    let (status, status_filter) = match query.get("status") {
        Some("closed") => ("closed", StatusFilter::Closed),
        Some("all") => ("all", StatusFilter::All),
        _ => ("open", StatusFilter::Open),
    };
    let (kind, kind_filter) = match query.get("kind") {
        Some("discussions") => ("discussions", KindFilter::Discussions),
        Some("pulls") => ("pulls", KindFilter::PullRequests),
        _ => ("both", KindFilter::All),
    };
    let filter = DiscussionFilter { author: None, kind: kind_filter, status: status_filter };
    let skip: usize = query.get("skip").and_then(|skip| skip.parse().ok()).unwrap_or(0);
    let found = app.control.discussions(&visitor.actor, &path, &filter, skip, PER_PAGE)?;
    let end = skip.saturating_add(found.discussions.len());
    let page = ListPage {
        chrome,
        head,
        total: found.total,
        after: (end < found.total).then(|| format!("?{}", query.with("skip", &end.to_string()))),
        discussions: found.discussions.iter().map(Line::from).collect(),
        status,
        kind,
    };
    show(&app, StatusCode::OK, &page)
}

/// One of them.
pub(crate) async fn discussion_page(
    State(app): State<AppState>,
    Reader { visitor, chrome }: Reader,
    DiscussionAt(path, number): DiscussionAt,
) -> ApiResult<Response> {
    let head = SpaceHead::at(&app, &visitor, &path, "Community").await?;
    let found = app.control.discussion(&visitor.actor, &path, number, true).await?;
    let is_author = chrome.user.is_some() && chrome.user == found.discussion.author.as_ref().map(ToString::to_string);
    let may_talk = chrome.token.is_some() && app.control.space(&visitor.actor, &path, Action::Discuss).is_ok();
    let pull = found.discussion.pull_request.as_ref().map(|pull| {
        let conflicts = match &found.conflicts {
            Some(Conflicts::Files(files)) => files.clone(),
            Some(Conflicts::None | Conflicts::All) | None => Vec::new(),
        };
        Pull {
            base: pull.base.clone(),
            at: encoded_segment(&pull_ref(number)),
            is_open: found.discussion.status.is_open(),
            can_be_merged: found.conflicts == Some(Conflicts::None),
            conflicts,
            patch: patch_lines(found.diff.as_deref().unwrap_or_default()),
        }
    });
    let page = DiscussionPage {
        may_change: may_talk && (is_author || head.may_write),
        may_talk,
        thread: Line::from(&found.discussion),
        is_merged: found.discussion.status == DiscussionStatus::Merged,
        events: found.events.into_iter().map(Event::from).collect(),
        pull,
        chrome,
        head,
    };
    show(&app, StatusCode::OK, &page)
}

fn name_of(author: Option<&impl ToString>) -> String {
    author.map_or_else(|| "somebody who is gone".to_owned(), ToString::to_string)
}
