use super::*;

fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(*name, HeaderValue::from_static(value));
    }
    map
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn nothing_about_the_connection_or_from_an_impostor_gets_through() {
    let mut headers = map(&[
        ("host", "a.localhost"),
        ("accept", "*/*"),
        ("connection", "close, X-Secret-Hop, host"),
        ("x-secret-hop", "1"),
        ("keep-alive", "5"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("proxy-authorization", "Basic x"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "for=1.2.3.4"),
        ("x-real-ip", "1.2.3.4"),
        ("x-request-id", "forged"),
        ("x-spaceport-hop", "0"),
        ("x-spaceport-anything", "1"),
    ]);
    clean_request(&mut headers);
    assert_eq!(names(&headers), ["accept", "host"]);
}

#[test]
fn what_proves_a_visitor_to_the_hub_stays_with_the_hub() {
    let mut headers = map(&[
        ("authorization", "Bearer sp_abc"),
        ("x-hf-authorization", "Bearer sp_abc"),
        ("cookie", "a=1; spaceport_session=x; b=2"),
        ("cookie", "__Host-spaceport-csrf=y; c=3"),
    ]);
    assert_eq!(hub_token(&headers).as_deref(), Some("sp_abc"));
    remove_credentials(&mut headers);
    assert_eq!(headers.get("cookie").unwrap(), "a=1; b=2; c=3");
    assert_eq!(names(&headers), ["cookie"]);
}

#[test]
fn what_the_app_asks_for_goes_to_the_app() {
    let mut headers = map(&[("authorization", "Bearer app-token"), ("cookie", "a=1;b=2")]);
    assert!(has_own_authorization(&headers));
    assert_eq!(hub_token(&headers), None);
    remove_credentials(&mut headers);
    assert_eq!(headers, map(&[("authorization", "Bearer app-token"), ("cookie", "a=1;b=2")]));
}

#[test]
fn cookies_that_came_in_pieces_are_put_together() {
    let mut headers = map(&[("cookie", "a=1"), ("cookie", "b=2; c=3")]);
    remove_credentials(&mut headers);
    assert_eq!(headers, map(&[("cookie", "a=1; b=2; c=3")]));
}

#[test]
fn bytes_that_are_no_text_neither_hide_a_cookie_of_ours_nor_lose_one_of_the_apps() {
    let value = |bytes: &[u8]| HeaderValue::from_bytes(bytes).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, value(b"a=\xe4; spaceport_session=x; b=2"));
    remove_credentials(&mut headers);
    assert_eq!(headers[header::COOKIE], value(b"a=\xe4; b=2"));
    headers.insert(header::SET_COOKIE, value(b"a=\xe4; Domain=localhost; Path=/"));
    headers.append(header::SET_COOKIE, value(b"spaceport_session=\xe4"));
    headers.append(header::SET_COOKIE, value(b"b=\xe4"));
    clean_response(&mut headers, "a.localhost");
    let cookies: Vec<_> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
    assert_eq!(cookies, [value(b"a=\xe4; Path=/"), value(b"b=\xe4")]);
}

#[test]
fn trailers_of_a_response_cannot_say_what_a_head_may_not() {
    let mut trailers = map(&[
        ("x-sum", "1"),
        ("set-cookie", "a=1"),
        ("content-length", "9"),
        ("x-sendfile", "a"),
        ("connection", "x"),
    ]);
    clean_response_trailers(&mut trailers);
    assert_eq!(names(&trailers), ["x-sum"]);
}

#[test]
fn a_space_sets_cookies_for_its_own_host_only() {
    let mut headers = map(&[
        ("set-cookie", "a=1; Domain=localhost; Path=/"),
        ("set-cookie", "b=2; domain=.A.localhost; HttpOnly"),
        ("set-cookie", "c=3"),
        ("set-cookie", "__Host-spaceport_session=stolen; Secure"),
        ("set-cookie", "spaceport-x=1"),
    ]);
    clean_response(&mut headers, "a.localhost");
    let cookies: Vec<&str> = headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2; domain=.A.localhost; HttpOnly", "c=3"]);
}

#[test]
fn a_response_keeps_nothing_that_drives_the_host() {
    let mut headers = map(&[
        ("content-type", "text/plain"),
        ("connection", "x-inner"),
        ("x-inner", "1"),
        ("x-sendfile", "a"),
        ("cdn-cache-control", "max-age=1"),
        ("x-spaceport-error", "forged"),
        ("x-request-id", "forged"),
        ("date", "yesterday"),
        ("transfer-encoding", "chunked"),
        ("trailer", "x-sum"),
    ]);
    clean_response(&mut headers, "a.localhost");
    assert_eq!(names(&headers), ["content-type", "trailer"]);
}

#[test]
fn what_a_private_space_answers_is_kept_by_browsers_alone() {
    for (said, told) in [
        (vec![], "private"),
        (vec!["public, max-age=60"], "private, max-age=60"),
        (vec!["max-age=60, S-MaxAge=600", "Public, immutable"], "private, max-age=60, immutable"),
        (vec!["no-store"], "private, no-store"),
        (vec!["private=\"set-cookie, x-a\", max-age=5"], "private, max-age=5"),
        (vec!["no-cache=\"public, x-b\""], "private, no-cache=\"public, x-b\""),
    ] {
        let mut headers = map(&[("surrogate-control", "max-age=9"), ("vendor-cdn-cache-control", "max-age=9")]);
        for line in &said {
            headers.append("cache-control", HeaderValue::from_static(line));
        }
        keep_private(&mut headers);
        assert_eq!(names(&headers), ["cache-control"]);
        assert_eq!(headers["cache-control"], told, "{said:?}");
    }
}
