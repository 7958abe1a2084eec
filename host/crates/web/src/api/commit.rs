//! Uploading: what `hf upload` calls, in its order. Check the README, ask how each file is to be sent, commit.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::{NewCommit, PlannedUpload, ServiceError, Settled};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::commit_lines::{CommitLines, MAX_COMMIT_BODY};
use super::{X_HF_WARNING, told_to, warned, xet};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult, header_text};
use crate::extract::{JsonBody, QueryPairs, RevisionName, SpaceAt};
use crate::router::AppState;

/// A commit whose body is larger than this waits for a turn before the rest of it is read.
const SMALL_COMMIT: u64 = 8 << 20;
/// Longest wait for that turn. The client's connection is held back meanwhile.
const TURN: Duration = Duration::from_secs(60);
/// Longest time for a body that holds such a turn, from getting it to the end: what is taken at most, at two megabits a
/// second or so. A body that trickles in would keep everybody else's waiting.
const LARGE_BODY: Duration = Duration::from_secs(15 * 60);
/// By which a commit is made a pull request.
const CREATE_PR: &str = "create_pr";
/// Files asked about at once.
const MAX_PREUPLOAD: usize = 1000;
/// Read of a refused body, so that a client that writes on gets to read the refusal.
const MAX_DISCARDED: u64 = 4 << 20;

/// The body of `POST /api/validate-yaml`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ValidateYaml {
    content: Option<String>,
    repo_type: Option<String>,
}

/// The body of `POST …/preupload/{rev}`. Samples play no part: how a file is sent depends on its size alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Preupload {
    #[serde(default)]
    files: Vec<PreuploadFile>,
    /// The `.gitignore` that is about to be committed.
    git_ignore: Option<String>,
}

#[derive(Deserialize)]
struct PreuploadFile {
    path: String,
    #[serde(default)]
    size: u64,
}

/// Checks a README. Clients read the body before the status: `errors` and `warnings` are there in any case.
pub(crate) async fn validate_yaml(
    State(app): State<AppState>,
    JsonBody(body): JsonBody<ValidateYaml>,
) -> ApiResult<Json<Value>> {
    let texts = |list: &[String]| list.iter().map(|text| json!({ "message": text })).collect::<Value>();
    if body.repo_type.as_deref().is_some_and(|kind| kind != "space") {
        return Ok(Json(json!({ "errors": [], "warnings": [] })));
    }
    let report = app.control.check_readme(&body.content.unwrap_or_default());
    let warnings = texts(&report.warnings);
    if !report.errors.is_empty() {
        return Err(ApiError::from(ServiceError::InvalidReadme(report.errors)).with("warnings", warnings));
    }
    Ok(Json(json!({ "errors": [], "warnings": warnings })))
}

/// How each file is to be sent: within the commit, or by itself if it is too large for that, unless the repository ignores it. What is there already is named
/// by its id, so that clients leave it out.
pub(crate) async fn preupload(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    RevisionName(revision): RevisionName,
    query: QueryPairs,
    JsonBody(body): JsonBody<Preupload>,
) -> ApiResult<Response> {
    if body.files.len() > MAX_PREUPLOAD {
        return Err(ApiError::too_large(format!("Ask about at most {MAX_PREUPLOAD} files at once")));
    }
    let wanted: Vec<(&str, u64)> = body.files.iter().map(|file| (file.path.as_str(), file.size)).collect();
    let as_pull_request = query.is_set(CREATE_PR);
    let plan = app.control.upload_plan(&actor, &path, &revision, &wanted, body.git_ignore, as_pull_request).await;
    let plan = plan.map_err(told_to(&actor))?;
    let answer = |((path, _), planned): (&(&str, u64), &PlannedUpload)| {
        let mode = if planned.is_large { "lfs" } else { "regular" };
        let mut file = json!({ "path": path, "uploadMode": mode, "shouldIgnore": planned.is_ignored });
        if let Some(oid) = &planned.oid {
            file["oid"] = json!(oid);
        }
        file
    };
    let files: Vec<Value> = wanted.iter().zip(&plan.files).map(answer).collect();
    let mut answer = Json(json!({ "files": files, "commitOid": plan.commit.to_string() })).into_response();
    if plan.files.iter().any(|file| file.is_large) {
        answer.headers_mut().insert(X_HF_WARNING, header_text(xet::WARNING));
    }
    Ok(answer)
}

