//! What pages tell of a build and of a start, as they are loaded and by the events after that.

use axum::body::{Body, BodyDataStream};
use axum::http::{Method, Request};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::page;
use crate::testing::{PATIENCE, TestHub};

const README: &str = "---\nsdk: wasm\n---\n";

/// The events of a Space, as a page listens to them.
struct Events {
    body: BodyDataStream,
    rest: String,
}

impl Events {
    async fn of(hub: &TestHub, path: &str) -> Self {
        let request = Request::get(path).header("authorization", format!("Bearer {}", hub.ada));
        let response = hub.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        Self { body: response.into_body().into_data_stream(), rest: String::new() }
    }

    async fn next(&mut self) -> Value {
        loop {
            if let Some((frame, rest)) = self.rest.split_once("\n\n") {
                let (frame, rest) = (frame.to_owned(), rest.to_owned());
                self.rest = rest;
                if let Some(json) = frame.strip_prefix("data: ") {
                    return serde_json::from_str(json).unwrap();
                }
                continue;
            }
            let bytes = self.body.next().await.expect("the stream goes on").unwrap();
            self.rest.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The first event of which this is true, and all before it.
    async fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut seen = Vec::new();
        let reached = async {
            while !seen.last().is_some_and(&is_it) {
                let event = self.next().await;
                seen.push(event);
            }
        };
        let result = tokio::time::timeout(PATIENCE, reached).await;
        assert!(result.is_ok(), "{seen:#?}");
        seen
    }

    async fn doing(&mut self, words: &str) -> Vec<Value> {
        self.until(|event| event["shown"]["doing"] == words).await
    }
}

async fn pushed(hub: &TestHub, name: &str, content: &str) -> Events {
    hub.create(name, "static").await;
    hub.commit(name, &[("README.md", README), ("app.wasm", content)]).await.expect(200);
    Events::of(hub, &format!("/api/spaces/ada/{name}/events?shown=true")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_is_told_step_by_step() {
    let hub = TestHub::start().await;
    let held = hub.hold_builds();
    let mut events = pushed(&hub, "app", "1").await;
    let seen = events.doing("Compiling").await;
    let last = seen.last().unwrap();
    assert_eq!((&last["shown"]["words"], &last["shown"]["mood"]), (&"Building".into(), &"busy".into()), "{last}");
    assert!(last["shown"]["elapsed"].is_number() && last["shown"]["usual"].is_null(), "{last}");

    // The same on the page, for who has no scripts.
    let shown = page(&hub, "/spaces/ada/app").await.expect(200);
    assert!(shown.text().contains("<p id=\"now\">"), "{}", shown.text());
    assert!(shown.text().contains("<span id=\"doing\" role=\"status\">Compiling</span>"), "{}", shown.text());
    assert!(shown.text().contains("<span id=\"elapsed\" data-seconds=\""), "{}", shown.text());
    assert!(shown.text().contains("data-stage=\"BUILDING\">Building</span>"), "{}", shown.text());

    drop(held);
    let seen = events.until(|event| event["stage"] == "RUNNING").await;
    let last = seen.last().unwrap();
    assert_eq!((&last["shown"]["words"], &last["shown"]["isServed"]), (&"Running".into(), &true.into()), "{last}");
    let shown = page(&hub, "/spaces/ada/app").await.expect(200);
    assert!(shown.text().contains("<p id=\"now\" hidden>"), "{}", shown.text());

    let _held = hub.hold_builds();
    hub.commit("app", &[("app.wasm", "2")]).await.expect(200);
    let seen = events.doing("Compiling").await;
    let last = seen.last().unwrap();
    assert_eq!((&last["stage"], &last["shown"]["words"]), (&"RUNNING_BUILDING".into(), &"Running, building".into()));
    assert!(last["shown"]["usual"].as_str().unwrap().starts_with("The last build took "), "{last}");
    let shown = page(&hub, "/spaces/ada/app/tree/main").await.expect(200);
    assert!(shown.text().contains("The last build took "), "{}", shown.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_worker_is_told_how_many_are_ahead_as_that_changes() {
    let hub = TestHub::start().await;
    let held = hub.hold_builds();
    for name in ["one", "two"] {
        pushed(&hub, name, name).await.doing("Compiling").await;
    }
    pushed(&hub, "three", "3").await.doing("Waiting for 2 builds that are ahead of it").await;
    let mut four = pushed(&hub, "four", "4").await;
    four.doing("Waiting for 3 builds that are ahead of it").await;
    let shown = page(&hub, "/spaces/ada/four").await.expect(200);
    assert!(shown.text().contains("Waiting for 3 builds that are ahead of it"), "{}", shown.text());
    let gone = json!({ "organization": "ada", "name": "one", "type": "space" });
    hub.call(Method::DELETE, "/api/repos/delete", Some(gone)).await.expect(200);
    four.doing("Waiting for 2 builds that are ahead of it").await;
    drop(held);
    four.until(|event| event["stage"] == "RUNNING").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_ask_for_no_words_get_the_runtime_alone_and_once() {
    let hub = TestHub::start().await;
    let held = hub.hold_builds();
    pushed(&hub, "app", "1").await.doing("Compiling").await;
    let mut plain = Events::of(&hub, "/api/spaces/ada/app/events").await;
    drop(held);
    let seen = plain.until(|event| event["stage"] == "RUNNING").await;
    assert!(seen.iter().all(|event| event.get("shown").is_none()), "{seen:#?}");
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:#?}");
    assert_eq!(hub.get("/api/spaces/ada/app/runtime").await.expect(200).json(), *seen.last().unwrap());
}
