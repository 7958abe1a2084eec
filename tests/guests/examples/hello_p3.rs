//! Says hello by wasi:http 0.3.

use spaceport_guest::service::{Request, Response};

async fn handle(_: Request) -> Response {
    Response::text("hello")
}

spaceport_guest::export_service!(handle);
