//! Answers with `?mib=` of bytes.

use std::io::Write;

use spaceport_guest::{Request, Response};

fn handle(request: Request) -> Response {
    let mib: usize = request.query_value("mib").and_then(|mib| mib.parse().ok()).unwrap_or(1);
    Response::stream("application/octet-stream", move |out| {
        let chunk = vec![b'b'; 1 << 20];
        (0..mib).try_for_each(|_| out.write_all(&chunk))
    })
}

spaceport_guest::export!(handle);
