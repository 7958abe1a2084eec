use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::admin::{admin_socket_router, metrics_router};
use crate::testing::{TestHub, request};

async fn ask(router: &Router, method: Method, path: &str, body: Option<Value>) -> (u16, String) {
    let response = router.clone().oneshot(request(method, path, None, body)).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_made_over_the_socket_signs_in_with_its_token() {
    let hub = TestHub::start().await;
    let socket = admin_socket_router(hub.control.clone());
    let new = json!({ "name": "grace", "admin": true, "password": "a long password" });
    let (status, body) = ask(&socket, Method::POST, "/users", Some(new.clone())).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(ask(&socket, Method::POST, "/users", Some(new)).await.0, 409);

    let (status, body) =
        ask(&socket, Method::POST, "/tokens", Some(json!({ "user": "grace", "role": "admin", "name": "cli" }))).await;
    assert_eq!(status, 200, "{body}");
    let token = serde_json::from_str::<Value>(&body).unwrap()["token"].as_str().unwrap().to_owned();
    let who = hub.send(request(Method::GET, "/api/whoami-v2", Some(&token), None)).await.expect(200).json();
    assert_eq!((&who["name"], &who["isAdmin"]), (&json!("grace"), &json!(true)));

    let accounts = hub.control.accounts();
    let name = "grace".parse().unwrap();
    assert!(accounts.authenticate_password(&name, "a long password".into()).await.unwrap().is_some());
    assert!(accounts.authenticate_password(&name, "another password".into()).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_refuses_what_makes_no_sense() {
    let hub = TestHub::start().await;
    let socket = admin_socket_router(hub.control.clone());
    for (path, body, status, expected) in [
        ("/users", json!({ "name": "a b" }), 400, "letters"),
        ("/users", json!({ "name": "API" }), 400, "reserved"),
        ("/users", json!({ "name": "x", "password": "short" }), 400, "8 to"),
        ("/users", json!({ "name": "x", "colour": "red" }), 400, "colour"),
        ("/tokens", json!({ "user": "nobody", "role": "read", "name": "" }), 404, "nobody"),
        ("/tokens", json!({ "user": "ada", "role": "king", "name": "" }), 400, "read, write or admin"),
        ("/tokens", json!({ "user": "ada", "role": "admin", "name": "" }), 400, "administer"),
    ] {
        let (got, body) = ask(&socket, Method::POST, path, Some(body)).await;
        assert_eq!(got, status, "{body}");
        assert!(body.contains(expected), "{expected}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_told_for_every_space() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    hub.reaches("page", "RUNNING").await;
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = metrics_router(hub.control.clone(), Arc::default()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&text).unwrap();
    assert!(text.contains("spaceport_space_stage{space=\"ada/page\",stage=\"RUNNING\"} 1"), "{text}");
}
