//! Signing in at the command line.

use axum::http::Method;
use serde_json::json;

use crate::testing::browser::{Browser, field, form, location};
use crate::testing::{TestHub, request};

const CLIENT: &str = "26be6b09-91c5-47da-9861-d2d2bb7a7e36";

#[tokio::test(flavor = "multi_thread")]
async fn a_user_types_a_code_and_the_program_goes_on() {
    let hub = TestHub::start().await;
    let told = hub.send(form("/oauth/device", &[("client_id", CLIENT)], None)).await.expect(200).json();
    assert_eq!(told["verification_uri"], "http://hub.test/oauth/device");
    let (device, code) = (told["device_code"].as_str().unwrap(), told["user_code"].as_str().unwrap());
    let poll = || {
        let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
        hub.send(form("/oauth/token", &[grant, ("device_code", device), ("client_id", CLIENT)], None))
    };
    assert_eq!(poll().await.expect(400).json()["error"], "authorization_pending");
    assert_eq!(poll().await.expect(400).json()["error"], "slow_down");

    let complete = told["verification_uri_complete"].as_str().unwrap().strip_prefix("http://hub.test").unwrap();
    let mut bob = Browser::new(&hub);
    let login = location(&bob.get(complete).await);
    let page = bob.get(&login).await.expect(200);
    let signing = [("form", field(&page, "form")), ("secret", hub.bob.clone()), ("next", field(&page, "next"))];
    let next = location(&bob.send("/login", &signing).await);
    let page = bob.get(&next).await.expect(200);
    assert!(page.text().contains(code) && page.text().contains("as <strong>bob</strong>"), "{}", page.text());
    let typed = [("form", field(&page, "form")), ("user_code", code.to_lowercase())];
    assert!(location(&bob.send("/oauth/device/answer", &typed).await).starts_with("/oauth/device?user_code="));
    let answer = |form: String, code: &str| [("form", form), ("user_code", code.to_owned()), ("answer", "yes".into())];
    let foreign = bob.send("/oauth/device/answer", &answer(String::new(), code)).await;
    assert_eq!(foreign.refusal(), (403, "ForeignForm"));
    let wrong = bob.send("/oauth/device/answer", &answer(field(&page, "form"), "BCDF-BCDF")).await.expect(200);
    assert!(wrong.text().contains("No program waits"), "{}", wrong.text());
    let right = bob.send("/oauth/device/answer", &answer(field(&page, "form"), code)).await.expect(200);
    assert!(right.text().contains("Signed in"), "{}", right.text());

    let given = poll().await.expect(200).json();
    let access = given["access_token"].as_str();
    let body = json!({ "name": "made", "organization": null, "type": "space", "sdk": "static" });
    hub.send(request(Method::POST, "/api/repos/create", access, Some(body))).await.expect(200);
    let who = hub.send(request(Method::GET, "/api/whoami-v2", access, None)).await.expect(200).json();
    assert_eq!((&who["name"], &who["auth"]["type"]), (&json!("bob"), &json!("oauth")));
    assert_eq!(poll().await.expect(400).json()["error"], "expired_token");
    assert!(bob.get("/settings/applications").await.expect(200).text().contains("The command line"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_command_line_is_given_a_code_and_guessing_one_ends_soon() {
    let hub = TestHub::start().await;
    let refused = hub.send(form("/oauth/device", &[("client_id", "other")], None)).await.expect(401);
    assert_eq!(refused.json()["error"], "invalid_client");
    let told = hub.send(form("/oauth/device", &[("client_id", CLIENT)], None)).await.expect(200).json();
    let mut bob = Browser::signed_in(&hub, &hub.bob).await;
    let token = field(&bob.get("/oauth/device").await.expect(200), "form");
    let mut answer = async |code: &str| {
        let form = [("form", token.clone()), ("user_code", code.to_owned()), ("answer", "yes".into())];
        bob.send("/oauth/device/answer", &form).await.expect(200).text().contains("Signed in")
    };
    for _ in 0..30 {
        assert!(!answer("BCDF-BCDF").await);
    }
    assert!(!answer(told["user_code"].as_str().unwrap()).await, "not even the right one");
}
