use std::time::Duration;

use axum::http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use spaceport_core::permission::{Action, Actor};
use tower::ServiceExt;

use crate::testing::{TestHub, request};

/// A value that must never be seen outside.
const CANARY: &str = "canary-3f1b";

#[tokio::test(flavor = "multi_thread")]
async fn variables_are_set_replaced_and_deleted() {
    let hub = TestHub::start().await;
    hub.create("app", "wasm").await;
    let path = "/api/spaces/ada/app/variables";
    let all =
        hub.post(path, json!({ "key": "MODEL", "value": "a", "description": "which one" })).await.expect(200).json();
    assert_eq!((&all["MODEL"]["value"], &all["MODEL"]["description"]), (&json!("a"), &json!("which one")));
    assert!(all["MODEL"]["updatedAt"].as_str().unwrap().ends_with('Z'));

    let all = hub.post(path, json!({ "key": "MODEL", "value": "b" })).await.expect(200).json();
    assert_eq!((&all["MODEL"]["value"], &all["MODEL"]["description"]), (&json!("b"), &json!("which one")));
    hub.post(path, json!({ "key": "SIZE", "value": "1" })).await.expect(200);
    for _ in 0..2 {
        let rest = hub.call(Method::DELETE, path, Some(json!({ "key": "MODEL" }))).await.expect(200).json();
        assert_eq!(rest.as_object().unwrap().keys().collect::<Vec<_>>(), ["SIZE"]);
    }
    assert_eq!(hub.get(path).await.json()["SIZE"]["value"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_value_of_a_secret_is_never_told() {
    let hub = TestHub::start().await;
    hub.create("app", "wasm").await;
    let path = "/api/spaces/ada/app/secrets";
    let answer = hub.post(path, json!({ "key": "KEY", "value": CANARY, "description": "d" })).await.expect(200);
    assert_eq!((answer.json(), answer.header("x-hf-warning")), (json!({}), None));
    let told = hub.get(path).await.expect(200);
    assert_eq!(told.json()["KEY"]["description"], "d");
    for path in [path, "/api/spaces/ada/app", "/api/spaces/ada/app/variables", "/api/spaces/ada/app/runtime"] {
        assert!(!hub.get(path).await.text().contains(CANARY), "{path}");
    }
    for _ in 0..2 {
        let answer = hub.call(Method::DELETE, path, Some(json!({ "key": "KEY" }))).await.expect(200);
        assert_eq!(answer.json(), json!({}));
    }
    assert_eq!(hub.get(path).await.json(), json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_a_static_space_is_warned_that_pages_get_its_secrets() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let answer = hub.post("/api/spaces/ada/page/secrets", json!({ "key": "KEY", "value": "v" })).await.expect(200);
    let warning = answer.header("x-hf-warning").unwrap();
    assert!(warning.starts_with("static-secret; ") && warning.contains("window.huggingface.variables"), "{warning}");

    for (sdk, secrets, is_warned) in [
        ("static", json!([{ "key": "KEY", "value": "v" }]), true),
        ("wasm", json!([{ "key": "KEY", "value": "v" }]), false),
        ("static", json!([]), false),
    ] {
        let name = format!("{sdk}-{is_warned}-{}", secrets.as_array().unwrap().len());
        let body = json!({ "name": name, "type": "space", "sdk": sdk, "secrets": secrets });
        let answer = hub.post("/api/repos/create", body).await.expect(200);
        let warning = answer.header("x-hf-warning");
        assert_eq!(warning.is_some_and(|warning| warning.starts_with("static-secret; ")), is_warned, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_values_that_cannot_be_set_are_refused() {
    let hub = TestHub::start().await;
    hub.create("app", "wasm").await;
    let long = "x".repeat((64 << 10) + 1);
    for (body, expected) in [
        (json!({ "key": "A-B", "value": "" }), "A-B"),
        (json!({ "key": "", "value": "" }), "letters"),
        (json!({ "key": "A", "value": long }), "65536"),
        (json!({ "key": "A", "value": "\0" }), "zero"),
        (json!({ "key": "A" }), "value"),
        (json!({ "value": "" }), "key"),
    ] {
        for kind in ["variables", "secrets"] {
            let answer = hub.post(&format!("/api/spaces/ada/app/{kind}"), body.clone()).await.expect(400);
            assert!(answer.json()["error"].as_str().unwrap().contains(expected), "{expected}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_is_requested_by_name_and_refused_with_what_is_offered() {
    let hub = TestHub::start().await;
    hub.create("app", "wasm").await;
    let path = "/api/spaces/ada/app/hardware";
    let body = json!({ "flavor": "cpu-upgrade", "sleepTimeSeconds": 600 });
    let runtime = hub.post(path, body).await.expect(200).json();
    assert_eq!((&runtime["hardware"]["requested"], &runtime["gcTimeout"]), (&json!("cpu-upgrade"), &json!(600)));
    for (body, expected) in [
        (json!({ "flavor": "t4-small" }), "accelerator"),
        (json!({ "flavor": "abacus" }), "cpu-basic, cpu-upgrade"),
        (json!({ "flavor": null }), "flavor"),
        (json!({ "flavor": "cpu-basic", "sleepTimeSeconds": -7 }), "-1 for never"),
    ] {
        let answer = hub.post(path, body).await.expect(400);
        assert!(answer.json()["error"].as_str().unwrap().contains(expected), "{expected}: {answer:?}");
    }

    let rows = hub.get("/api/spaces/hardware").await.expect(200).json();
    let row = |name: &str| rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
    assert_eq!(
        row("cpu-upgrade"),
        json!({ "name": "cpu-upgrade", "prettyName": "CPU Upgrade", "cpu": "8 vCPU", "ram": "32 GB",
                "ephemeralStorage": "50 GB", "accelerator": null, "unitCostMicroUSD": 500, "unitCostUSD": 0.0005,
                "unitLabel": "minute" })
    );
    assert_eq!(
        row("t4-small")["accelerator"],
        json!({ "type": "gpu", "model": "T4", "quantity": "1", "vram": "16 GB", "manufacturer": "Nvidia" })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sleep_time_of_free_hardware_stays_and_the_owner_is_told() {
    let hub = TestHub::start().await;
    hub.create("app", "wasm").await;
    let answer = hub.post("/api/spaces/ada/app/sleeptime", json!({ "seconds": 60 })).await.expect(200);
    assert!(answer.header("x-hf-warning").unwrap().starts_with("sleep-time; "));
    assert_eq!(answer.json()["gcTimeout"], 172_800);

    // A wish that has no effect is not kept for later.
    let free = json!({ "flavor": "cpu-basic", "sleepTimeSeconds": 60 });
    let answer = hub.post("/api/spaces/ada/app/hardware", free).await.expect(200);
    assert!(answer.header("x-hf-warning").unwrap().starts_with("sleep-time; "));
    let body = json!({ "name": "other", "type": "space", "sdk": "wasm", "sleepTimeSeconds": 60 });
    let answer = hub.post("/api/repos/create", body).await.expect(200);
    assert!(answer.header("x-hf-warning").unwrap().starts_with("sleep-time; "));
    for name in ["app", "other"] {
        let body = json!({ "flavor": "cpu-upgrade" });
        let answer = hub.post(&format!("/api/spaces/ada/{name}/hardware"), body).await.expect(200);
        assert_eq!((answer.header("x-hf-warning"), &answer.json()["gcTimeout"]), (None, &Value::Null));
    }
    let sleep = async |seconds: i64| {
        let answer = hub.post("/api/spaces/ada/app/sleeptime", json!({ "seconds": seconds })).await.expect(200);
        assert_eq!(answer.header("x-hf-warning"), None);
        answer.json()["gcTimeout"].clone()
    };
    assert_eq!(sleep(60).await, 60);
    assert_eq!(sleep(-1).await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_sleep_time_leaves_the_app_running() {
    let hub = TestHub::start().await;
    hub.create("app", "wasm").await;
    hub.post("/api/spaces/ada/app/hardware", json!({ "flavor": "cpu-upgrade" })).await.expect(200);
    hub.commit("app", &[("app.wasm", "\0asm")]).await.expect(200);
    hub.reaches("app", "RUNNING").await;
    let instance = || {
        let actor = hub.control.accounts().authenticate(&hub.ada).unwrap().unwrap().user;
        let space = hub.control.space(&Actor::User(actor), &"ada/app".parse().unwrap(), Action::See).unwrap();
        let state = hub.control.fleet().state(space.id).unwrap().state;
        (state.live_instance(), state.next_instance)
    };
    let before = instance();
    hub.post("/api/spaces/ada/app/sleeptime", json!({ "seconds": 60 })).await.expect(200);
    assert_eq!(instance(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_grows_and_goes_but_does_not_shrink() {
    let hub = TestHub::start().await;
    hub.create("app", "wasm").await;
    let path = "/api/spaces/ada/app/storage";
    for tier in ["small", "medium"] {
        let runtime = hub.post(path, json!({ "tier": tier })).await.expect(200).json();
        assert_eq!(runtime["storage"], tier);
    }
    for (body, expected) in [
        (json!({ "tier": "small" }), "shrink"),
        (json!({ "tier": "tiny" }), "small, medium, large"),
        (json!({}), "tier"),
    ] {
        let answer = hub.post(path, body).await.expect(400);
        assert!(answer.json()["error"].as_str().unwrap().contains(expected), "{expected}: {answer:?}");
    }
    assert_eq!(hub.call(Method::DELETE, path, None).await.expect(200).json()["storage"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_space_has_no_hardware_sleep_pause_or_restart() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    for (operation, body) in [
        ("hardware", json!({ "flavor": "cpu-upgrade" })),
        ("sleeptime", json!({ "seconds": 60 })),
        ("storage", json!({ "tier": "small" })),
        ("pause", Value::Null),
        ("restart", Value::Null),
    ] {
        let answer = hub.post(&format!("/api/spaces/ada/page/{operation}"), body).await.expect(400);
        assert!(answer.json()["error"].as_str().unwrap().contains("static Space"), "{operation}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_paused_and_started_again() {
    let hub = TestHub::start().await;
    hub.create("app", "wasm").await;
    hub.commit("app", &[("app.wasm", "\0asm")]).await.expect(200);
    hub.reaches("app", "RUNNING").await;
    let call = async |operation: &str| {
        let answer = hub.call(Method::POST, &format!("/api/spaces/ada/app/{operation}"), None).await.expect(200);
        answer.json()["stage"].as_str().unwrap().to_owned()
    };
    assert_eq!(call("pause").await, "PAUSED");
    assert_eq!(hub.get("/api/spaces/ada/app/runtime").await.json()["hardware"]["current"], Value::Null);
    let stage = call("restart").await;
    assert!(["APP_STARTING", "RUNNING"].contains(&stage.as_str()), "{stage}");
    hub.reaches("app", "RUNNING").await;
    let stage = call("restart?factory=true").await;
    assert!(["RUNNING_BUILDING", "RUNNING_APP_STARTING", "RUNNING"].contains(&stage.as_str()), "{stage}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_told_to_nobody_who_may_not_read_it_any_more() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    hub.reaches("page", "RUNNING").await;
    let grace = hub.administrator("grace").await;
    let stream = request(Method::GET, "/api/spaces/ada/page/logs/run", Some(&hub.ada), None);
    let mut body = hub.router.clone().oneshot(stream).await.unwrap().into_body();
    body.frame().await.expect("the app has said something").unwrap();
    let moved = json!({ "fromRepo": "ada/page", "toRepo": "grace/page", "type": "space" });
    hub.send(request(Method::POST, "/api/repos/move", Some(&grace), Some(moved))).await.expect(200);
    let ended = async { while body.frame().await.is_some() {} };
    // Its new owner has it say something again and again meanwhile.
    let talks = async {
        for number in 0.. {
            let variable = json!({ "key": "A", "value": number.to_string() });
            let path = "/api/spaces/grace/page/variables";
            hub.send(request(Method::POST, path, Some(&grace), Some(variable))).await.expect(200);
        }
    };
    tokio::select! {
        () = ended => {}
        () = talks => unreachable!("it goes on for ever"),
        () = tokio::time::sleep(Duration::from_secs(60)) => panic!("the log goes on"),
    }
}
