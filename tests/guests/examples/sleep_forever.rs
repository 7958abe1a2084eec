//! `/hang` waits on a timer for an hour.

use std::time::Duration;

use spaceport_guest::{Request, Response};

fn handle(request: Request) -> Response {
    if request.path() == "/hang" {
        std::thread::sleep(Duration::from_secs(3600));
    }
    Response::text("awake")
}

spaceport_guest::export!(handle);
