//! The first administrator.

use axum::http::Method;

use crate::testing::browser::{Browser, field, location};
use crate::testing::{TestHub, request};

const PASSWORD: &str = "correct horse battery";

/// The path of a link.
fn path(link: &str) -> String {
    link.strip_prefix("http://hub.test").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_of_a_host_without_users_makes_one_administrator_once() {
    let hub = TestHub::empty().await;
    let old = path(&hub.control.first_link().unwrap().unwrap());
    let link = path(&hub.control.first_link().unwrap().unwrap());
    assert_ne!(old, link);
    let mut browser = Browser::new(&hub);
    for wrong in [old.as_str(), "/setup", "/setup?token=", "/setup?token=x"] {
        browser.get(wrong).await.expect(410);
    }
    let page = browser.get(&link).await.expect(200);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let form = |name: &str, password: &str, token: String| {
        let again = PASSWORD.to_owned();
        let (name, password) = (name.to_owned(), password.to_owned());
        [("form", field(&page, "form")), ("token", token), ("name", name), ("password", password), ("again", again)]
    };
    let token = field(&page, "token");
    for (name, password) in [("root", "another one"), ("no name", PASSWORD), ("settings", PASSWORD)] {
        let shown = browser.send("/setup", &form(name, password, token.clone())).await.expect(400);
        assert!(shown.text().contains("role=\"alert\""), "{}", shown.text());
    }
    browser.send("/setup", &form("root", PASSWORD, "x".into())).await.expect(410);
    browser.site = "cross-site";
    browser.send("/setup", &form("root", PASSWORD, token.clone())).await.expect(403);
    browser.site = "same-origin";
    let next = location(&browser.send("/setup", &form("root", PASSWORD, token.clone())).await);
    browser.get(&next).await.expect(200);
    browser.get("/admin/users").await.expect(200);
    browser.send("/setup", &form("second", PASSWORD, token)).await.expect(410);
    browser.get(&link).await.expect(410);
    assert_eq!(hub.control.first_link().unwrap(), None);
    let made = browser.call(Method::GET, "/api/admin/audit", None).await.expect(200).json();
    let first = made["items"].as_array().unwrap().iter().find(|item| item["action"] == "user.create").unwrap();
    assert_eq!((&first["actor"]["type"], &first["target"]), (&"host".into(), &"root".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_a_user_no_link_is_good() {
    let hub = TestHub::empty().await;
    let link = path(&hub.control.first_link().unwrap().unwrap());
    hub.administrator("root").await;
    let mut browser = Browser::new(&hub);
    browser.get(&link).await.expect(410);
    assert_eq!(hub.control.first_link().unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_waits() {
    let hub = TestHub::empty().await;
    hub.control.first_link().unwrap().unwrap();
    for guess in 0.. {
        let shown = hub.send(request(Method::GET, &format!("/setup?token={guess}"), None, None)).await;
        if shown.status == 429 {
            assert!(shown.header("retry-after").is_some());
            return;
        }
        shown.expect(410);
        assert!(guess < 10_000, "nobody stops who guesses");
    }
}
