use super::*;

const SPACE: SpaceId = SpaceId::from_bytes([1; 12]);

fn key(generation: u64, uri: &Uri) -> KeyRef<'_> {
    KeyRef::new(SPACE, generation, Scheme::Http, ("a.localhost", "7860"), uri)
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
    Stored::new((StatusCode::OK, headers, Bytes::from_static(body.as_bytes())), true, false, freshness)
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
    assert!(cache.get(key(1, &uri), &HeaderMap::new()).is_some());
    assert!(cache.get(key(2, &uri), &HeaderMap::new()).is_none());
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
        assert!(cache.get(miss, &HeaderMap::new()).is_none(), "{miss:?}");
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
    assert_eq!(cache.get(key(1, &uri), &de).unwrap().body, "hallo");
    assert_eq!(cache.get(key(1, &uri), &en).unwrap().body, "hello");
    assert!(cache.get(key(1, &uri), &HeaderMap::new()).is_none());
    let split = map(&[("accept-language", "d"), ("x-kind", "e")]);
    assert!(cache.get(key(1, &uri), &split).is_none());
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
            Stored::new((StatusCode::OK, HeaderMap::new(), body), true, false, freshness),
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
    let stored = Stored::new((StatusCode::OK, HeaderMap::new(), body), true, true, freshness);
    assert_eq!(stored.made_variant(Encoding::Br), None);
    let made = stored.make_variant(Encoding::Br).await.unwrap();
    let again = stored.make_variant(Encoding::Br).await.unwrap();
    assert_eq!(made.as_ptr(), again.as_ptr());
    assert_eq!(stored.made_variant(Encoding::Br), Some(Some(made)));
}
