//! Server-sent events from an async component: one instance serves many visitors at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spaceport_guest::Event;
use spaceport_guest::service::{Request, Response, sleep};

/// Events of one stream; a browser then asks for another one.
const EVENTS: u64 = 600;
/// Time between two events.
const PACE: Duration = Duration::from_millis(500);

/// Visitors who are being streamed to by this instance.
static LISTENERS: AtomicU64 = AtomicU64::new(0);

async fn handle(request: Request) -> Response {
    match request.path() {
        "/" => page(),
        "/events" => events(),
        _ => Response::text("nothing here").with_status(404),
    }
}

fn events() -> Response {
    Response::events(|mut events| async move {
        let _listener = Listener::new();
        for n in 1..=EVENTS {
            let listeners = LISTENERS.load(Ordering::Relaxed);
            events.send(&Event::new(format!("tick {n}, {listeners} listening to this instance")).named("tick")).await?;
            sleep(PACE).await;
        }
        Ok(())
    })
}

/// Counts a visitor for as long as the stream lives.
struct Listener;

impl Listener {
    fn new() -> Self {
        LISTENERS.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::Relaxed);
    }
}

fn page() -> Response {
    let style = include_str!("style.css");
    Response::html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Rust stream</title><style>{style}</style></head><body><h1>📡 Rust stream</h1>\
         <p>Events from an async component (wasi:http 0.3), as they are sent. Open this page twice: one instance serves both.</p>\
         <pre class=\"card\" id=\"events\" aria-live=\"polite\"></pre>\
         <script>const out = document.getElementById('events'); const lines = [];\
         new EventSource('/events').addEventListener('tick', e => {{ lines.unshift(e.data); lines.length = Math.min(lines.length, 10);\
         out.textContent = lines.join('\\n'); }});</script></body></html>"
    ))
}

spaceport_guest::export_service!(handle);
