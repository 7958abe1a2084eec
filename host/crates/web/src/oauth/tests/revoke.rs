//! Applications that give back what they hold, and what they are told of a user's address.

use axum::http::Method;
use serde_json::{Value, json};

use crate::testing::browser::{Browser, VERIFIER, form, question, sent_back, space};
use crate::testing::{Answer, TestHub, request};

const PAGE: &str = "http://ada-page.static.spaces.test/";
const CALLBACK: &str = "http://ada-app.spaces.test/login/callback";

/// The tokens of bob at the static Space `page`.
async fn tokens(hub: &TestHub, client: &str, scope: &str) -> Value {
    let mut bob = Browser::signed_in(hub, &hub.bob).await;
    let consent = bob.get(&question(client, PAGE, &[("scope", scope), ("prompt", "consent")])).await.expect(200);
    let back = sent_back(&bob.answer(&consent, "yes").await, PAGE);
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", back["code"].as_str()),
        ("redirect_uri", PAGE),
        ("code_verifier", VERIFIER),
    ];
    hub.send(form("/oauth/token", &exchange, None)).await.expect(200).json()
}

async fn profile(hub: &TestHub, tokens: &Value) -> Answer {
    hub.send(request(Method::GET, "/oauth/userinfo", tokens["access_token"].as_str(), None)).await
}

async fn revoke(hub: &TestHub, token: &Value) -> Answer {
    hub.send(form("/oauth/revoke", &[("token", token.as_str().unwrap())], None)).await
}

