//! Works for `?rounds=` rounds, the same work each time, and answers.

use spaceport_guest::{Request, Response};

fn handle(request: Request) -> Response {
    let rounds: u64 = request.query_value("rounds").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut n = 0u64;
    for _ in 0..rounds {
        n = std::hint::black_box(n.wrapping_mul(31).wrapping_add(1));
    }
    Response::text("done")
}

spaceport_guest::export!(handle);
