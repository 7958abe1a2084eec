use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use parking_lot::Mutex;
use spaceport_core::fault::Fault;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::harness::*;
use crate::middleware::ACCESS_LOG;

type Line = BTreeMap<&'static str, String>;

/// Keeps the lines of the access log.
#[derive(Clone, Default)]
struct AccessLog(Arc<Mutex<Vec<Line>>>);

impl Subscriber for AccessLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == ACCESS_LOG
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(Line::new());
        event.record(&mut fields);
        self.0.lock().push(fields.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Fields(Line);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

#[tokio::test]
async fn every_request_leaves_one_line_and_no_query() {
    let log = AccessLog::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let front = Front::start().await;
    let space = front.space("hello", |request| async move {
        match request.uri().path() {
            "/trap" => Err(Fault::GuestTrap("at a place".into())),
            _ => says(&[], "fine"),
        }
    });
    let fine = front.get(&space.host, "/page?token=secret").await;
    front.get(&space.host, "/trap").await;
    front.get("nobody.localhost", "/").await;
    let lines = log.0.clone();
    eventually("three lines", move || lines.lock().len() == 3).await;
    let lines = log.0.lock();
    let expected = [
        ("request_id", fine.header("x-request-id")),
        ("space", "ada/hello"),
        ("method", "GET"),
        ("path", "/page"),
        ("status", "200"),
        ("bytes", "4"),
        ("complete", "true"),
        ("cached", "false"),
    ];
    for (field, value) in expected {
        assert_eq!(lines[0][field], value, "{field}");
    }
    assert!(!lines[0].contains_key("error") && lines[0].contains_key("duration_ms"));
    assert_eq!((lines[1]["status"].as_str(), lines[1]["error"].as_str()), ("502", "guest_trap"));
    assert_eq!((lines[2]["status"].as_str(), lines[2].contains_key("space")), ("404", false));
    assert!(!format!("{lines:?}").contains("secret"));
}
