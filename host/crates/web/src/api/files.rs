//! Reading repositories: folders as JSON, files as they are.

use std::collections::BTreeMap;
use std::ops::Range;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use spaceport_control::service::{FileContent, FolderEntry, FoundFile, LogEntry};
use spaceport_core::name::SpacePath;
use spaceport_core::permission::Actor;
use spaceport_core::revision::Oid;
use tokio_util::io::ReaderStream;

use super::page::Page;
use super::range::{Asked, asked};
use super::time::iso;
use super::{address, told_to};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult, X_REPO_COMMIT, header_text};
use crate::extract::{EntryPath, Form, QueryPairs, RevisionName, SpaceAt};
use crate::router::AppState;

/// Entries on a page of a folder's listing.
const PAGE: usize = 1000;
/// The same with the last commit of each, for which the history is walked.
const EXPANDED_PAGE: usize = 50;
/// Paths whose last commits may be asked for at once.
const MAX_EXPANDED: usize = 500;
/// Paths that may be asked for at once.
const MAX_PATHS: usize = 10_000;

/// The id of a large file's content, by which clients keep it.
const X_LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");
/// The size of a large file.
const X_LINKED_SIZE: HeaderName = HeaderName::from_static("x-linked-size");
/// Bytes of a large file that are read at once.
const LARGE_PIECE: usize = 256 << 10;

/// What a file of a Space is told to be. Never HTML: a file must not run as a page of the hub.
const FILE_TYPE: HeaderValue = HeaderValue::from_static("application/octet-stream");
const TEXT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A folder of a revision.
pub(crate) async fn tree(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    RevisionName(revision): RevisionName,
    EntryPath(folder): EntryPath,
    query: QueryPairs,
    request: Request,
) -> ApiResult<Response> {
    let listing = app.control.folder(&actor, &path, &revision, &folder, query.is_set("recursive")).await;
    let (commit, entries) = listing.map_err(told_to(&actor))?;
    let is_expanded = query.is_set("expand");
    let most = if is_expanded { EXPANDED_PAGE } else { PAGE };
    let page = Page::of(&query, most);
    let shown: Vec<FolderEntry> = entries.iter().skip(page.start).take(page.limit).cloned().collect();
    let last = match is_expanded {
        true => last_commits(&app, &actor, &path, commit, &shown).await?,
        false => BTreeMap::new(),
    };
    let list: Vec<Value> = shown.iter().map(|entry| entry_json(entry, &last)).collect();
    let mut response = Json(list).into_response();
    response.headers_mut().insert(X_REPO_COMMIT, header_text(&commit.to_string()));
    page.link(&mut response, &address(&app, &request), &query, entries.len());
    Ok(response)
}

/// What is at these paths; those where nothing is are left out.
pub(crate) async fn paths_info(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    RevisionName(revision): RevisionName,
    Form(form): Form,
) -> ApiResult<Json<Value>> {
    let wanted = form.all("paths");
    if wanted.len() > MAX_PATHS {
        return Err(ApiError::too_large(format!("Ask for at most {MAX_PATHS} paths at once")));
    }
    let is_expanded = form.is_set("expand");
    if is_expanded && wanted.len() > MAX_EXPANDED {
        let message = format!("Ask for the last commits of at most {MAX_EXPANDED} paths at once");
        return Err(ApiError::too_large(message));
    }
    let found = app.control.entries_at(&actor, &path, &revision, &wanted).await.map_err(told_to(&actor));
    let (commit, entries) = found?;
    let last = match is_expanded {
        true => last_commits(&app, &actor, &path, commit, &entries).await?,
        false => BTreeMap::new(),
    };
    Ok(Json(entries.iter().map(|entry| entry_json(entry, &last)).collect()))
}

async fn last_commits(
    app: &AppState,
    actor: &Actor,
    path: &SpacePath,
    commit: Oid,
    entries: &[FolderEntry],
) -> ApiResult<BTreeMap<String, LogEntry>> {
    let paths: Vec<String> = entries.iter().map(|entry| entry.path().to_owned()).collect();
    app.control.last_commits(actor, path, commit, &paths).await.map_err(told_to(actor))
}

/// A file of a revision, whole or a part of it; of a pointer, the large file that it stands for.
pub(crate) async fn resolve(
    app: State<AppState>,
    caller: Caller,
    space: SpaceAt,
    revision: RevisionName,
    file: EntryPath,
    (method, headers): (Method, HeaderMap),
) -> ApiResult<Response> {
    answer(app, caller, space, revision, file, (method, headers, false)).await
}

/// A file of a revision as it is in the repository.
pub(crate) async fn raw(
    app: State<AppState>,
    caller: Caller,
    space: SpaceAt,
    revision: RevisionName,
    file: EntryPath,
    (method, headers): (Method, HeaderMap),
) -> ApiResult<Response> {
    answer(app, caller, space, revision, file, (method, headers, true)).await
}

