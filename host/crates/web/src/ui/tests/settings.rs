//! The pages of an account.

use axum::http::Method;
use serde_json::json;

use super::HOSTILE;
use crate::testing::TestHub;
use crate::testing::browser::{Browser, field, location};

const PAGES: [&str; 7] = ["profile", "tokens", "keys", "organizations", "usage", "sessions", "applications"];

/// A browser in which somebody has signed in by password.
async fn by_password<'a>(hub: &'a TestHub, name: &str, password: &str) -> Browser<'a> {
    let mut browser = Browser::new(hub);
    let page = browser.get("/login").await.expect(200);
    let form = [("form", field(&page, "form")), ("name", name.to_owned()), ("secret", password.to_owned())];
    browser.send("/login", &form).await.expect(303);
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn each_page_is_for_who_has_signed_in_and_leads_to_the_others() {
    let hub = TestHub::start().await;
    let mut stranger = Browser::new(&hub);
    let mut ada = Browser::signed_in(&hub, &hub.ada).await;
    for page in PAGES {
        let address = format!("/settings/{page}");
        let asked = location(&stranger.get(&address).await);
        assert_eq!(asked, format!("/login?next=%2Fsettings%2F{page}"));
        let shown = ada.get(&address).await.expect(200);
        for other in PAGES {
            let link = match other == page {
                true => format!("href=\"/settings/{other}\" aria-current=\"page\""),
                false => format!("href=\"/settings/{other}\">"),
            };
            assert!(shown.text().contains(&link), "{page}: {other}");
        }
        assert!(!shown.text().contains("<script>"), "{page}");
    }
    assert_eq!(location(&ada.get("/settings").await), "/settings/profile");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_shown_once_and_deleted() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let mut ada = Browser::signed_in(&hub, &hub.ada).await;
    let scoped = json!([{ "entity": { "type": "space", "name": "ada/page" }, "permissions": ["repo.write"] }]);
    let body = json!({
        "displayName": HOSTILE, "role": "fineGrained", "fineGrained": { "global": [], "scoped": scoped }
    });
    let made = ada.call(Method::POST, "/api/settings/tokens", Some(body)).await.expect(200).json();
    let shown = ada.get("/settings/tokens").await.expect(200);
    let (text, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert!(!shown.text().contains(text) && shown.text().contains(&text[text.len() - 4..]), "{}", shown.text());
    assert!(shown.text().contains("ada/page: repo.write") && !shown.text().contains(HOSTILE), "{}", shown.text());
    let call = format!("data-call=\"DELETE /api/settings/tokens/{id}\"");
    assert!(shown.text().contains(&call) && !shown.text().contains("value=\"admin\""));
    ada.call(Method::DELETE, &format!("/api/settings/tokens/{id}"), None).await.expect(204);
    assert!(!ada.get("/settings/tokens").await.text().contains(&call));

    // What a token for single Spaces has begun does not look after the account.
    let body = json!({ "displayName": "x", "role": "fineGrained", "fineGrained": { "scoped": scoped } });
    let made = ada.call(Method::POST, "/api/settings/tokens", Some(body)).await.expect(200).json();
    let mut limited = Browser::signed_in(&hub, made["token"].as_str().unwrap()).await;
    for page in PAGES {
        limited.get(&format!("/settings/{page}")).await.expect(403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_added_and_deleted() {
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILZqBX7hRsEgwYZpGVQ1OfJCMPB9vk5tz1lZ6l3JtIYc";
    let hub = TestHub::start().await;
    let mut ada = Browser::signed_in(&hub, &hub.ada).await;
    assert!(ada.get("/settings/keys").await.expect(200).text().contains("You have no key here"));
    let body = json!({ "title": HOSTILE, "key": KEY });
    let added = ada.call(Method::POST, "/api/settings/keys", Some(body)).await.expect(201).json();
    let shown = ada.get("/settings/keys").await.expect(200);
    assert!(shown.text().contains(added["fingerprint"].as_str().unwrap()) && !shown.text().contains(HOSTILE));
    let path = format!("/api/settings/keys/{}", added["id"].as_str().unwrap());
    assert!(shown.text().contains(&format!("DELETE {path}")), "{}", shown.text());
    ada.call(Method::DELETE, &path, None).await.expect(200);
    assert!(ada.get("/settings/keys").await.text().contains("You have no key here"));
}

#[tokio::test(flavor = "multi_thread")]
async fn organizations_show_members_what_their_role_lets_them_do() {
    let hub = TestHub::start().await;
    let mut ada = Browser::signed_in(&hub, &hub.ada).await;
    ada.call(Method::POST, "/api/organizations", Some(json!({ "name": "lab" }))).await.expect(200);
    let page = "/settings/organizations/lab";
    let mut bob = Browser::signed_in(&hub, &hub.bob).await;
    bob.get(page).await.expect(404);
    bob.get("/settings/organizations/absent").await.expect(404);
    let put = "/api/organizations/lab/members/bob";
    ada.call(Method::PUT, put, Some(json!({ "role": "write" }))).await.expect(200);

    let mine = ada.get(page).await.expect(200);
    assert!(mine.text().contains("PUT /api/organizations/lab/members/bob") && mine.text().contains("Delete lab"));
    let list = bob.get("/settings/organizations").await.expect(200);
    assert!(list.text().contains("href=\"/settings/organizations/lab\">lab</a></td><td>write</td>"), "{}", list.text());
    let his = bob.get(page).await.expect(200);
    assert!(!his.text().contains("PUT /api") && !his.text().contains("Delete lab"), "{}", his.text());
    assert!(his.text().contains("DELETE /api/organizations/lab/members/bob"));
    bob.call(Method::DELETE, put, None).await.expect(204);
    bob.get(page).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sees_where_one_is_signed_in_and_ends_it() {
    let hub = TestHub::start().await;
    let root = hub.administrator("root").await;
    let mut here = Browser::signed_in(&hub, &hub.ada).await;
    let mut there = Browser::signed_in(&hub, &hub.ada).await;
    let mut third = Browser::signed_in(&hub, &hub.ada).await;
    let mut bob = Browser::signed_in(&hub, &hub.bob).await;
    let shown = here.get("/settings/sessions").await.expect(200);
    assert_eq!(shown.text().matches("this browser").count(), 1);
    let calls: Vec<&str> = shown
        .text()
        .match_indices("DELETE /api/settings/sessions/")
        .map(|(at, _)| shown.text()[at + "DELETE ".len()..].split('"').next().unwrap())
        .collect();
    assert_eq!(calls.len(), 2, "{}", shown.text());
    bob.call(Method::DELETE, calls[0], None).await.expect(404);
    here.call(Method::DELETE, calls[0], None).await.expect(204);
    here.call(Method::DELETE, calls[0], None).await.expect(404);
    let ended = here.call(Method::DELETE, "/api/settings/sessions", None).await.expect(200).json();
    assert_eq!(ended, json!({ "ended": 1 }));
    for gone in [&mut there, &mut third] {
        gone.get("/settings/sessions").await.expect(303);
    }
    let list = here.call(Method::GET, "/api/settings/sessions", None).await.expect(200).json();
    let list = list["items"].as_array().unwrap();
    assert_eq!((list.len(), &list[0]["current"], &list[0]["byToken"]), (1, &json!(true), &json!(true)));
    bob.get("/settings/sessions").await.expect(200);

    let log = crate::testing::request(Method::GET, "/api/admin/audit?actor=ada", Some(&root), None);
    let log = hub.send(log).await.expect(200).json();
    let of = |entry: &&serde_json::Value| entry["action"] == "session.end";
    assert_eq!(log["items"].as_array().unwrap().iter().filter(of).count(), 2, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_other_browsers() {
    let hub = TestHub::start().await;
    hub.set_password("eve", "correct horse").await;
    let mut here = by_password(&hub, "eve", "correct horse").await;
    let mut there = by_password(&hub, "eve", "correct horse").await;
    assert!(here.get("/settings/profile").await.expect(200).text().contains("POST /api/settings/password"));
    let change = |current: &str, new: &str| Some(json!({ "current": current, "new": new }));
    here.call(Method::POST, "/api/settings/password", change("wrong", "battery staple")).await.expect(400);
    here.call(Method::POST, "/api/settings/password", change("correct horse", "short")).await.expect(400);
    there.get("/settings/profile").await.expect(200);
    here.call(Method::POST, "/api/settings/password", change("correct horse", "battery staple")).await.expect(204);
    there.get("/settings/profile").await.expect(303);
    here.get("/settings/profile").await.expect(200);
    by_password(&hub, "eve", "battery staple").await.get("/settings/profile").await.expect(200);
    let mut ada = Browser::signed_in(&hub, &hub.ada).await;
    assert!(!ada.get("/settings/profile").await.expect(200).text().contains("/api/settings/password"));
    ada.call(Method::POST, "/api/settings/password", change("", "battery staple")).await.expect(400);
}
