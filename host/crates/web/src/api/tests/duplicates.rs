use axum::http::Method;
use serde_json::{Value, json};

use crate::testing::{Answer, TestHub, request};

async fn duplicate(hub: &TestHub, body: Value) -> Answer {
    hub.post("/api/spaces/ada/page/duplicate", body).await
}

async fn as_bob(hub: &TestHub, method: Method, path: &str, body: Option<Value>) -> Answer {
    hub.send(request(method, path, Some(&hub.bob), body)).await
}

/// A Space of two commits, with a variable, a secret and a tag.
async fn original() -> TestHub {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    hub.commit("page", &[("a.txt", "1")]).await.expect(200);
    hub.post("/api/spaces/ada/page/tag/main", json!({ "tag": "v1" })).await.expect(200);
    for (key, value) in [("A", "1"), ("B", "2")] {
        let variable = json!({ "key": key, "value": value, "description": "what it is for" });
        hub.post("/api/spaces/ada/page/variables", variable).await.expect(200);
    }
    hub.post("/api/spaces/ada/page/secrets", json!({ "key": "KEY", "value": "hidden" })).await.expect(200);
    hub.reaches("page", "RUNNING").await;
    hub
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_the_history_and_the_variables_and_not_the_secrets() {
    let hub = original().await;
    let body = json!({
        "repository": "bob/copy",
        "private": true,
        "variables": [{ "key": "B", "value": "other" }, { "key": "C", "value": "3" }],
        "secrets": [{ "key": "MINE", "value": "x" }],
    });
    let made = as_bob(&hub, Method::POST, "/api/spaces/ada/page/duplicate", Some(body)).await.expect(200);
    assert_eq!(made.json()["url"], "http://hub.test/spaces/bob/copy");
    let warnings: Vec<&str> =
        made.headers.get_all("x-hf-warning").iter().map(|warning| warning.to_str().unwrap()).collect();
    assert!(
        warnings.iter().any(|warning| warning.starts_with("missing-secrets;") && warning.ends_with(": KEY")),
        "{warnings:?}"
    );
    assert!(warnings.iter().any(|warning| warning.starts_with("static-secret;")), "{warnings:?}");

    let get =
        async |path: &str| as_bob(&hub, Method::GET, &format!("/api/spaces/{path}"), None).await.expect(200).json();
    let (copy, page) = (get("bob/copy").await, get("ada/page").await);
    assert_eq!((&copy["sha"], &copy["siblings"], &copy["sdk"]), (&page["sha"], &page["siblings"], &page["sdk"]));
    assert_eq!((&copy["private"], copy["_id"] == page["_id"]), (&json!(true), false));
    assert_eq!(get("bob/copy/commits/main").await, get("ada/page/commits/main").await);
    assert_eq!(get("bob/copy/refs").await, get("ada/page/refs").await);
    let variables = get("bob/copy/variables").await;
    let values = ["A", "B", "C"].map(|name| variables[name]["value"].as_str().unwrap());
    assert_eq!((values, &variables["B"]["description"]), (["1", "other", "3"], &json!("what it is for")));
    let secrets = get("bob/copy/secrets").await;
    assert_eq!(secrets.as_object().unwrap().keys().collect::<Vec<_>>(), ["MINE"]);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while get("bob/copy/runtime").await["stage"] != "RUNNING" {
        assert!(tokio::time::Instant::now() < deadline, "it does not run");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // What happens to one is nothing to the other.
    hub.call(Method::DELETE, "/api/repos/delete", Some(json!({ "name": "ada/page", "type": "space" })))
        .await
        .expect(200);
    let file = as_bob(&hub, Method::GET, "/spaces/bob/copy/resolve/v1/a.txt", None).await.expect(200);
    assert_eq!(file.text(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_name_that_is_taken_answers_with_what_is_there() {
    let hub = original().await;
    for body in [json!({ "repository": "ada/page" }), json!({ "repository": "Page" }), json!({})] {
        let answer = duplicate(&hub, body).await.expect(409);
        assert_eq!(answer.json()["url"], "http://hub.test/spaces/ada/page");
    }
    let same = as_bob(&hub, Method::POST, "/api/spaces/ada/page/duplicate", Some(json!({}))).await.expect(200);
    assert_eq!(same.json()["name"], "bob/page", "by default the same name, of the caller");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_cannot_be_made_leaves_nothing() {
    let hub = original().await;
    for (body, status, words) in [
        (json!({ "repository": "bob/copy" }), 403, "own namespace"),
        (json!({ "repository": "ada/bad--name" }), 400, "letters"),
        (json!({ "repository": "ada/../x" }), 400, "letters"),
        (json!({ "repository": 1 }), 400, "JSON"),
        (json!({ "repository": "ada/copy", "hardware": "t4-small" }), 400, "cpu-basic"),
        (json!({ "repository": "ada/copy", "storageTier": "tiny" }), 400, "small, medium, large"),
        (json!({ "repository": "ada/copy", "visibility": "secret" }), 400, "public, protected or private"),
        (json!({ "repository": "ada/copy", "secrets": [{ "key": "1X", "value": "" }] }), 400, "1X"),
        (json!({ "repository": "ada/copy", "volumes": [{ "type": "bucket" }] }), 400, "storage"),
        (json!({ "repository": "ada/copy", "sleepTimeSeconds": -7 }), 400, "sleep time"),
    ] {
        let answer = duplicate(&hub, body.clone()).await.expect(status);
        assert!(answer.json()["error"].as_str().unwrap().contains(words), "{body}: {answer:?}");
    }
    let create = json!({ "name": "v", "type": "space", "sdk": "static", "volumes": [{ "type": "bucket" }] });
    assert_eq!(hub.post("/api/repos/create", create).await.refusal(), (400, "NotOffered"));
    assert_eq!(hub.get("/api/spaces").await.json().as_array().unwrap().len(), 1);

    hub.call(Method::PUT, "/api/spaces/ada/page/settings", Some(json!({ "visibility": "protected" })))
        .await
        .expect(200);
    let hidden = as_bob(&hub, Method::POST, "/api/spaces/ada/page/duplicate", Some(json!({}))).await;
    assert_eq!(hidden.refusal(), (404, "RepoNotFound"));
    let nobody = hub.send(request(Method::POST, "/api/spaces/ada/page/duplicate", None, Some(json!({})))).await;
    assert_eq!(nobody.refusal(), (401, "RepoNotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_host_does_not_do_is_said_in_words() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    hub.create("app", "wasm").await;
    let volume = json!({ "volumes": [{ "type": "bucket", "source": "a/b", "mountPath": "/data" }] });
    for (method, path, body, words) in [
        (Method::POST, "app/dev-mode", Some(json!({ "enabled": true })), "no dev mode"),
        (Method::POST, "page/dev-mode", Some(json!({ "enabled": true })), "static"),
        (Method::POST, "app/dev-mode", Some(json!({})), "enabled"),
        (Method::POST, "app/replicas", Some(json!({ "replicas": 2 })), "one replica"),
        (Method::POST, "app/replicas", Some(json!({ "replicas": "x" })), "JSON"),
        (Method::PUT, "app/volumes", Some(volume), "storage"),
        (Method::PUT, "app/volumes", Some(json!({})), "volumes"),
        (Method::DELETE, "app/volumes", None, "no volumes"),
    ] {
        let path = format!("/api/spaces/ada/{path}");
        let answer = hub.call(method.clone(), &path, body.clone()).await.expect(400);
        assert!(answer.json()["error"].as_str().unwrap().contains(words), "{path}: {answer:?}");
        as_bob(&hub, method.clone(), &path, body.clone()).await.expect(if words == "JSON" { 400 } else { 403 });
        hub.send(request(method, &path, None, body)).await.expect(if words == "JSON" { 400 } else { 401 });
    }
    for (method, path, body) in [
        (Method::POST, "app/dev-mode", json!({ "enabled": false })),
        (Method::POST, "app/replicas", json!({ "replicas": 1 })),
        (Method::PUT, "app/volumes", json!({ "volumes": [] })),
    ] {
        let runtime = hub.call(method, &format!("/api/spaces/ada/{path}"), Some(body)).await.expect(200).json();
        assert_eq!(runtime["devMode"], false, "{path}");
    }
}
