//! Answers after `?ms=` milliseconds without holding up other requests, by wasi:http 0.3.

use std::time::Duration;

use spaceport_guest::service::{Request, Response, sleep};

async fn handle(request: Request) -> Response {
    let ms = request.query_value("ms").and_then(|ms| ms.parse().ok()).unwrap_or(0);
    sleep(Duration::from_millis(ms)).await;
    Response::text("awake")
}

spaceport_guest::export_service!(handle);
