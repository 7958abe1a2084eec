//! What a visitor wants of a representation beyond the whole of it, and what the conditions among that come to (RFC 9110,
//! section 13).

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method};

use super::compress::Preferences;
use super::etag;

/// The parts of a request that choose among ways to send one representation; kept when the request itself is passed on.
#[derive(Debug, Clone)]
pub(super) struct Wants {
    /// The head alone.
    pub(super) is_head: bool,
    /// `Range`, on GET.
    pub(super) range: Option<HeaderValue>,
    /// Encodings by preference.
    pub(super) encodings: Preferences,
    if_match: Option<HeaderValue>,
    if_none_match: Option<HeaderValue>,
    if_modified_since: Option<HeaderValue>,
    if_unmodified_since: Option<HeaderValue>,
    if_range: Option<HeaderValue>,
}

/// What the conditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send it.
    Send,
    /// 304: the visitor has it.
    NotModified,
    /// 412: not the one the visitor means.
    Failed,
}

impl Wants {
    /// Headers that are answered here and would confuse a guest which answers them too.
    pub(super) const HEADERS: [HeaderName; 7] = [
        header::RANGE,
        header::IF_RANGE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_UNMODIFIED_SINCE,
        header::ACCEPT_ENCODING,
    ];

    /// Of a GET or HEAD; no other method wants parts of anything.
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Option<Self> {
        let is_head = *method == Method::HEAD;
        if !is_head && *method != Method::GET {
            return None;
        }
        Some(Self {
            is_head,
            range: headers.get(header::RANGE).filter(|_| !is_head).cloned(),
            encodings: Preferences::of(headers),
            if_match: whole(headers, &header::IF_MATCH),
            if_none_match: whole(headers, &header::IF_NONE_MATCH),
            if_modified_since: headers.get(header::IF_MODIFIED_SINCE).cloned(),
            if_unmodified_since: headers.get(header::IF_UNMODIFIED_SINCE).cloned(),
            if_range: headers.get(header::IF_RANGE).cloned(),
        })
    }

    /// The whole and nothing else, for methods that know no conditions.
    pub(super) fn whole() -> Self {
        let (if_match, if_none_match, if_modified_since, if_unmodified_since, if_range) =
            (None, None, None, None, None);
        let encodings = Preferences::of(&HeaderMap::new());
        Self {
            is_head: false,
            range: None,
            encodings,
            if_match,
            if_none_match,
            if_modified_since,
            if_unmodified_since,
            if_range,
        }
    }

    /// The same in the bytes as they are.
    pub(super) fn unencoded(&self) -> Self {
        Self { encodings: Preferences::of(&HeaderMap::new()), ..self.clone() }
    }

    /// The conditions in the order that the RFC prescribes, against a representation with these headers.
    pub(super) fn verdict(&self, headers: &HeaderMap) -> Verdict {
        let tag = headers.get(header::ETAG);
        let modified = || headers.get(header::LAST_MODIFIED).and_then(date);
        if let Some(list) = &self.if_match {
            if !etag::matches_strongly(list, tag) {
                return Verdict::Failed;
            }
        } else if let (Some(since), Some(modified)) = (self.if_unmodified_since.as_ref().and_then(date), modified())
            && modified > since
        {
            return Verdict::Failed;
        }
        if let Some(list) = &self.if_none_match {
            if etag::matches_weakly(list, tag) {
                return Verdict::NotModified;
            }
        } else if let (Some(since), Some(modified)) = (self.if_modified_since.as_ref().and_then(date), modified())
            && modified <= since
        {
            return Verdict::NotModified;
        }
        Verdict::Send
    }

    /// The ranges to send, unless `If-Range` names another representation.
    pub(super) fn range_of(&self, headers: &HeaderMap) -> Option<&HeaderValue> {
        let range = self.range.as_ref()?;
        let Some(condition) = &self.if_range else { return Some(range) };
        let holds = match date(condition) {
            // A date is exact or it is nothing; without the same date on the representation it cannot be.
            Some(date_wanted) => headers.get(header::LAST_MODIFIED).and_then(date) == Some(date_wanted),
            None => etag::matches_strongly(condition, headers.get(header::ETAG)),
        };
        holds.then_some(range)
    }
}

/// All lines of a list header as one.
fn whole(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?;
    let Some(second) = lines.next() else { return Some(first.clone()) };
    let mut joined = first.as_bytes().to_vec();
    for line in std::iter::once(second).chain(lines) {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(line.as_bytes());
    }
    HeaderValue::from_maybe_shared(Bytes::from(joined)).ok()
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const NEW: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    fn wants(pairs: &[(&'static str, &'static str)]) -> Wants {
        Wants::of(&Method::GET, &map(pairs)).unwrap()
    }

    #[test]
    fn conditions_are_taken_in_the_order_of_the_rfc() {
        let own = map(&[("etag", "\"a\""), ("last-modified", OLD)]);
        for (sent, verdict) in [
            (vec![], Verdict::Send),
            (vec![("if-none-match", "\"a\"")], Verdict::NotModified),
            (vec![("if-none-match", "\"b\""), ("if-modified-since", NEW)], Verdict::Send),
            (vec![("if-modified-since", NEW)], Verdict::NotModified),
            (vec![("if-modified-since", "Sat, 05 Nov 1994 08:49:37 GMT")], Verdict::Send),
            (vec![("if-match", "\"b\"")], Verdict::Failed),
            (vec![("if-match", "\"a\""), ("if-none-match", "\"a\"")], Verdict::NotModified),
            (vec![("if-unmodified-since", "Sat, 05 Nov 1994 08:49:37 GMT")], Verdict::Failed),
            (vec![("if-none-match", "\"x\""), ("if-none-match", "\"a\"")], Verdict::NotModified),
            (vec![("if-modified-since", "yesterday")], Verdict::Send),
        ] {
            assert_eq!(wants(&sent).verdict(&own), verdict, "{sent:?}");
        }
    }

    #[test]
    fn a_range_of_another_representation_is_not_sent() {
        let own = map(&[("etag", "\"a\""), ("last-modified", OLD)]);
        for (condition, applies) in [("\"a\"", true), ("\"b\"", false), ("W/\"a\"", false), (OLD, true), (NEW, false)] {
            let wants = wants(&[("range", "bytes=0-1"), ("if-range", condition)]);
            assert_eq!(wants.range_of(&own).is_some(), applies, "{condition}");
        }
    }

    #[test]
    fn only_get_and_head_want_anything() {
        assert!(Wants::of(&Method::POST, &HeaderMap::new()).is_none());
        let head = Wants::of(&Method::HEAD, &map(&[("range", "bytes=0-1")])).unwrap();
        assert!(head.is_head && head.range.is_none());
    }
}
