//! A plugin that never stops when it is asked what it serves.

use spaceport_guest::{Request, Response};

fn describe() -> (&'static str, &'static str) {
    loop {
        std::hint::black_box(0);
    }
}

spaceport_test_guests::plugin!(describe);

fn handle(_: Request) -> Response {
    Response::text("never asked")
}

spaceport_guest::export!(handle);
