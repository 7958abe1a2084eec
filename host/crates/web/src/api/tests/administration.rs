//! Usage, grants and the admin API, as clients see them.

mod host;

use axum::http::Method;
use http::HeaderValue;
use serde_json::{Value, json};
use spaceport_control::ports::BackendPlugin;
use spaceport_control::service::NewToken;
use spaceport_core::permission::TokenRole;

use crate::edge::{RequestContext, Scheme};
use crate::testing::{Answer, TestHub, request};

/// A value that must never be seen outside.
const CANARY: &str = "canary-77e1";

struct Host {
    hub: TestHub,
    root: String,
}

impl Host {
    async fn start() -> Self {
        let hub = TestHub::start().await;
        let root = hub.administrator("root").await;
        Self { hub, root }
    }

    async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.hub.send(request(method, &format!("/api/admin/{path}"), Some(&self.root), body)).await
    }

    async fn admin_get(&self, path: &str) -> Value {
        self.admin(Method::GET, path, None).await.expect(200).json()
    }

    async fn as_bob(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.hub.send(request(method, path, Some(&self.hub.bob), body)).await
    }

    /// Every operation that the document names: method and path, with something in the place of its parameters.
    async fn operations(&self) -> Vec<(Method, String)> {
        let document = self.hub.get("/api/openapi.json").await.expect(200).json();
        let paths = document["paths"].as_object().unwrap().clone();
        let operations = paths.into_iter().flat_map(|(path, methods)| {
            let path = path.replace("{owner}", "ada").replace("{name}", "app");
            let path: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
            let path = path.join("/");
            let methods: Vec<String> = methods.as_object().unwrap().keys().cloned().collect();
            methods.into_iter().map(move |method| (method.to_uppercase().parse().unwrap(), path.clone()))
        });
        operations.collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_of_the_admin_api_is_for_administrators_with_a_token_that_says_so() {
    let host = Host::start().await;
    let accounts = host.hub.control.accounts();
    let new = NewToken { user: "root".parse().unwrap(), role: TokenRole::Write, label: "w".into() };
    let lesser = accounts.create_token(new).await.unwrap();
    let mut seen = 0;
    for (method, path) in host.operations().await.into_iter().filter(|(_, path)| path.starts_with("/api/admin/")) {
        seen += 1;
        for (token, expected) in
            [(None, 401), (Some("sp_no"), 401), (Some(host.hub.bob.as_str()), 403), (Some(lesser.expose()), 403)]
        {
            let answer = host.hub.send(request(method.clone(), &path, token, None)).await;
            assert_eq!(answer.status.as_u16(), expected, "{method} {path} {token:?}: {answer:?}");
        }
    }
    assert!(seen > 15, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_names_what_there_is() {
    let host = Host::start().await;
    let document = host.hub.get("/api/openapi.json").await.expect(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    let ask = &document["paths"]["/api/spaces/{owner}/{name}/grants"]["post"];
    let schema = &ask["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(schema["required"], json!(["flavor", "reason"]));
    let names: Vec<_> = ask["parameters"].as_array().unwrap().iter().map(|parameter| &parameter["name"]).collect();
    assert_eq!(names, ["owner", "name"]);
    for (method, path) in host.operations().await {
        let answer = host.hub.send(request(method.clone(), &path, None, None)).await;
        assert_ne!(answer.refusal().1, "MethodNotAllowed", "{method} {path}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_their_tokens_come_change_and_go() {
    let host = Host::start().await;
    let new = json!({ "name": "grace", "password": "a long password" });
    let made = host.admin(Method::POST, "users", Some(new.clone())).await.expect(200).json();
    assert_eq!((&made["name"], &made["isAdmin"], &made["hasPassword"]), (&json!("grace"), &json!(false), &json!(true)));
    assert_eq!(host.admin(Method::POST, "users", Some(new)).await.status, 409);
    let users = host.admin_get("users?limit=2").await;
    assert_eq!(users["items"].as_array().unwrap().len(), 2);
    let next = users["next"].as_str().unwrap().strip_prefix("http://hub.test/api/admin/").unwrap().to_owned();
    let rest = host.admin_get(&next).await;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (2, &Value::Null), "{rest}");

    let token = host.admin(Method::POST, "users/grace/tokens", Some(json!({ "role": "write", "name": "ci" }))).await;
    let token = token.expect(200).json()["token"].as_str().unwrap().to_owned();
    let whoami = || host.hub.send(request(Method::GET, "/api/whoami-v2", Some(&token), None));
    assert_eq!(whoami().await.expect(200).json()["name"], "grace");
    let id = host.admin_get("users/grace/tokens").await["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("tokens/{id}");
    let change = |body| host.admin(Method::PATCH, &path, Some(body));
    let changed = change(json!({ "role": "read" })).await.expect(200).json();
    assert_eq!((&changed["role"], &changed["name"], &changed["user"]), (&json!("read"), &json!("ci"), &json!("grace")));
    for refused in [json!({ "role": "admin" }), json!({ "role": "owner" }), json!({ "name": "x".repeat(10_000) })] {
        assert_eq!(change(refused.clone()).await.status, 400, "{refused}");
    }
    change(json!({ "role": "write" })).await.expect(200);
    let listed = host.admin_get("users/grace/tokens").await;
    assert_eq!((&listed["items"][0]["name"], &listed["items"][0]["role"]), (&json!("ci"), &json!("write")));
    assert!(!listed.to_string().contains(&token));
    assert_eq!(
        host.admin(Method::POST, "users/grace/tokens", Some(json!({ "role": "admin" }))).await.status,
        400,
        "she does not administer"
    );
    let id = listed["items"][0]["id"].as_str().unwrap();
    host.admin(Method::DELETE, &format!("tokens/{id}"), None).await.expect(200);
    assert_eq!(whoami().await.status, 401);
    assert_eq!(host.admin(Method::DELETE, &format!("tokens/{id}"), None).await.refusal(), (404, "NotFound"));

    let changed = host.admin(Method::PATCH, "users/grace", Some(json!({ "isAdmin": true }))).await.expect(200).json();
    assert_eq!((&changed["isAdmin"], &changed["hasPassword"]), (&json!(true), &json!(true)));
    let changed = host.admin(Method::PATCH, "users/grace", Some(json!({ "password": null }))).await.expect(200).json();
    assert_eq!((&changed["isAdmin"], &changed["hasPassword"]), (&json!(true), &json!(false)));
    assert_eq!(host.admin(Method::PATCH, "users/grace", Some(json!({ "password": "x" }))).await.status, 400);
    assert_eq!(host.admin(Method::PATCH, "users/grace", Some(json!({ "colour": "red" }))).await.status, 400);
    host.admin(Method::DELETE, "users/grace", None).await.expect(200);
    assert_eq!(host.admin(Method::GET, "users/grace", None).await.refusal(), (404, "AccountNotFound"));

    host.hub.create("app", "static").await;
    let refused = host.admin(Method::DELETE, "users/ada", None).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("ada/app"), "{refused:?}");
    assert_eq!(host.admin_get("users/ada").await["numSpaces"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_says_who_what_where_and_no_secret() {
    let host = Host::start().await;
    host.hub.create("app", "wasm").await;
    let secret = json!({ "key": "KEY", "value": CANARY });
    let mut set = request(Method::POST, "/api/spaces/ada/app/secrets", Some(&host.hub.ada), Some(secret));
    set.extensions_mut().insert(RequestContext {
        request_id: HeaderValue::from_static("r"),
        client_ip: "192.0.2.9".parse().unwrap(),
        scheme: Scheme::Http,
    });
    host.hub.send(set).await.expect(200);
    host.admin(Method::POST, "users/bob/tokens", Some(json!({ "role": "read" }))).await.expect(200);

    let about = host.admin_get("audit?space=ada/app").await;
    let entry = &about["items"][0];
    assert_eq!((&entry["action"], &entry["from"]), (&json!("secret.set"), &json!("192.0.2.9")));
    assert_eq!((&entry["actor"]["name"], &entry["detail"]["name"]), (&json!("ada"), &json!("KEY")));
    assert_eq!(about["items"][1]["action"], "space.create");
    let by_root = host.admin_get("audit?actor=root").await;
    assert_eq!(
        (&by_root["items"][0]["action"], &by_root["items"][0]["target"]),
        (&json!("token.create"), &json!("bob"))
    );

    let mut path = "audit?limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = host.admin_get(&path).await;
        let text = page.to_string();
        assert!(!text.contains(CANARY) && !text.contains(&host.hub.ada) && !text.contains(&host.root), "{text}");
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => path = next.strip_prefix("http://hub.test/api/admin/").unwrap().to_owned(),
            None => break,
        }
    }
    let total = host.admin_get("audit").await["items"].as_array().unwrap().len();
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (total, total));
    assert_eq!(host.admin_get("audit?before=2020-01-01").await["items"], json!([]));
    assert_eq!(host.admin(Method::GET, "audit?before=yesterday", None).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_a_quota_is_refused_in_words() {
    let host = Host::start().await;
    host.hub.create("app", "static").await;
    let set = json!({ "spaces": 1, "storageBytes": 100_000, "lfsBytes": 1000 });
    let view = host.admin(Method::PUT, "quotas/ada", Some(set)).await.expect(200).json();
    assert_eq!((&view["spaces"], &view["used"]["spaces"]), (&json!(1), &json!(1)), "{view}");
    assert_eq!(host.admin_get("quotas").await["items"][0]["owner"], "ada");

    let body = json!({ "name": "second", "organization": null, "type": "space", "sdk": "static" });
    let refused = host.hub.post("/api/repos/create", body.clone()).await;
    assert_eq!(refused.refusal(), (403, "QuotaExceeded"));
    assert!(refused.text().contains("1 Spaces"), "{refused:?}");
    let copy = json!({ "repository": "ada/copy" });
    assert_eq!(host.hub.post("/api/spaces/ada/app/duplicate", copy).await.refusal(), (403, "QuotaExceeded"));
    let text = "x".repeat(5000);
    let names: Vec<String> = (0..20).map(|number| format!("{number}.txt")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), text.as_str())).collect();
    let refused = host.hub.commit("app", &files).await;
    assert_eq!(refused.refusal(), (403, "QuotaExceeded"));
    host.hub.commit("app", &[("small.txt", "x")]).await.expect(200);

    let upload = |size: u64| {
        let object = json!({ "oid": "a".repeat(64), "size": size });
        let body = json!({ "operation": "upload", "transfers": ["basic"], "objects": [object] });
        host.hub.post("/spaces/ada/app.git/info/lfs/objects/batch", body)
    };
    let refused = upload(1001).await.expect(200).json();
    assert!(refused["objects"][0]["error"]["message"].as_str().unwrap().contains("quota"), "{refused}");
    assert!(upload(1000).await.expect(200).json()["objects"][0]["actions"]["upload"].is_object());

    host.admin(Method::DELETE, "quotas/ada", None).await.expect(200);
    host.hub.post("/api/repos/create", body).await.expect(200);
    assert_eq!(host.admin_get("quotas").await["items"], json!([]));
    assert_eq!(host.admin(Method::PUT, "quotas/ada", Some(json!({ "bytes": 1 }))).await.status, 400);
    assert_eq!(host.admin(Method::PUT, "quotas/nobody", Some(json!({}))).await.refusal(), (404, "AccountNotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_goes_from_its_owner_to_an_administrator_and_back() {
    let host = Host::start().await;
    host.hub.create("app", "wasm").await;
    let path = "/api/spaces/ada/app/grants";
    let asked = json!({ "flavor": "cpu-upgrade", "reason": "a demo" });
    assert_eq!(host.as_bob(Method::POST, path, Some(asked.clone())).await.status, 403);
    assert_eq!(host.hub.send(request(Method::GET, path, None, None)).await.status, 401);
    let grant = host.hub.post(path, asked.clone()).await.expect(200).json();
    assert_eq!((&grant["status"], &grant["space"]), (&json!("pending"), &json!("ada/app")));
    assert_eq!(host.hub.post(path, asked).await.status, 409);
    assert_eq!(host.hub.post(path, json!({ "flavor": "warp", "reason": "r" })).await.refusal(), (400, "NotOffered"));

    let id = grant["id"].as_str().unwrap();
    assert_eq!(host.admin_get("grants?status=pending").await["items"][0]["id"], id);
    let deny = format!("grants/{id}/deny");
    assert_eq!(host.admin(Method::POST, &deny, Some(json!({}))).await.status, 400, "a reason is owed");
    host.admin(Method::POST, &format!("grants/{id}/approve"), None).await.expect(200);
    assert_eq!(host.admin(Method::POST, &format!("grants/{id}/approve"), None).await.status, 409);
    assert_eq!(host.hub.get(path).await.json()["items"][0]["status"], "approved");
    assert_eq!(host.admin_get("grants?status=pending").await["items"], json!([]));
    for flavor in ["cpu-upgrade", "cpu-basic"] {
        host.hub.post("/api/spaces/ada/app/hardware", json!({ "flavor": flavor })).await.expect(200);
    }
    assert_eq!(host.hub.get(path).await.json()["items"][0]["status"], "ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_told_by_space_by_owner_and_for_everybody() {
    let host = Host::start().await;
    host.hub.create("app", "wasm").await;
    let used = host.hub.get("/api/spaces/ada/app/usage?from=2026-01-05&to=2026-01-06").await.expect(200).json();
    assert_eq!((&used["from"], &used["to"]), (&json!("2026-01-05T00:00:00.000Z"), &json!("2026-01-07T00:00:00.000Z")));
    assert_eq!((&used["minutes"], &used["costUSD"], &used["fuel"]), (&json!(0), &json!(0.0), &json!(0)));
    assert_eq!(host.as_bob(Method::GET, "/api/spaces/ada/app/usage", None).await.status, 403);
    for query in ["from=2026-02-01&to=2026-01-01", "from=1999-01-01&to=2026-01-01", "from=soon"] {
        let refused = host.hub.get(&format!("/api/spaces/ada/app/usage?{query}")).await;
        assert_eq!(refused.status, 400, "{query}");
    }
    assert_eq!(host.hub.get("/api/settings/usage").await.expect(200).json()["items"], json!([]));
    assert_eq!(host.hub.send(request(Method::GET, "/api/settings/usage", None, None)).await.status, 401);
    assert_eq!(host.admin_get("usage?by=owner&owner=ada").await["minutes"], 0);
    assert_eq!(host.admin(Method::GET, "usage?by=colour", None).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_in_use_and_backends_are_listed() {
    let host = Host::start().await;
    host.hub.create("app", "wasm").await;
    host.hub.commit("app", &[("app.wasm", "x")]).await.expect(200);
    host.hub.reaches("app", "RUNNING").await;
    let hardware = host.admin_get("hardware").await;
    let basic = hardware["items"].as_array().unwrap().iter().find(|row| row["name"] == "cpu-basic").unwrap();
    assert_eq!((&basic["spaces"], &basic["running"]), (&json!(1), &json!(1)), "{basic}");
    assert_eq!(hardware["builds"]["waiting"], 0);
    let plugins = host.admin_get("plugins").await;
    assert_eq!((&plugins["sdks"], &plugins["items"]), (&json!(["static", "wasm"]), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_are_switched_by_name_and_rows_are_shown_one_by_one() {
    let host = Host::start().await;
    let container = BackendPlugin { name: "container".into(), problem: Some("it is starting".into()), restarts: 1 };
    host.hub.programs.lock().push(container);
    let seen = host.admin_get("plugins").await;
    let mut expected = json!({
        "name": "container", "kind": "program", "healthy": false, "problem": "it is starting", "restarts": 1, "enabled": true,
    });
    assert_eq!(seen["items"], json!([expected]));
    expected["enabled"] = json!(false);
    for _ in 0..2 {
        let off = host.admin(Method::POST, "plugins/container/disable", None).await.expect(200).json();
        assert_eq!(off, expected);
    }
    assert_eq!(host.admin_get("plugins/container").await, expected);
    host.admin(Method::POST, "plugins/container/enable", None).await.expect(200);
    assert_eq!(host.admin_get("plugins/container").await["enabled"], true);
    let removed = host.admin(Method::DELETE, "plugins/container", None).await;
    assert_eq!(removed.status, 409, "a program is the configuration's: {removed:?}");
    for (method, path) in [(Method::GET, "plugins/static"), (Method::POST, "plugins/static/disable")] {
        assert_eq!(host.admin(method, path, None).await.refusal(), (404, "NotFound"), "{path}");
    }

    assert_eq!(host.admin_get("hardware/cpu-basic").await["spaces"], 0);
    assert_eq!(host.admin(Method::GET, "hardware/warp", None).await.refusal(), (404, "NotFound"));
    let tokens = host.admin_get("tokens").await;
    let of_root = tokens["items"].as_array().unwrap().iter().find(|token| token["user"] == "root").unwrap();
    let id = of_root["id"].as_str().unwrap();
    assert_eq!(host.admin_get(&format!("tokens/{id}")).await, *of_root);
    host.hub.create("app", "wasm").await;
    let asked = json!({ "flavor": "cpu-upgrade", "reason": "it is nice" });
    let grant = host.hub.post("/api/spaces/ada/app/grants", asked).await.expect(200).json();
    let id = grant["id"].as_str().unwrap();
    assert_eq!(host.admin_get(&format!("grants/{id}")).await["flavor"], "cpu-upgrade");
}
