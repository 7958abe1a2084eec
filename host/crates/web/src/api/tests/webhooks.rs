//! Webhooks as clients of the Hub make them, told over real connections.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::post;
use parking_lot::Mutex;
use serde_json::{Value, json};
use spaceport_core::egress::EgressPolicy;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::outgoing::WebhookSender;
use crate::testing::{TestHub, request};

/// Somebody who is told.
struct Receiver {
    url: String,
    /// Secret and message of each request.
    told: mpsc::UnboundedReceiver<(Option<String>, Value)>,
    /// The id of the last.
    id: Arc<Mutex<String>>,
    status: Arc<Mutex<StatusCode>>,
    server: JoinHandle<()>,
}

type Told = (mpsc::UnboundedSender<(Option<String>, Value)>, Arc<Mutex<StatusCode>>, Arc<Mutex<String>>);

impl Receiver {
    /// At an address of its own, since the port must be one of those that are open.
    async fn start(address: &str) -> Self {
        let listener = TcpListener::bind(format!("{address}:8080")).await.unwrap();
        let (sender, told) = mpsc::unbounded_channel();
        let status = Arc::new(Mutex::new(StatusCode::OK));
        let id = Arc::<Mutex<String>>::default();
        let router = Router::new().route("/hook", post(take)).with_state((sender, status.clone(), id.clone()));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url: format!("http://{address}:8080/hook"), told, id, status, server }
    }

    async fn next(&mut self) -> (Option<String>, Value) {
        let next = tokio::time::timeout(std::time::Duration::from_secs(20), self.told.recv());
        next.await.expect("it is told").unwrap()
    }

    async fn event(&mut self) -> (String, Value) {
        let (_, message) = self.next().await;
        let event = &message["event"];
        (format!("{} {}", event["scope"].as_str().unwrap(), event["action"].as_str().unwrap()), message)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State((sender, status, id)): State<Told>, headers: HeaderMap, body: String) -> StatusCode {
    let secret = headers.get("x-webhook-secret").map(|secret| secret.to_str().unwrap().to_owned());
    assert_eq!(headers["content-type"], "application/json");
    *id.lock() = headers["x-webhook-delivery"].to_str().unwrap().to_owned();
    let _ = sender.send((secret, serde_json::from_str(&body).unwrap()));
    *status.lock()
}

/// A hub that may send to the receivers of tests.
async fn hub() -> TestHub {
    let allowed = EgressPolicy { operator_allow: vec!["127.44.0.0/16".parse().unwrap()], ..EgressPolicy::default() };
    let hub = TestHub::with_egress(allowed.clone()).await;
    hub.control.start_webhooks(Arc::new(WebhookSender::new(allowed)));
    hub
}

fn watching(url: &str, kind: &str, name: &str) -> Value {
    json!({ "watched": [{ "type": kind, "name": name }], "url": url, "domains": ["repo", "discussion"], "secret": "s3cret" })
}

