//! `/loop` never ends.

use spaceport_guest::{Request, Response};

fn handle(request: Request) -> Response {
    if request.path() == "/loop" {
        let mut n = 0u64;
        loop {
            n = std::hint::black_box(n.wrapping_mul(31).wrapping_add(1));
        }
    }
    Response::text("quiet")
}

spaceport_guest::export!(handle);
