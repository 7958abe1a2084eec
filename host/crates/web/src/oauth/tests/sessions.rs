//! Signing in and out with a browser, and what its cookie is good for.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::testing::browser::{Browser, field, form, location};
use crate::testing::{TestHub, request};

const PASSWORD: &str = "correct horse battery";

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_in_by_password_and_goes_on_to_paths_of_the_hub_only() {
    let hub = TestHub::start().await;
    hub.set_password("cyd", PASSWORD).await;
    let mut browser = Browser::new(&hub);
    let page = browser.get("/login?next=//evil.example/").await.expect(200);
    assert_eq!(field(&page, "next"), "/");
    let form = |name: &str, secret: &str, next: &str| {
        [("form", field(&page, "form")), ("name", name.into()), ("secret", secret.into()), ("next", next.into())]
    };
    let wrong = browser.send("/login", &form("\"><script>", "wrong", "/")).await.expect(401);
    assert!(wrong.text().contains("are not right") && !wrong.text().contains("<script>"), "{}", wrong.text());
    assert_eq!(browser.cookies.len(), 1, "the visitor's alone");
    let right = browser.send("/login", &form("cyd", PASSWORD, "https://evil.example/")).await;
    assert_eq!(location(&right), "/");
    let cookie = right.header("set-cookie").unwrap();
    assert!(cookie.starts_with("spaceport-session=sps_"), "{cookie}");
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Max-Age=2592000"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains("Secure"), "{cookie}");
    assert!(browser.get("/").await.expect(200).text().contains("cyd"));
}

#[tokio::test(flavor = "multi_thread")]
async fn through_tls_no_other_host_can_set_or_see_the_cookie() {
    let hub = TestHub::start_with("https", "hub.test").await;
    let browser = Browser::signed_in(&hub, &hub.bob).await;
    let names: Vec<&str> = browser.cookies.keys().map(String::as_str).collect();
    assert_eq!(names, ["__Host-spaceport-session", "__Host-spaceport-visitor"]);
    let mut browser = Browser::new(&hub);
    let page = browser.get("/login").await;
    assert!(page.header("set-cookie").unwrap().ends_with("; Secure"), "{page:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_signs_nobody_in() {
    let hub = TestHub::start().await;
    let mut browser = Browser::new(&hub);
    let page = browser.get("/login").await.expect(200);
    let signing = [("form", field(&page, "form")), ("secret", hub.bob.clone())];
    for site in ["cross-site", "same-site", "none"] {
        browser.site = site;
        assert_eq!(browser.send("/login", &signing).await.refusal(), (403, "ForeignForm"), "{site}");
    }
    browser.site = "same-origin";
    assert_eq!(browser.send("/login", &signing[1..]).await.refusal(), (403, "ForeignForm"));
    let mut other = Browser::new(&hub);
    assert_eq!(other.send("/login", &signing).await.refusal(), (403, "ForeignForm"), "of another visitor");
    // Browsers that do not say more say at least the origin.
    let by_origin = |origin: &str| {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&signing).finish();
        let request = Request::post("/login").header("cookie", browser.cookie()).header("origin", origin);
        hub.send(request.body(Body::from(body)).unwrap())
    };
    by_origin("http://ada-page.static.spaces.test").await.expect(403);
    by_origin("null").await.expect(403);
    by_origin("http://hub.test").await.expect(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_ends_after_some_tries() {
    let hub = TestHub::start().await;
    let mut browser = Browser::new(&hub);
    let page = browser.get("/login").await.expect(200);
    let wrong = [("form", field(&page, "form")), ("secret", "spo_wrong".to_owned())];
    for _ in 0..30 {
        browser.send("/login", &wrong).await.expect(401);
    }
    let right = [("form", field(&page, "form")), ("secret", hub.bob.clone())];
    let refused = browser.send("/login", &right).await.expect(429);
    assert!(refused.text().contains("try again in"), "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_shows_pages_and_calls_the_api_only_from_a_page_of_the_hub() {
    let hub = TestHub::start().await;
    let body = json!({ "name": "hidden", "organization": null, "type": "space", "sdk": "static", "private": true });
    hub.post("/api/repos/create", body).await.expect(200);
    let path = "/spaces/ada/hidden";
    let nobody = Browser::new(&hub).get(path).await.expect(404);
    assert!(nobody.text().contains("/login?next=/spaces/ada/hidden"), "{}", nobody.text());
    Browser::signed_in(&hub, &hub.bob).await.get(path).await.expect(404);
    let mut ada = Browser::signed_in(&hub, &hub.ada).await;
    assert!(ada.get(path).await.expect(200).text().contains("ada/hidden"));
    assert!(ada.get("/").await.expect(200).text().contains("ada/hidden"));

    for path in ["/api/whoami-v2", "/api/spaces/ada/hidden", "/spaces/ada/hidden/raw/main/README.md"] {
        ada.get(path).await.expect(401);
    }
    let token = field(&ada.get("/logout").await.expect(200), "form");
    let call = |method: Method, path: &str, headers: &[(&'static str, &str)]| {
        let body = json!({ "key": "A", "value": "b" });
        let mut request = request(method, path, None, Some(body));
        request.headers_mut().insert("cookie", ada.cookie().parse().unwrap());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        hub.send(request)
    };
    let variables = "/api/spaces/ada/hidden/variables";
    for headers in [
        &[][..],
        &[("sec-fetch-site", "same-origin")],
        &[("x-csrf-token", "guessed"), ("sec-fetch-site", "same-origin")],
        &[("x-csrf-token", &token), ("sec-fetch-site", "same-site")],
        &[("x-csrf-token", &token), ("origin", "http://ada-page.static.spaces.test")],
    ] {
        call(Method::POST, variables, headers).await.expect(401);
    }
    let ours = [("x-csrf-token", token.as_str()), ("sec-fetch-site", "same-origin")];
    call(Method::POST, variables, &ours).await.expect(200);
    assert_eq!(call(Method::GET, "/api/whoami-v2", &ours).await.expect(200).json()["name"], "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_takes_a_form_and_ends_the_session_for_good() {
    let hub = TestHub::start().await;
    let mut ada = Browser::signed_in(&hub, &hub.ada).await;
    let page = ada.get("/logout").await.expect(200);
    let stolen = ada.cookie();
    assert_eq!(ada.send("/logout", &[]).await.refusal(), (403, "ForeignForm"));
    assert!(ada.get("/").await.text().contains("Sign out"));
    // Another site's form comes without the cookie.
    let foreign = hub.send(form("/logout", &[], None)).await.expect(303);
    assert_eq!(foreign.header("set-cookie"), None);
    assert_eq!(location(&ada.send("/logout", &[("form", field(&page, "form"))]).await), "/");
    assert!(!ada.cookies.contains_key("spaceport-session"));
    assert!(ada.get("/").await.text().contains("Sign in"));
    let request = Request::get("/").header("cookie", stolen).body(Body::empty()).unwrap();
    assert!(hub.send(request).await.expect(200).text().contains("Sign in"), "the cookie is worth nothing");
    assert_eq!(location(&ada.get("/logout").await), "/");
}
