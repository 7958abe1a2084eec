use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use spaceport_control::routes::{RouteSlot, RouteTarget};
use spaceport_core::fault::Fault;
use spaceport_core::space::Visibility;
use spaceport_core::stage::Stage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::harness::*;
use crate::edge::WakeRefusal;

#[tokio::test]
async fn every_fault_is_answered_by_the_contract() {
    let front = Front::start().await;
    let space = front.space("broken", |request| async move {
        Err(match request.uri().path() {
            "/trap" => Fault::GuestTrap("at a secret place".into()),
            "/fuel" => Fault::GuestFuelExceeded(1),
            "/memory" => Fault::GuestMemoryExceeded,
            "/none" => Fault::GuestNoResponse,
            "/late" => Fault::GuestDeadline(Duration::from_secs(30)),
            "/busy" => Fault::SpaceBusy,
            _ => Fault::NodeOverloaded,
        })
    });
    for (path, status, code) in [
        ("/trap", 502, "guest_trap"),
        ("/fuel", 502, "guest_fuel_exceeded"),
        ("/memory", 502, "guest_memory_exceeded"),
        ("/none", 502, "guest_no_response"),
        ("/late", 504, "guest_deadline"),
        ("/busy", 503, "space_busy"),
        ("/full", 503, "node_overloaded"),
    ] {
        let reply = front.get(&space.host, path).await;
        assert_eq!((reply.status.as_u16(), reply.error().as_str()), (status, code));
        assert_eq!(reply.headers.contains_key("retry-after"), status == 503, "{path}");
        assert!(!reply.text().contains("secret"));
    }
    let counts = space.slot.metrics.counts();
    assert_eq!((counts.requests, counts.faults), (7, 7));
}

