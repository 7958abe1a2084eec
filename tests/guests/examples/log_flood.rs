//! `/flood?mib=` writes that much to the log.

use spaceport_guest::{Request, Response};

fn handle(request: Request) -> Response {
    let mib: usize = request.query_value("mib").and_then(|mib| mib.parse().ok()).unwrap_or(0);
    if request.path() == "/flood" {
        let line = "x".repeat(1023);
        for _ in 0..mib * 1024 {
            println!("{line}");
        }
    }
    Response::text("still here")
}

spaceport_guest::export!(handle);
