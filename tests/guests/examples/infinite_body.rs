//! `/forever` sends a body without an end.

use std::io::Write;

use spaceport_guest::{Request, Response};

fn handle(request: Request) -> Response {
    if request.path() != "/forever" {
        return Response::text("finite");
    }
    Response::stream("application/octet-stream", |out| {
        let chunk = [b'x'; 16 << 10];
        loop {
            out.write_all(&chunk)?;
            out.flush()?;
        }
    })
}

spaceport_guest::export!(handle);
