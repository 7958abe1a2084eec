//! `/trap` sends a head and three chunks, then traps.

use std::io::Write;

use spaceport_guest::{Request, Response};

fn handle(request: Request) -> Response {
    if request.path() != "/trap" {
        return Response::text("fine");
    }
    Response::stream("text/plain", |out| {
        for n in 0..3 {
            writeln!(out, "chunk {n}")?;
            out.flush()?;
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("asked to trap in mid-body");
    })
}

spaceport_guest::export!(handle);