#[tokio::test]
async fn a_browser_gets_a_page() {
    let front = Front::start().await;
    let space = front.space("broken", |_| async { Err(Fault::GuestTrap(String::new())) });
    let reply = front.get_with(&space.host, "/", &[("accept", "text/html,*/*;q=0.8")]).await;
    assert_eq!(reply.status, 502);
    assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(reply.header("x-spaceport-error"), "guest_trap");
    assert!(reply.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(reply.text().contains(&format!("http://localhost:{}/spaces/ada/broken", front.addr.port())));
    assert!(!reply.text().contains("http-equiv=\"refresh\""));
    let answer = front.raw(format!("HEAD / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", space.host)).await;
    assert!(answer.starts_with("HTTP/1.1 502") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn what_does_not_run_says_why() {
    let front = Front::start().await;
    let space = front.space("off", |_| async { says(&[], "") });
    for (stage, code, refreshes) in [
        (Stage::Building, "space_building", true),
        (Stage::Paused, "space_paused", false),
        (Stage::BuildError, "space_error", false),
    ] {
        let message = Some("look <b>here</b>".to_owned());
        space.change(|entry| entry.target = RouteTarget::Unavailable { stage, message });
        let reply = front.get(&space.host, "/").await;
        assert_eq!((reply.status.as_u16(), reply.error().as_str()), (503, code));
        let page = front.get_with(&space.host, "/", &[("accept", "text/html")]).await;
        assert_eq!(page.text().contains("http-equiv=\"refresh\""), refreshes, "{stage}");
        assert!(page.text().contains("look &lt;b&gt;here&lt;/b&gt;"));
    }
    assert_eq!(space.calls(), 0);
}

#[tokio::test]
async fn a_sleeping_space_wakes_for_a_request() {
    let front = Front::start().await;
    let space = front.space("sleepy", |_| async { says(&[], "awake") });
    space.change(|entry| entry.target = RouteTarget::Asleep);
    let reply = front.get_with(&space.host, "/", &[("accept", "text/html")]).await;
    assert_eq!((reply.status.as_u16(), reply.header("x-spaceport-error")), (503, "space_waking"));
    assert!(reply.text().contains("http-equiv=\"refresh\""));
    let live = space.live_entry();
    front.platform.on_wake(move |_| {
        let live = live.clone();
        async move { Ok(live) }
    });
    assert_eq!(front.get(&space.host, "/").await.text(), "awake");
    assert_eq!(front.platform.wakes.load(Ordering::SeqCst), 2);
    let refused = WakeRefusal::Unavailable { stage: Stage::RuntimeError, message: None };
    front.platform.on_wake(move |_| {
        let refused = refused.clone();
        async move { Err(refused) }
    });
    assert_eq!(front.get(&space.host, "/").await.error(), "space_error");
}

#[tokio::test]
async fn who_may_not_see_what_a_space_has_become_does_not() {
    let front = Front::start().await;
    let space = front.space("sleepy", |_| async { says(&[], "the secret") });
    space.change(|entry| entry.visibility = Visibility::Private);
    let private = space.slot.entry.load_full();
    space.change(|entry| {
        entry.visibility = Visibility::Public;
        entry.target = RouteTarget::Asleep;
    });
    let woken = private.clone();
    front.platform.on_wake(move |_| {
        let woken = woken.clone();
        async move { Ok(woken) }
    });
    assert_eq!(front.get(&space.host, "/").await.error(), "not_found");
    let member = [("authorization", "Bearer sp_member")];
    assert_eq!(front.get_with(&space.host, "/", &member).await.text(), "the secret");

    let slot = Arc::new(OnceLock::<Arc<RouteSlot>>::new());
    let swapped = slot.clone();
    let old = front.space("swap", move |_| {
        if let Some(slot) = swapped.get() {
            slot.entry.store(private.clone());
        }
        async { Err(Fault::Stopped) }
    });
    slot.set(old.slot.clone()).ok().unwrap();
    assert_eq!(front.get(&old.host, "/").await.error(), "not_found");
}

#[tokio::test]
async fn a_request_whose_instance_is_stopped_is_called_again() {
    let front = Front::start().await;
    let new = front.space("new", |_| async { says(&[], "the new one") });
    let (slot, replacement) = (Arc::new(OnceLock::<Arc<RouteSlot>>::new()), new.live_entry());
    let swapped = slot.clone();
    let old = front.space("swap", move |_| {
        if let Some(slot) = swapped.get() {
            slot.entry.store(replacement.clone());
        }
        async { Err(Fault::Stopped) }
    });
    let host = old.host.clone();
    assert_eq!(front.get(&host, "/").await.error(), "space_waking");
    slot.set(old.slot.clone()).ok().unwrap();
    assert_eq!(front.get(&host, "/").await.text(), "the new one");
    let request = Request::post("/").header("host", &host).body(Full::from("once")).unwrap();
    old.change(|_| {});
    let before = old.calls();
    assert_eq!(front.send(request).await.error(), "space_waking");
    assert_eq!(old.calls(), before + 1);
}

/// A guest that answers, sends some and traps.
fn traps_in_the_middle() -> Result<Response<spaceport_control::ports::Body>, Fault> {
    let frames = stream::iter([Ok(Frame::data(Bytes::from_static(b"some"))), Err("trapped".into())]);
    // The pause lets the first part leave before the second is known.
    let frames = frames.then(|frame: Result<_, spaceport_control::ports::BodyError>| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        frame
    });
    Ok(Response::new(StreamBody::new(frames).boxed_unsync()))
}

#[tokio::test]
async fn a_trap_in_the_middle_breaks_the_stream() {
    let front = Front::start().await;
    let space = front.space("broken", |_| async { traps_in_the_middle() });
    let answer = front.raw(format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", space.host)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("\r\n4\r\nsome\r\n"), "{answer:?}");
    let mut sender = front.h2().await;
    let response = sender.send_request(get(&space.host, "/", &[]).map_uri(&space.host)).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert!(format!("{error:?}").contains("Reset"), "{error:?}");
}

#[tokio::test]
async fn an_old_client_is_not_told_that_a_broken_answer_is_whole() {
    let front = Front::start().await;
    let space = front.space("broken", |request| async move {
        match request.uri().path() {
            "/whole" => Ok(traps_in_the_middle()?
                .map(|body| {
                    body.into_data_stream().take_while(|part| std::future::ready(part.is_ok())).map_ok(Frame::data)
                })
                .map(|frames| StreamBody::new(frames).boxed_unsync())),
            _ => traps_in_the_middle(),
        }
    });
    for (path, is_whole) in [("/whole", true), ("/", false)] {
        let mut stream = front.connect().await;
        let request = format!("GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n", space.host);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received)).await.expect("an end");
        assert!(received.ends_with(b"\r\n\r\nsome"), "{:?}", String::from_utf8_lossy(&received));
        assert_eq!(read.is_ok(), is_whole, "{path}");
    }
}

#[tokio::test]
async fn what_a_visitor_does_is_no_fault_of_the_space() {
    let front = Front::start_with(|config| config.max_request_body = 10).await;
    let space = front.space("hello", |_| async { says(&[], "fine") });
    let large = Request::post("/").header("host", &space.host).body(Full::from(vec![b'x'; 11])).unwrap();
    assert_eq!(front.send(large).await.error(), "body_too_large");
    assert_eq!(front.get_with(&space.host, "/", &[("x-spaceport-hop", "9")]).await.error(), "loop_detected");
    let counts = space.slot.metrics.counts();
    assert_eq!((counts.requests, counts.faults), (2, 0));
}

trait MapUri {
    fn map_uri(self, host: &str) -> Self;
}

impl MapUri for Request<Full<Bytes>> {
    /// The absolute form, as h2 needs it.
    fn map_uri(mut self, host: &str) -> Self {
        *self.uri_mut() = format!("http://{host}{}", self.uri().path()).parse().unwrap();
        self
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_passed_on_is_the_guests_fault() {
    let front = Front::start().await;
    let space = front.space("odd", |request| async move {
        match request.uri().path() {
            "/interim" => Ok(Response::builder().status(101).body(full("")).unwrap()),
            _ => says(&[("x-sendfile", "absent")], ""),
        }
    });
    for path in ["/interim", "/file"] {
        let reply = front.get(&space.host, path).await;
        assert_eq!((reply.status.as_u16(), reply.error().as_str()), (502, "guest_bad_response"), "{path}");
    }
}
