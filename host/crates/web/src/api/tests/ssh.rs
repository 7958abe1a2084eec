use http::Method;
use serde_json::json;

use crate::api::ssh::SshDoor;
use crate::router::{AppState, hub_router};
use crate::testing::{TestHub, request};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC48nO8xMX+ocH3mO9v+oeOmbG1P7UkHzcXNQg9d7ZtV";
const FINGERPRINT: &str = "SHA256:rZujKUWDd04xQ7OyNJAjYIfLzD6FUi/Ni8sv7habCjE";

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_added_listed_and_deleted() {
    let hub = TestHub::start().await;
    let new = json!({ "title": "laptop", "key": format!("{KEY} ada@laptop\n") });
    let added = hub.post("/api/settings/keys", new.clone()).await.expect(201).json();
    assert_eq!((&added["title"], &added["type"]), (&json!("laptop"), &json!("ssh-ed25519")));
    assert_eq!((&added["fingerprint"], &added["key"]), (&json!(FINGERPRINT), &json!(KEY)));
    assert!(added["createdAt"].is_string() && added["lastUsedAt"].is_null(), "{added}");
    let listed = hub.get("/api/settings/keys").await.expect(200).json();
    assert_eq!(listed, json!({ "items": [added], "next": null }));
    let others = hub.send(request(Method::GET, "/api/settings/keys", Some(&hub.bob), None)).await.expect(200);
    assert_eq!(others.json()["items"], json!([]));

    hub.post("/api/settings/keys", new).await.expect(409);
    let address = format!("/api/settings/keys/{}", added["id"].as_str().unwrap());
    hub.send(request(Method::DELETE, &address, Some(&hub.bob), None)).await.expect(404);
    hub.call(Method::DELETE, &address, None).await.expect(200);
    hub.call(Method::DELETE, &address, None).await.expect(404);
    hub.call(Method::DELETE, "/api/settings/keys/laptop", None).await.expect(404);
    assert_eq!(hub.get("/api/settings/keys").await.json()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_is_refused_with_what_to_do_instead() {
    let hub = TestHub::start().await;
    for (body, words) in [
        (json!({ "key": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA" }), "private key"),
        (json!({ "key": "ssh-dss AAAAB3NzaC1kc3M=" }), "are not taken"),
        (json!({ "key": KEY, "title": "x".repeat(101) }), "title"),
        (json!({ "title": "none" }), "key"),
    ] {
        let answer = hub.post("/api/settings/keys", body).await.expect(400);
        assert!(answer.text().contains(words), "{}", answer.text());
    }
    hub.send(request(Method::GET, "/api/settings/keys", None, None)).await.expect(401);
    hub.send(request(Method::POST, "/api/settings/keys", None, Some(json!({ "key": KEY })))).await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_learn_where_ssh_is_and_by_which_key_the_host_is_known() {
    let mut hub = TestHub::start().await;
    assert_eq!(hub.get("/api/ssh").await.expect(200).json(), json!({ "enabled": false }));
    let door = SshDoor { host: "hub.test".into(), port: 2222, key: KEY.into(), fingerprint: FINGERPRINT.into() };
    hub.router = hub_router(AppState::new(hub.control.clone()).with_ssh(Some(door)));
    let told = hub.get("/api/ssh").await.expect(200).json();
    assert_eq!((&told["fingerprint"], &told["port"]), (&json!(FINGERPRINT), &json!(2222)));
    assert_eq!(told["knownHosts"], format!("[hub.test]:2222 {KEY}"));
}
