use super::*;

const SPACE: SpaceId = SpaceId::from_bytes([1; 12]);

impl<'a> KeyRef<'a> {
    /// The key of some Space's answer.
    pub(in crate::edge) fn example(uri: &'a Uri) -> Self {
        key(1, uri)
    }
}

fn key(generation: u64, uri: &Uri) -> KeyRef<'_> {
    let target = uri.path_and_query().unwrap().as_str();
    KeyRef::new(SPACE, generation, Scheme::Http, ("a.localhost", "7860"), target)
}

fn bytes(body: impl Into<Bytes>) -> StoredBody {
    StoredBody::Bytes(body.into())
}

impl ResponseCache {
    /// The body of a fresh response.
    fn body(&self, key: KeyRef<'_>, headers: &HeaderMap) -> Option<Bytes> {
        match self.get(key, headers) {
            Found::Fresh(stored) => match &stored.body {
                StoredBody::Bytes(bytes) => Some(bytes.clone()),
                StoredBody::File { .. } => None,
            },
            _ => None,
        }
    }
}

fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(*name, HeaderValue::from_static(value));
    }
    map
}

fn lifetime(status: u16, headers: &[(&'static str, &'static str)], control: &'static str) -> Option<u64> {
    let status = StatusCode::from_u16(status).unwrap();
    let uri = Uri::from_static("/x");
    let freshness = freshness(&uri, status, &map(headers), &HeaderValue::from_static(control))?;
    Some((freshness.until - freshness.stored).as_secs_f64().round() as u64)
}

fn store(headers: &[(&'static str, &'static str)], body: &'static str) -> Arc<Stored> {
    let (uri, headers) = (Uri::from_static("/x"), map(headers));
    let freshness = freshness(&uri, StatusCode::OK, &headers, &HeaderValue::from_static("max-age=100")).unwrap();
    Stored::new((StatusCode::OK, headers, bytes(body)), true, false, freshness)
}

#[test]
fn only_what_the_space_allows_is_kept() {
    for (control, kept) in [
        ("max-age=60", Some(60)),
        ("Max-Age=60", Some(60)),
        ("public, s-maxage=10, max-age=60", Some(10)),
        ("max-age=31536000, immutable", Some(31_536_000)),
        ("max-age=99999999999999999", Some(99_999_999_999_999_999)),
        ("no-store, max-age=60", None),
        ("private, max-age=60", None),
        ("no-cache, max-age=60", None),
        ("max-age=0", None),
        ("public", None),
        ("", None),
    ] {
        let found = lifetime(200, &[], control);
        assert_eq!(found.is_some(), kept.is_some(), "{control}");
        if kept.is_some_and(|kept| kept < 1_000_000_000) {
            assert_eq!(found, kept, "{control}");
        }
    }
}

#[test]
fn answers_for_one_visitor_are_not_kept() {
    assert_eq!(lifetime(200, &[("set-cookie", "a=b")], "public, max-age=60"), None);
    assert_eq!(lifetime(200, &[("vary", "*")], "max-age=60"), None);
    assert_eq!(lifetime(200, &[("vary", "accept, X-Real-IP")], "max-age=60"), None);
    assert_eq!(lifetime(206, &[("content-range", "bytes 0-1/2")], "max-age=60"), None);
    assert_eq!(lifetime(500, &[], "max-age=60"), None);
    assert_eq!(lifetime(404, &[], "max-age=60"), Some(60));
}

#[test]
fn age_on_arrival_shortens_the_lifetime_and_is_counted_on() {
    assert_eq!(lifetime(200, &[("age", "50")], "max-age=60"), Some(10));
    assert_eq!(store(&[("age", "50")], "x").age(), 50);
}

#[test]
fn the_targeted_field_alone_decides() {
    assert_eq!(lifetime(200, &[("cache-control", "no-store"), ("expires", "0")], "max-age=60"), Some(60));
}

#[test]
fn a_new_generation_sees_nothing_of_the_old() {
    let cache = ResponseCache::new(1 << 20);
    let uri = Uri::from_static("/x?q=1");
    cache.put(key(1, &uri), &HeaderMap::new(), store(&[], "old"));
    assert!(cache.body(key(1, &uri), &HeaderMap::new()).is_some());
    assert!(cache.body(key(2, &uri), &HeaderMap::new()).is_none());
}

#[test]
fn every_part_of_the_address_counts() {
    let cache = ResponseCache::new(1 << 20);
    let uri = Uri::from_static("/x?q=1");
    cache.put(key(1, &uri), &HeaderMap::new(), store(&[], "body"));
    let other = Uri::from_static("/x?q=2");
    let misses = [
        key(1, &other),
        KeyRef { scheme: Scheme::Https, ..key(1, &uri) },
        KeyRef { host: "b.localhost", ..key(1, &uri) },
        KeyRef { port: "80", ..key(1, &uri) },
        KeyRef { space: SpaceId::from_bytes([2; 12]), ..key(1, &uri) },
    ];
    for miss in misses {
        assert!(cache.body(miss, &HeaderMap::new()).is_none(), "{miss:?}");
    }
}

