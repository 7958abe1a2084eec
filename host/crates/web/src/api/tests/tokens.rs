//! A user's tokens over HTTP.

use http::Method;
use serde_json::{Value, json};

use crate::testing::TestHub;

const TOKENS: &str = "/api/settings/tokens";

#[tokio::test(flavor = "multi_thread")]
async fn a_fine_grained_token_says_what_it_is_for() {
    let hub = TestHub::start().await;
    for name in ["one", "two"] {
        let body = json!({ "name": name, "type": "space", "sdk": "static", "private": true });
        hub.post("/api/repos/create", body).await.expect(200);
    }
    let scoped = json!([
        { "entity": { "type": "space", "name": "ada/one" }, "permissions": ["repo.write", "repo.content.read"] },
    ]);
    let body = json!({
        "displayName": "ci",
        "role": "fineGrained",
        "fineGrained": { "global": ["discussion.write"], "scoped": scoped },
    });
    let made = hub.post(TOKENS, body).await.expect(200).json();
    let token = made["token"].as_str().unwrap();
    let who = hub.by(token, Method::GET, "/api/whoami-v2", Value::Null).await.expect(200).json();
    let at_hand = &who["auth"]["accessToken"];
    assert_eq!((&at_hand["displayName"], &at_hand["role"]), (&json!("ci"), &json!("fineGrained")));
    let fine = &at_hand["fineGrained"];
    assert_eq!((&fine["canReadGatedRepos"], &fine["global"]), (&json!(false), &json!(["discussion.write"])));
    let scope = &fine["scoped"][0];
    assert_eq!((&scope["entity"]["type"], &scope["entity"]["name"]), (&json!("space"), &json!("ada/one")));
    assert_eq!(scope["permissions"], json!(["repo.content.read", "repo.write"]));
    assert_eq!(scope["entity"]["_id"], hub.get("/api/spaces/ada/one").await.json()["_id"]);

    let ask = async |method, path: &str, body| hub.by(token, method, path, body).await.status.as_u16();
    assert_eq!(ask(Method::GET, "/api/spaces/ada/one", Value::Null).await, 200);
    assert_eq!(ask(Method::GET, "/api/spaces/ada/two", Value::Null).await, 404);
    let pair = json!({ "key": "A", "value": "1" });
    assert_eq!(ask(Method::POST, "/api/spaces/ada/one/variables", pair.clone()).await, 200);
    assert_eq!(ask(Method::POST, "/api/spaces/ada/two/variables", pair).await, 404);
    let listed = hub.by(token, Method::GET, "/api/spaces", Value::Null).await.json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &json!("ada/one")));
    for (method, path) in [(Method::GET, TOKENS), (Method::POST, "/api/organizations")] {
        assert_eq!(ask(method, path, json!({ "name": "lab" })).await, 403);
    }
    // The name is that of now, and there is none of what is gone.
    let to = json!({ "fromRepo": "ada/one", "toRepo": "ada/three", "type": "space" });
    hub.post("/api/repos/move", to).await.expect(200);
    let list = hub.get(TOKENS).await.expect(200).json();
    assert_eq!(list["items"][0]["fineGrained"]["scoped"][0]["entity"]["name"], "ada/three");
    hub.call(Method::DELETE, "/api/repos/delete", Some(json!({ "name": "three", "type": "space" }))).await.expect(200);
    let list = hub.get(TOKENS).await.expect(200).json();
    assert_eq!(list["items"][0]["fineGrained"]["scoped"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_listed_made_and_revoked() {
    let hub = TestHub::start().await;
    let made = hub.post(TOKENS, json!({ "displayName": "look", "role": "read" })).await.expect(200).json();
    let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    let list = hub.get(TOKENS).await.expect(200).json();
    assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["id"]), (2, &json!(id)));
    assert_eq!((&list["items"][0]["role"], &list["next"]), (&json!("read"), &Value::Null));
    assert!(list["items"][0].get("token").is_none() && token.ends_with(list["items"][0]["lastFour"].as_str().unwrap()));
    // A token that reads makes none and ends none; nobody ends another's.
    let address = format!("{TOKENS}/{id}");
    hub.by(token, Method::POST, TOKENS, json!({ "displayName": "x", "role": "read" })).await.expect(403);
    hub.by(token, Method::DELETE, &address, Value::Null).await.expect(403);
    hub.by(&hub.bob, Method::DELETE, &address, Value::Null).await.expect(404);
    hub.call(Method::DELETE, &address, None).await.expect(204);
    hub.call(Method::DELETE, &address, None).await.expect(404);
    hub.call(Method::DELETE, &format!("{TOKENS}/x"), None).await.expect(400);
    hub.by(token, Method::GET, "/api/whoami-v2", Value::Null).await.expect(401);
    let scope = |kind: &str, name: &str, word: &str| {
        let scoped = json!([{ "entity": { "type": kind, "name": name }, "permissions": [word] }]);
        json!({ "displayName": "x", "role": "fineGrained", "fineGrained": { "scoped": scoped } })
    };
    for (body, status) in [
        (json!({}), 400),
        (json!({ "displayName": " ", "role": "read" }), 400),
        (json!({ "displayName": "x", "role": "king" }), 400),
        (json!({ "displayName": "x", "role": "fineGrained" }), 400),
        (json!({ "displayName": "x", "role": "admin" }), 403),
        (scope("model", "ada/x", "repo.write"), 400),
        (scope("user", "ada", "repo.admin"), 400),
        (scope("user", "nobody", "repo.write"), 404),
        (scope("space", "ada/none", "repo.write"), 404),
        (scope("space", "ada", "repo.write"), 400),
    ] {
        let told = body.to_string();
        assert_eq!(hub.post(TOKENS, body).await.status.as_u16(), status, "{told}");
    }
    hub.post(TOKENS, scope("user", "ADA", "repo.write")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_a_token_ends_it_and_learns_nothing() {
    let hub = TestHub::start().await;
    let report = async |body: Value| {
        let sent = crate::testing::request(Method::POST, "/api/credentials/revoke", None, Some(body));
        let answer = hub.send(sent).await.expect(202);
        assert!(answer.body.is_empty());
    };
    report(json!({ "credentials": ["hf_x", hub.bob] })).await;
    hub.by(&hub.bob, Method::GET, "/api/whoami-v2", Value::Null).await.expect(401);
    for nonsense in [json!({}), json!([1]), json!({ "credentials": [1] }), json!({ "credentials": [] })] {
        report(nonsense).await;
    }
    hub.get("/api/whoami-v2").await.expect(200);
}
