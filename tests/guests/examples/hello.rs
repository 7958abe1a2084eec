//! Says hello.

use spaceport_guest::{Request, Response};

fn handle(_: Request) -> Response {
    Response::text("hello")
}

spaceport_guest::export!(handle);
