use axum::http::Method;
use serde_json::{Value, json};

use crate::testing::{TestHub, request};

fn create_body(name: &str) -> Value {
    json!({ "name": name, "organization": null, "type": "space", "sdk": "static", "private": false })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_static_space_runs_and_tells_everything_that_clients_read() {
    let hub = TestHub::start().await;
    let created = hub.post("/api/repos/create", create_body("my_page.1")).await.expect(200).json();
    assert_eq!(created["url"], "http://hub.test/spaces/ada/my_page.1");
    assert_eq!(created["name"], "ada/my_page.1");
    hub.reaches("my_page.1", "RUNNING").await;

    let info = hub.get("/api/spaces/ada/my_page.1").await.expect(200).json();
    assert_eq!(info["id"], "ada/my_page.1");
    assert_eq!(info["_id"], created["id"]);
    assert_eq!(info["sdk"], "static");
    assert_eq!(info["subdomain"], "ada-my-page-1");
    assert_eq!(info["host"], "http://ada-my-page-1.static.spaces.test");
    assert_eq!(info["cardData"]["sdk"], "static");
    let files: Vec<&str> =
        info["siblings"].as_array().unwrap().iter().map(|f| f["rfilename"].as_str().unwrap()).collect();
    assert_eq!(files, [".gitattributes", "README.md", "index.html", "style.css"]);
    assert!(info["lastModified"].as_str().unwrap().ends_with('Z'));

    let mut runtime = hub.get("/api/spaces/ada/my_page.1/runtime").await.expect(200).json();
    assert_eq!(runtime.as_object_mut().unwrap().remove("sha"), Some(info["sha"].clone()));
    let constant = json!({ "stage": "RUNNING", "hardware": { "current": null, "requested": null }, "storage": null,
                           "replicas": { "requested": 1, "current": 1 } });
    assert_eq!(runtime, constant);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_name_answers_with_the_address_of_what_is_there() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    for name in ["page", "PAGE"] {
        let answer = hub.post("/api/repos/create", create_body(name)).await.expect(409);
        assert_eq!(answer.json()["error"], "You already created this space repo");
        assert_eq!(answer.json()["url"], "http://hub.test/spaces/ada/page", "as it is written there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spaces_whose_subdomains_collide_both_get_one() {
    let hub = TestHub::start().await;
    hub.create("a-b", "static").await;
    hub.create("a_b", "static").await;
    let subdomain = async |name: &str| hub.get(&format!("/api/spaces/ada/{name}")).await.json()["subdomain"].clone();
    assert_eq!(subdomain("a-b").await, "ada-a-b");
    let other = subdomain("a_b").await;
    assert!(other.as_str().unwrap().starts_with("ada-a-b-"), "{other}");
    let found = hub.get(&format!("/api/spaces/by-subdomain/{}", other.as_str().unwrap())).await.expect(200).json();
    assert_eq!(found["id"], "ada/a_b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_of_another_kind_waits_for_its_app() {
    let hub = TestHub::start().await;
    hub.create("app", "wasm").await;
    hub.reaches("app", "NO_APP_FILE").await;
    let runtime = hub.get("/api/spaces/ada/app/runtime").await.json();
    assert_eq!(runtime["hardware"], json!({ "current": null, "requested": "cpu-basic" }));
    assert_eq!(runtime["gcTimeout"], 172_800);
    assert_eq!(runtime["domains"], json!([{ "domain": "ada-app.spaces.test", "stage": "READY" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_created_is_refused_with_what_to_write_instead() {
    let hub = TestHub::start().await;
    for (change, expected) in [
        (json!({ "sdk": "streamlit" }), "static, wasm, docker, gradio"),
        (json!({ "sdk": null }), "sdk"),
        (json!({ "name": "no spaces" }), "letters"),
        (json!({ "name": "x.git" }), ".git"),
        (json!({ "type": "model" }), "--repo-type space"),
        (json!({ "hardware": "abacus" }), "cpu-basic, cpu-upgrade"),
        (json!({ "hardware": "t4-small" }), "cpu-basic, cpu-upgrade"),
        (json!({ "storageTier": "tiny" }), "small, medium, large"),
        (json!({ "visibility": "secret" }), "public, protected or private"),
        (json!({ "secrets": [{ "key": "1X", "value": "v" }] }), "1X"),
        (json!({ "variables": [{ "key": "X" }] }), "value"),
    ] {
        let mut body = create_body("page");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = hub.post("/api/repos/create", body).await.expect(400);
        assert!(answer.json()["error"].as_str().unwrap().contains(expected), "{expected}: {answer:?}");
    }
    let other = json!({ "name": "page", "organization": "bob", "type": "space", "sdk": "static" });
    hub.post("/api/repos/create", other).await.expect(403);
    assert_eq!(hub.get("/api/spaces").await.json(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_space_is_gone_and_its_name_free() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let body = json!({ "name": "page", "organization": "ada", "type": "space" });
    let answer = hub.call(Method::DELETE, "/api/repos/delete", Some(body.clone())).await.expect(200);
    assert_eq!(answer.text(), "OK");
    assert_eq!(hub.get("/api/spaces/ada/page").await.refusal(), (404, "RepoNotFound"));
    assert_eq!(hub.call(Method::DELETE, "/api/repos/delete", Some(body)).await.refusal(), (404, "RepoNotFound"));
    hub.create("page", "static").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_space_is_missing_to_everybody_else() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let body = json!({ "visibility": "private" });
    hub.call(Method::PUT, "/api/spaces/ada/page/settings", Some(body)).await.expect(200);
    assert_eq!(hub.get("/api/spaces/ada/page").await.expect(200).json()["private"], true);

    let ask = async |path: &str, token: Option<&str>| hub.send(request(Method::GET, path, token, None)).await;
    for path in ["", "/runtime", "/variables", "/tree/main", "/logs/run", "/host"] {
        let there = ask(&format!("/api/spaces/ada/page{path}"), Some(&hub.bob)).await;
        let missing = ask(&format!("/api/spaces/ada/nothing{path}"), Some(&hub.bob)).await;
        assert_eq!(there.refusal(), (404, "RepoNotFound"), "{path}");
        assert_eq!((there.refusal(), &there.body), (missing.refusal(), &missing.body), "{path}");
        let anonymous = ask(&format!("/api/spaces/ada/page{path}"), None).await;
        assert_eq!(anonymous.refusal(), (401, "RepoNotFound"), "{path}");
    }
    assert_eq!(ask("/api/spaces", None).await.json(), json!([]));
    assert_eq!(hub.get("/api/spaces").await.json().as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered_and_paged() {
    let hub = TestHub::start().await;
    for name in ["one", "two", "three"] {
        hub.create(name, "static").await;
    }
    hub.create("four", "wasm").await;
    let ids = |value: &Value| {
        value.as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let list = async |query: &str| hub.get(&format!("/api/spaces?{query}")).await.expect(200);
    assert_eq!(ids(&list("search=THR").await.json()), ["ada/three"]);
    assert_eq!(ids(&list("filter=wasm&author=ADA").await.json()), ["ada/four"]);
    assert!(ids(&list("author=bob").await.json()).is_empty());
    assert!(ids(&list("author=..").await.json()).is_empty());

    let first = list("limit=3&sort=createdAt").await;
    assert_eq!(first.header("x-total-count"), Some("4"));
    let link = first.header("link").unwrap();
    let next = link.strip_prefix("<http://hub.test/").unwrap().split('>').next().unwrap();
    let second = hub.get(&format!("/{next}")).await.expect(200);
    assert_eq!(second.header("link"), None);
    let mut all = [ids(&first.json()), ids(&second.json())].concat();
    all.sort();
    assert_eq!(all, ["ada/four", "ada/one", "ada/three", "ada/two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_expanded_members_are_told() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let info = hub.get("/api/spaces/ada/page?expand=xetEnabled&expand=sha").await.expect(200).json();
    let names: Vec<&String> = info.as_object().unwrap().keys().collect();
    assert_eq!(names, ["_id", "id", "sha", "xetEnabled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoami_names_the_user_and_the_token() {
    let hub = TestHub::start().await;
    let who = hub.get("/api/whoami-v2").await.expect(200).json();
    assert_eq!((&who["name"], &who["type"], &who["orgs"]), (&json!("ada"), &json!("user"), &json!([])));
    assert_eq!(who["auth"]["accessToken"]["role"], "write");
    assert_eq!(who["auth"]["accessToken"]["displayName"], "test");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_is_for_those_who_may_visit() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    hub.call(Method::PUT, "/api/spaces/ada/page/settings", Some(json!({ "private": true }))).await.expect(200);
    let token = hub.get("/api/spaces/ada/page/jwt").await.expect(200).json()["token"].as_str().unwrap().to_owned();
    assert_eq!(token.split('.').count(), 3);
    // It opens nothing of the hub.
    assert_eq!(hub.send(request(Method::GET, "/api/spaces/ada/page", Some(&token), None)).await.refusal().0, 401);
    let path = "/api/spaces/ada/page/jwt";
    assert_eq!(hub.send(request(Method::GET, path, Some(&hub.bob), None)).await.refusal(), (404, "RepoNotFound"));
    assert_eq!(hub.send(request(Method::GET, path, None, None)).await.refusal(), (401, "RepoNotFound"));
}
