//! Counts the requests of one instance.

use std::sync::atomic::{AtomicU64, Ordering};

use spaceport_guest::{Request, Response};

static REQUESTS: AtomicU64 = AtomicU64::new(0);

fn handle(_: Request) -> Response {
    Response::text((REQUESTS.fetch_add(1, Ordering::Relaxed) + 1).to_string())
}

spaceport_guest::export!(handle);
