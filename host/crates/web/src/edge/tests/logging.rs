use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use parking_lot::Mutex;
use spaceport_core::fault::Fault;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::harness::*;
use crate::edge::RequestContext;
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
        ("trace_id", fine.header("x-request-id")),
        ("client", "127.0.0.1"),
        ("version", "HTTP/1.1"),
        ("host", space.host.as_str()),
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

#[tokio::test]
async fn a_line_names_the_visitor_behind_a_proxy_and_the_trace() {
    let log = AccessLog::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let front = Front::start_with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let space = front.space("hello", |_| async { says(&[], "fine") });
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    front.get_with(&space.host, "/", &[("x-forwarded-for", "192.0.2.7"), ("traceparent", trace)]).await;
    let lines = log.0.clone();
    eventually("the line", move || lines.lock().len() == 1).await;
    let lines = log.0.lock();
    assert_eq!((lines[0]["client"].as_str(), lines[0]["peer"].as_str()), ("192.0.2.7", "127.0.0.1"));
    assert_eq!(lines[0]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
}

#[tokio::test]
async fn a_handler_of_the_hub_that_panics_leaves_its_line() {
    let log = AccessLog::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let front = Front::start().await;
    assert_eq!(front.get("localhost", "/panic").await.status, 500);
    let lines = log.0.clone();
    eventually("the line", move || lines.lock().len() == 1).await;
    let lines = log.0.lock();
    let line = &lines[0];
    let told = (line["door"].as_str(), line["path"].as_str(), line["status"].as_str(), line["error"].as_str());
    assert_eq!(told, ("hub", "/panic", "500", "internal_error"));
}

#[tokio::test]
async fn the_hub_s_line_names_who_asks_and_for_which_host() {
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt;

    let log = AccessLog::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let hub: Router = Router::new().route("/page", get(async || "page")).layer(from_fn(crate::middleware::observe));
    let mut request =
        http::Request::get("/page?token=secret").header("host", "hub.example").body(axum::body::Body::empty());
    let context = RequestContext {
        request_id: "0".parse().unwrap(),
        client_ip: "192.0.2.7".parse().unwrap(),
        scheme: crate::edge::Scheme::Http,
    };
    request.as_mut().unwrap().extensions_mut().insert(context);
    hub.clone().oneshot(request.unwrap()).await.unwrap();
    // The shell's socket has no addresses.
    hub.oneshot(http::Request::get("/page").body(axum::body::Body::empty()).unwrap()).await.unwrap();
    let lines = log.0.lock();
    let told = |field: &str| lines[0].get(field).map(String::as_str);
    assert_eq!((told("client"), told("host")), (Some("192.0.2.7"), Some("hub.example")));
    assert!(!format!("{lines:?}").contains("secret"));
    assert!(!lines[1].contains_key("client") && !lines[1].contains_key("host"));
}
