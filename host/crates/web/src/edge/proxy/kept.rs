//! Answers from the cache: a lookup and a few headers, no guest, no system call.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, Method, Response, Uri, header};
use percent_encoding::percent_decode_str;
use spaceport_control::routes::{RouteEntry, RouteTarget};
use spaceport_core::space::Sdk;

use crate::edge::Edge;
use crate::edge::body::EdgeBody;
use crate::edge::cache::{Found, Key, KeyRef, Stored, StoredBody};
use crate::edge::conditional::Wants;
use crate::edge::context::Scheme;
use crate::edge::headers::has_own_authorization;
use crate::edge::respond::{self, NotYet};
use crate::edge::sendfile::{self, Content};

use super::Site;

/// A kept answer and what a visitor wants of it.
pub(super) struct Kept {
    pub(super) wants: Wants,
    pub(super) stored: Arc<Stored>,
}

/// The head of a request, as far as a kept answer may depend on it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    /// What an answer depends on may be in the body, where no key can tell.
    pub(super) has_body: bool,
}

/// Where the answers of an entry to a visitor of a site are kept.
pub(super) struct Shelf<'a> {
    pub(super) entry: &'a RouteEntry,
    pub(super) scheme: Scheme,
    pub(super) host: &'a str,
    pub(super) port: &'a str,
}

/// The answer that is kept, or else the key by which one call may fetch it for all who ask.
pub(super) type Lookup = Result<Kept, Option<Key>>;

impl<'a> Shelf<'a> {
    /// For a visitor of `site`.
    pub(super) fn new(entry: &'a RouteEntry, scheme: Scheme, site: &'a Site) -> Self {
        Self { entry, scheme, host: site.host(), port: site.port() }
    }

    /// What a static Space answers depends on no query and no port, and each spelling of a path means the same. A visitor
    /// who makes them up must not fill the cache, nor get past it.
    fn is_static(&self) -> bool {
        self.entry.sdk == Sdk::Static
    }

    fn target<'u>(&self, uri: &'u Uri) -> Cow<'u, str> {
        if !self.is_static() {
            return uri.path_and_query().map_or("/", |target| target.as_str()).into();
        }
        let path = uri.path();
        match path.contains('%').then(|| percent_decode_str(path).decode_utf8()) {
            None => path.into(),
            Some(Ok(decoded)) => decoded,
            // No path of a file; and without its slash like no other.
            Some(Err(_)) => path.trim_start_matches('/').into(),
        }
    }

    fn key<'k>(&'k self, target: &'k str) -> KeyRef<'k> {
        let port = if self.is_static() { "" } else { self.port };
        KeyRef::new(self.entry.space, self.entry.generation, self.scheme, (self.host, port), target)
    }

    /// The answer that is kept for a request.
    pub(super) fn find(&self, edge: &Edge, asked: Asked<'_>) -> Lookup {
        // A Space that is paused or broken does not live on in the cache.
        let is_unavailable = matches!(self.entry.target, RouteTarget::Unavailable { .. });
        if is_unavailable || asked.has_body || has_own_authorization(asked.headers) {
            return Err(None);
        }
        let Some(wants) = Wants::of(asked.method, asked.headers) else { return Err(None) };
        let target = self.target(asked.uri);
        let key = self.key(&target);
        // An app's answer to anything but a plain GET is not kept, so nobody can wait for it.
        let will_be_kept = self.is_static() || (!wants.is_head && !asked.headers.contains_key(header::RANGE));
        match edge.cache.get(key, asked.headers) {
            Found::Fresh(stored) => Ok(Kept { wants, stored }),
            Found::Stale(key) if will_be_kept => Err(Some(key)),
            Found::Absent if self.is_static() => Err(Some(key.to_key())),
            Found::Stale(_) | Found::Absent => Err(None),
        }
    }

    /// Keeps an answer to a request for `uri` with these headers.
    pub(super) fn put(&self, edge: &Edge, uri: &Uri, headers: &HeaderMap, stored: Arc<Stored>) {
        edge.cache.put(self.key(&self.target(uri)), headers, stored);
    }

    /// Forgets what is kept for `uri`.
    pub(super) fn remove(&self, edge: &Edge, uri: &Uri) {
        edge.cache.remove(self.key(&self.target(uri)));
    }
}

impl Kept {
    /// The answer, if there is nothing to wait for.
    pub(super) fn now(&self) -> Option<Response<EdgeBody>> {
        respond::from_stored(&self.wants, &self.stored).ok()
    }

    /// The answer. Waits for an encoding that is made for the first time and for a file to be opened; `None` if that is
    /// gone.
    pub(super) async fn answer(&self, edge: &Edge) -> Option<Response<EdgeBody>> {
        match respond::from_stored(&self.wants, &self.stored) {
            Ok(response) => Some(response),
            Err(NotYet::Encode(encoding)) => {
                let is_made = self.stored.make_variant(encoding, &edge.budget).await;
                let wants = if is_made { Cow::Borrowed(&self.wants) } else { Cow::Owned(self.wants.unencoded()) };
                respond::from_stored(&wants, &self.stored).ok()
            }
            Err(NotYet::Open) => self.open(edge).await,
        }
    }

    async fn open(&self, edge: &Edge) -> Option<Response<EdgeBody>> {
        let StoredBody::File { app, path, length } = &self.stored.body else { return None };
        let opened = sendfile::open(app, path.to_string(), 0, &edge.budget).await.ok()?;
        match opened.content {
            Content::File(file) if opened.length == *length => {
                Some(respond::from_stored_file(&self.wants, &self.stored, (file, *length), &edge.budget))
            }
            _ => None,
        }
    }
}
