//! From a representation to what the visitor asked of it: the whole, a part, several, the head, word that it has not
//! changed, or all that in another encoding.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::header;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use spaceport_control::ports::Body;

use super::body::EdgeBody;
use super::budget::Budget;
use super::cache::{Stored, StoredBody};
use super::compress::{self, Effort, Encoding};
use super::conditional::{Verdict, Wants};
use super::etag;
use super::range::{self, Ranges};
use super::sendfile::{self, Segment};

/// A whole representation of known length, or a stream that may turn out as one.
pub(super) struct Representation {
    /// Its status; anything but 200 is sent as it is.
    pub(super) status: StatusCode,
    /// Its headers, without lengths and ranges, which are set here.
    pub(super) headers: HeaderMap,
    /// Its bytes.
    pub(super) source: Source,
    /// Whether parts of it may be sent.
    pub(super) allows_ranges: bool,
    /// Whether it is worth encoding.
    pub(super) is_compressible: bool,
}

/// Where a representation's bytes are.
pub(super) enum Source {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    File {
        /// The file.
        file: Arc<File>,
        /// Its length.
        length: u64,
    },
    /// On their way from the guest.
    Stream(Body),
}

impl Source {
    fn length(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::File { length, .. } => Some(*length),
            Self::Stream(body) => http_body::Body::size_hint(body).exact(),
        }
    }

    fn into_body(self) -> EdgeBody {
        match self {
            Self::Bytes(bytes) => EdgeBody::full(bytes),
            Self::File { file, length } => EdgeBody::stream(sendfile::body(file, vec![Segment::Part(0..length)])),
            Self::Stream(body) => EdgeBody::stream(body),
        }
    }

    fn into_parts(self, segments: Vec<Segment>) -> EdgeBody {
        match self {
            Self::File { file, .. } => EdgeBody::stream(sendfile::body(file, segments)),
            Self::Bytes(bytes) => {
                let part = |range: &Range<u64>| bytes.slice(range.start as usize..range.end as usize);
                match &segments[..] {
                    [Segment::Part(range)] => EdgeBody::full(part(range)),
                    _ => {
                        let mut joined = Vec::with_capacity(segments.iter().map(|s| s.length() as usize).sum());
                        for segment in &segments {
                            match segment {
                                Segment::Text(text) => joined.extend_from_slice(text),
                                Segment::Part(range) => joined.extend_from_slice(&part(range)),
                            }
                        }
                        EdgeBody::full(joined.into())
                    }
                }
            }
            Self::Stream(body) => EdgeBody::stream(body),
        }
    }
}

/// Why a kept response cannot be sent at once.
pub(super) enum NotYet {
    /// It lacks this encoding.
    Encode(Encoding),
    /// Its file is to be opened.
    Open,
}

/// Answers from a kept response without any wait, if that can be.
pub(super) fn from_stored(wants: &Wants, stored: &Stored) -> Result<Response<EdgeBody>, NotYet> {
    let StoredBody::Bytes(body) = &stored.body else { return Err(NotYet::Open) };
    let mut headers = stored_headers(stored);
    let (mut body, mut allows_ranges) = (body.clone(), stored.allows_ranges);
    if stored.is_compressible
        && let Some(encoding) = encoding_for(wants, &headers, stored.allows_ranges, Effort::Once)
    {
        match stored.made_variant(encoding) {
            None => return Err(NotYet::Encode(encoding)),
            Some(None) => {}
            Some(Some(encoded)) => {
                mark_encoded(&mut headers, encoding);
                allows_ranges = false;
                body = encoded;
            }
        }
    }
    Ok(of_representation(wants, stored.status, headers, Source::Bytes(body), allows_ranges))
}

/// Answers from a kept response whose file was opened.
pub(super) fn from_stored_file(
    wants: &Wants,
    stored: &Stored,
    (file, length): (Arc<File>, u64),
    budget: &Budget,
) -> Response<EdgeBody> {
    let representation = Representation {
        status: stored.status,
        headers: stored_headers(stored),
        source: Source::File { file, length },
        allows_ranges: stored.allows_ranges,
        is_compressible: stored.is_compressible,
    };
    respond(wants, representation, budget)
}

fn stored_headers(stored: &Stored) -> HeaderMap {
    let mut headers = stored.headers.clone();
    headers.insert(header::AGE, HeaderValue::from(stored.age()));
    headers
}

/// Answers from a representation.
pub(super) fn respond(wants: &Wants, mut representation: Representation, budget: &Budget) -> Response<EdgeBody> {
    encode(wants, &mut representation, budget);
    let Representation { status, headers, source, allows_ranges, .. } = representation;
    of_representation(wants, status, headers, source, allows_ranges)
}

fn of_representation(
    wants: &Wants,
    status: StatusCode,
    mut headers: HeaderMap,
    source: Source,
    allows_ranges: bool,
) -> Response<EdgeBody> {
    if status != StatusCode::OK {
        return whole(wants, status, headers, source);
    }
    match wants.verdict(&headers) {
        Verdict::Send => {}
        Verdict::NotModified => return not_modified(headers),
        Verdict::Failed => return bare(StatusCode::PRECONDITION_FAILED, headers),
    }
    let (Some(length), true) = (source.length(), allows_ranges) else {
        return whole(wants, status, headers, source);
    };
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let ranges = wants.range_of(&headers).map_or(Ranges::Whole, |range| range::parse(range.as_bytes(), length));
    match ranges {
        Ranges::Whole => whole(wants, status, headers, source),
        Ranges::Unsatisfiable => {
            let mut response = bare(StatusCode::RANGE_NOT_SATISFIABLE, headers);
            set(response.headers_mut(), header::CONTENT_RANGE, format!("bytes */{length}"));
            response
        }
        Ranges::One(range) => {
            set(&mut headers, header::CONTENT_RANGE, content_range(&range, length));
            partial(headers, source, vec![Segment::Part(range)])
        }
        Ranges::Many(ranges) => multipart(headers, source, ranges, length),
    }
}

