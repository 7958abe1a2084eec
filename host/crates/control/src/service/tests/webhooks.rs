//! What becomes of messages that their receivers do not take.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use spaceport_core::id::DeliveryId;
use spaceport_core::webhook::MAX_FAILURES;

use super::*;
use crate::ports::{SendWebhook, WebhookRequest};

/// A receiver that takes a message at some try.
struct Stubborn {
    tries: AtomicU64,
    /// The try that it takes, counted from 1.
    takes: AtomicU64,
    taken: parking_lot::Mutex<Vec<String>>,
    /// The id of each message, once for each try.
    ids: parking_lot::Mutex<Vec<DeliveryId>>,
}

impl Stubborn {
    fn new(takes: u64) -> Arc<Self> {
        let (tries, takes) = (AtomicU64::new(0), AtomicU64::new(takes));
        Arc::new(Self { tries, takes, taken: Default::default(), ids: Default::default() })
    }

    fn events(&self) -> Vec<String> {
        let event = |message: &String| {
            let message: serde_json::Value = serde_json::from_str(message).unwrap();
            let word = |name: &str| message["event"][name].as_str().unwrap().to_owned();
            format!("{} {}", word("scope"), word("action"))
        };
        self.taken.lock().iter().map(event).collect()
    }
}

impl SendWebhook for Arc<Stubborn> {
    fn send(&self, request: WebhookRequest) -> BoxFuture<'static, Result<u16, String>> {
        let (number, takes) = (self.tries.fetch_add(1, Ordering::SeqCst) + 1, self.takes.load(Ordering::SeqCst));
        let is_taken = number % takes == 0;
        self.ids.lock().push(request.id);
        if is_taken {
            self.taken.lock().push(String::from_utf8_lossy(&request.body).into_owned());
        }
        async move { if is_taken { Ok(204) } else { Err("nobody is there".to_owned()) } }.boxed()
    }
}

/// Three tries without a pause worth waiting for.
fn hurried(tries: usize) -> Option<Duration> {
    (tries < 3).then_some(Duration::from_millis(1))
}

/// As many, each an hour after the other.
fn patient(tries: usize) -> Option<Duration> {
    (tries < 3).then_some(Duration::from_secs(3600))
}

async fn told(host: &Host, takes: u64) -> (Arc<Stubborn>, String) {
    told_with(host, takes, hurried).await
}

