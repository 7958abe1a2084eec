//! Takes `?mib=` of memory, touches all of it, holds it for `?hold_ms=`, and traps if there is no more.

use std::time::Duration;

use spaceport_guest::{Request, Response};

fn handle(request: Request) -> Response {
    let number = |name: &str| request.query_value(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let size = (number("mib") as usize) << 20;
    let mut memory = vec![0u8; size];
    for page in memory.chunks_mut(4096) {
        page[0] = 1;
    }
    std::hint::black_box(&memory);
    std::thread::sleep(Duration::from_millis(number("hold_ms")));
    Response::text(format!("held {size}"))
}

spaceport_guest::export!(handle);
