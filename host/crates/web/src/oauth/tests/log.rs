//! What the audit log has of signing in, at the hub and at Spaces.

use axum::http::Method;
use serde_json::json;

use crate::testing::browser::{Browser, field, form, location, question, sent_back, space};
use crate::testing::{TestHub, request};

const PAGE: &str = "http://ada-page.static.spaces.test/";
const COMMAND_LINE: &str = "26be6b09-91c5-47da-9861-d2d2bb7a7e36";

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_anywhere_and_taking_it_back_is_in_the_audit_log() {
    let hub = TestHub::start().await;
    let root = hub.administrator("root").await;
    let client = space(&hub, "page", "static", "").await;
    let mut bob = Browser::signed_in(&hub, &hub.bob).await;
    let consent = bob.get(&question(&client, PAGE, &[])).await.expect(200);
    sent_back(&bob.answer(&consent, "yes").await, PAGE);
    let device = hub.send(form("/oauth/device", &[("client_id", COMMAND_LINE)], None)).await.expect(200).json();
    let code = device["user_code"].as_str().unwrap().to_owned();
    let page = bob.get(&format!("/oauth/device?user_code={code}")).await.expect(200);
    let yes = [("form", field(&page, "form")), ("user_code", code), ("answer", "yes".to_owned())];
    bob.send("/oauth/device/answer", &yes).await.expect(200);
    let poll = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", device["device_code"].as_str().unwrap()),
        ("client_id", COMMAND_LINE),
    ];
    hub.send(form("/oauth/token", &poll, None)).await.expect(200);
    let page = bob.get("/settings/applications").await.expect(200);
    bob.send("/settings/applications", &[("form", field(&page, "form")), ("id", client.clone())]).await.expect(303);
    let page = bob.get("/logout").await.expect(200);
    location(&bob.send("/logout", &[("form", field(&page, "form"))]).await);

    let log = hub.send(request(Method::GET, "/api/admin/audit?actor=bob", Some(&root), None)).await.expect(200).json();
    let items = log["items"].as_array().unwrap();
    let mut actions: Vec<&str> = items.iter().map(|item| item["action"].as_str().unwrap()).collect();
    // Two of one millisecond stand in any order.
    actions.sort_unstable();
    assert_eq!(actions, ["oauth.disconnect", "oauth.sign_in", "oauth.sign_in", "session.begin", "session.end"]);
    let of = |action: &str, member: &str| {
        items.iter().filter(|item| item["action"] == action).map(|item| item[member].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("oauth.disconnect", "target"), [json!(client)]);
    assert!(of("oauth.sign_in", "target").contains(&json!(COMMAND_LINE)), "{log}");
    assert_eq!(of("session.begin", "detail"), [json!({ "by": "token" })]);
}
