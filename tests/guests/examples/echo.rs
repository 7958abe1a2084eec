//! `/body` sends the body back as it comes; anything else tells method, path and headers.

use std::io::{Read, Write};

use spaceport_guest::{Request, Response};

fn handle(mut request: Request) -> Response {
    if request.path() == "/body" {
        return Response::stream("application/octet-stream", move |out| {
            let mut chunk = vec![0; 64 << 10];
            loop {
                match request.read(&mut chunk)? {
                    0 => return Ok(()),
                    n => {
                        out.write_all(&chunk[..n])?;
                        out.flush()?;
                    }
                }
            }
        });
    }
    let mut text = format!("{} {}?{}\n", request.method(), request.path(), request.query());
    for (name, value) in request.headers() {
        text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    Response::text(text)
}

spaceport_guest::export!(handle);
