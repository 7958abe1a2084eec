use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::testing::{TestHub, request};

#[tokio::test(flavor = "multi_thread")]
async fn every_error_carries_code_message_body_and_request_id() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let huge = json!({ "key": "A", "value": "x".repeat(5 << 20) });
    for (method, path, body, refusal) in [
        (Method::GET, "/nothing/at/all", None, (404, "NotFound")),
        (Method::PATCH, "/api/whoami-v2", None, (405, "MethodNotAllowed")),
        (Method::GET, "/api/spaces/ada/nope", None, (404, "RepoNotFound")),
        (Method::GET, "/api/spaces/ada/bad--name", None, (404, "RepoNotFound")),
        (Method::GET, "/api/spaces/zero-gpu/none", None, (404, "RepoNotFound")),
        (Method::GET, "/api/spaces/ada/page/logs/other", None, (404, "NotFound")),
        (Method::POST, "/api/spaces/ada/page/variables", Some(json!([])), (400, "BadRequest")),
        (Method::POST, "/api/spaces/ada/page/variables", Some(huge), (413, "PayloadTooLarge")),
    ] {
        let answer = hub.call(method, path, body).await;
        assert_eq!(answer.refusal(), refusal, "{path}");
        assert!(!answer.header("x-error-message").unwrap().is_empty(), "{path}");
        assert_eq!(answer.header("x-request-id").unwrap().len(), 32, "{path}");
        assert!(answer.json()["error"].is_string(), "{path}");
        // One `Date`, and that is the connection's to add.
        assert_eq!(answer.header("date"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_said_to_be_wrong_everywhere() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    for path in ["/api/whoami-v2", "/api/spaces/ada/page", "/", "/spaces/ada/page/resolve/main/README.md"] {
        let answer = hub.send(request(Method::GET, path, Some("sp_wrong"), None)).await;
        assert_eq!(answer.refusal(), (401, "InvalidToken"), "{path}");
        assert_eq!(answer.header("x-error-message"), Some("Invalid credentials in Authorization header"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_what() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let ask = async |method: Method, path: &str, token: Option<&str>, body: Option<Value>| {
        let path = format!("/api/spaces/ada/page{path}");
        hub.send(request(method, &path, token, body)).await.status.as_u16()
    };
    let setting = || Some(json!({ "key": "A", "value": "1" }));
    // Nobody, a stranger, the owner.
    for (method, path, body, expected) in [
        (Method::GET, "", None, [200, 200, 200]),
        (Method::GET, "/runtime", None, [200, 200, 200]),
        (Method::GET, "/auth-check", None, [200, 200, 200]),
        (Method::GET, "/auth-check/write", None, [401, 403, 200]),
        (Method::GET, "/variables", None, [401, 403, 200]),
        (Method::GET, "/secrets", None, [401, 403, 200]),
        (Method::POST, "/variables", setting(), [401, 403, 200]),
        (Method::POST, "/secrets", setting(), [401, 403, 200]),
        (Method::PUT, "/settings", Some(json!({})), [401, 403, 200]),
        (Method::POST, "/preupload/main", Some(json!({ "files": [] })), [401, 403, 200]),
    ] {
        let got = [
            ask(method.clone(), path, None, body.clone()).await,
            ask(method.clone(), path, Some(&hub.bob), body.clone()).await,
            ask(method.clone(), path, Some(&hub.ada), body.clone()).await,
        ];
        assert_eq!(got, expected, "{method} {path}");
    }
    assert_eq!(ask(Method::GET, "/logs/run", Some(&hub.bob), None).await, 403);
    let create = json!({ "name": "x", "type": "space", "sdk": "static" });
    let anonymous = hub.send(request(Method::POST, "/api/repos/create", None, Some(create))).await;
    assert_eq!(anonymous.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_come_at_once_one_object_a_line() {
    let hub = TestHub::start().await;
    hub.create("app", "wasm").await;
    hub.commit("app", &[("app.wasm", "\0asm")]).await.expect(200);
    hub.reaches("app", "RUNNING").await;
    for (path, expected) in
        [("run", "hello from the app\n"), ("run?tail=1", "hello from the app\n"), ("build", "built it\n")]
    {
        let request = request(Method::GET, &format!("/api/spaces/ada/app/logs/{path}"), Some(&hub.ada), None);
        let response = hub.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut body = response.into_body();
        let mut text = String::new();
        let read = async {
            while !text.contains(expected.trim_end()) {
                text += std::str::from_utf8(&body.frame().await.unwrap().unwrap().into_data().unwrap()).unwrap();
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(5), read).await.is_ok(), "{path}: {text}");
        let events: Vec<Value> = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|json| serde_json::from_str(json).unwrap())
            .collect();
        let event = events.iter().find(|event| event["data"] == expected).unwrap_or_else(|| panic!("{path}: {text}"));
        assert!(event["timestamp"].as_str().unwrap().ends_with('Z'));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_the_host_is_told_that_it_lives() {
    let hub = TestHub::start().await;
    assert_eq!(hub.send(Request::get("/healthz").body(Body::empty()).unwrap()).await.status, 200);
    assert_eq!(hub.send(Request::get("/readyz").body(Body::empty()).unwrap()).await.status, 200);
}
