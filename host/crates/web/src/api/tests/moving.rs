use axum::http::Method;
use serde_json::{Value, json};

use crate::testing::{Answer, TestHub, request};

async fn move_to(hub: &TestHub, from: &str, to: &str) -> Answer {
    hub.post("/api/repos/move", json!({ "fromRepo": from, "toRepo": to, "type": "space" })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_space_keeps_everything_and_goes_on() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    hub.reaches("page", "RUNNING").await;
    hub.post("/api/spaces/ada/page/variables", json!({ "key": "A", "value": "1" })).await.expect(200);
    hub.post("/api/spaces/ada/page/secrets", json!({ "key": "S", "value": "hidden" })).await.expect(200);
    hub.reaches("page", "RUNNING").await;
    let before = hub.get("/api/spaces/ada/page").await.json();
    assert!(hub.routes.slot("ada-page.static.spaces.test").is_some());

    let moved = move_to(&hub, "ada/page", "ada/New_Name").await.expect(200).json();
    assert_eq!(moved["url"], "http://hub.test/spaces/ada/New_Name");
    let after = hub.get("/api/spaces/ada/new_name").await.expect(200).json();
    for same in ["_id", "sha", "createdAt", "siblings", "sdk"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(after["id"], "ada/New_Name");
    assert_eq!(after["host"], "http://ada-new-name.static.spaces.test");
    assert!(hub.routes.slot("ada-page.static.spaces.test").is_none());
    assert!(hub.routes.slot("ada-new-name.static.spaces.test").is_some());
    hub.reaches("New_Name", "RUNNING").await;
    assert_eq!(hub.get("/api/spaces/ada/new_name/variables").await.json()["A"]["value"], "1");
    assert!(hub.get("/api/spaces/ada/new_name/secrets").await.json().get("S").is_some());
    assert_eq!(hub.get("/api/spaces/by-subdomain/ada-new-name").await.expect(200).json()["id"], "ada/New_Name");
    hub.commit("New_Name", &[("later.txt", "1")]).await.expect(200);
    assert_eq!(hub.get("/api/spaces").await.json().as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_name_leads_to_the_new_one_until_somebody_takes_it() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    move_to(&hub, "ada/page", "ada/other").await.expect(200);
    for (method, old, new) in [
        (Method::GET, "/api/spaces/ada/page", "/api/spaces/ada/other"),
        (
            Method::GET,
            "/api/spaces/Ada/PAGE/tree/main?recursive=true",
            "/api/spaces/ada/other/tree/main?recursive=true",
        ),
        (Method::POST, "/api/spaces/ada/page/variables", "/api/spaces/ada/other/variables"),
        (Method::HEAD, "/spaces/ada/page/resolve/main/README.md", "/spaces/ada/other/resolve/main/README.md"),
        (Method::GET, "/spaces/ada/page", "/spaces/ada/other"),
    ] {
        let body = (method == Method::POST).then(|| json!({ "key": "A", "value": "1" }));
        let answer = hub.call(method, old, body).await.expect(307);
        assert_eq!(answer.header("location"), Some(new));
        assert_eq!(answer.header("x-error-code"), None);
    }
    let nobody = hub.send(request(Method::GET, "/api/spaces/ada/page", None, None)).await.expect(307);
    assert_eq!(nobody.header("location"), Some("/api/spaces/ada/other"), "everybody may see where it is");
    hub.call(Method::DELETE, "/api/repos/delete", Some(json!({ "name": "page", "type": "space" }))).await.expect(404);
    hub.call(Method::PUT, "/api/spaces/ada/other/settings", Some(json!({ "private": true }))).await.expect(200);
    let bob = hub.send(request(Method::GET, "/api/spaces/ada/page", Some(&hub.bob), None)).await;
    assert_eq!((bob.refusal(), bob.header("location")), ((404, "RepoNotFound"), None));
    let nobody = hub.send(request(Method::GET, "/api/spaces/ada/page", None, None)).await;
    assert_eq!((nobody.refusal(), nobody.header("location")), ((401, "RepoNotFound"), None));

    hub.create("page", "static").await;
    assert_eq!(hub.get("/api/spaces/ada/page").await.expect(200).json()["id"], "ada/page");
    hub.call(Method::DELETE, "/api/repos/delete", Some(json!({ "name": "page", "type": "space" }))).await.expect(200);
    assert_eq!(hub.get("/api/spaces/ada/page").await.refusal(), (404, "RepoNotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_cannot_be_made_changes_nothing() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    hub.create("taken", "static").await;
    let before = hub.get("/api/spaces/ada/page").await.json();
    for (from, to, status) in [
        ("ada/page", "ada/Taken", 409),
        ("ada/page", "bob/page", 403),
        ("ada/page", "nobody/page", 403),
        ("ada/page", "ada/bad--name", 400),
        ("ada/page", "ada/../x", 400),
        ("ada/page", "page", 400),
        ("ada/none", "ada/new", 404),
        ("page", "ada/new", 404),
    ] {
        move_to(&hub, from, to).await.expect(status);
    }
    for body in [json!({}), json!({ "fromRepo": "ada/page", "type": "space" }), json!([1]), json!({ "fromRepo": 1 })] {
        hub.post("/api/repos/move", body).await.expect(400);
    }
    let model = json!({ "fromRepo": "ada/page", "toRepo": "ada/new", "type": "model" });
    hub.post("/api/repos/move", model).await.expect(400);
    let foreign = json!({ "fromRepo": "ada/page", "toRepo": "bob/page", "type": "space" });
    hub.send(request(Method::POST, "/api/repos/move", Some(&hub.bob), Some(foreign.clone()))).await.expect(403);
    hub.send(request(Method::POST, "/api/repos/move", None, Some(foreign))).await.expect(401);
    assert_eq!(hub.get("/api/spaces/ada/page").await.json(), before);
    // To where it is already, and to another spelling of its name.
    move_to(&hub, "ada/page", "ada/page").await.expect(200);
    move_to(&hub, "ada/page", "ada/Page").await.expect(200);
    assert_eq!(hub.get("/api/spaces/ada/page").await.expect(200).json()["id"], "ada/Page");
}

#[tokio::test(flavor = "multi_thread")]
async fn spaces_whose_new_subdomains_collide_both_keep_one() {
    let hub = TestHub::start().await;
    hub.create("a-b", "static").await;
    hub.create("other", "static").await;
    move_to(&hub, "ada/other", "ada/a_b").await.expect(200);
    let subdomain = hub.get("/api/spaces/ada/a_b").await.json()["subdomain"].clone();
    assert!(subdomain.as_str().unwrap().starts_with("ada-a-b-"), "{subdomain}");
    assert_eq!(hub.get("/api/spaces/ada/a-b").await.json()["subdomain"], "ada-a-b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_gone_back_to_by_its_number() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    hub.reaches("page", "RUNNING").await;
    let first = hub.get("/api/spaces/ada/page").await.json()["sha"].clone();
    hub.commit("page", &[("a.txt", "1")]).await.expect(200);
    hub.reaches("page", "RUNNING").await;
    let live = async || -> Vec<u64> {
        let releases = hub.get("/api/spaces/ada/page/releases").await.json();
        let live = releases["items"].as_array().unwrap().iter().filter(|release| release["live"] == true);
        live.map(|release| release["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(live().await, [2]);
    let builds = hub.hold_builds();
    let runtime = hub.post("/api/spaces/ada/page/releases/1/rollback", Value::Null).await.expect(200).json();
    assert_eq!((&runtime["stage"], &runtime["sha"]), (&json!("RUNNING"), &first));
    assert_eq!(live().await, [1]);
    drop(builds);

    let path = "/api/spaces/ada/page/releases";
    for (number, refusal) in [("9", (404, "ReleaseNotFound")), ("x", (400, "BadRequest")), ("-1", (400, "BadRequest"))]
    {
        assert_eq!(hub.post(&format!("{path}/{number}/rollback"), json!({})).await.refusal(), refusal, "{number}");
    }
    let rollback = format!("{path}/2/rollback");
    hub.send(request(Method::POST, &rollback, Some(&hub.bob), None)).await.expect(403);
    hub.send(request(Method::POST, &rollback, None, None)).await.expect(401);
    assert_eq!(live().await, [1]);
}
