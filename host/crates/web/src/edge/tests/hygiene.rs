use spaceport_core::space::Visibility;

use super::harness::*;

#[tokio::test]
async fn the_guest_sees_what_is_for_it_and_nothing_else() {
    let front = Front::start().await;
    let space = front.space("hello", |_| async { says(&[], "") });
    let sent = [
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-host", "evil.example"),
        ("x-spaceport-anything", "1"),
        ("x-hf-authorization", "Bearer sp_member"),
        ("authorization", "Bearer sp_member"),
        ("cookie", "spaceport_session=s; app=1"),
        ("x-request-id", "forged"),
        ("te", "trailers"),
        ("accept", "text/plain"),
    ];
    let reply = front.get_with(&space.host, "/a%20b?q=%22", &sent).await;
    let seen = space.seen();
    assert_eq!(seen.uri(), "/a%20b?q=%22");
    let mut names: Vec<&str> = seen.headers().keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "accept",
        "cookie",
        "host",
        "traceparent",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "x-request-id",
    ];
    assert_eq!(names, expected);
    for (name, value) in [
        ("cookie", "app=1"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", space.host.as_str()),
        ("x-request-id", reply.header("x-request-id")),
    ] {
        assert_eq!(seen.headers()[name], value, "{name}");
    }
}

#[tokio::test]
async fn the_visitor_sees_what_the_space_may_say() {
    let front = Front::start().await;
    let space = front.space("hello", |_| async {
        says(
            &[
                ("x-spaceport-error", "forged"),
                ("cdn-cache-control", "no-store"),
                ("connection", "x-inner"),
                ("x-inner", "1"),
                ("set-cookie", "a=1; Domain=localhost"),
                ("set-cookie", "b=2"),
                ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("link", "</style.css>; rel=preload"),
                ("content-security-policy", "default-src 'self'"),
            ],
            "x",
        )
    });
    space.change(|entry| {
        entry.disable_embedding = true;
        entry.custom_headers.insert("cross-origin-opener-policy".into(), "same-origin".into());
    });
    let reply = front.get(&space.host, "/").await;
    for name in ["x-spaceport-error", "cdn-cache-control", "x-inner"] {
        assert!(!reply.headers.contains_key(name), "{name}");
    }
    let all =
        |name: &str| -> Vec<&str> { reply.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect() };
    assert_eq!(all("set-cookie"), ["a=1", "b=2"]);
    let hub = format!("http://localhost:{}", front.addr.port());
    assert_eq!(
        all("link"),
        ["</style.css>; rel=preload".into(), format!("<{hub}/spaces/ada/hello>; rel=\"canonical\"")]
    );
    assert_eq!(all("content-security-policy"), ["default-src 'self'".into(), format!("frame-ancestors 'self' {hub}")]);
    assert_eq!(reply.header("cross-origin-opener-policy"), "same-origin");
    assert_eq!(all("date").len(), 1);
    assert!(!reply.header("date").contains("1994"));
}

#[tokio::test]
async fn a_private_space_is_not_there_for_strangers() {
    let front = Front::start().await;
    let space = front.space("hidden", |_| async { says(&[], "the secret") });
    space.change(|entry| {
        entry.visibility = Visibility::Private;
        entry.custom_headers.insert("cross-origin-opener-policy".into(), "same-origin".into());
    });
    let missing = front.get("missing.localhost", "/").await;
    for headers in [vec![], vec![("authorization", "Bearer sp_stranger")], vec![("authorization", "Bearer other")]] {
        let reply = front.get_with(&space.host, "/", &headers).await;
        assert_eq!(reply.error(), "not_found");
        let names = |reply: &Reply| reply.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!((reply.status, names(&reply)), (missing.status, names(&missing)), "{headers:?}");
    }
    assert_eq!((space.calls(), space.slot.last_used()), (0, 0), "strangers keep it awake");
    assert_eq!(space.slot.metrics.counts().requests, 0);
    for name in ["authorization", "x-hf-authorization"] {
        let reply = front.get_with(&space.host, "/", &[(name, "Bearer sp_member")]).await;
        assert_eq!(reply.text(), "the secret");
        assert!(!space.seen().headers().contains_key(name));
    }
}

#[tokio::test]
async fn what_was_said_of_another_trace_goes_with_it() {
    let front = Front::start().await;
    let space = front.space("hello", |_| async { says(&[], "") });
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (traceparent, is_kept) in [(trace, true), ("nonsense", false)] {
        front.get_with(&space.host, "/", &[("traceparent", traceparent), ("tracestate", "a=b")]).await;
        let seen = space.seen();
        assert_eq!(seen.headers().contains_key("tracestate"), is_kept, "{traceparent}");
        assert_eq!(seen.headers()["traceparent"] == trace, is_kept);
    }
}

#[tokio::test]
async fn a_request_that_goes_in_circles_is_stopped() {
    let front = Front::start().await;
    let space = front.space("hello", |_| async { says(&[], "") });
    front.get_with(&space.host, "/", &[("x-spaceport-hop", "4")]).await;
    let seen = space.seen();
    assert!(!seen.headers().contains_key("x-spaceport-hop"));
    assert_eq!(seen.extensions().get::<crate::edge::Hops>(), Some(&crate::edge::Hops(4)));
    let reply = front.get_with(&space.host, "/", &[("x-spaceport-hop", "5")]).await;
    assert_eq!((reply.status.as_u16(), reply.error().as_str()), (508, "loop_detected"));
}

#[tokio::test]
async fn an_address_with_a_pass_is_let_in_and_the_app_sees_nothing_of_it() {
    let front = Front::start().await;
    let space = front.space("hidden", |_| async { says(&[("set-cookie", "app=1")], "the secret") });
    let cookies = |reply: &Reply| -> Vec<String> {
        reply.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap().to_owned()).collect()
    };
    // An app that everybody may visit keeps its own parameters.
    front.get(&space.host, "/page?__sign=a.pass.here").await;
    assert_eq!(space.seen().uri(), "/page?__sign=a.pass.here");

    space.change(|entry| entry.visibility = Visibility::Private);
    let reply = front.get(&space.host, "/page?a=1&__sign=a.pass.here&b=%2F").await;
    assert_eq!((reply.text(), space.seen().uri().to_string()), ("the secret", "/page?a=1&b=%2F".into()));
    let [of_app, ours] = &cookies(&reply)[..] else { panic!("{:?}", reply.headers) };
    assert_eq!(of_app, "app=1");
    let ours = ours.split(';').next().unwrap().to_owned();
    let from = format!("http://{}/page?__sign=a.pass.here&b=1", space.host);
    let visit = [("cookie", &*format!("x=y; {ours}")), ("referer", &*from)];
    let reply = front.get_with(&space.host, "/style.css", &visit).await;
    assert_eq!((reply.text(), cookies(&reply).len()), ("the secret", 1));
    let seen = space.seen();
    assert_eq!(seen.headers()["referer"], from.replace("__sign=a.pass.here&", ""));
    assert_eq!(seen.headers()["cookie"], "x=y");

    let calls = space.calls();
    for path in ["/?__sign=another.pass.here", "/?__sign=", "/?__sign=sp_member"] {
        let reply = front.get(&space.host, path).await;
        assert_eq!((reply.error().as_str(), cookies(&reply).len()), ("not_found", 0), "{path}");
    }
    assert_eq!(space.calls(), calls);
}
