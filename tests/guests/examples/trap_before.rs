//! `/trap` traps before it answers.

use spaceport_guest::{Request, Response};

fn handle(request: Request) -> Response {
    assert_ne!(request.path(), "/trap", "asked to trap");
    Response::text("fine")
}

spaceport_guest::export!(handle);
