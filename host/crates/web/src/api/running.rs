//! How a Space runs: stop it, start it, watch it.

use std::collections::VecDeque;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::{Value, json};
use spaceport_control::logs::{LogKind, LogLine, LogReader};
use spaceport_control::service::{ReleaseView, Restart};
use spaceport_core::permission::Action;

use super::items::ListAt;
use super::time::iso;
use super::told_to;
use super::types::Runtime;
use crate::auth::{Caller, Listener};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Param, QueryPairs, SpaceAt};
use crate::router::AppState;
use crate::sse::event_stream;
use crate::ui::Shown;

/// A line of a log, as clients read it.
#[derive(Serialize)]
struct LogEvent {
    data: String,
    timestamp: String,
}

/// How a Space runs now.
pub(crate) async fn runtime(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Json<Runtime>> {
    let runtime = app.control.runtime(&actor, &path).map_err(told_to(&actor))?;
    Ok(Json(Runtime::from(&runtime)))
}

/// Stops a Space until its owner starts it.
pub(crate) async fn pause(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Json<Runtime>> {
    let runtime = app.control.pause(&actor, &path).await.map_err(told_to(&actor))?;
    Ok(Json(Runtime::from(&runtime)))
}

/// Starts a Space anew; with `factory=true` it is built anew, too.
pub(crate) async fn restart(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    query: QueryPairs,
) -> ApiResult<Json<Runtime>> {
    let how = if query.is_set("factory") { Restart::Factory } else { Restart::Plain };
    let runtime = app.control.restart(&actor, &path, how).await.map_err(told_to(&actor))?;
    Ok(Json(Runtime::from(&runtime)))
}

/// A log of the Space or of its `preview`, from its start on or from the last `tail` lines, for as long as the client listens.
pub(crate) async fn logs(
    State(app): State<AppState>,
    listener: Listener,
    SpaceAt(path): SpaceAt,
    Param(kind): Param,
    query: QueryPairs,
) -> ApiResult<Response> {
    let actor = &listener.actor;
    let kind = match kind.as_str() {
        "build" => LogKind::Build,
        "run" => LogKind::Run,
        _ => return Err(ApiError::not_found()),
    };
    let tail = match query.get("tail").map(str::parse::<usize>) {
        None => None,
        Some(Ok(lines)) => Some(lines),
        Some(Err(_)) => return Err(ApiError::bad_request("\"tail\" is a number of lines")),
    };
    let space = app.control.space(actor, &path, Action::SeeSettings).map_err(told_to(actor))?.id;
    let reader = match query.get("preview") {
        Some(reference) => app.control.preview_logs(actor, &path, reference, kind),
        None => app.control.logs(actor, &path, kind),
    };
    let mut reader = reader.map_err(told_to(actor))?;
    let last = match tail {
        Some(count) => last_lines(&mut reader, count).await,
        None => VecDeque::new(),
    };
    let following = stream::unfold(reader, |mut reader| async move { Some((reader.next().await?, reader)) });
    let lines = stream::iter(last).chain(following.flat_map(stream::iter));
    Ok(event_stream(move || listener.may(&app, Action::SeeSettings, space), lines.map(LogEvent::from)))
}

/// The last of the lines that are there.
async fn last_lines(reader: &mut LogReader, count: usize) -> VecDeque<LogLine> {
    let mut last = VecDeque::new();
    loop {
        let lines = reader.available().await;
        if lines.is_empty() {
            return last;
        }
        last.extend(lines);
        last.drain(..last.len().saturating_sub(count));
    }
}

impl From<LogLine> for LogEvent {
    fn from(line: LogLine) -> Self {
        Self { data: line.text + "\n", timestamp: iso(line.timestamp) }
    }
}

/// The runtime as an event; for pages with what they show of it.
#[derive(Serialize, Clone, PartialEq)]
struct RuntimeEvent {
    #[serde(flatten)]
    runtime: Runtime,
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<Shown>,
}

/// The runtime, now and after every change of it.
pub(crate) async fn events(
    State(app): State<AppState>,
    listener: Listener,
    SpaceAt(path): SpaceAt,
    query: QueryPairs,
) -> ApiResult<Response> {
    let actor = listener.actor.clone();
    let space = app.control.space(&actor, &path, Action::See).map_err(told_to(&actor))?.id;
    let changes = app.control.changes(&actor, &path).map_err(told_to(&actor))?;
    let (control, is_shown) = (app.control.clone(), query.is_set("shown"));
    let runtimes = stream::unfold((changes, None), move |(mut changes, mut last)| {
        let (control, actor, path) = (control.clone(), actor.clone(), path.clone());
        async move {
            loop {
                if last.is_some() && changes.changed().await.is_err() {
                    return None;
                }
                changes.mark_unchanged();
                // Ends when the Space is gone, or no longer to be seen.
                let runtime = control.runtime(&actor, &path).ok()?;
                let shown = is_shown.then(|| Shown::of(&runtime));
                let event = Some(RuntimeEvent { runtime: Runtime::from(&runtime), shown });
                // What has changed may be of no interest to who listens.
                if event != last {
                    last.clone_from(&event);
                    return Some((event?, (changes, last)));
                }
            }
        }
    });
    Ok(event_stream(move || listener.may(&app, Action::See, space), runtimes))
}

/// Goes back to a release, by its number.
pub(crate) async fn roll_back(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    Param(number): Param,
) -> ApiResult<Json<Runtime>> {
    let number = number.parse().map_err(|_| ApiError::bad_request("A release is named by its number"))?;
    let runtime = app.control.roll_back(&actor, &path, number).await.map_err(told_to(&actor))?;
    Ok(Json(Runtime::from(&runtime)))
}

/// What was built, newest first.
pub(crate) async fn releases(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    list: ListAt,
) -> ApiResult<Json<Value>> {
    let releases = app.control.releases(&actor, &path).map_err(told_to(&actor))?;
    let item = |release: &ReleaseView| {
        json!({
            "number": release.release.number,
            "revision": release.release.revision.to_string(),
            "createdAt": iso(release.created_at),
            "live": release.is_live,
        })
    };
    Ok(list.part(&releases, item))
}
