//! The response cache: what Spaces allow to be kept, by RFC 9111, in a bounded part of the memory.
//!
//! A Space speaks to it in `CDN-Cache-Control` (RFC 9213), which visitors never see; without that header nothing is kept.
//! The key holds everything an answer may depend on: the Space, its generation (so a deploy or a changed variable leaves
//! what was kept behind, to fall out by age), the authority and scheme the visitor used, path and query, and the headers
//! that the answer's `Vary` names. Visitors' own `Cache-Control` is advice that section 5.2.1 lets a cache ignore, and
//! is ignored: a reload must not cost a guest's call.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_cache_semantics::{CacheOptions, CachePolicy};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use spaceport_control::ports::Mount;
use spaceport_core::id::SpaceId;
use tokio::sync::OnceCell;

use super::budget::Budget;
use super::compress::{self, Encoding};
use super::context::Scheme;

/// Largest body that is kept in memory: beyond it the disk's cache and the network decide the speed.
pub(super) const MAX_BODY: u64 = 1 << 20;
/// What an entry weighs beside its body: headers, key, bookkeeping.
const OVERHEAD: u64 = 1024;
/// Entries expected per byte of capacity, to size the table: a typical web file is some 16 KiB.
const TYPICAL_ENTRY: u64 = 16 << 10;

/// By the Space's word, what its responses may be kept for.
pub(super) const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// What identifies a stored response, as looked up.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyRef<'a> {
    pub(super) space: SpaceId,
    pub(super) generation: u64,
    pub(super) scheme: Scheme,
    pub(super) host: &'a str,
    pub(super) port: &'a str,
    pub(super) target: &'a str,
    vary: &'a [u8],
}

/// The same, as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    space: SpaceId,
    generation: u64,
    scheme: Scheme,
    host: Box<str>,
    port: Box<str>,
    target: Box<str>,
    vary: Box<[u8]>,
}

/// A response that was kept.
pub(super) struct Stored {
    /// Its status.
    pub(super) status: StatusCode,
    /// Its headers, ready for visitors but for what differs by request.
    pub(super) headers: HeaderMap,
    /// Its body.
    pub(super) body: StoredBody,
    /// Whether parts of it may be sent.
    pub(super) allows_ranges: bool,
    /// Whether it is worth encoding.
    pub(super) is_compressible: bool,
    freshness: Freshness,
    variants: [OnceCell<Option<Bytes>>; 3],
}

/// The body of a response that was kept.
pub(super) enum StoredBody {
    /// In memory.
    Bytes(Bytes),
    /// In a file that is too large for that. By its name: an open one would hold the disk space of revisions that are gone.
    File {
        /// The revision.
        app: Mount,
        /// The path in it.
        path: Box<str>,
        /// Its length.
        length: u64,
    },
}

/// What a look into the cache found.
pub(super) enum Found {
    /// A fresh response.
    Fresh(Arc<Stored>),
    /// One that is no longer fresh, under this key.
    Stale(Key),
    /// None.
    Absent,
}

/// How long a response is fresh.
#[derive(Debug, Clone, Copy)]
pub(super) struct Freshness {
    stored: Instant,
    age: Duration,
    until: Instant,
}

#[derive(Clone)]
enum Entry {
    Response(Arc<Stored>),
    /// Look again with the values of these headers, among the responses of this series.
    Varies(Arc<[HeaderName]>, u64),
}

/// The responses kept for all Spaces.
pub(super) struct ResponseCache {
    entries: Cache<Key, Entry, ByWeight>,
    series: AtomicU64,
}