/// Puts a stream or a file under an encoder, if the visitor likes one, it is worth it and one is free.
fn encode(wants: &Wants, representation: &mut Representation, budget: &Budget) {
    if !representation.is_compressible || representation.status != StatusCode::OK {
        return;
    }
    let length = representation.source.length().or_else(|| stated_length(&representation.headers));
    if length.is_some_and(|length| !(compress::MIN_SIZE..=compress::MAX_STREAM).contains(&length)) {
        return;
    }
    append_vary(&mut representation.headers);
    let ranges = representation.allows_ranges;
    let Some(encoding) = encoding_for(wants, &representation.headers, ranges, Effort::EachTime) else { return };
    let Some(place) = budget.encoder() else { return };
    mark_encoded(&mut representation.headers, encoding);
    representation.allows_ranges = false;
    let source = std::mem::replace(&mut representation.source, Source::Bytes(Bytes::new()));
    let body = match source {
        // The head of an encoded stream says no length, and nothing is read for it.
        _ if wants.is_head => return,
        Source::Bytes(bytes) => http_body_util::BodyExt::boxed_unsync(http_body_util::BodyExt::map_err(
            http_body_util::Full::new(bytes),
            |never| match never {},
        )),
        Source::File { file, length } => sendfile::body(file, vec![Segment::Part(0..length)]),
        Source::Stream(body) => body,
    };
    representation.source = Source::Stream(compress::encode_stream(body, encoding, place));
}

fn stated_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The encoding to send in; none where parts are wanted, which are parts of the bytes as they are.
fn encoding_for(wants: &Wants, headers: &HeaderMap, allows_ranges: bool, effort: Effort) -> Option<Encoding> {
    if allows_ranges && wants.range_of(headers).is_some() {
        return None;
    }
    wants.encodings.choose(effort)
}

/// Notes that the choice of encoding depends on the request.
pub(super) fn append_vary(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(header::VARY).iter().filter_map(|value| value.to_str().ok());
    if !lines.any(|line| line.split(',').any(|name| name.trim().eq_ignore_ascii_case("accept-encoding"))) {
        headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
}

fn mark_encoded(headers: &mut HeaderMap, encoding: Encoding) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.as_str()));
    // Each encoding is a representation of its own, with a tag of its own.
    match headers.get(header::ETAG).and_then(|tag| etag::variant(tag, encoding.as_str())) {
        Some(tag) => headers.insert(header::ETAG, tag),
        None => headers.remove(header::ETAG),
    };
    headers.remove(header::ACCEPT_RANGES);
    headers.remove(header::CONTENT_LENGTH);
}

fn whole(wants: &Wants, status: StatusCode, mut headers: HeaderMap, source: Source) -> Response<EdgeBody> {
    let is_encoded_head = wants.is_head && headers.contains_key(header::CONTENT_ENCODING);
    match source.length() {
        Some(length) if !is_encoded_head || length > 0 => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        _ => {}
    }
    let body = if wants.is_head { EdgeBody::empty() } else { source.into_body() };
    response(status, headers, body)
}

fn partial(mut headers: HeaderMap, source: Source, segments: Vec<Segment>) -> Response<EdgeBody> {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(segments.iter().map(Segment::length).sum::<u64>()));
    response(StatusCode::PARTIAL_CONTENT, headers, source.into_parts(segments))
}

fn multipart(mut headers: HeaderMap, source: Source, ranges: Vec<Range<u64>>, length: u64) -> Response<EdgeBody> {
    let boundary = format!("{:032x}", rand::random::<u128>());
    let kind = headers.remove(header::CONTENT_TYPE);
    let kind = kind.as_ref().map_or(&b"application/octet-stream"[..], HeaderValue::as_bytes);
    let mut segments = Vec::with_capacity(ranges.len() * 2 + 1);
    for range in ranges {
        let mut text = format!("\r\n--{boundary}\r\ncontent-type: ").into_bytes();
        text.extend_from_slice(kind);
        text.extend_from_slice(format!("\r\ncontent-range: {}\r\n\r\n", content_range(&range, length)).as_bytes());
        segments.push(Segment::Text(text.into()));
        segments.push(Segment::Part(range));
    }
    segments.push(Segment::Text(format!("\r\n--{boundary}--\r\n").into()));
    set(&mut headers, header::CONTENT_TYPE, format!("multipart/byteranges; boundary={boundary}"));
    partial(headers, source, segments)
}

/// 304: what identifies the representation and says how long it holds, nothing that describes its bytes.
fn not_modified(mut headers: HeaderMap) -> Response<EdgeBody> {
    for name in [
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::ACCEPT_RANGES,
    ] {
        headers.remove(name);
    }
    response(StatusCode::NOT_MODIFIED, headers, EdgeBody::empty())
}

/// A status that says all there is to say.
fn bare(status: StatusCode, mut headers: HeaderMap) -> Response<EdgeBody> {
    for name in
        [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CACHE_CONTROL, header::ETAG, header::LAST_MODIFIED]
    {
        headers.remove(name);
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    response(status, headers, EdgeBody::empty())
}

fn content_range(range: &Range<u64>, length: u64) -> String {
    format!("bytes {}-{}/{length}", range.start, range.end - 1)
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
        headers.insert(name, value);
    }
}

fn response(status: StatusCode, headers: HeaderMap, body: EdgeBody) -> Response<EdgeBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