const HOOKS: &str = "/api/settings/webhooks";

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_made_shown_changed_and_deleted() {
    let hub = hub().await;
    let url = "http://127.44.0.9:8080/hook";
    let made = hub.post(HOOKS, watching(url, "user", "Ada")).await.expect(200).json();
    let (webhook, id) = (&made["webhook"], made["webhook"]["id"].as_str().unwrap());
    assert_eq!(webhook["watched"], json!([{ "type": "user", "name": "ada" }]));
    assert_eq!(
        (&webhook["url"], &webhook["secret"], &webhook["disabled"]),
        (&json!(url), &json!("s3cret"), &json!(false))
    );
    assert_eq!(webhook["domains"], json!(["repo", "discussion"]));
    let one = format!("{HOOKS}/{id}");
    assert_eq!(hub.get(&one).await.expect(200).json(), made);
    assert_eq!(hub.get(HOOKS).await.expect(200).json(), json!([webhook]));

    // Somebody else's is not there.
    for (method, path) in
        [(Method::GET, one.clone()), (Method::DELETE, one.clone()), (Method::POST, format!("{one}/disable"))]
    {
        let refused = hub.send(request(method, &path, Some(&hub.bob), None)).await;
        assert_eq!(refused.refusal(), (404, "WebhookNotFound"), "{path}");
    }
    assert_eq!(hub.send(request(Method::GET, HOOKS, Some(&hub.bob), None)).await.expect(200).json(), json!([]));
    hub.send(request(Method::GET, HOOKS, None, None)).await.expect(401);

    let changed = hub.post(&one, json!({ "domains": ["repo"], "secret": "" })).await.expect(200).json();
    assert_eq!((&changed["webhook"]["domains"], &changed["webhook"]["secret"]), (&json!(["repo"]), &Value::Null));
    assert_eq!(changed["webhook"]["url"], url);
    let disabled = hub.post(&format!("{one}/disable"), json!({})).await.expect(200).json();
    assert_eq!(disabled["webhook"]["disabledReason"], "disabled by its owner");
    let enabled = hub.post(&format!("{one}/enable"), json!({})).await.expect(200).json();
    assert_eq!(enabled["webhook"]["disabled"], false);
    hub.call(Method::DELETE, &one, None).await.expect(200);
    assert_eq!(hub.get(&one).await.refusal(), (404, "WebhookNotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_never_be_sent_is_refused_in_words() {
    let hub = hub().await;
    hub.create("page", "static").await;
    let good = || watching("http://127.44.0.9:8080/hook", "space", "ada/page");
    for (member, value, words) in [
        ("url", json!("http://127.0.0.1/"), "not a public address"),
        ("url", json!("http://[::1]/"), "not a public address"),
        ("url", json!("https://example.org:8443/"), "only ports"),
        ("url", json!("mailto:ada"), "no host"),
        ("url", Value::Null, "needs a \"url\""),
        ("watched", json!([]), "watches 1 to"),
        ("watched", json!([{ "type": "model", "name": "a/b" }]), "cannot be watched here"),
        ("watched", json!([{ "type": "user", "name": "nobody" }]), "no account named"),
        ("domains", json!(["repos"]), "no domain"),
        ("secret", json!("with a space"), "letters, digits"),
        ("jobSourceId", json!("1"), "runs no jobs"),
    ] {
        let mut body = good();
        body[member] = value;
        let refused = hub.post(HOOKS, body).await;
        let text = refused.json()["error"].as_str().unwrap().to_owned();
        assert!(refused.status.is_client_error() && text.contains(words), "{member}: {refused:?}");
    }
    // A Space that one may not see cannot be watched.
    hub.call(Method::PUT, "/api/spaces/ada/page/settings", Some(json!({ "private": true }))).await.expect(200);
    hub.send(request(Method::POST, HOOKS, Some(&hub.bob), Some(good()))).await.expect(404);
    hub.post(HOOKS, good()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_a_space_is_told_in_order() {
    let hub = hub().await;
    let mut receiver = Receiver::start("127.44.1.1").await;
    let made = hub.post(HOOKS, watching(&receiver.url, "user", "ada")).await.expect(200).json();
    let id = made["webhook"]["id"].as_str().unwrap();

    hub.create("page", "static").await;
    let (secret, message) = receiver.next().await;
    assert_eq!(secret.as_deref(), Some("s3cret"));
    assert_eq!(message["event"], json!({ "action": "create", "scope": "repo" }));
    assert_eq!((&message["repo"]["name"], &message["repo"]["type"]), (&json!("ada/page"), &json!("space")));
    assert_eq!(message["webhook"], json!({ "id": id, "version": 3 }));
    let first = message["repo"]["headSha"].clone();

    hub.commit("page", &[("a.txt", "1")]).await.expect(200);
    let (event, message) = receiver.event().await;
    assert_eq!(event, "repo.content update");
    let moved = &message["updatedRefs"][0];
    assert_eq!((&moved["ref"], &moved["oldSha"]), (&json!("refs/heads/main"), &first));
    assert_eq!(moved["newSha"], message["repo"]["headSha"]);

    hub.post("/api/spaces/ada/page/branch/dev", json!({})).await.expect(200);
    let (event, message) = receiver.event().await;
    assert_eq!((event.as_str(), &message["updatedRefs"][0]["ref"]), ("repo.content update", &json!("refs/heads/dev")));
    hub.call(Method::DELETE, "/api/spaces/ada/page/branch/dev", None).await.expect(200);
    let (_, message) = receiver.event().await;
    assert_eq!(
        (&message["updatedRefs"][0]["newSha"], message["updatedRefs"][0]["oldSha"].is_string()),
        (&Value::Null, true)
    );

    hub.post("/api/spaces/ada/page/secrets", json!({ "key": "S", "value": "hidden" })).await.expect(200);
    let (event, message) = receiver.event().await;
    assert_eq!((event.as_str(), message.to_string().contains("hidden")), ("repo.config update", false));
    hub.call(Method::PUT, "/api/spaces/ada/page/settings", Some(json!({ "private": true }))).await.expect(200);
    let (_, message) = receiver.event().await;
    assert_eq!((&message["updatedConfig"], &message["repo"]["private"]), (&json!({ "private": true }), &json!(true)));

    let moved = json!({ "fromRepo": "ada/page", "toRepo": "ada/other", "type": "space" });
    hub.post("/api/repos/move", moved).await.expect(200);
    let (event, message) = receiver.event().await;
    assert_eq!((event.as_str(), &message["movedTo"]["name"]), ("repo move", &json!("ada/other")));
    let delete = json!({ "name": "other", "organization": "ada", "type": "space" });
    hub.call(Method::DELETE, "/api/repos/delete", Some(delete)).await.expect(200);
    let (event, message) = receiver.event().await;
    assert_eq!((event.as_str(), message["repo"].get("headSha")), ("repo delete", None));

    let log = hub.get(&format!("{HOOKS}/{id}/deliveries")).await.expect(200).json();
    assert_eq!(log["items"][0]["event"], "repo delete");
    assert_eq!(log["items"][0]["id"], *receiver.id.lock());
    assert_eq!((&log["items"][1]["state"], &log["items"][1]["status"]), (&json!("delivered"), &json!(200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn discussions_comments_and_pull_requests_are_told_as_receivers_read_them() {
    let hub = hub().await;
    hub.create("page", "static").await;
    let mut receiver = Receiver::start("127.44.4.1").await;
    let mut watched = watching(&receiver.url, "space", "ada/page");
    watched["domains"] = json!(["discussion"]);
    hub.post(HOOKS, watched).await.expect(200);
    let threads = "/api/spaces/ada/page/discussions";

    let new = json!({ "title": "A question", "description": "why?" });
    hub.send(request(Method::POST, threads, Some(&hub.bob), Some(new))).await.expect(200);
    let (event, message) = receiver.event().await;
    assert_eq!(event, "discussion create");
    let (discussion, comment) = (&message["discussion"], &message["comment"]);
    let page = message["repo"]["url"]["web"].as_str().unwrap().to_owned();
    let api = message["repo"]["url"]["api"].as_str().unwrap();
    assert_eq!(
        discussion["url"],
        json!({ "web": format!("{page}/discussions/1"), "api": format!("{api}/discussions/1") })
    );
    for (member, value) in [("num", json!(1)), ("title", json!("A question")), ("status", json!("open"))] {
        assert_eq!(discussion[member], value, "{member}");
    }
    assert_eq!((&discussion["isPullRequest"], discussion.get("changes")), (&json!(false), None));
    assert_eq!((&comment["content"], &comment["hidden"]), (&json!("why?"), &json!(false)));
    assert_eq!((&comment["author"], discussion["author"]["id"].is_string()), (&discussion["author"], true));
    let id = discussion["id"].clone();

    let said = hub.post(&format!("{threads}/1/comment"), json!({ "comment": "because" })).await.expect(200).json();
    let said = said["newMessage"]["id"].as_str().unwrap().to_owned();
    let (event, message) = receiver.event().await;
    assert_eq!((event.as_str(), &message["discussion"]["id"]), ("discussion.comment create", &id));
    assert_eq!((&message["comment"]["id"], &message["comment"]["content"]), (&json!(said), &json!("because")));
    assert_eq!(message["comment"]["url"]["web"], format!("{page}/discussions/1#{said}"));

    hub.post(&format!("{threads}/1/comment/{said}/edit"), json!({ "content": "hush" })).await.expect(200);
    let (event, message) = receiver.event().await;
    assert_eq!((event.as_str(), &message["comment"]["content"]), ("discussion.comment update", &json!("hush")));
    hub.post(&format!("{threads}/1/comment/{said}/hide"), json!({})).await.expect(200);
    let (event, message) = receiver.event().await;
    assert_eq!((event.as_str(), message["comment"].get("content")), ("discussion.comment update", None));
    assert_eq!(message["comment"]["hidden"], true);

    hub.post(&format!("{threads}/1/title"), json!({ "title": "An answer" })).await.expect(200);
    let (event, message) = receiver.event().await;
    assert_eq!((event.as_str(), &message["discussion"]["title"]), ("discussion update", &json!("An answer")));
    assert_eq!(message.get("comment"), None);
    hub.post(&format!("{threads}/1/status"), json!({ "status": "closed", "comment": "done" })).await.expect(200);
    let (event, message) = receiver.event().await;
    assert_eq!((event.as_str(), &message["comment"]["content"]), ("discussion.comment create", &json!("done")));
    let (event, message) = receiver.event().await;
    assert_eq!((event.as_str(), &message["discussion"]["status"]), ("discussion update", &json!("closed")));
    hub.call(Method::DELETE, &format!("{threads}/1"), None).await.expect(200);
    let (event, message) = receiver.event().await;
    assert_eq!((event.as_str(), &message["discussion"]["id"]), ("discussion delete", &id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_is_told_from_its_first_commit_to_its_merge() {
    let hub = hub().await;
    hub.create("page", "static").await;
    let mut receiver = Receiver::start("127.44.5.1").await;
    hub.post(HOOKS, watching(&receiver.url, "space", "ada/page")).await.expect(200);
    hub.commit_to("page", "main?create_pr=1", &[("a.txt", "1")]).await.expect(200);
    let (event, message) = receiver.event().await;
    assert_eq!(event, "discussion create");
    let pull = &message["discussion"];
    assert_eq!((&pull["isPullRequest"], &pull["status"]), (&json!(true), &json!("open")));
    assert_eq!(pull["changes"], json!({ "base": "refs/heads/main" }));
    hub.commit_to("page", "refs%2Fpr%2F1", &[("a.txt", "2")]).await.expect(200);
    let (event, message) = receiver.event().await;
    assert_eq!((event.as_str(), &message["updatedRefs"][0]["ref"]), ("repo.content update", &json!("refs/pr/1")));
    hub.post("/api/spaces/ada/page/discussions/1/merge", json!({})).await.expect(200);
    let (event, message) = receiver.event().await;
    assert_eq!((event.as_str(), &message["updatedRefs"][0]["ref"]), ("repo.content update", &json!("refs/heads/main")));
    let merged = message["updatedRefs"][0]["newSha"].clone();
    let (event, message) = receiver.event().await;
    assert_eq!((event.as_str(), &message["discussion"]["status"]), ("discussion update", &json!("merged")));
    assert_eq!(message["discussion"]["changes"]["mergeCommitId"], merged);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_told_of_what_they_may_see_alone() {
    let hub = hub().await;
    let mut receiver = Receiver::start("127.44.2.1").await;
    let watching = watching(&receiver.url, "user", "ada");
    hub.send(request(Method::POST, HOOKS, Some(&hub.bob), Some(watching))).await.expect(200);
    let hidden = json!({ "name": "hidden", "organization": null, "type": "space", "sdk": "static", "private": true });
    hub.post("/api/repos/create", hidden).await.expect(200);
    hub.commit("hidden", &[("a.txt", "1")]).await.expect(200);
    hub.create("open", "static").await;
    let (_, message) = receiver.event().await;
    assert_eq!(message["repo"]["name"], "ada/open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_message_waits_for_its_next_try_and_says_why() {
    let hub = hub().await;
    let mut receiver = Receiver::start("127.44.3.1").await;
    *receiver.status.lock() = StatusCode::INTERNAL_SERVER_ERROR;
    let made = hub.post(HOOKS, watching(&receiver.url, "user", "ada")).await.expect(200).json();
    let id = made["webhook"]["id"].as_str().unwrap();
    hub.create("page", "static").await;
    receiver.next().await;
    // The answer is on its way back.
    let log = loop {
        let log = hub.get(&format!("{HOOKS}/{id}/deliveries")).await.expect(200).json();
        if log["items"][0]["tries"] == 1 {
            break log;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((&log["items"][0]["state"], &log["items"][0]["status"]), (&json!("waiting"), &Value::Null));
    assert_eq!(log["items"][0]["error"], "the receiver answered with status 500");
}