async fn told_with(host: &Host, takes: u64, pause: fn(usize) -> Option<Duration>) -> (Arc<Stubborn>, String) {
    let sender = Stubborn::new(takes);
    host.control.inner.webhooks.start_with(Arc::new(sender.clone()), pause);
    let new = NewWebhook {
        url: Some("https://example.org/hook".into()),
        watched: Some(vec![("user".into(), "ada".into())]),
        ..NewWebhook::default()
    };
    let made = host.control.create_webhook(&host.ada, new).await.unwrap();
    (sender, made.webhook.id.to_string())
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("{what} did not happen"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_sent_again_until_it_is_taken_and_those_behind_it_wait() {
    let host = Host::start().await;
    let (sender, id) = told(&host, 3).await;
    let space = host.create("page").await.unwrap();
    host.control.set_variable(&host.ada, &space.path, setting("A", "1")).await.unwrap();
    host.control.delete_space(&host.ada, &space.path).await.unwrap();
    eventually("the third message", || sender.taken.lock().len() == 3).await;
    assert_eq!(sender.events(), ["repo create", "repo.config update", "repo delete"]);
    let log = || host.control.webhook_deliveries(&host.ada, &id).unwrap();
    eventually("the log", || log().iter().all(|delivery| delivery.outcome == Outcome::Delivered(204))).await;
    assert!(log().iter().all(|delivery| delivery.tries == 3), "{:?}", log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_fails_again_and_again_is_disabled_in_words_until_its_owner_looks_at_it() {
    let host = Host::start().await;
    let (sender, id) = told(&host, u64::MAX).await;
    let space = host.create("page").await.unwrap();
    let change = async |value: u32| {
        let set = host.control.set_variable(&host.ada, &space.path, setting("A", &value.to_string())).await;
        set.unwrap();
    };
    let webhook = || host.control.webhook(&host.ada, &id).unwrap().webhook;
    for number in 1..MAX_FAILURES {
        assert_eq!(webhook().disabled, None, "after {number}");
        change(number).await;
    }
    eventually("the end of tries", || webhook().disabled.is_some()).await;
    assert_eq!(
        webhook().disabled.as_deref(),
        Some("5 messages in a row could not be delivered; the last: nobody is there")
    );
    let tries = sender.tries.load(Ordering::SeqCst);
    assert_eq!(tries, u64::from(MAX_FAILURES) * 3);
    let log = host.control.inner.db.audit().scan().unwrap();
    let entry = log.iter().find(|(_, entry)| entry.action == "webhook.disable").map(|(_, entry)| entry).unwrap();
    assert_eq!((&entry.actor, entry.detail["host"].as_str()), (&AuditActor::Host, "example.org"));
    change(100).await;

    sender.takes.store(1, Ordering::SeqCst);
    host.control.enable_webhook(&host.ada, &id, true).await.unwrap();
    change(101).await;
    eventually("a message", || !sender.taken.lock().is_empty()).await;
    assert_eq!(sender.tries.load(Ordering::SeqCst), tries + 1, "what happened meanwhile is not told");
    let log = host.control.webhook_deliveries(&host.ada, &id).unwrap();
    assert_eq!(log[1].outcome, Outcome::Failed("nobody is there".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_no_secret_and_changes_nothing() {
    let host = Host::start().await;
    let (_, id) = told(&host, 1).await;
    let secret = NewWebhook { secret: Some(CANARY.into()), ..NewWebhook::default() };
    let changed = host.control.update_webhook(&host.ada, &id, secret).await.unwrap();
    assert_eq!(changed.secret.as_deref(), Some(CANARY));
    let Actor::User(user) = &host.ada else { unreachable!() };
    let reader = Actor::User(spaceport_core::permission::User { role: TokenRole::Read, ..user.clone() });
    assert_eq!(host.control.webhook(&reader, &id).unwrap().secret, None);
    let refused = host.control.delete_webhook(&reader, &id).await;
    assert!(matches!(refused, Err(ServiceError::Forbidden(_))), "{refused:?}");
    drop(host.control);
    assert_eq!(files_with(&host.dir.path().join("store"), CANARY), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_moves_a_branch_is_told() {
    let host = Host::start().await;
    let space = host.create("page").await.unwrap();
    let (sender, _) = told(&host, 1).await;
    let put = |path: &str| {
        let put = FileChange::Put { path: path.to_owned(), content: "1".into() };
        NewCommit { summary: "change".into(), changes: vec![put], ..NewCommit::default() }
    };
    let (control, ada, path) = (&host.control, &host.ada, &space.path);
    let (number, _) = control.commit_as_pull_request(ada, path, "main", put("a.txt")).await.unwrap().value;
    let commit = control.commit(ada, path, "main", put("b.txt")).await.unwrap().value;
    let merge = control.merge_pull_request(ada, path, number, None).await.unwrap();
    let squash = control.super_squash(ada, path, "main", "one").await.unwrap();
    let refs = |message: &String| {
        let message: serde_json::Value = serde_json::from_str(message).unwrap();
        message["updatedRefs"].clone()
    };
    let told = || {
        let refs = sender.taken.lock().iter().map(refs).collect::<Vec<_>>().into_iter();
        refs.filter(|refs| !refs.is_null()).collect::<Vec<serde_json::Value>>()
    };
    eventually("three messages", || told().len() >= 3).await;
    let told = told();
    let moves = [
        (told[0][0]["oldSha"].as_str().map(str::to_owned), commit),
        (Some(commit.to_string()), merge),
        (Some(merge.to_string()), squash),
    ];
    let expected = moves
        .map(|(old, new)| serde_json::json!([{ "ref": "refs/heads/main", "oldSha": old, "newSha": new.to_string() }]));
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_when_the_host_was_killed_is_told_by_the_next_in_order_and_under_the_same_ids() {
    let host = Host::start().await;
    let (sender, id) = told_with(&host, u64::MAX, patient).await;
    let space = host.create("page").await.unwrap();
    eventually("a try", || sender.tries.load(Ordering::SeqCst) == 1).await;
    host.control.set_variable(&host.ada, &space.path, setting("A", "1")).await.unwrap();

    let next = host.after_a_power_cut().await;
    assert_eq!(next.control.inner.db.webhook_messages().count().unwrap(), 2);
    let receiver = Stubborn::new(1);
    next.control.inner.webhooks.start_with(Arc::new(receiver.clone()), hurried);
    eventually("both messages", || receiver.taken.lock().len() == 2).await;
    assert_eq!(receiver.events(), ["repo create", "repo.config update"]);
    assert_eq!(receiver.ids.lock()[0], sender.ids.lock()[0], "the message that was tried before");
    let log = || next.control.webhook_deliveries(&next.ada, &id).unwrap();
    eventually("the log", || log().iter().all(|delivery| delivery.outcome == Outcome::Delivered(204))).await;
    assert_eq!(log().iter().map(|delivery| delivery.number).collect::<Vec<_>>(), [2, 1]);
    eventually("the end of it", || next.control.inner.db.webhook_messages().count().unwrap() == 0).await;

    // What comes after it comes after it.
    next.control.delete_space(&next.ada, &space.path).await.unwrap();
    eventually("the third message", || receiver.taken.lock().len() == 3).await;
    assert_eq!(log()[0].number, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_goes_with_its_webhook() {
    let host = Host::start().await;
    let (sender, id) = told_with(&host, u64::MAX, patient).await;
    host.create("page").await.unwrap();
    eventually("a try", || sender.tries.load(Ordering::SeqCst) == 1).await;
    let rows = || host.control.inner.db.webhook_messages().count().unwrap();
    assert_eq!(rows(), 1);
    host.control.delete_webhook(&host.ada, &id).await.unwrap();
    assert_eq!(rows(), 0);
    let next = host.after_a_power_cut().await;
    let receiver = Stubborn::new(1);
    next.control.inner.webhooks.start_with(Arc::new(receiver.clone()), hurried);
    next.control.delete_space(&next.ada, &"ada/page".parse().unwrap()).await.unwrap();
    assert_eq!(receiver.tries.load(Ordering::SeqCst), 0);
}
