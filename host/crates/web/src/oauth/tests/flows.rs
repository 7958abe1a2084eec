//! Whole sign-ins, as the programs do them that Spaces use.

use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::testing::browser::{Browser, VERIFIER, field, form, location, question, sent_back, space};
use crate::testing::{TestHub, request};

const PAGE: &str = "http://ada-page.static.spaces.test/";
const CALLBACK: &str = "http://ada-app.spaces.test/login/callback";

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_signs_in_at_a_static_space() {
    let hub = TestHub::start().await;
    let client = space(&hub, "page", "static", "title: Page of ada\nhf_oauth_scopes: [email, read-repos]\n").await;
    let found = hub.send(request(Method::GET, "/.well-known/openid-configuration", None, None)).await.expect(200);
    assert_eq!(found.header("access-control-allow-origin"), Some("*"));
    let found = found.json();
    assert_eq!(found["issuer"], "http://hub.test");
    assert_eq!(found["authorization_endpoint"], "http://hub.test/oauth/authorize");

    // The question leads to the form, and the form back to the question.
    let mut bob = Browser::new(&hub);
    let asked = question(&client, PAGE, &[("scope", "openid profile read-repos"), ("nonce", "n-1")]);
    let login = location(&bob.get(&asked).await);
    assert!(login.starts_with("/login?next="), "{login}");
    let page = bob.get(&login).await.expect(200);
    let signing = [("form", field(&page, "form")), ("secret", hub.bob.clone()), ("next", field(&page, "next"))];
    let next = location(&bob.send("/login", &signing).await);
    let consent = bob.get(&next).await.expect(200);
    for words in
        ["Page of ada", "ada/page", "by ada", "as <strong>bob</strong>", "read your Spaces", PAGE.trim_end_matches('/')]
    {
        assert!(consent.text().contains(words), "{words:?} is not in {}", consent.text());
    }
    assert!(!consent.text().contains("e-mail"), "what is not asked for");
    let back = sent_back(&bob.answer(&consent, "yes").await, PAGE);
    assert_eq!((back["state"].as_str(), back["iss"].as_str()), ("st=a&b", "http://hub.test"));

    // The page turns the code into tokens: it says neither who it is nor a secret.
    let preflight = Request::options("/oauth/token").header("origin", "http://ada-page.static.spaces.test");
    let preflight = hub.send(preflight.body(Body::empty()).unwrap()).await.expect(204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("authorization"));
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", &back["code"]),
        ("redirect_uri", PAGE),
        ("code_verifier", VERIFIER),
    ];
    let answer = hub.send(form("/oauth/token", &exchange, None)).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let tokens = answer.json();
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("bearer"), &json!(480 * 60)));
    assert_eq!(tokens["scope"], "openid profile read-repos");
    let claims = claims(&tokens);
    assert_eq!((&claims["nonce"], &claims["aud"], &claims["name"]), (&json!("n-1"), &json!(client), &json!("bob")));

    let access = tokens["access_token"].as_str().unwrap();
    let about = hub.send(request(Method::GET, "/oauth/userinfo", Some(access), None)).await.expect(200).json();
    assert_eq!((&about["sub"], &about["preferred_username"]), (&claims["sub"], &json!("bob")));
    assert_eq!(about["profile"], "http://hub.test/bob");
    let picture = about["picture"].as_str().unwrap().strip_prefix("http://hub.test").unwrap();
    let picture = hub.send(request(Method::GET, picture, None, None)).await.expect(200);
    assert_eq!(picture.header("content-type"), Some("image/svg+xml"));
    let whoami = hub.send(request(Method::GET, "/api/whoami-v2", Some(access), None)).await.expect(200).json();
    assert_eq!((&whoami["name"], &whoami["auth"]["type"]), (&json!("bob"), &json!("oauth")));
    assert!(whoami["auth"]["expiresAt"].as_str().unwrap().ends_with('Z'));

    // The next time nobody is asked anything.
    let back = sent_back(&bob.get(&asked).await, PAGE);
    assert!(back["code"].starts_with("spc_"));
    let again = hub.send(form("/oauth/token", &exchange, None)).await.expect(400).json();
    assert_eq!(again["error"], "invalid_grant");
    hub.send(request(Method::GET, "/oauth/userinfo", Some(access), None)).await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_signs_a_visitor_in_with_its_secret_and_refreshes() {
    let hub = TestHub::start().await;
    let client = space(&hub, "app", "wasm", "").await;
    let env: std::collections::BTreeMap<_, _> = hub.env.lock().iter().cloned().collect();
    assert_eq!((&env["OAUTH_CLIENT_ID"], env["OPENID_PROVIDER_URL"].as_str()), (&client, "http://hub.test"));
    let secret = env["OAUTH_CLIENT_SECRET"].as_str();

    let mut bob = Browser::signed_in(&hub, &hub.bob).await;
    let bare = [("code_challenge", ""), ("code_challenge_method", "")];
    let consent = bob.get(&question(&client, CALLBACK, &bare)).await.expect(200);
    let back = sent_back(&bob.answer(&consent, "yes").await, CALLBACK);
    let exchange = [("grant_type", "authorization_code"), ("code", back["code"].as_str()), ("redirect_uri", CALLBACK)];
    let wrong = hub.send(form("/oauth/token", &exchange, Some((&client, "guessed")))).await.expect(401);
    assert!(wrong.header("www-authenticate").unwrap().starts_with("Basic"));
    assert_eq!(wrong.json()["error"], "invalid_client");
    let named = [&exchange[..], &[("client_id", client.as_str()), ("client_secret", secret)]].concat();
    let twice = hub.send(form("/oauth/token", &named, Some((&client, secret)))).await.expect(400).json();
    assert_eq!(twice["error"], "invalid_request");
    let tokens = hub.send(form("/oauth/token", &exchange, Some((&client, secret)))).await.expect(200).json();

    let refresh = |token: &Value| {
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap())];
        let named = [&pairs[..], &[("client_id", client.as_str()), ("client_secret", secret)]].concat();
        hub.send(form("/oauth/token", &named, None))
    };
    let next = refresh(&tokens["refresh_token"]).await.expect(200).json();
    assert_ne!(next["access_token"], tokens["access_token"]);
    assert_eq!(claims(&next)["sub"], claims(&tokens)["sub"]);
    assert_eq!(claims(&next).get("nonce"), None);
    let stolen = refresh(&tokens["refresh_token"]).await.expect(400).json();
    assert_eq!(stolen["error"], "invalid_grant");
    assert!(stolen["error_description"].as_str().unwrap().contains("used before"));
    refresh(&next["refresh_token"]).await.expect(400);
    let access = next["access_token"].as_str();
    hub.send(request(Method::GET, "/oauth/userinfo", access, None)).await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_gives_a_space_another_secret() {
    let hub = TestHub::start().await;
    space(&hub, "app", "wasm", "").await;
    let secret =
        || hub.env.lock().iter().find(|(name, _)| name == "OAUTH_CLIENT_SECRET").map(|(_, value)| value.clone());
    let first = secret();
    let path = "/api/spaces/ada/app/oauth/secret";
    hub.send(request(Method::POST, path, Some(&hub.bob), None)).await.expect(403);
    assert_eq!(hub.post(path, json!({})).await.expect(200).json(), json!({}));
    hub.reaches("app", "RUNNING").await;
    let actor = hub.control.accounts().authenticate(&hub.ada).unwrap().unwrap().user;
    let actor = spaceport_core::permission::Actor::User(actor);
    let mut changes = hub.control.changes(&actor, &"ada/app".parse().unwrap()).unwrap();
    let changed = changes.wait_for(|_| secret() != first);
    tokio::time::timeout(std::time::Duration::from_secs(20), changed).await.unwrap().unwrap();
    assert!(secret().is_some());
    hub.create("plain", "static").await;
    let refused = hub.post("/api/spaces/ada/plain/oauth/secret", json!({})).await.expect(400);
    assert!(refused.json()["error"].as_str().unwrap().contains("hf_oauth"));
}

/// What an id token says.
fn claims(tokens: &Value) -> Value {
    let token = tokens["id_token"].as_str().unwrap();
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}
