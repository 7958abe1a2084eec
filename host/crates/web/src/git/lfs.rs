//! Large files over HTTP: the batch API of git-lfs, with contents in one piece or, for clients that can, in parts.
//!
//! A client asks about files as somebody, and is given an address for each that is good without a token. Contents are
//! streams in both directions.

use std::ops::Range;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use spaceport_control::service::{LFS_PART, LfsAct, LfsAnswer, LfsTicket};
use spaceport_core::id::SpaceId;
use spaceport_core::lfs::LfsOid;
use tokio_util::io::{ReaderStream, StreamReader};

use super::refusal::LfsRefusal;
use super::{LfsCaller, RepoAt};
use crate::api::{Asked, asked, origin};
use crate::error::{ApiError, header_text};
use crate::extract::{JsonBody, Param, QueryPairs};
use crate::router::AppState;

/// The type of everything that is said about large files.
pub(super) const LFS_JSON: HeaderValue = HeaderValue::from_static("application/vnd.git-lfs+json");
/// Files that may be asked about at once: clients ask about a hundred, or some more.
const MAX_OBJECTS: usize = 1_000;
/// Seconds for which clients may count on an address; it is good for longer.
const EXPIRES_IN: u64 = 5 * 60 * 60;
/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// What may be done at an address, by the ticket in it.
pub(crate) struct TicketOf(LfsTicket);

impl FromRequestParts<AppState> for TicketOf {
    type Rejection = LfsRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, LfsRefusal> {
        let oid = Param::named(parts, state, "param").await?;
        let query = QueryPairs::parse(parts.uri.query().unwrap_or_default());
        let ticket = state.control.lfs_ticket(query.get("ticket").unwrap_or_default())?;
        if ticket.oid.to_string() == oid { Ok(Self(ticket)) } else { Err(ApiError::not_found().into()) }
    }
}

/// The body of `POST …/objects/batch`.
#[derive(Deserialize)]
pub(crate) struct Batch {
    operation: String,
    #[serde(default)]
    transfers: Vec<String>,
    #[serde(default)]
    objects: Vec<Object>,
    #[serde(default)]
    hash_algo: Option<String>,
}

/// A file as clients name it.
#[derive(Deserialize)]
pub(crate) struct Object {
    oid: String,
    size: u64,
}

/// `POST …/info/lfs/objects/batch`.
pub(crate) async fn batch(
    State(app): State<AppState>,
    LfsCaller(actor): LfsCaller,
    RepoAt(path): RepoAt,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Batch>,
) -> Result<Response, LfsRefusal> {
    let is_upload = match body.operation.as_str() {
        "upload" => true,
        "download" => false,
        other => return Err(unprocessable(format!("the operation {other:?} is none: upload or download"))),
    };
    if body.hash_algo.as_deref().is_some_and(|algorithm| algorithm != "sha256") {
        return Err(unprocessable("contents are named by their sha256".to_owned()));
    }
    if body.objects.len() > MAX_OBJECTS {
        return Err(ApiError::too_large(format!("Ask about at most {MAX_OBJECTS} files at once")).into());
    }
    // A client that was told of parts takes every file for one in parts.
    let in_parts = is_upload
        && body.transfers.iter().any(|transfer| transfer == "multipart")
        && body.objects.iter().any(|object| object.size > LFS_PART);
    // What is no id gets its answer with the others.
    let named = body.objects.iter().map(|object| Some((object.oid.parse::<LfsOid>().ok()?, object.size)));
    let named: Vec<Option<(LfsOid, u64)>> = named.collect();
    let wanted: Vec<(LfsOid, u64)> = named.iter().flatten().copied().collect();
    let answers = app.control.lfs_batch(&actor, &path, is_upload, &wanted).await;
    let (space, answers) = answers.map_err(LfsRefusal::for_actor(&actor))?;
    let space = Links { app: &app, origin: origin(&app, &headers), space };
    let mut answers = wanted.iter().zip(answers);
    let objects: Vec<Value> = body
        .objects
        .iter()
        .zip(&named)
        .map(|(object, named)| match named.and_then(|_| answers.next()) {
            Some(((oid, size), answer)) => space.object(*oid, *size, &answer, in_parts),
            None => refused(&object.oid, object.size, 422, "this is no SHA-256"),
        })
        .collect();
    let transfer = if in_parts { "multipart" } else { "basic" };
    Ok(lfs_json(&json!({ "transfer": transfer, "objects": objects, "hash_algo": "sha256" })))
}

/// `…/info/lfs/locks`: nobody locks files here, and clients go on without.
pub(crate) async fn locks() -> LfsRefusal {
    ApiError::new(StatusCode::NOT_FOUND, "NotOffered", "Locking files is not offered by this host").into()
}

