//! Rows of hardware and plugins, made and removed.

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use super::Host;
use crate::testing::request;

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_hardware_come_change_and_go() {
    let host = Host::start().await;
    let tiny = json!({ "name": "cpu-tiny", "vcpu": 0.25, "memory": "64MiB", "disk": "100MiB" });
    let made = host.admin(Method::POST, "hardware", Some(tiny.clone())).await.expect(200).json();
    assert_eq!(
        (&made["prettyName"], &made["memory"], &made["pricePerHour"], &made["gpu"], &made["spaces"]),
        (&json!("cpu-tiny"), &json!("64MiB"), &json!(0.0), &Value::Null, &json!(0)),
        "{made}"
    );
    assert_eq!(host.admin(Method::POST, "hardware", Some(tiny)).await.status, 409);
    let listed = host.hub.get("/api/spaces/hardware").await.json();
    assert_eq!(listed.as_array().unwrap().last().unwrap()["name"], "cpu-tiny", "everybody sees it");

    let change = |body| host.admin(Method::PATCH, "hardware/cpu-tiny", Some(body));
    let gpu = json!({ "type": "t4", "memory": "16GiB" });
    let changed = change(json!({ "vcpu": 0.5, "gpu": gpu, "requestFuel": 7 })).await.expect(200).json();
    assert_eq!((&changed["vcpu"], &changed["memory"]), (&json!(0.5), &json!("64MiB")), "what is not named stays");
    assert_eq!(changed["gpu"], json!({ "type": "t4", "count": 1, "memory": "16GiB" }));
    assert_eq!(change(json!({})).await.expect(200).json(), changed);
    let without = change(json!({ "gpu": null, "requestFuel": null })).await.expect(200).json();
    assert_eq!((&without["gpu"], &without["requestFuel"]), (&Value::Null, &Value::Null));

    host.hub.create("app", "wasm").await;
    let set = json!({ "flavor": "cpu-tiny" });
    host.hub.post("/api/spaces/ada/app/hardware", set.clone()).await.expect(200);
    let kept = host.admin(Method::DELETE, "hardware/cpu-tiny", None).await;
    assert_eq!(kept.status, 409, "{kept:?}");
    host.hub.post("/api/spaces/ada/app/hardware", json!({ "flavor": "cpu-basic" })).await.expect(200);
    host.admin(Method::DELETE, "hardware/cpu-tiny", None).await.expect(200);
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let body = (method == Method::PATCH).then(|| json!({}));
        assert_eq!(host.admin(method, "hardware/cpu-tiny", body).await.refusal(), (404, "NotFound"));
    }
    let refused = host.hub.post("/api/spaces/ada/app/hardware", set).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(host.admin(Method::DELETE, "hardware/cpu-basic", None).await.status, 409, "every Space starts on it");
    host.admin(Method::DELETE, "hardware/t4-small", None).await.expect(200);
    assert_eq!(host.admin(Method::GET, "hardware/t4-small", None).await.status, 404, "those of the host go too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_hardware_that_is_none_is_refused_by_name() {
    let host = Host::start().await;
    let good = json!({ "name": "x", "vcpu": 1, "memory": "1GB", "disk": "1GB" });
    for (member, value) in [
        ("name", json!("two words")),
        ("vcpu", json!(0)),
        ("vcpu", json!("one")),
        ("memory", json!("plenty")),
        ("memory", json!(64)),
        ("disk", json!("0B")),
        ("pricePerHour", json!(-1)),
        ("gpu", json!({ "type": "t4", "memory": "16GB", "count": 0 })),
        ("gpu", json!({ "type": "t4" })),
        ("requestFuel", json!(0)),
        ("colour", json!("red")),
    ] {
        let mut body = good.clone();
        body[member] = value;
        let refused = host.admin(Method::POST, "hardware", Some(body.clone())).await;
        assert_eq!(refused.status, 400, "{body}: {refused:?}");
    }
    let refused = host.admin(Method::PATCH, "hardware/cpu-basic", Some(json!({ "memory": "none" }))).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(host.admin_get("hardware/cpu-basic").await["memory"], "16GB");
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_are_installed_and_removed() {
    let host = Host::start().await;
    let send = |component: &str| {
        let request =
            http::Request::post("/api/admin/plugins").header("authorization", format!("Bearer {}", host.root));
        host.hub.send(request.body(Body::from(component.to_owned())).unwrap())
    };
    let refused = send("no word at all").await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let create = json!({ "name": "deck", "type": "space", "sdk": "slides" });
    assert_eq!(host.hub.post("/api/repos/create", create.clone()).await.status, 400);
    for _ in 0..2 {
        let installed = send("slides").await.expect(200).json();
        assert_eq!((&installed["name"], &installed["kind"]), (&json!("slides"), &json!("component")));
    }
    assert_eq!(host.admin_get("plugins").await["items"].as_array().unwrap().len(), 1);
    host.hub.post("/api/repos/create", create).await.expect(200);
    let kept = host.admin(Method::DELETE, "plugins/slides", None).await;
    assert_eq!(kept.status, 409, "there is a Space of its kind: {kept:?}");
    let delete = json!({ "name": "deck", "type": "space" });
    let deleted = host.hub.send(request(Method::DELETE, "/api/repos/delete", Some(&host.hub.ada), Some(delete))).await;
    deleted.expect(200);
    host.admin(Method::DELETE, "plugins/slides", None).await.expect(200);
    assert_eq!(host.admin(Method::DELETE, "plugins/slides", None).await.status, 404);
    assert_eq!(host.admin_get("plugins").await["items"], json!([]));
}
