//! A plugin that answers nonsense when it is asked what it serves.

use spaceport_guest::{Request, Response};

fn describe() -> (&'static str, &'static str) {
    ("No such\nword!", "../../etc/passwd")
}

spaceport_test_guests::plugin!(describe);

fn handle(_: Request) -> Response {
    Response::text("never asked")
}

spaceport_guest::export!(handle);
