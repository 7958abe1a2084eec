//! The pages of administrators.

use axum::http::Method;
use serde_json::json;
use spaceport_control::ports::BackendPlugin;

use super::HOSTILE;
use crate::testing::TestHub;
use crate::testing::browser::{Browser, location};

const PAGES: [&str; 7] = ["users", "hardware", "plugins", "grants", "quotas", "audit", "usage"];

#[tokio::test(flavor = "multi_thread")]
async fn each_page_is_for_administrators_alone() {
    let hub = TestHub::start().await;
    let root = hub.administrator("root").await;
    let (mut stranger, mut ada) = (Browser::new(&hub), Browser::signed_in(&hub, &hub.ada).await);
    let mut root = Browser::signed_in(&hub, &root).await;
    for page in PAGES.iter().map(|page| format!("/admin/{page}")).chain(["/admin/users/ada".to_owned()]) {
        assert!(location(&stranger.get(&page).await).starts_with("/login?next=%2Fadmin%2F"), "{page}");
        let refused = ada.get(&page).await.expect(403);
        assert!(refused.text().contains("You may not do this"), "{page}: {}", refused.text());
        let shown = root.get(&page).await.expect(200);
        assert!(shown.text().contains("aria-label=\"Administration\"") && !shown.text().contains("<script>"), "{page}");
    }
    assert_eq!(location(&root.get("/admin").await), "/admin/users");
    ada.get("/admin").await.expect(403);
    root.get("/admin/users/nobody").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_made_given_tokens_and_deleted() {
    let hub = TestHub::start().await;
    let root = hub.administrator("root").await;
    let mut root = Browser::signed_in(&hub, &root).await;
    root.call(Method::POST, "/api/admin/users", Some(json!({ "name": "eve", "isAdmin": false }))).await.expect(200);
    let found = root.get("/admin/users?search=EV").await.expect(200);
    assert!(found.text().contains("/admin/users/eve") && !found.text().contains("/admin/users/ada"));
    assert!(found.text().contains("1 user"), "{}", found.text());
    let tokens = "/api/admin/users/eve/tokens";
    let made = root.call(Method::POST, tokens, Some(json!({ "name": HOSTILE, "role": "write" }))).await.expect(200);
    let text = made.json()["token"].as_str().unwrap().to_owned();
    let shown = root.get("/admin/users/eve").await.expect(200);
    assert!(!shown.text().contains(&text) && shown.text().contains(&text[text.len() - 4..]), "{}", shown.text());
    assert!(!shown.text().contains(HOSTILE));
    let (_, rest) = shown.text().split_once("DELETE /api/admin/tokens/").unwrap();
    let id = rest.split('"').next().unwrap().to_owned();
    root.call(Method::DELETE, &format!("/api/admin/tokens/{id}"), None).await.expect(200);
    assert!(root.get("/admin/users/eve").await.text().contains("There is no token"));
    root.call(Method::DELETE, "/api/admin/users/eve", None).await.expect(200);
    root.get("/admin/users/eve").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_show_their_health_and_are_switched() {
    let hub = TestHub::start().await;
    let root = hub.administrator("root").await;
    let mut root = Browser::signed_in(&hub, &root).await;
    assert!(root.get("/admin/plugins").await.expect(200).text().contains("There is no plugin"));
    let problem = Some(format!("it ended: {HOSTILE}"));
    hub.programs.lock().push(BackendPlugin { name: "container".into(), problem, restarts: 3 });
    let ill = root.get("/admin/plugins").await.expect(200);
    assert!(ill.text().contains("does not answer") && ill.text().contains("started again 3 times"), "{}", ill.text());
    assert!(!ill.text().contains(HOSTILE) && !ill.text().contains(">answers<"));
    let switch = |what: &str| format!("/api/admin/plugins/container/{what}");
    assert!(ill.text().contains(&switch("disable")));
    root.call(Method::POST, &switch("disable"), None).await.expect(200);
    let off = root.get("/admin/plugins").await.expect(200);
    assert!(off.text().contains("switched off") && off.text().contains(&switch("enable")), "{}", off.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_are_answered() {
    let hub = TestHub::start().await;
    let root = hub.administrator("root").await;
    hub.create("page", "wasm").await;
    let ask = json!({ "flavor": "cpu-upgrade", "reason": HOSTILE });
    let asked = hub.post("/api/spaces/ada/page/grants", ask).await;
    assert!(asked.status.is_success(), "{asked:?}");
    let mut root = Browser::signed_in(&hub, &root).await;
    let shown = root.get("/admin/grants").await.expect(200);
    let (_, rest) = shown.text().split_once("POST /api/admin/grants/").unwrap();
    let id = rest.split('/').next().unwrap().to_owned();
    assert!(shown.text().contains("ada/page") && !shown.text().contains(HOSTILE) && !shown.text().contains("Answered"));
    let deny = json!({ "reason": "too dear" });
    root.call(Method::POST, &format!("/api/admin/grants/{id}/deny"), Some(deny)).await.expect(200);
    let shown = root.get("/admin/grants").await.expect(200);
    assert!(shown.text().contains("denied: too dear") && shown.text().contains("Nobody waits"), "{}", shown.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_are_set_and_what_is_used_is_told() {
    let hub = TestHub::start().await;
    let root = hub.administrator("root").await;
    hub.create("page", "static").await;
    let mut root = Browser::signed_in(&hub, &root).await;
    assert!(root.get("/admin/quotas").await.expect(200).text().contains("Nobody has one"));
    let quota = json!({ "spaces": 3, "lfsBytes": 5_000_000_000_u64 });
    root.call(Method::PUT, "/api/admin/quotas/ada", Some(quota)).await.expect(200);
    let shown = root.get("/admin/quotas").await.expect(200);
    assert!(shown.text().contains("1 of 3") && shown.text().contains("0 B of 5 GB"), "{}", shown.text());
    assert!(shown.text().contains("of no limit"));
    root.call(Method::DELETE, "/api/admin/quotas/ada", None).await.expect(200);
    assert!(root.get("/admin/quotas").await.text().contains("Nobody has one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_paged_and_filtered() {
    let hub = TestHub::start().await;
    let root = hub.administrator("root").await;
    hub.create("page", "static").await;
    let mut root = Browser::signed_in(&hub, &root).await;
    for number in 0..super::super::admin::ROWS {
        let name = json!({ "displayName": format!("token {number}"), "role": "read" });
        root.call(Method::POST, "/api/settings/tokens", Some(name)).await.expect(200);
    }
    let all = root.get("/admin/audit").await.expect(200);
    let older = all.text().split("rel=\"next\" href=\"").nth(1).expect("a page after").split('"').next().unwrap();
    let older = older.replace("&#38;", "&");
    let second = root.get(&format!("/admin/audit{older}")).await.expect(200);
    assert!(!all.text().contains("space.create") && second.text().contains("space.create"), "{}", second.text());
    assert!(second.text().contains("Newest") && !second.text().contains("rel=\"next\""));
    let of_ada = root.get("/admin/audit?actor=ada").await.expect(200);
    assert!(of_ada.text().contains("space.create") && !of_ada.text().contains("session.begin"), "{}", of_ada.text());
    let query = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect::<String>();
    let none = root.get(&format!("/admin/audit?actor={query}&space={query}&cursor=x")).await.expect(200);
    assert!(none.text().contains("There is no such entry") && !none.text().contains(HOSTILE));
}
