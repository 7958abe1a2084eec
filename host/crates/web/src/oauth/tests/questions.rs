//! Questions that are wrong, or are answered with no.

use crate::testing::TestHub;
use crate::testing::browser::{Browser, field, location, question, sent_back, space};

const PAGE: &str = "http://ada-page.static.spaces.test/back?x=1";

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_an_address_that_is_not_the_spaces_own() {
    let hub = TestHub::start().await;
    let client = space(&hub, "page", "static", "").await;
    hub.create("other", "static").await;
    let mut bob = Browser::signed_in(&hub, &hub.bob).await;
    for (client, redirect) in [
        (client.as_str(), "http://evil.example/"),
        (client.as_str(), "http://ada-other.static.spaces.test/"),
        (client.as_str(), "http://hub.test/login"),
        (client.as_str(), "http://ada-page.static.spaces.test:81/"),
        (client.as_str(), "javascript:alert(1)"),
        (client.as_str(), ""),
        ("000000000000000000000000", PAGE),
        ("<script>", PAGE),
        ("", PAGE),
    ] {
        let answer = bob.get(&question(client, redirect, &[])).await.expect(400);
        assert_eq!(answer.header("location"), None, "{redirect}");
        assert!(answer.text().contains("You cannot sign in there") && !answer.text().contains("<script>"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    }
    bob.get("/oauth/authorize").await.expect(400);
    let consent = bob.get(&question(&client, PAGE, &[])).await.expect(200);
    let changed = field(&consent, "request").replace("ada-page.static.spaces.test", "evil.example");
    let form = [("form", field(&consent, "form")), ("request", changed), ("answer", "yes".into())];
    let answer = bob.send("/oauth/consent", &form).await.expect(400);
    assert_eq!(answer.header("location"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_space_is_told_what_is_wrong_and_what_the_user_said() {
    let hub = TestHub::start().await;
    let client = space(&hub, "page", "static", "hf_oauth_scopes: [email]\n").await;
    let mut bob = Browser::new(&hub);
    let asked = |more: &[(&str, &str)]| question(&client, PAGE, more);
    for (more, error) in [
        (&[("prompt", "none")][..], "login_required"),
        (&[("scope", "openid write-repos")], "invalid_scope"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("request", "x.y.z")], "request_not_supported"),
        (&[("scope", "email"), ("scope", "openid")], "invalid_request"),
    ] {
        let back = sent_back(&bob.get(&asked(more)).await, "http://ada-page.static.spaces.test/back?x=1&");
        assert_eq!((back["error"].as_str(), back["state"].as_str()), (error, "st=a&b"), "{more:?}");
        assert!(!back["error_description"].is_empty() && back["iss"] == "http://hub.test");
        assert!(!back.contains_key("code"));
    }
    let mut bob = Browser::signed_in(&hub, &hub.bob).await;
    let back = sent_back(&bob.get(&asked(&[("prompt", "none")])).await, PAGE);
    assert_eq!(back["error"], "consent_required");
    let consent = bob.get(&asked(&[])).await.expect(200);
    let back = sent_back(&bob.answer(&consent, "no").await, PAGE);
    assert_eq!((back["error"].as_str(), back.get("code")), ("access_denied", None));
    bob.get(&asked(&[])).await.expect(200);
    sent_back(&bob.answer(&consent, "yes").await, PAGE);
    let back = sent_back(&bob.get(&asked(&[("prompt", "none")])).await, PAGE);
    assert!(back["code"].starts_with("spc_"));
    bob.get(&asked(&[("prompt", "consent")])).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_must_sign_in_again_does_so_once() {
    let hub = TestHub::start().await;
    let client = space(&hub, "page", "static", "").await;
    let mut bob = Browser::signed_in(&hub, &hub.bob).await;
    let login = location(&bob.get(&question(&client, PAGE, &[("prompt", "login"), ("max_age", "0")])).await);
    assert!(login.starts_with("/login?"), "{login}");
    let page = bob.get(&login).await.expect(200);
    let form = [("form", field(&page, "form")), ("secret", hub.bob.clone()), ("next", field(&page, "next"))];
    let next = location(&bob.send("/login", &form).await);
    assert!(next.starts_with("/oauth/authorize?") && !next.contains("prompt") && !next.contains("max_age"), "{next}");
    bob.get(&next).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_says_what_the_author_wrote_as_text_and_is_answered_by_its_own_session() {
    let hub = TestHub::start().await;
    let title = "title: \"<img src=x onerror=alert(1)>\"\n";
    let client = space(&hub, "page", "static", title).await;
    let mut bob = Browser::signed_in(&hub, &hub.bob).await;
    let consent = bob.get(&question(&client, PAGE, &[("state", "\"><script>")])).await.expect(200);
    assert!(!consent.text().contains("<img") && !consent.text().contains("<script>"), "{}", consent.text());
    let policy = consent.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self' http://*.spaces.test"));
    assert!(policy.contains("frame-ancestors 'none'"));

    let mut ada = Browser::signed_in(&hub, &hub.ada).await;
    assert_eq!(ada.answer(&consent, "yes").await.expect(403).header("x-error-code"), Some("ForeignForm"));
    bob.site = "same-site";
    assert_eq!(bob.answer(&consent, "yes").await.expect(403).header("x-error-code"), Some("ForeignForm"));
    let form = [("request", field(&consent, "request")), ("answer", "yes".into())];
    bob.site = "same-origin";
    bob.send("/oauth/consent", &form).await.expect(403);
    let login = location(&Browser::new(&hub).answer(&consent, "yes").await);
    assert!(login.starts_with("/login?next="), "{login}");
    sent_back(&bob.answer(&consent, "yes").await, PAGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_takes_back_what_was_agreed_to() {
    let hub = TestHub::start().await;
    let client = space(&hub, "page", "static", "").await;
    let mut bob = Browser::new(&hub);
    assert_eq!(location(&bob.get("/settings/applications").await), "/login?next=%2Fsettings%2Fapplications");
    let mut bob = Browser::signed_in(&hub, &hub.bob).await;
    assert!(bob.get("/settings/applications").await.expect(200).text().contains("no Space"));
    let asked = question(&client, PAGE, &[]);
    let consent = bob.get(&asked).await.expect(200);
    sent_back(&bob.answer(&consent, "yes").await, PAGE);
    let page = bob.get("/settings/applications").await.expect(200);
    assert!(page.text().contains("ada/page") && page.text().contains("know who you are"), "{}", page.text());
    let id = field(&page, "id");
    bob.send("/settings/applications", &[("id", id.clone())]).await.expect(403);
    sent_back(&bob.get(&asked).await, PAGE);
    let form = [("form", field(&page, "form")), ("id", id)];
    assert_eq!(location(&bob.send("/settings/applications", &form).await), "/settings/applications");
    bob.get(&asked).await.expect(200);
}
