//! Answers after `?ms=` milliseconds.

use std::time::Duration;

use spaceport_guest::{Request, Response};

fn handle(request: Request) -> Response {
    let ms = request.query_value("ms").and_then(|ms| ms.parse().ok()).unwrap_or(0);
    std::thread::sleep(Duration::from_millis(ms));
    Response::text("slow")
}

spaceport_guest::export!(handle);