/// Makes a commit.
pub(crate) async fn commit(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    RevisionName(branch): RevisionName,
    query: QueryPairs,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    // Before a byte of the body is read.
    let as_pull_request = query.is_set(CREATE_PR);
    let permitted = app.control.may_commit(&actor, &path, &branch, as_pull_request).map_err(told_to(&actor));
    let mut body = Incoming::new(body);
    if let Err(error) = permitted {
        body.discard().await;
        return Err(error);
    }
    // The turn ends with the commit, which holds the content until then.
    let (new, _turn) = match read_commit(&app, &headers, &mut body).await {
        Ok(read) => read,
        Err(error) => {
            body.discard().await;
            return Err(error);
        }
    };
    let page = app.control.addresses().page_url(&path);
    let (oid, opened, warnings) = if as_pull_request {
        let made = app.control.commit_as_pull_request(&actor, &path, &branch, new).await;
        let Settled { value: (number, oid), warnings } = made.map_err(told_to(&actor))?;
        (oid, Some(number), warnings)
    } else {
        let made = app.control.commit(&actor, &path, &branch, new).await.map_err(told_to(&actor))?;
        (made.value, None, made.warnings)
    };
    let url = format!("{page}/commit/{oid}");
    let mut answer = json!({ "success": true, "commitOid": oid.to_string(), "commitUrl": url, "hookOutput": "" });
    if let Some(number) = opened {
        answer["pullRequestUrl"] = json!(format!("{page}/discussions/{number}"));
    }
    Ok(warned(Json(answer), &warnings))
}

async fn read_commit(
    app: &AppState,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> ApiResult<(NewCommit, Option<OwnedSemaphorePermit>)> {
    let too_large = || ApiError::too_large(format!("A commit's body may have at most {} MiB", MAX_COMMIT_BODY >> 20));
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_COMMIT_BODY) {
        return Err(too_large());
    }
    let mut lines = CommitLines::default();
    let mut turn: Option<(OwnedSemaphorePermit, Instant)> = None;
    let late = |_| {
        let message = "The body took too long: send less at a time";
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", message)
    };
    loop {
        let next = body.next();
        let chunk = match &turn {
            Some((_, deadline)) => tokio::time::timeout_at(*deadline, next).await.map_err(late)??,
            None => next.await?,
        };
        let Some(chunk) = chunk else { break };
        if body.read > MAX_COMMIT_BODY {
            return Err(too_large());
        }
        if body.read > SMALL_COMMIT && turn.is_none() {
            turn = Some((large_turn(app).await?, Instant::now() + LARGE_BODY));
        }
        lines.feed(&chunk)?;
    }
    Ok((lines.finish()?, turn.map(|(turn, _)| turn)))
}

async fn large_turn(app: &AppState) -> ApiResult<OwnedSemaphorePermit> {
    let turn = tokio::time::timeout(TURN, app.large_commits.clone().acquire_owned()).await;
    turn.ok().and_then(Result::ok).ok_or_else(|| {
        let message = "Other large commits are being taken in: try again in a moment";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", message)
    })
}

/// A body that is read piece by piece.
struct Incoming {
    stream: BodyDataStream,
    read: u64,
}

impl Incoming {
    fn new(body: Body) -> Self {
        Self { stream: body.into_data_stream(), read: 0 }
    }

    async fn next(&mut self) -> ApiResult<Option<Bytes>> {
        match self.stream.next().await {
            None => Ok(None),
            Some(Ok(bytes)) => {
                self.read += bytes.len() as u64;
                Ok(Some(bytes))
            }
            Some(Err(_)) => Err(ApiError::bad_request("The body broke off")),
        }
    }

    /// Reads on for a while and throws away.
    async fn discard(mut self) {
        let end = self.read + MAX_DISCARDED;
        while self.read < end {
            let Ok(Some(_)) = self.next().await else { return };
        }
    }
}
