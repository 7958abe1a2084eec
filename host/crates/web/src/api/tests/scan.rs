//! Secrets in commits: who is told, what is told, and what becomes of a token of this host.

use axum::http::Method;
use serde_json::{Value, json};

use crate::testing::{TestHub, request};

/// Findings of ada's Space, without what differs from run to run.
async fn findings(hub: &TestHub, name: &str) -> Vec<Value> {
    let list = hub.get(&format!("/api/spaces/ada/{name}/scan")).await.expect(200).json();
    assert_eq!(list["next"], Value::Null);
    let mut items = list["items"].as_array().unwrap().clone();
    for item in &mut items {
        assert_eq!(item["revision"].as_str().unwrap().len(), 40);
        assert!(item["found_at"].as_str().unwrap().ends_with('Z'));
        let item = item.as_object_mut().unwrap();
        item.remove("revision");
        item.remove("found_at");
    }
    items
}

fn finding(path: &str, line: u32, excerpt: &str, in_history: bool) -> Value {
    json!({
        "rule": "test-secret", "path": path, "line": line, "excerpt": excerpt, "revoked": false, "in_history": in_history,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_with_a_secret_is_made_and_its_author_is_warned() {
    let hub = TestHub::start().await;
    hub.create("site", "static").await;
    let clean = hub.commit("site", &[("a.txt", "nothing"), ("b.png", "leaked:in_an_image")]).await.expect(200);
    assert_eq!(clean.header("x-hf-warning"), None);
    assert_eq!(findings(&hub, "site").await, Vec::<Value>::new());

    let leaky = hub.commit("site", &[("app.py", "x = 1\nKEY = 'leaked:hunter2'\n")]).await.expect(200);
    let warning = leaky.header("x-hf-warning").unwrap();
    for words in ["secret-scan; ", "test-secret in app.py line 2", "http://hub.test/api/spaces/ada/site/scan"] {
        assert!(warning.contains(words), "{words}: {warning}");
    }
    assert_eq!(findings(&hub, "site").await, [finding("app.py", 2, "KEY = …", false)]);
    let told = hub.get("/api/spaces/ada/site/scan").await;
    assert!(!told.text().contains("hunter2") && !warning.contains("hunter2"), "{told:?}");

    // It moves within its file, then goes, and the history remembers it.
    hub.commit("site", &[("app.py", "\n\n\nKEY = 'leaked:hunter2'\n")]).await.expect(200);
    assert_eq!(findings(&hub, "site").await, [finding("app.py", 4, "KEY = …", false)]);
    hub.commit("site", &[("app.py", "KEY = os.environ['KEY']\n")]).await.expect(200);
    assert_eq!(findings(&hub, "site").await, [finding("app.py", 4, "KEY = …", true)]);
    // Back again, and beside it another, which is newer.
    hub.commit("site", &[("app.py", "KEY = 'leaked:hunter2'\n"), ("b.py", "leaked:other")]).await.expect(200);
    let both = findings(&hub, "site").await;
    assert_eq!(both, [finding("b.py", 1, "…", false), finding("app.py", 1, "KEY = …", false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_for_those_who_see_the_settings() {
    let hub = TestHub::start().await;
    hub.create("site", "static").await;
    hub.commit("site", &[("a.txt", "leaked:x")]).await.expect(200);
    let of = "/api/spaces/ada/site/scan";
    let asked = async |token: Option<&str>| hub.send(request(Method::GET, of, token, None)).await.status.as_u16();
    assert_eq!((asked(None).await, asked(Some(&hub.bob)).await, asked(Some(&hub.ada)).await), (401, 403, 200));
    let missing = hub.get("/api/spaces/ada/nothing/scan").await;
    assert_eq!(missing.refusal(), (404, "RepoNotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_token_of_this_host_is_revoked_at_once() {
    let hub = TestHub::start().await;
    hub.create("site", "static").await;
    let invalid = format!("sp_{}", "a".repeat(36));
    let text = format!("BOB = \"{}\"\nX = \"{invalid}\"\n", hub.bob);
    let answer = hub.commit("site", &[("app.py", &text)]).await.expect(200);
    let warning = answer.header("x-hf-warning").unwrap();
    assert!(warning.contains("1 valid token(s) of this host among them: revoked now"), "{warning}");
    let whoami = hub.send(request(Method::GET, "/api/whoami-v2", Some(&hub.bob), None)).await;
    assert_eq!(whoami.status.as_u16(), 401);
    hub.get("/api/whoami-v2").await.expect(200);
    let found = findings(&hub, "site").await;
    let row = |line: u32, excerpt: &str, revoked: bool| {
        json!({
            "rule": "spaceport-token", "path": "app.py", "line": line, "excerpt": excerpt, "revoked": revoked,
            "in_history": false,
        })
    };
    assert_eq!(found, [row(1, "BOB = sp_…", true), row(2, "X = sp_…", false)]);
    // That it was revoked stays known when it is seen again.
    hub.commit("site", &[("app.py", &format!("\n{text}"))]).await.expect(200);
    assert_eq!(findings(&hub, "site").await, [row(2, "BOB = sp_…", true), row(3, "X = sp_…", false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_fails_or_raves_stops_no_commit_and_takes_nothing_back() {
    let hub = TestHub::start().await;
    hub.create("site", "static").await;
    hub.commit("site", &[("app.py", "leaked:x")]).await.expect(200);
    for text in ["the scanner breaks", "the scanner raves"] {
        let answer = hub.commit("site", &[("z.py", text)]).await.expect(200);
        assert_eq!(answer.header("x-hf-warning"), None);
        assert_eq!(findings(&hub, "site").await, [finding("app.py", 1, "…", false)]);
    }
    // Whether the secret is still there nobody knows until the file is looked through.
    hub.commit("site", &[("app.py", "the scanner breaks")]).await.expect(200);
    assert_eq!(findings(&hub, "site").await, [finding("app.py", 1, "…", false)]);
    hub.commit("site", &[("app.py", "fine")]).await.expect(200);
    assert_eq!(findings(&hub, "site").await, [finding("app.py", 1, "…", true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_findings_of_its_own() {
    let hub = TestHub::start().await;
    hub.create("site", "static").await;
    hub.commit("site", &[("app.py", "leaked:x")]).await.expect(200);
    let copy = json!({ "repository": "ada/copy" });
    hub.post("/api/spaces/ada/site/duplicate", copy).await.expect(200);
    // The copy is looked through in the background; a commit waits for its turn after that.
    hub.commit("copy", &[("b.txt", "fine")]).await.expect(200);
    assert_eq!(findings(&hub, "copy").await, [finding("app.py", 1, "…", false)]);
}