impl ResponseCache {
    /// An empty cache for this many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let estimated = usize::try_from(bytes / TYPICAL_ENTRY).unwrap_or(usize::MAX).max(64);
        Self { entries: Cache::with_weighter(estimated, bytes, ByWeight), series: AtomicU64::new(0) }
    }

    /// What is kept for a request with these headers.
    pub(super) fn get(&self, key: KeyRef<'_>, headers: &HeaderMap) -> Found {
        match self.entries.get(&key) {
            None => Found::Absent,
            Some(Entry::Response(stored)) => found(stored, key),
            Some(Entry::Varies(names, series)) => {
                let vary = vary_values(&names, series, headers);
                let key = KeyRef { vary: &vary, ..key };
                match self.entries.get(&key) {
                    Some(Entry::Response(stored)) => found(stored, key),
                    _ => Found::Absent,
                }
            }
        }
    }

    /// Keeps a response to a request with these headers.
    pub(super) fn put(&self, key: KeyRef<'_>, headers: &HeaderMap, stored: Arc<Stored>) {
        // What is encoded here does not depend on the encodings that a visitor accepts: the guest never sees them.
        let names =
            vary_names(&stored.headers).filter(|name| !(stored.is_compressible && *name == header::ACCEPT_ENCODING));
        let names: Arc<[HeaderName]> = names.collect();
        if names.is_empty() {
            self.entries.insert(key.to_key(), Entry::Response(stored));
            return;
        }
        let series = match self.entries.get(&key) {
            Some(Entry::Varies(known, series)) if known == names => series,
            _ => {
                // What was found under the key before, and was removed since, is not found again.
                let series = self.series.fetch_add(1, Ordering::Relaxed);
                self.entries.insert(key.to_key(), Entry::Varies(names.clone(), series));
                series
            }
        };
        let vary = vary_values(&names, series, headers);
        self.entries.insert(KeyRef { vary: &vary, ..key }.to_key(), Entry::Response(stored));
    }

    /// Forgets every response of an address: a request may have changed what is there (RFC 9111, section 4.4).
    pub(super) fn remove(&self, key: KeyRef<'_>) {
        self.entries.remove(&key);
    }
}

fn found(stored: Arc<Stored>, key: KeyRef<'_>) -> Found {
    if stored.freshness.until > Instant::now() { Found::Fresh(stored) } else { Found::Stale(key.to_key()) }
}

/// How long a response may be kept, if at all, by the word of its Space.
pub(super) fn freshness(
    uri: &Uri,
    status: StatusCode,
    headers: &HeaderMap,
    control: &HeaderValue,
) -> Option<Freshness> {
    // Cookies are for one visitor; a part is not the whole; `*` matches no other request.
    let is_private = headers.contains_key(header::SET_COOKIE) || headers.contains_key(header::CONTENT_RANGE);
    let varies_by_any = headers.get_all(header::VARY).iter().any(|value| value.as_bytes().contains(&b'*'));
    if is_private || varies_by_any || vary_names(headers).any(|name| is_set_here(&name)) {
        return None;
    }
    // The targeted field takes the place of all others (RFC 9213, 2.1). Its keys are lower case by definition.
    let control = HeaderValue::try_from(control.to_str().ok()?.to_ascii_lowercase()).ok()?;
    let mut response = Response::builder().status(status).header(header::CACHE_CONTROL, control);
    for name in [header::AGE, header::VARY] {
        for value in headers.get_all(&name) {
            response = response.header(&name, value);
        }
    }
    let response = response.body(()).ok()?;
    let request = Request::get(uri.clone()).body(()).ok()?;
    let options = CacheOptions { shared: true, cache_heuristic: 0.0, ..CacheOptions::default() };
    // Made and judged at one moment, whichever: what passes after it is counted here.
    let now = SystemTime::UNIX_EPOCH;
    let policy = CachePolicy::new_options(&request, &response, now, options);
    let lifetime = policy.time_to_live(now);
    if !policy.is_storable() || lifetime.is_zero() {
        return None;
    }
    let stored = Instant::now();
    // A number of seconds beyond what a clock holds is for ever.
    let until = stored.checked_add(lifetime).unwrap_or(stored + Duration::from_secs(10 * 365 * 86_400));
    Some(Freshness { stored, age: policy.age(now), until })
}

impl Stored {
    /// A response to keep.
    pub(super) fn new(
        (status, headers, body): (StatusCode, HeaderMap, StoredBody),
        allows_ranges: bool,
        is_compressible: bool,
        freshness: Freshness,
    ) -> Arc<Self> {
        let variants = std::array::from_fn(|_| OnceCell::new());
        Arc::new(Self { status, headers, body, allows_ranges, is_compressible, freshness, variants })
    }