async fn refresh(hub: &TestHub, tokens: &Value) -> Answer {
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    hub.send(form("/oauth/token", &pairs, None)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_ends_alone_and_a_refresh_token_with_the_whole_sign_in() {
    let hub = TestHub::start().await;
    let root = hub.administrator("root").await;
    let client = space(&hub, "page", "static", "").await;
    let found = hub.send(request(Method::GET, "/.well-known/openid-configuration", None, None)).await.json();
    assert_eq!(found["revocation_endpoint"], "http://hub.test/oauth/revoke");

    let (first, other) = (tokens(&hub, &client, "openid").await, tokens(&hub, &client, "openid").await);
    let second = refresh(&hub, &first).await.expect(200).json();
    let ended = revoke(&hub, &first["access_token"]).await.expect(200);
    assert_eq!((ended.text(), ended.header("access-control-allow-origin")), ("", Some("*")));
    profile(&hub, &first).await.expect(401);
    profile(&hub, &second).await.expect(200);
    revoke(&hub, &first["access_token"]).await.expect(200);

    let third = refresh(&hub, &second).await.expect(200).json();
    revoke(&hub, &third["refresh_token"]).await.expect(200);
    for ended in [&second, &third] {
        profile(&hub, ended).await.expect(401);
    }
    refresh(&hub, &third).await.expect(400);
    profile(&hub, &other).await.expect(200);

    let log = hub.send(request(Method::GET, "/api/admin/audit?actor=bob", Some(&root), None)).await.expect(200).json();
    let items = log["items"].as_array().unwrap().iter().filter(|item| item["action"] == "oauth.revoke");
    assert_eq!(items.map(|item| &item["target"]).collect::<Vec<_>>(), [&json!(client), &json!(client)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_application_itself_ends_its_tokens_and_nobody_learns_which_there_are() {
    let hub = TestHub::start().await;
    let client = space(&hub, "app", "wasm", "").await;
    let env: std::collections::BTreeMap<_, _> = hub.env.lock().iter().cloned().collect();
    let secret = env["OAUTH_CLIENT_SECRET"].as_str();
    let other = space(&hub, "page", "static", "").await;
    let mut bob = Browser::signed_in(&hub, &hub.bob).await;
    let bare = [("code_challenge", ""), ("code_challenge_method", "")];
    let consent = bob.get(&question(&client, CALLBACK, &bare)).await.expect(200);
    let back = sent_back(&bob.answer(&consent, "yes").await, CALLBACK);
    let exchange = [("grant_type", "authorization_code"), ("code", back["code"].as_str()), ("redirect_uri", CALLBACK)];
    let held = hub.send(form("/oauth/token", &exchange, Some((&client, secret)))).await.expect(200).json();

    let token = ("token", held["refresh_token"].as_str().unwrap());
    let hint = ("token_type_hint", "refresh_token");
    let by_itself = [token, ("client_id", client.as_str()), hint];
    let by_other = [token, ("client_id", other.as_str()), hint];
    for (pairs, basic, status, error) in [
        (&by_itself[..], None, 401, "invalid_client"),
        (&[token][..], None, 401, "invalid_client"),
        (&by_other[..], None, 400, "invalid_grant"),
        (&[token][..], Some((client.as_str(), "guessed")), 401, "invalid_client"),
        (&[token][..], Some(("nobody", "x")), 401, "invalid_client"),
        (&[][..], Some((client.as_str(), secret)), 400, "invalid_request"),
        (&[token, token][..], Some((client.as_str(), secret)), 400, "invalid_request"),
    ] {
        let refused = hub.send(form("/oauth/revoke", pairs, basic)).await.expect(status);
        assert_eq!(refused.json()["error"], error, "{pairs:?} {basic:?}");
    }
    profile(&hub, &held).await.expect(200);
    for text in ["nonsense", "spr_nonsense", hub.ada.as_str()] {
        hub.send(form("/oauth/revoke", &[("token", text)], Some((&client, secret)))).await.expect(200);
    }
    hub.get("/api/whoami-v2").await.expect(200);
    hub.send(form("/oauth/revoke", &[token], Some((&client, secret)))).await.expect(200);
    profile(&hub, &held).await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_told_to_whom_the_user_lets_see_it() {
    let hub = TestHub::start().await;
    let root = hub.administrator("root").await;
    let client = space(&hub, "page", "static", "hf_oauth_scopes: [email]\n").await;
    let email = |method, body| hub.send(request(method, "/api/admin/users/bob/email", Some(&root), body));
    let none = tokens(&hub, &client, "openid email").await;
    assert_eq!(profile(&hub, &none).await.expect(200).json().get("email"), None, "none is known");

    email(Method::PUT, Some(json!({ "address": "no address" }))).await.expect(400);
    let set = json!({ "address": "bob@example.org", "verified": true });
    assert_eq!(email(Method::PUT, Some(set)).await.expect(200).json()["address"], "bob@example.org");
    let (sees, not) = (tokens(&hub, &client, "openid email").await, tokens(&hub, &client, "openid").await);
    let about = profile(&hub, &sees).await.expect(200).json();
    assert_eq!((&about["email"], &about["email_verified"]), (&json!("bob@example.org"), &json!(true)));
    assert_eq!(profile(&hub, &not).await.expect(200).json().get("email"), None);
    let who = |token: Option<String>| {
        let hub = &hub;
        async move {
            let who = hub.send(request(Method::GET, "/api/whoami-v2", token.as_deref(), None)).await.expect(200).json();
            (who["email"].clone(), who["emailVerified"].clone())
        }
    };
    let access = |tokens: &Value| tokens["access_token"].as_str().map(str::to_owned);
    assert_eq!(who(access(&sees)).await, (json!("bob@example.org"), json!(true)));
    assert_eq!(who(access(&not)).await, (Value::Null, json!(false)));
    assert_eq!(who(Some(hub.bob.clone())).await, (json!("bob@example.org"), json!(true)));
    let shown = hub.send(request(Method::GET, "/api/admin/users/bob", Some(&root), None)).await.expect(200).json();
    assert_eq!(shown["email"]["verified"], true);

    email(Method::DELETE, None).await.expect(200);
    assert_eq!(profile(&hub, &sees).await.expect(200).json().get("email"), None);
}
