//! Calls `?url=` and tells the status and the beginning of the body, or the error code.

use spaceport_guest::{Request, Response};
use wasip2::http::outgoing_handler::{OutgoingRequest, handle as send};
use wasip2::http::types::{ErrorCode, Fields, Scheme};

fn handle(request: Request) -> Response {
    match request.query_value("url") {
        None => Response::text("ready"),
        Some(url) => Response::text(match fetch(&url) {
            Ok(text) => text,
            Err(code) => format!("error: {code:?}"),
        }),
    }
}

fn fetch(url: &str) -> Result<String, ErrorCode> {
    let (scheme, rest) = url.split_once("://").ok_or(ErrorCode::HttpRequestUriInvalid)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let request = OutgoingRequest::new(Fields::new());
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    request.set_scheme(Some(&scheme)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    request.set_authority(Some(authority)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    request
        .set_path_with_query(Some(if path.is_empty() { "/" } else { path }))
        .map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    let pending = send(request, None)?;
    pending.subscribe().block();
    let response = pending.get().expect("it is ready").expect("it is taken once")?;
    let status = response.status();
    let body = response.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    let mut text = Vec::new();
    while let Ok(bytes) = stream.blocking_read(4096) {
        text.extend_from_slice(&bytes);
        if text.len() > 4096 {
            break;
        }
    }
    Ok(format!("{status} {}", String::from_utf8_lossy(&text)))
}

spaceport_guest::export!(handle);
