//! What a Space can do with a user's token at the hub.

use axum::http::Method;
use serde_json::json;

use crate::testing::browser::{Browser, VERIFIER, form, question, sent_back, space};
use crate::testing::{Answer, TestHub, request};

const PAGE: &str = "http://ada-page.static.spaces.test/";

/// The tokens of bob at a Space that asks for this.
async fn access(hub: &TestHub, client: &str, scope: &str) -> String {
    let mut bob = Browser::signed_in(hub, &hub.bob).await;
    let asked = question(client, PAGE, &[("scope", scope), ("prompt", "consent")]);
    let consent = bob.get(&asked).await.expect(200);
    let back = sent_back(&bob.answer(&consent, "yes").await, PAGE);
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", back["code"].as_str()),
        ("redirect_uri", PAGE),
        ("code_verifier", VERIFIER),
    ];
    let tokens = hub.send(form("/oauth/token", &exchange, None)).await.expect(200).json();
    tokens["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_at_the_hub_what_its_scopes_say() {
    let hub = TestHub::start().await;
    let scopes = "hf_oauth_scopes: [email, read-repos, write-repos, manage-repos]\n";
    let client = space(&hub, "page", "static", scopes).await;
    let body = json!({ "name": "own", "organization": null, "type": "space", "sdk": "static", "private": true });
    hub.send(request(Method::POST, "/api/repos/create", Some(&hub.bob), Some(body))).await.expect(200);
    let variable = json!({ "key": "A", "value": "b" });
    for (scope, sees, writes) in
        [("openid email", 401, 401), ("openid read-repos", 200, 403), ("openid write-repos", 200, 200)]
    {
        let token = access(&hub, &client, scope).await;
        let call = |method: Method, path: &'static str, body| hub.send(request(method, path, Some(&token), body));
        let status = |answer: Answer| answer.status.as_u16();
        assert_eq!(status(call(Method::GET, "/api/spaces/ada/page", None).await), 200, "{scope}");
        assert_eq!(status(call(Method::GET, "/api/spaces/bob/own", None).await), sees, "{scope}");
        let written = call(Method::POST, "/api/spaces/bob/own/variables", Some(variable.clone())).await;
        assert_eq!(status(written), writes, "{scope}");
        assert_eq!(call(Method::GET, "/api/whoami-v2", None).await.expect(200).json()["name"], "bob");
        let others = call(Method::POST, "/api/spaces/ada/page/variables", Some(variable.clone())).await;
        assert!([401, 403].contains(&status(others)), "{scope}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_of_an_application_is_told_nothing() {
    let hub = TestHub::start().await;
    for token in [None, Some("spo_x"), Some(hub.ada.as_str())] {
        let answer = hub.send(request(Method::GET, "/oauth/userinfo", token, None)).await.expect(401);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        assert_eq!(answer.json()["error"], "invalid_token");
    }
    let wrong = format!("spo_{}", "0".repeat(80));
    let answer = hub.send(request(Method::GET, "/api/whoami-v2", Some(&wrong), None)).await;
    assert_eq!(answer.refusal(), (401, "InvalidToken"));
}