/// `PUT /api/lfs/{oid}`: a content, or a part of one.
pub(crate) async fn put(
    State(app): State<AppState>,
    TicketOf(ticket): TicketOf,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, LfsRefusal> {
    let size = match ticket.act {
        LfsAct::Send => ticket.size,
        LfsAct::SendPart(number) => ticket.size.saturating_sub(number.saturating_mul(LFS_PART)).min(LFS_PART),
        LfsAct::Complete | LfsAct::Verify | LfsAct::Fetch => return Err(ApiError::method_not_allowed().into()),
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced != size) {
        return Err(unprocessable(format!("{size} bytes are expected here")));
    }
    let input = StreamReader::new(body.into_data_stream().map_err(std::io::Error::other));
    let etag = match ticket.act {
        LfsAct::SendPart(number) => format!("\"{:08x}\"", app.control.lfs_receive_part(&ticket, number, input).await?),
        _ => {
            app.control.lfs_receive(&ticket, input).await?;
            format!("\"{}\"", ticket.oid)
        }
    };
    Ok(([(header::ETAG, header_text(&etag))], StatusCode::OK).into_response())
}

/// `POST /api/lfs/{oid}`: all parts have been sent, or has it arrived. Which parts there are is known, and what they are
/// together is hashed, so the body says nothing new.
pub(crate) async fn post(State(app): State<AppState>, TicketOf(ticket): TicketOf) -> Result<Response, LfsRefusal> {
    match ticket.act {
        LfsAct::Complete => app.control.lfs_complete(&ticket).await?,
        LfsAct::Verify if app.control.lfs_has(&ticket)? => {}
        LfsAct::Verify => {
            return Err(unprocessable(format!("{} with {} bytes has not arrived", ticket.oid, ticket.size)));
        }
        LfsAct::Send | LfsAct::SendPart(_) | LfsAct::Fetch => return Err(ApiError::method_not_allowed().into()),
    }
    Ok(lfs_json(&json!({ "oid": ticket.oid.to_string(), "size": ticket.size })))
}

/// `GET /api/lfs/{oid}`: a content, or a part of it, so that a broken download goes on where it was.
pub(crate) async fn get(
    State(app): State<AppState>,
    TicketOf(ticket): TicketOf,
    (method, headers): (Method, HeaderMap),
) -> Result<Response, LfsRefusal> {
    if ticket.act != LfsAct::Fetch {
        return Err(ApiError::method_not_allowed().into());
    }
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let whole = 0..ticket.size;
    let (status, part) = match asked(range, ticket.size) {
        Asked::Whole => (StatusCode::OK, whole),
        Asked::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Asked::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0),
    };
    let body = match method == Method::HEAD || part.is_empty() {
        true => Body::empty(),
        false => {
            Body::from_stream(ReaderStream::with_capacity(app.control.lfs_read(&ticket, part.clone()).await?, PIECE))
        }
    };
    Ok((status, content_headers(&ticket, status, &part), body).into_response())
}

fn content_headers(ticket: &LfsTicket, status: StatusCode, part: &Range<u64>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, header_text(&format!("\"{}\"", ticket.oid)));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
    let size = ticket.size;
    let range = match status {
        StatusCode::PARTIAL_CONTENT => format!("bytes {}-{}/{size}", part.start, part.end - 1),
        StatusCode::RANGE_NOT_SATISFIABLE => format!("bytes */{size}"),
        _ => return headers,
    };
    headers.insert(header::CONTENT_RANGE, header_text(&range));
    headers
}

/// What the addresses of a Space's contents are made of.
struct Links<'a> {
    app: &'a AppState,
    origin: String,
    space: SpaceId,
}

impl Links<'_> {
    fn object(&self, oid: LfsOid, size: u64, answer: &LfsAnswer, in_parts: bool) -> Value {
        let actions = match answer {
            // A member that is there and null is one that clients trip over.
            LfsAnswer::Present => return json!({ "oid": oid.to_string(), "size": size }),
            LfsAnswer::Absent => return refused(&oid.to_string(), size, 404, "this Space has no such file"),
            LfsAnswer::Refused(why) => return refused(&oid.to_string(), size, 422, why),
            LfsAnswer::Fetch => json!({ "download": self.action(LfsAct::Fetch, oid, size) }),
            LfsAnswer::Send => {
                let upload = match in_parts && size > 0 {
                    true => self.upload_in_parts(oid, size),
                    false => self.action(LfsAct::Send, oid, size),
                };
                json!({ "upload": upload, "verify": self.action(LfsAct::Verify, oid, size) })
            }
        };
        json!({ "oid": oid.to_string(), "size": size, "authenticated": true, "actions": actions })
    }

    fn action(&self, act: LfsAct, oid: LfsOid, size: u64) -> Value {
        json!({ "href": self.address(act, oid, size), "expires_in": EXPIRES_IN })
    }

    /// Numbers and addresses of the parts, as members of what else would be headers.
    fn upload_in_parts(&self, oid: LfsOid, size: u64) -> Value {
        let mut members = Map::new();
        members.insert("chunk_size".to_owned(), json!(LFS_PART.to_string()));
        for number in 0..size.div_ceil(LFS_PART) {
            members.insert((number + 1).to_string(), json!(self.address(LfsAct::SendPart(number), oid, size)));
        }
        json!({ "href": self.address(LfsAct::Complete, oid, size), "expires_in": EXPIRES_IN, "header": members })
    }

    fn address(&self, act: LfsAct, oid: LfsOid, size: u64) -> String {
        let ticket = self.app.control.lfs_sign(&LfsTicket { act, space: self.space, oid, size });
        // In the query, which no log has.
        format!("{}/api/lfs/{oid}?ticket={ticket}", self.origin)
    }
}

fn refused(oid: &str, size: u64, code: u16, message: &str) -> Value {
    json!({ "oid": oid, "size": size, "error": { "code": code, "message": message } })
}

fn unprocessable(message: String) -> LfsRefusal {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "Unprocessable", message).into()
}

fn lfs_json(value: &Value) -> Response {
    let mut response = Json(value).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, LFS_JSON);
    response
}
