//! Passes things without measure to the host: `?what=` says which, `?count=` how much of it. Tells what became of it if
//! the host lets it.

use spaceport_guest::platform::{Level, log};
use spaceport_guest::{Request, Response};
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::http::types::Fields;
use wasip2::io::poll::poll;
use wasip2::random::random::get_random_bytes;

fn handle(request: Request) -> Response {
    let count: usize = request.query_value("count").and_then(|text| text.parse().ok()).unwrap_or(0);
    let said = match request.query_value("what").unwrap_or_default().as_str() {
        "" => "ready".to_owned(),
        "line" => {
            log(Level::Info, &"x".repeat(count));
            "logged".to_owned()
        }
        "poll" => {
            let timer = subscribe_duration(0);
            format!("{} are ready", poll(&vec![&timer; count]).len())
        }
        "fields" => format!("{:?}", Fields::from_list(&vec![("x".to_owned(), b"y".to_vec()); count]).map(|_| ())),
        "field" => {
            let fields = Fields::new();
            let appended = (0..count).try_for_each(|_| fields.append("x", b"y"));
            format!("{appended:?}")
        }
        "random" => format!("{} bytes", get_random_bytes(count as u64).len()),
        other => format!("no {other}"),
    };
    Response::text(said)
}

spaceport_guest::export!(handle);