async fn answer(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    RevisionName(revision): RevisionName,
    EntryPath(file): EntryPath,
    (method, headers, is_raw): (Method, HeaderMap, bool),
) -> ApiResult<Response> {
    let found = app.control.file(&actor, &path, &revision, &file, is_raw).await.map_err(told_to(&actor))?;
    let (status, answer, part) = head(&found, &file, &headers);
    let body = match part.filter(|_| method != Method::HEAD) {
        Some(part) => body(found.content(part).await.map_err(told_to(&actor))?),
        None => Body::empty(),
    };
    Ok((status, answer, body).into_response())
}

/// Status and headers of the answer, and the part of the file that belongs to it.
fn head(found: &FoundFile, file: &str, headers: &HeaderMap) -> (StatusCode, HeaderMap, Option<Range<u64>>) {
    let etag = match found.large {
        Some(pointer) => header_text(&format!("\"{}\"", pointer.oid)),
        None => header_text(&format!("\"{}\"", found.oid)),
    };
    let mut answer = HeaderMap::new();
    if let Some(pointer) = found.large {
        answer.insert(X_LINKED_ETAG, etag.clone());
        answer.insert(X_LINKED_SIZE, HeaderValue::from(pointer.size));
    }
    answer.insert(header::ETAG, etag.clone());
    answer.insert(X_REPO_COMMIT, header_text(&found.commit.to_string()));
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    answer.insert(header::CONTENT_TYPE, if is_text(file) { TEXT_TYPE } else { FILE_TYPE });
    answer.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));

    let is_known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| names(known, &etag));
    if is_known {
        return (StatusCode::NOT_MODIFIED, answer, None);
    }
    // A range of another content than the client has would be garbage to it.
    let is_same = headers.get(header::IF_RANGE).is_none_or(|known| known == etag);
    let range = headers.get(header::RANGE).filter(|_| is_same).and_then(|range| range.to_str().ok());
    let (status, part) = match asked(range, found.size) {
        Asked::Whole => (StatusCode::OK, Some(0..found.size)),
        Asked::Part(part) => {
            let text = format!("bytes {}-{}/{}", part.start, part.end - 1, found.size);
            answer.insert(header::CONTENT_RANGE, header_text(&text));
            (StatusCode::PARTIAL_CONTENT, Some(part))
        }
        Asked::Unsatisfiable => {
            answer.insert(header::CONTENT_RANGE, header_text(&format!("bytes */{}", found.size)));
            (StatusCode::RANGE_NOT_SATISFIABLE, None)
        }
    };
    let length = part.as_ref().map_or(0, |part| part.end - part.start);
    answer.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    (status, answer, part)
}

/// A failure in the middle breaks the body off: its length was announced.
fn body(content: FileContent) -> Body {
    match content {
        FileContent::Whole(bytes) => Body::from(bytes),
        FileContent::Stream(pieces) => Body::from_stream(stream::unfold(pieces, |mut pieces| async move {
            let piece = pieces.next().await?;
            Some((piece, pieces))
        })),
        FileContent::Large(content) => Body::from_stream(ReaderStream::with_capacity(content, LARGE_PIECE)),
    }
}

fn names(list: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(list), Ok(etag)) = (list.to_str(), etag.to_str()) else { return false };
    list.split(',').map(|known| known.trim().trim_start_matches("W/")).any(|known| known == etag || known == "*")
}

/// Whether people would rather read it than download it.
fn is_text(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    matches!(
        extension,
        "md" | "txt"
            | "py"
            | "rs"
            | "js"
            | "ts"
            | "css"
            | "html"
            | "json"
            | "yaml"
            | "yml"
            | "toml"
            | "csv"
            | "gitignore"
            | "gitattributes"
    )
}

fn entry_json(entry: &FolderEntry, last: &BTreeMap<String, LogEntry>) -> Value {
    let mut json = match entry {
        FolderEntry::File { path, oid, size, large } => match large {
            None => json!({ "type": "file", "path": path, "size": size, "oid": oid.to_string() }),
            Some(pointer) => json!({
                "type": "file",
                "path": path,
                "size": pointer.size,
                "oid": oid.to_string(),
                "lfs": { "oid": pointer.oid.to_string(), "size": pointer.size, "pointerSize": size },
            }),
        },
        FolderEntry::Folder { path, oid } => {
            json!({ "type": "directory", "path": path, "size": 0, "oid": oid.to_string() })
        }
    };
    if let Some(last) = last.get(entry.path()) {
        json["lastCommit"] = json!({ "id": last.oid.to_string(), "title": last.summary, "date": iso(last.at) });
    }
    json
}
