use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use spaceport_control::logs::LogKind;
use spaceport_core::permission::Actor;

use crate::testing::{Answer, TestHub, request};

const PREVIEWS: &str = "/api/spaces/ada/page/previews";
const HOST: &str = "ada-page--dev.static.spaces.test";

/// A hub with a Space that has a branch `dev`.
async fn page() -> TestHub {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    hub.reaches("page", "RUNNING").await;
    hub.post("/api/spaces/ada/page/branch/dev", json!({})).await.expect(200);
    hub
}

async fn open(hub: &TestHub, reference: &str) -> Answer {
    hub.post(PREVIEWS, json!({ "ref": reference })).await
}

async fn commit_to(hub: &TestHub, branch: &str, content: &str) -> Value {
    let header = json!({ "key": "header", "value": { "summary": "change" } });
    let file = json!({ "key": "file", "value": { "path": "index.html", "content": content, "encoding": "utf-8" } });
    let request = Request::post(format!("/api/spaces/ada/page/commit/{branch}"))
        .header("authorization", format!("Bearer {}", hub.ada))
        .body(Body::from(format!("{header}\n{file}\n")))
        .unwrap();
    hub.send(request).await.expect(200).json()["commitOid"].clone()
}

/// Waits until the only preview serves a revision.
async fn shows(hub: &TestHub, revision: &Value) {
    for _ in 0..1000 {
        let list = hub.get(PREVIEWS).await.expect(200).json();
        let item = &list["items"][0];
        if item["stage"] == "RUNNING" && item["sha"] == *revision {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{}", hub.get(PREVIEWS).await.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_shown_beside_its_space_and_followed() {
    let hub = page().await;
    let main = hub.get("/api/spaces/ada/page").await.json()["sha"].clone();
    let opened = open(&hub, "dev").await.expect(200).json();
    assert_eq!((&opened["ref"], &opened["url"]), (&json!("dev"), &json!(format!("http://{HOST}"))));
    shows(&hub, &main).await;
    assert_eq!(open(&hub, "refs/heads/dev").await.expect(200).json()["url"], opened["url"], "it is the same");

    let dev = commit_to(&hub, "dev", "a change").await;
    shows(&hub, &dev).await;
    assert_eq!(hub.get("/api/spaces/ada/page").await.json()["sha"], main);
    assert_eq!(hub.get("/api/spaces/ada/page/runtime").await.json()["sha"], main);
    assert_eq!(hub.get("/api/spaces").await.json().as_array().unwrap().len(), 1, "it is no Space of its own");
    assert_eq!(hub.get("/api/spaces/by-subdomain/ada-page--dev").await.expect(200).json()["id"], "ada/page");
    let ada = Actor::User(hub.control.accounts().authenticate(&hub.ada).unwrap().unwrap().user);
    let path = "ada/page".parse().unwrap();
    let mut log = hub.control.preview_logs(&ada, &path, "dev", LogKind::Build).unwrap();
    let text: Vec<String> = log.available().await.into_iter().map(|line| line.text).collect();
    assert!(text.iter().any(|line| line.contains("Building revision")), "{text:?}");

    hub.call(Method::DELETE, "/api/spaces/ada/page/branch/dev", None).await.expect(200);
    assert_eq!(hub.get(PREVIEWS).await.json()["items"], json!([]));
    assert!(hub.routes.slot(HOST).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_shares_what_its_space_is() {
    let hub = page().await;
    open(&hub, "dev").await.expect(200);
    assert!(hub.routes.slot(HOST).is_some());
    hub.call(Method::PUT, "/api/spaces/ada/page/settings", Some(json!({ "private": true }))).await.expect(200);
    let slot = hub.routes.slot(HOST).unwrap();
    assert_eq!(slot.entry.load().visibility, spaceport_core::space::Visibility::Private);
    let move_to = json!({ "fromRepo": "ada/page", "toRepo": "ada/other", "type": "space" });
    hub.post("/api/repos/move", move_to).await.expect(200);
    assert_eq!(slot.entry.load().path.to_string(), "ada/other");
    let list = hub.get("/api/spaces/ada/other/previews").await.expect(200).json();
    assert_eq!(list["items"][0]["ref"], "dev");
    let deletion = json!({ "name": "other", "type": "space" });
    hub.call(Method::DELETE, "/api/repos/delete", Some(deletion)).await.expect(200);
    assert!(hub.routes.slot(HOST).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shown_is_refused() {
    let hub = page().await;
    for (reference, status) in [("main", 400), ("refs/heads/main", 400), ("absent", 404), ("refs/pr/1", 404), ("", 400)]
    {
        open(&hub, reference).await.expect(status);
    }
    hub.post(PREVIEWS, json!({})).await.expect(400);
    let end = |reference: &'static str| hub.call(Method::DELETE, PREVIEWS, Some(json!({ "ref": reference })));
    end("dev").await.expect(404);
    open(&hub, "dev").await.expect(200);
    for token in [None, Some(hub.bob.as_str())] {
        let body = Some(json!({ "ref": "dev" }));
        let refused = hub.send(request(Method::POST, PREVIEWS, token, body)).await;
        assert!(matches!(refused.status.as_u16(), 401 | 403), "{}", refused.text());
    }
    end("dev").await.expect(200);
    end("dev").await.expect(404);
    assert!(hub.routes.slot(HOST).is_none());
}
