//! Calls: what a good plugin answers, and what becomes of every bad answer.

use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::time::Duration;

use spaceport_backend::protocol::{ErrorCode, ExecRequest, InstanceState, Retain, Version};
use spaceport_backend::{CallError, Client};

use crate::fake::{self, INSTANCES, Place, eventually};

/// The time a call has here.
const DEADLINE: Duration = Duration::from_secs(10);
/// The time it has where it is to run out.
const SHORT: Duration = Duration::from_millis(300);

/// A plugin that nobody watches.
struct Plugin {
    place: Place,
    child: Child,
}

impl Plugin {
    fn start() -> Self {
        let place = Place::new("good");
        let command = place.command();
        let mut plugin = Command::new(&command[0]);
        plugin.args(&command[1..]).arg("--socket").arg(place.socket()).stdin(std::process::Stdio::piped());
        let child = plugin.spawn().unwrap();
        // The socket is there a moment before anybody listens.
        eventually("it listens", || UnixStream::connect(place.socket()).ok());
        Self { place, child }
    }

    /// A client that knows it as good, and from then on it is like that.
    async fn client(&self, mode: &str, deadline: Duration) -> Client {
        self.place.turn("good");
        let client = Client::connect(&self.place.socket(), deadline).await.unwrap();
        self.place.turn(mode);
        client
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn a_good_plugin_is_understood() {
    let plugin = Plugin::start();
    let client = plugin.client("good", DEADLINE).await;
    assert_eq!(client.version(), Version::CURRENT);
    let description = client.describe(&fake::ask()).await.unwrap();
    let refusals: Vec<bool> = description.flavors.iter().map(|flavor| flavor.refusal.is_some()).collect();
    assert_eq!((description.name.as_str(), refusals), ("Fake", vec![false, true]));
    let listed = client.list().await.unwrap().instances;
    assert_eq!(listed.iter().map(|instance| instance.id.as_str()).collect::<Vec<_>>(), INSTANCES);
    assert!(listed.iter().all(|instance| matches!(instance.state, InstanceState::Running { .. })));

    let id = INSTANCES[0].parse().unwrap();
    let stopped = client.stop(&id, Duration::from_millis(1500)).await.unwrap();
    let InstanceState::Exited { code: Some(0), reason } = &stopped.state else { panic!("{stopped:?}") };
    assert_eq!(reason.as_str(), "it was given 1500 ms");
    assert!(client.list().await.unwrap().instances.contains(&stopped));
}

#[tokio::test]
async fn what_runs_can_be_asked_and_removed() {
    let plugin = Plugin::start();
    let client = plugin.client("good", DEADLINE).await;
    let id = INSTANCES[0].parse().unwrap();
    assert_eq!(client.stats(&id).await.unwrap().memory_bytes, 64 << 20);
    let request = ExecRequest { command: vec!["echo".into(), "moin".into()], seconds: 5 };
    assert_eq!(client.exec(&id, &request).await.unwrap().output, "echo moin");
    client.remove(&id).await.unwrap();
    client.remove(&id).await.unwrap();
    assert_eq!(client.list().await.unwrap().instances.len(), 1);
    for error in [client.stats(&id).await.map(|_| ()), client.exec(&id, &request).await.map(|_| ())] {
        let error = error.unwrap_err();
        assert!(
            matches!(&error, CallError::Refused { refusal, .. } if refusal.error == ErrorCode::NoSuchInstance),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_log_is_read_line_by_line_to_its_end() {
    let plugin = Plugin::start();
    let client = plugin.client("good", DEADLINE).await;
    let mut lines = client.logs(&INSTANCES[0].parse().unwrap()).await.unwrap();
    let mut read = Vec::new();
    while let Some(line) = lines.next().await.unwrap() {
        read.push(line.text);
    }
    assert_eq!(read, ["one", "", "three"]);
    assert_eq!(lines.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_bad_log_ends_with_an_error_and_takes_no_memory() {
    let plugin = Plugin::start();
    let id = INSTANCES[0].parse().unwrap();
    let client = plugin.client("bad-line", DEADLINE).await;
    let mut lines = client.logs(&id).await.unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap().text, "a");
    let error = lines.next().await.unwrap_err().to_string();
    assert!(error.contains("a line of a log is not JSON"), "{error}");

    let client = plugin.client("long-line", DEADLINE).await;
    let error = client.logs(&id).await.unwrap().next().await.unwrap_err();
    assert!(matches!(error, CallError::TooLong { .. }), "{error}");
}

#[tokio::test]
async fn a_refusal_says_what_can_be_done() {
    let plugin = Plugin::start();
    let client = plugin.client("good", DEADLINE).await;
    let error = client.stop(&"not-there".parse().unwrap(), Duration::ZERO).await.unwrap_err();
    let CallError::Refused { refusal, .. } = &error else { panic!("{error}") };
    assert_eq!(refusal.error, ErrorCode::NoSuchInstance);
    assert_eq!(error.to_string(), "it refuses stop: not today");
    let Err(error) = client.logs(&"not-there".parse().unwrap()).await else { panic!("there is no such log") };
    assert!(matches!(error, CallError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn every_bad_answer_has_a_name() {
    let plugin = Plugin::start();
    for (mode, part) in [
        ("garbage", "its answer to list is broken: "),
        ("close", "its answer to list is broken: "),
        ("half", "its answer to list is broken: "),
        ("long-head", "its answer to list is broken: "),
        ("announced-oversize", "its answer to list is longer than 5242880 bytes"),
        ("endless", "its answer to list is longer than 5242880 bytes"),
        ("not-json", "its answer to list is nonsense: the list of instances is not JSON"),
        ("empty", "its answer to list is nonsense: the list of instances is not JSON"),
        ("bad-refusal", "its answer to list is nonsense: the reason of a refusal is not JSON"),
        ("refuse", "it refuses list: not today"),
        ("foreign-call", "its answer to list is one to another call"),
        ("no-call", "its answer to list is one to another call"),
        ("twins", "its answer to list is nonsense: the list of instances cannot be right: instance somebody-elses is"),
    ] {
        let client = plugin.client(mode, DEADLINE).await;
        let error = client.list().await.unwrap_err().to_string();
        assert!(error.starts_with(part), "{mode}: {error}");
    }
}

#[tokio::test]
async fn answers_for_others_are_refused() {
    let plugin = Plugin::start();
    let client = plugin.client("foreign-instance", DEADLINE).await;
    let error = client.stop(&INSTANCES[0].parse().unwrap(), Duration::ZERO).await.unwrap_err().to_string();
    assert!(error.contains("asked for space-1 it answers for somebody-elses"), "{error}");
    for (mode, part) in [
        ("foreign-flavor", "it says nothing of flavor cpu-basic"),
        ("no-flavor", "it says nothing of flavor cpu-basic"),
    ] {
        let client = plugin.client(mode, DEADLINE).await;
        let error = client.describe(&fake::ask()).await.unwrap_err().to_string();
        assert!(error.contains(part), "{mode}: {error}");
    }
    let client = plugin.client("foreign-instance", DEADLINE).await;
    let error = client.remove(&INSTANCES[0].parse().unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("asked for space-1 it answers for somebody-elses"), "{error}");
    let client = plugin.client("foreign-artifact", DEADLINE).await;
    let retain = Retain { needed: Vec::new(), seconds: 1, bytes: 1 };
    let error = client.retain(&retain).await.unwrap_err().to_string();
    assert!(error.contains("nobody asked for sha256:not-asked-for"), "{error}");
    let nothing = spaceport_backend::protocol::Ask::default();
    let client = plugin.client("foreign-flavor", DEADLINE).await;
    let error = client.describe(&nothing).await.unwrap_err().to_string();
    assert!(error.contains("nobody asked for flavor not-asked-for"), "{error}");
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_however_slowly_it_is_answered() {
    let plugin = Plugin::start();
    for mode in ["hang", "drip"] {
        let client = plugin.client(mode, SHORT).await;
        let error = client.health().await.unwrap_err();
        assert!(matches!(error, CallError::Deadline { call: "health", deadline: SHORT }), "{mode}: {error}");
    }
    let client = plugin.client("slow", DEADLINE).await;
    client.health().await.unwrap();
}

#[tokio::test]
async fn a_plugin_of_another_version_is_named() {
    let plugin = Plugin::start();
    plugin.place.turn("version-2");
    let error = Client::connect(&plugin.place.socket(), DEADLINE).await.unwrap_err();
    assert!(matches!(error, CallError::Version(_)), "{error}");
    assert_eq!(error.to_string(), "it is of another time: it speaks version 2, this host 1");
}

#[tokio::test]
async fn nobody_at_the_socket_is_an_error_of_its_own() {
    let place = Place::new("good");
    let error = Client::connect(&place.socket(), DEADLINE).await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
}
