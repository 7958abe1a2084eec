//! What people see, as the markup has it; `tests/pages` looks at it in a browser.

mod admin;
mod join;
mod progress;
mod settings;
mod setup;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::testing::browser::Browser;
use crate::testing::{Answer, TestHub};

const HOSTILE: &str = "<script>alert(1)</script>\"'&";

/// A page as a browser asks for it, that nobody is signed in to.
async fn page(hub: &TestHub, path: &str) -> Answer {
    hub.send(Request::get(path).header("accept", "text/html,*/*;q=0.8").body(Body::empty()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn spaces_are_listed_as_cards_and_found() {
    let hub = TestHub::start().await;
    for (name, front) in [
        ("plain", "title: Plain"),
        ("pinned", "title: First of all\npinned: true\nemoji: 🦀\ncolorFrom: red\ncolorTo: pink\ntags: [demo]"),
        ("odd", "pinned: false"),
    ] {
        hub.create(name, "static").await;
        let readme = format!("---\nsdk: static\n{front}\n---\n");
        hub.commit(name, &[("README.md", &readme), ("index.html", name)]).await.expect(200);
        hub.reaches(name, "RUNNING").await;
    }
    hub.create("hidden", "static").await;
    hub.call(Method::PUT, "/api/spaces/ada/hidden/settings", Some(json!({ "private": true }))).await.expect(200);

    let all = page(&hub, "/").await.expect(200);
    let at = |name: &str| all.text().find(&format!("data-space=\"ada/{name}\"")).unwrap_or(usize::MAX);
    assert!(at("pinned") < at("plain") && at("pinned") < at("odd"), "{}", all.text());
    assert!(!all.text().contains("ada/hidden") && all.text().contains("from-red to-pink"));
    assert!(all.text().contains("🦀") && all.text().contains("3 Spaces"));
    for (query, names) in [
        ("search=first", vec!["pinned"]),
        ("tag=demo&sdk=static", vec!["pinned"]),
        ("sdk=docker", vec![]),
        ("hardware=cpu-basic&search=odd", vec!["odd"]),
        ("hardware=t4-small", vec![]),
        ("owner=bob", vec![]),
        ("owner=no/name", vec![]),
        ("owner=ADA&search=plain", vec!["plain"]),
        ("skip=2&sort=created", vec!["plain"]),
        ("skip=x&sort=x", vec!["pinned", "plain", "odd"]),
    ] {
        let found = page(&hub, &format!("/?{query}")).await.expect(200);
        for name in ["pinned", "plain", "odd"] {
            let is_shown = found.text().contains(&format!("data-space=\"ada/{name}\""));
            assert_eq!(is_shown, names.contains(&name), "{query}: {name}");
        }
    }
    assert!(page(&hub, "/ada").await.expect(200).text().contains("3 Spaces"));
    let mut browser = Browser::signed_in(&hub, &hub.ada).await;
    assert!(browser.get("/ada").await.expect(200).text().contains("4 Spaces"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_authors_write_stays_text() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let readme =
        format!("---\nsdk: static\ntitle: {0}\nshort_description: {0}\n---\n", serde_json::to_string(HOSTILE).unwrap());
    hub.commit("page", &[("README.md", &readme), ("index.html", "")]).await.expect(200);
    hub.reaches("page", "RUNNING").await;
    let query = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect::<String>();
    for path in ["/".to_owned(), "/spaces/ada/page".to_owned(), format!("/?search={query}&tag={query}&owner={query}")] {
        let shown = page(&hub, &path).await.expect(200);
        assert!(!shown.text().contains("<script>") && !shown.text().contains("\"'&"), "{path}: {}", shown.text());
        let policy = shown.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_pages_to_browsers_and_say_nothing_of_what_is_hidden() {
    let hub = TestHub::start().await;
    hub.create("hidden", "static").await;
    hub.call(Method::PUT, "/api/spaces/ada/hidden/settings", Some(json!({ "private": true }))).await.expect(200);
    let (hidden, absent) = (page(&hub, "/spaces/ada/hidden").await, page(&hub, "/spaces/ada/absent").await);
    for answer in [&hidden, &absent] {
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(answer.text().contains("href=\"/login?next="), "{}", answer.text());
    }
    let without_names = |answer: &Answer| answer.text().replace("hidden", "").replace("absent", "");
    assert_eq!((hidden.status, without_names(&hidden)), (absent.status, without_names(&absent)));
    assert!(page(&hub, "/nobody").await.text().starts_with("<!doctype html>"));
    assert_eq!(hub.get("/spaces/ada/absent").await.header("content-type"), Some("application/json"));
    let mut browser = Browser::signed_in(&hub, &hub.ada).await;
    let mine = browser.get("/spaces/ada/hidden").await.expect(200);
    assert!(mine.text().contains("private") && mine.text().contains("git clone"), "{}", mine.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_acts_by_the_api_as_who_is_signed_in() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let mut browser = Browser::signed_in(&hub, &hub.ada).await;
    browser.call(Method::POST, "/api/spaces/ada/page/like", None).await.expect(200);
    assert!(browser.get("/spaces/ada/page").await.text().contains("aria-pressed=\"true\""));
    browser.site = "same-site";
    browser.call(Method::DELETE, "/api/spaces/ada/page/like", None).await.expect(401);
    assert!(browser.get("/spaces/ada/page").await.text().contains("aria-pressed=\"true\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_sends_a_large_file_by_itself_as_who_is_signed_in() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let (oid, path) = ("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "/spaces/ada/page/info/lfs");
    let asked = json!({ "operation": "upload", "transfers": ["basic"], "objects": [{ "oid": oid, "size": 5 }] });
    let mut browser = Browser::signed_in(&hub, &hub.ada).await;
    let batch = format!("{path}/objects/batch");
    browser.site = "cross-site";
    browser.call(Method::POST, &batch, Some(asked.clone())).await.expect(401);
    browser.site = "same-origin";
    let answer = browser.call(Method::POST, &batch, Some(asked.clone())).await.expect(200).json();
    let href = answer["objects"][0]["actions"]["upload"]["href"].as_str().unwrap();
    let sent = Request::put(href.strip_prefix("http://hub.test").unwrap()).body(Body::from("hello")).unwrap();
    hub.send(sent).await.expect(200);
    let again = browser.call(Method::POST, &batch, Some(asked.clone())).await.expect(200).json();
    assert!(again["objects"][0].get("actions").is_none(), "{again}");
    let stranger = Browser::signed_in(&hub, &hub.bob).await.call(Method::POST, &batch, Some(asked)).await;
    stranger.expect(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn style_and_scripts_are_kept_by_browsers_until_they_change() {
    let hub = TestHub::start().await;
    let front = page(&hub, "/").await.expect(200);
    let (_, rest) = front.text().split_once("rel=\"stylesheet\" href=\"").unwrap();
    let style = rest.split('"').next().unwrap();
    let kept = page(&hub, style).await.expect(200);
    assert_eq!(kept.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(kept.header("content-type"), Some("text/css; charset=utf-8"));
    let script = page(&hub, "/assets/old/page.js").await.expect(200);
    assert_eq!(script.header("cache-control"), Some("no-cache"));
    page(&hub, "/assets/old/none.js").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_for_a_new_space_says_whether_a_name_is_free() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let mut browser = Browser::signed_in(&hub, &hub.ada).await;
    for (query, words) in [
        ("?owner=ada&name=page", "data-taken>ada/page is there already."),
        ("?owner=ada&name=other", "role=\"status\">ada/other is free."),
        ("?owner=ada&name=no%2Fname", "Letters, digits"),
        ("", "Letters, digits"),
    ] {
        let form = browser.get(&format!("/new-space{query}")).await.expect(200);
        assert!(form.text().contains(words), "{query}: {}", form.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_an_app_is_isolated_where_the_app_wants_it_and_may_be_embedded() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    for (policy, resources, isolated) in [
        ("require-corp", "cross-origin", Some("require-corp")),
        ("credentialless", "cross-origin", Some("credentialless")),
        ("unsafe-none", "cross-origin", None),
        ("require-corp", "same-site", None),
    ] {
        let readme = format!(
            "---\nsdk: static\ncustom_headers:\n  cross-origin-embedder-policy: {policy}\n  \
             cross-origin-resource-policy: {resources}\n---\n"
        );
        hub.commit("page", &[("README.md", &readme), ("index.html", policy)]).await.expect(200);
        let shown = page(&hub, "/spaces/ada/page").await.expect(200);
        assert_eq!(shown.header("cross-origin-embedder-policy"), isolated, "{policy} {resources}");
    }
}
