//! `/trap` traps before it answers, by wasi:http 0.3.

use spaceport_guest::service::{Request, Response};

async fn handle(request: Request) -> Response {
    assert_ne!(request.path(), "/trap", "asked to trap");
    Response::text("fine")
}

spaceport_guest::export_service!(handle);