#[test]
fn an_answer_is_given_to_requests_like_its_own_only() {
    let cache = ResponseCache::new(1 << 20);
    let uri = Uri::from_static("/");
    let (de, en) = (map(&[("accept-language", "de")]), map(&[("accept-language", "en")]));
    let headers = [("vary", "Accept-Language, X-Kind")];
    cache.put(key(1, &uri), &de, store(&headers, "hallo"));
    cache.put(key(1, &uri), &en, store(&headers, "hello"));
    assert_eq!(cache.body(key(1, &uri), &de).unwrap(), "hallo");
    assert_eq!(cache.body(key(1, &uri), &en).unwrap(), "hello");
    assert!(cache.body(key(1, &uri), &HeaderMap::new()).is_none());
    let split = map(&[("accept-language", "d"), ("x-kind", "e")]);
    assert!(cache.body(key(1, &uri), &split).is_none());
}

#[test]
fn the_cache_stays_within_its_weight() {
    let cache = ResponseCache::new(1 << 20);
    let uris: Vec<Uri> = (0..200).map(|n| format!("/{n}").parse().unwrap()).collect();
    for uri in &uris {
        let freshness =
            freshness(uri, StatusCode::OK, &HeaderMap::new(), &HeaderValue::from_static("max-age=9")).unwrap();
        let body = Bytes::from(vec![0; 64 << 10]);
        cache.put(
            key(1, uri),
            &HeaderMap::new(),
            Stored::new((StatusCode::OK, HeaderMap::new(), bytes(body)), true, false, freshness),
        );
    }
    assert!(cache.entries.weight() <= 1 << 20, "{}", cache.entries.weight());
    assert!(!cache.entries.is_empty());
}

#[tokio::test]
async fn a_variant_is_made_once_for_everybody() {
    let freshness =
        freshness(&Uri::from_static("/"), StatusCode::OK, &HeaderMap::new(), &HeaderValue::from_static("max-age=9"))
            .unwrap();
    let body = Bytes::from("words ".repeat(1000));
    let stored = Stored::new((StatusCode::OK, HeaderMap::new(), bytes(body)), true, true, freshness);
    assert_eq!(stored.made_variant(Encoding::Br), None);
    let budget = Budget::new(0);
    assert!(stored.make_variant(Encoding::Br, &budget).await);
    let made = stored.made_variant(Encoding::Br).flatten().unwrap();
    assert!(stored.make_variant(Encoding::Br, &budget).await);
    assert_eq!(stored.made_variant(Encoding::Br).flatten().unwrap().as_ptr(), made.as_ptr());
    let encoders: Vec<_> = std::iter::from_fn(|| budget.encoder()).collect();
    assert!(!stored.make_variant(Encoding::Gzip, &budget).await);
    drop(encoders);
    assert!(stored.make_variant(Encoding::Gzip, &budget).await);
}

#[test]
fn what_was_removed_does_not_come_back_with_another_variant() {
    let cache = ResponseCache::new(1 << 20);
    let uri = Uri::from_static("/");
    let (de, en) = (map(&[("accept-language", "de")]), map(&[("accept-language", "en")]));
    let headers = [("vary", "accept-language")];
    cache.put(key(1, &uri), &de, store(&headers, "alt"));
    cache.put(key(1, &uri), &en, store(&headers, "old"));
    cache.remove(key(1, &uri));
    assert!(cache.body(key(1, &uri), &de).is_none());
    cache.put(key(1, &uri), &en, store(&headers, "new"));
    assert_eq!(cache.body(key(1, &uri), &en).unwrap(), "new");
    assert!(cache.body(key(1, &uri), &de).is_none());
}

#[tokio::test]
async fn what_is_no_longer_fresh_is_known_to_have_been_kept() {
    let cache = ResponseCache::new(1 << 20);
    let uri = Uri::from_static("/");
    let mut freshness =
        freshness(&uri, StatusCode::OK, &HeaderMap::new(), &HeaderValue::from_static("max-age=9")).unwrap();
    freshness.until = freshness.stored;
    let stored = Stored::new((StatusCode::OK, HeaderMap::new(), bytes("x")), true, false, freshness);
    cache.put(key(1, &uri), &HeaderMap::new(), stored);
    assert!(
        matches!(cache.get(key(1, &uri), &HeaderMap::new()), Found::Stale(found) if found == key(1, &uri).to_key())
    );
}