    /// Seconds since the Space made it.
    pub(super) fn age(&self) -> u64 {
        (self.freshness.age + self.freshness.stored.elapsed()).as_secs()
    }

    /// The encoded body, if it was made already: `Some(None)` if encoding gains nothing.
    pub(super) fn made_variant(&self, encoding: Encoding) -> Option<Option<Bytes>> {
        self.variants[encoding as usize].get().cloned()
    }

    /// Makes the encoded body, once for everybody who waits for it; whether it is made now. It is not where all encoders
    /// are at work.
    pub(super) async fn make_variant(&self, encoding: Encoding, budget: &Budget) -> bool {
        let StoredBody::Bytes(body) = &self.body else { return false };
        let make = || async {
            let (body, encoder) = (body.clone(), budget.encoder().ok_or(())?);
            let made = tokio::task::spawn_blocking(move || {
                let _encoder = encoder;
                compress::encode_whole(&body, encoding)
            });
            Ok::<_, ()>(made.await.unwrap_or_default())
        };
        self.variants[encoding as usize].get_or_try_init(make).await.is_ok()
    }
}

impl<'a> KeyRef<'a> {
    /// The key of a request before it is known what the answer varies by.
    pub(super) fn new(
        space: SpaceId,
        generation: u64,
        scheme: Scheme,
        (host, port): (&'a str, &'a str),
        target: &'a str,
    ) -> Self {
        Self { space, generation, scheme, host, port, target, vary: &[] }
    }

    /// The same, to be kept.
    pub(super) fn to_key(self) -> Key {
        Key {
            space: self.space,
            generation: self.generation,
            scheme: self.scheme,
            host: self.host.into(),
            port: self.port.into(),
            target: self.target.into(),
            vary: self.vary.into(),
        }
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // What tells entries apart best; the rest is left to equality.
        self.space.hash(state);
        self.generation.hash(state);
        self.target.hash(state);
        self.vary.hash(state);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.space.hash(state);
        self.generation.hash(state);
        self.target.hash(state);
        self.vary.hash(state);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.space == key.space
            && self.generation == key.generation
            && self.scheme == key.scheme
            && self.host == &*key.host
            && self.port == &*key.port
            && self.target == &*key.target
            && self.vary == &*key.vary
    }
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<Key, Entry> for ByWeight {
    fn weight(&self, key: &Key, entry: &Entry) -> u64 {
        let body = match entry {
            // Encoded variants are made later; together they take about as much as the body.
            Entry::Response(stored) => match &stored.body {
                StoredBody::Bytes(bytes) => bytes.len() as u64 * if stored.is_compressible { 2 } else { 1 },
                StoredBody::File { app, path, .. } => (app.path.as_os_str().len() + path.len()) as u64,
            },
            Entry::Varies(..) => 0,
        };
        body + (key.target.len() + key.vary.len()) as u64 + OVERHEAD
    }
}

fn vary_names(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let lines = headers.get_all(header::VARY).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse().ok())
}

/// Headers that a guest sees otherwise than the visitor sent them: an answer that depends on them cannot be found again
/// by what the next visitor sends.
fn is_set_here(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-forwarded-")
        || name.starts_with("x-spaceport-")
        || matches!(
            name,
            "forwarded"
                | "x-real-ip"
                | "x-request-id"
                | "traceparent"
                | "tracestate"
                | "authorization"
                | "x-hf-authorization"
        )
}

/// The values of these headers, so written that different ones never read the same.
fn vary_values(names: &[HeaderName], series: u64, headers: &HeaderMap) -> Vec<u8> {
    let mut values = series.to_le_bytes().to_vec();
    for name in names {
        for value in headers.get_all(name) {
            values.push(1);
            values.extend_from_slice(&(value.len() as u64).to_le_bytes());
            values.extend_from_slice(value.as_bytes());
        }
        values.push(0);
    }
    values
}

#[cfg(test)]
mod tests;
