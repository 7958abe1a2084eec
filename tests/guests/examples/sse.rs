//! `/events` sends an event each 50 ms, five in all.

use std::time::Duration;

use spaceport_guest::{Event, Request, Response};

fn handle(request: Request) -> Response {
    if request.path() != "/events" {
        return Response::text("see /events");
    }
    Response::events(|events| {
        for n in 0..5 {
            events.send(&Event::new(format!("tick {n}")).with_id(&n.to_string()))?;
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    })
}

spaceport_guest::export!(handle);
