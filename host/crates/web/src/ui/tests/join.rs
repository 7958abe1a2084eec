//! Accounts that people make for themselves.

use axum::http::Method;
use serde_json::Value;

use crate::testing::browser::{Browser, field, location};
use crate::testing::{Answer, TestHub, request};

const PASSWORD: &str = "correct horse battery";

fn filled(page: &Answer, name: &str, email: &str, password: &str, again: &str) -> [(&'static str, String); 6] {
    [
        ("form", field(page, "form")),
        ("next", field(page, "next")),
        ("name", name.to_owned()),
        ("email", email.to_owned()),
        ("password", password.to_owned()),
        ("again", again.to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn who_makes_an_account_is_signed_in_and_led_to_where_they_came_from() {
    let hub = TestHub::start().await.with_sign_up();
    hub.create("page", "static").await;
    let mut browser = Browser::new(&hub);
    let sign_in = browser.get("/login?next=/spaces/ada/page?x%3D1%26y").await.expect(200);
    assert!(sign_in.text().contains("href=\"/join?next=/spaces/ada/page%3Fx%3D1%26y\""), "{}", sign_in.text());
    let page = browser.get("/join?next=/spaces/ada/page?x%3D1%26y").await.expect(200);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    for (name, is_taken, words) in [
        ("ada", true, "There is already an account named &#34;ada&#34;"),
        ("Admin", true, "is reserved"),
        ("no name", true, "is no valid name"),
        (" cyd", false, "cyd is free."),
    ] {
        let told = browser.get(&format!("/join?name={}", name.replace(' ', "%20"))).await.expect(200);
        assert_eq!(told.text().contains("data-taken"), is_taken, "{name}: {}", told.text());
        assert!(told.text().contains(words), "{name}: {}", told.text());
    }
    let form = filled(&page, " cyd ", "cyd@example.org", PASSWORD, PASSWORD);
    let next = location(&browser.send("/join", &form).await);
    assert_eq!(next, "/spaces/ada/page?x=1&y");
    assert!(browser.get(&next).await.expect(200).text().contains("href=\"/cyd\""));

    let known = browser.call(Method::GET, "/api/whoami-v2", None).await.expect(200).json();
    assert_eq!(
        (&known["name"], &known["email"], &known["emailVerified"]),
        (&"cyd".into(), &"cyd@example.org".into(), &false.into(),)
    );
    browser.get("/admin/users").await.expect(403);
    // The password is good from elsewhere, too.
    let mut other = Browser::new(&hub);
    let page = other.get("/login").await.expect(200);
    let signing = [("form", field(&page, "form")), ("name", "cyd".into()), ("secret", PASSWORD.into())];
    other.send("/login", &signing).await.expect(303);

    let root = hub.administrator("root").await;
    let entries = hub.send(request(Method::GET, "/api/admin/audit", Some(&root), None)).await.json();
    let is_it = |entry: &&Value| entry["action"] == "user.create" && entry["target"] == "cyd";
    let entry = entries["items"].as_array().unwrap().iter().find(is_it).expect("an entry").clone();
    assert_eq!((&entry["actor"]["name"], &entry["detail"]["by"]), (&"cyd".into(), &"sign-up".into()), "{entry}");
    assert!(!entries.to_string().contains("cyd@example.org"), "{entries}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_said_and_what_was_typed_stays() {
    let hub = TestHub::start().await.with_sign_up();
    let mut browser = Browser::new(&hub);
    let page = browser.get("/join?next=//evil.example/").await.expect(200);
    assert_eq!(field(&page, "next"), "/");
    for (name, email, password, again, words) in [
        ("ada", "x@example.org", PASSWORD, PASSWORD, "already an account named"),
        ("ADA", "x@example.org", PASSWORD, PASSWORD, "already an account named"),
        ("Settings", "x@example.org", PASSWORD, PASSWORD, "is reserved"),
        ("join", "x@example.org", PASSWORD, PASSWORD, "is reserved"),
        ("no name", "x@example.org", PASSWORD, PASSWORD, "is no valid name"),
        ("", "x@example.org", PASSWORD, PASSWORD, "is no valid name"),
        ("cyd", "nowhere", PASSWORD, PASSWORD, "an e-mail address is"),
        ("cyd", "", PASSWORD, PASSWORD, "an e-mail address is"),
        ("cyd", "x@example.org", "short", "short", "8 to 1024 bytes"),
        ("cyd", "x@example.org", PASSWORD, "another one", "differ"),
        ("cyd", "<script>", PASSWORD, PASSWORD, "an e-mail address is"),
    ] {
        let shown = browser.send("/join", &filled(&page, name, email, password, again)).await.expect(400);
        assert!(shown.text().contains("role=\"alert\"") && shown.text().contains(words), "{name}: {}", shown.text());
        assert_eq!((field(&shown, "email"), shown.text().contains(PASSWORD)), (email.to_owned(), false));
        assert!(!shown.text().contains("<script>"), "{}", shown.text());
    }
    browser.send("/join", &filled(&page, "cyd", "x@example.org", PASSWORD, PASSWORD)).await.expect(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_whether_an_address_is_known() {
    let hub = TestHub::start().await.with_sign_up();
    for name in ["cyd", "dan"] {
        let mut browser = Browser::new(&hub);
        let page = browser.get("/join").await.expect(200);
        let made = browser.send("/join", &filled(&page, name, "same@example.org", PASSWORD, PASSWORD)).await;
        assert_eq!((location(&made), browser.cookies.len()), ("/".to_owned(), 2), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_makes_no_account() {
    let hub = TestHub::start().await.with_sign_up();
    let mut browser = Browser::new(&hub);
    let page = browser.get("/join").await.expect(200);
    let form = filled(&page, "cyd", "x@example.org", PASSWORD, PASSWORD);
    browser.site = "cross-site";
    assert_eq!(browser.send("/join", &form).await.refusal(), (403, "ForeignForm"));
    browser.site = "same-origin";
    assert_eq!(browser.send("/join", &form[1..]).await.refusal(), (403, "ForeignForm"));
    assert_eq!(Browser::new(&hub).send("/join", &form).await.refusal(), (403, "ForeignForm"));
    hub.get("/api/users/cyd/overview").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_tries_for_ever_is_told_to_wait() {
    let hub = TestHub::start().await.with_sign_up();
    let mut browser = Browser::new(&hub);
    let page = browser.get("/join").await.expect(200);
    for _ in 0..60 {
        browser.send("/join", &filled(&page, "ada", "x@example.org", PASSWORD, PASSWORD)).await.expect(400);
    }
    let refused = browser.send("/join", &filled(&page, "cyd", "x@example.org", PASSWORD, PASSWORD)).await.expect(429);
    assert!(refused.text().contains("try again in") && field(&refused, "name") == "cyd", "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_not_allowed_there_is_no_such_page_and_the_operator_is_named() {
    let hub = TestHub::start().await;
    let mut browser = Browser::new(&hub);
    let sign_in = browser.get("/login").await.expect(200);
    assert!(sign_in.text().contains("<code>spaceport user create</code>"), "{}", sign_in.text());
    assert!(!sign_in.text().contains("/join"), "{}", sign_in.text());
    browser.get("/join").await.expect(404);
    let form = [("form", field(&sign_in, "form")), ("name", "cyd".into()), ("email", "x@example.org".into())];
    browser.send("/join", &form).await.expect(404);
    hub.get("/api/users/cyd/overview").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_account_is_the_operators() {
    let hub = TestHub::empty().await;
    let link = hub.control.first_link().unwrap().unwrap();
    let hub = hub.with_sign_up();
    let mut browser = Browser::new(&hub);
    let page = browser.get("/join").await.expect(200);
    let form = filled(&page, "cyd", "x@example.org", PASSWORD, PASSWORD);
    let refused = browser.send("/join", &form).await.expect(503);
    assert!(refused.text().contains("no administrator yet"), "{}", refused.text());
    browser.get(link.strip_prefix("http://hub.test").unwrap()).await.expect(200);
}
