//! The three requests of git's smart protocol: refs, fetch, push.

use std::pin::Pin;

use async_compression::tokio::bufread::GzipDecoder;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use spaceport_control::service::{GitService, PackStream};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

use super::{GitCaller, GitRefusal, RepoAt};
use crate::error::ApiError;
use crate::extract::QueryPairs;
use crate::router::AppState;

/// By which clients say which version they speak.
const GIT_PROTOCOL: &str = "git-protocol";
/// Longest value of it that is passed on.
const MAX_PROTOCOL: usize = 100;
/// Largest request of a clone or fetch, unpacked: some ten thousand ids of what is wanted and of what is there.
const MAX_FETCH: u64 = 16 << 20;
/// Largest request of a push, unpacked: the largest pack and its commands. Git itself stops at the pack's limit.
const MAX_PUSH: u64 = 4 << 30;
/// What a push is told, waiting for a client to read it.
const WAITING: usize = 64;

/// A body, unpacked.
type Reader = Pin<Box<dyn AsyncRead + Send>>;

/// `GET …/info/refs?service=…`.
pub(crate) async fn refs(
    State(app): State<AppState>,
    GitCaller(actor): GitCaller,
    RepoAt(path): RepoAt,
    query: QueryPairs,
    headers: HeaderMap,
) -> Result<Response, GitRefusal> {
    let service = query.get("service").and_then(GitService::from_name).ok_or_else(|| {
        let message = "Git's old protocol is not spoken here: use git 1.6.6 or newer";
        ApiError::new(StatusCode::FORBIDDEN, "OldProtocol", message)
    })?;
    let refs = app.control.git_refs(&actor, &path, service, protocol(&headers), true).await;
    Ok(answer(service, "advertisement", Body::from(refs.map_err(GitRefusal::for_actor(&actor))?)))
}

/// `POST …/git-upload-pack`.
pub(crate) async fn fetch(
    State(app): State<AppState>,
    GitCaller(actor): GitCaller,
    RepoAt(path): RepoAt,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, GitRefusal> {
    let input = reader(GitService::UploadPack, &headers, body, MAX_FETCH)?;
    let stream = app.control.git_fetch(&actor, &path, protocol(&headers), true, input).await;
    let stream = stream.map_err(GitRefusal::for_actor(&actor))?;
    let body = stream::unfold(stream, async |mut stream: PackStream| Some((stream.next().await?, stream)));
    Ok(answer(GitService::UploadPack, "result", Body::from_stream(Box::pin(body))))
}

/// `POST …/git-receive-pack`. The push goes on beside the answer, which tells of it.
pub(crate) async fn push(
    State(app): State<AppState>,
    GitCaller(actor): GitCaller,
    RepoAt(path): RepoAt,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, GitRefusal> {
    let mut input = reader(GitService::ReceivePack, &headers, body, MAX_PUSH)?;
    let (output, told) = mpsc::channel::<Bytes>(WAITING);
    let begun = app.control.git_push(&actor, &path, &mut input, output).await;
    if let Some(push) = begun.map_err(GitRefusal::for_actor(&actor))? {
        tokio::spawn(push.run(input));
    }
    let body = stream::unfold(told, async |mut told: mpsc::Receiver<Bytes>| Some((told.recv().await?, told)));
    let body = Body::from_stream(Box::pin(body.map(Ok::<_, std::convert::Infallible>)));
    Ok(answer(GitService::ReceivePack, "result", body))
}

/// What the client says it speaks; nothing but the words of the protocol reaches git.
fn protocol(headers: &HeaderMap) -> Option<&str> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b':' | b'-' | b'.');
    let text = headers.get(GIT_PROTOCOL)?.to_str().ok()?;
    (text.len() <= MAX_PROTOCOL && text.bytes().all(is_word)).then_some(text)
}

/// The body of a request, of which at most `most` bytes are read when it is unpacked.
fn reader(service: GitService, headers: &HeaderMap, body: Body, most: u64) -> Result<Reader, ApiError> {
    let is = |name: header::HeaderName, value: &str| headers.get(name).is_some_and(|there| there == value);
    // No page of another site can send this type, so none can push for a visitor.
    if !is(header::CONTENT_TYPE, &format!("application/x-{}-request", service.name())) {
        let message = "This address is for git clients";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message));
    }
    let body = StreamReader::new(body.into_data_stream().map_err(std::io::Error::other));
    match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(Box::pin(body.take(most))),
        Some(b"gzip" | b"x-gzip") => Ok(Box::pin(GzipDecoder::new(body).take(most))),
        Some(_) => {
            let message = "The body of a request may be packed with gzip, or not at all";
            Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedEncoding", message))
        }
    }
}

fn answer(service: GitService, kind: &str, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_str(&format!("application/x-{}-{kind}", service.name()));
    headers.insert(header::CONTENT_TYPE, content_type.expect("the names of services are plain words"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, max-age=0, must-revalidate"));
    response
}
