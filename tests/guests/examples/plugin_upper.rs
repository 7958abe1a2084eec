//! A plugin for `sdk: markdown-demo`: the entry file in capitals; below `/raw/` files as they are, sent by the host;
//! `/space` names the Space.

use bindings::spaceport::sdk::{page, repository};
use spaceport_guest::{HeaderValue, Request, Response};

fn describe() -> (&'static str, &'static str) {
    ("markdown-demo", "README.md")
}

spaceport_test_guests::plugin!(describe);

fn handle(request: Request) -> Response {
    match request.path() {
        "/" => entry(),
        "/space" => Response::text(spaceport_guest::variable("SPACE_ID").unwrap_or_default()),
        path => raw(path.strip_prefix("/raw/").unwrap_or_default()),
    }
}

fn entry() -> Response {
    let file = format!("/app/{}", page::describe().app_file);
    match std::fs::read_to_string(&file) {
        Ok(text) => Response::text(text.to_uppercase()).with_header("cdn-cache-control", "max-age=60"),
        Err(error) => Response::text(format!("{file}: {error}")).with_status(500),
    }
}

fn raw(path: &str) -> Response {
    match (repository::lookup(path), HeaderValue::from_str(path)) {
        (Some(_), Ok(name)) => {
            let mut response = Response::empty(200).with_header("content-type", "text/plain");
            response.headers.insert("x-sendfile", name);
            response
        }
        _ => Response::text("not here").with_status(404),
    }
}

spaceport_guest::export!(handle);
