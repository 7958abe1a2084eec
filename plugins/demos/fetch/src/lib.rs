//! Calls the address it is given and shows what came of it: a status, or why the host refused.

use spaceport_guest::{Request, Response};
use wasip2::http::outgoing_handler::{OutgoingRequest, handle as send};
use wasip2::http::types::{ErrorCode, Fields, Scheme};

/// Bytes of an answer shown.
const SHOWN: usize = 2000;
/// Addresses to try.
const EXAMPLES: [&str; 4] = [
    "https://example.org/",
    "http://127.0.0.1:8080/",
    "http://169.254.169.254/latest/meta-data",
    "https://example.org:8443/",
];

fn handle(request: Request) -> Response {
    let url = request.query_value("url").unwrap_or_default();
    let result = match url.as_str() {
        "" => String::new(),
        url => match fetch(url) {
            Ok((status, body)) => {
                format!("<div class=\"card\"><strong>{status}</strong><pre>{}</pre></div>", escape(&body))
            }
            Err(code) => format!(
                "<div class=\"card\"><strong>{}</strong><p>{}</p></div>",
                escape(&format!("{code:?}")),
                meaning(&code)
            ),
        },
    };
    let examples: String = EXAMPLES
        .iter()
        .map(|example| {
            format!("<li><a href=\"/?url={}\">{example}</a></li>", example.replace(':', "%3A").replace('/', "%2F"))
        })
        .collect();
    let style = include_str!("style.css");
    Response::html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Fetch</title><style>{style}</style></head><body><h1>🌐 Fetch</h1>\
         <p>Spaces reach public addresses on ports 80, 443 and 8080. Give an address and see what the host answers.</p>\
         <form class=\"card\"><label for=\"url\">Address</label><input id=\"url\" name=\"url\" value=\"{}\" placeholder=\"https://example.org/\">\
         <button>Call it</button></form>{result}<p>Try one:</p><ul>{examples}</ul></body></html>",
        escape(&url)
    ))
}

fn meaning(code: &ErrorCode) -> &'static str {
    match code {
        ErrorCode::HttpRequestDenied => "The network rule refused it; the Space's run log says which part of it.",
        ErrorCode::DnsError(_) | ErrorCode::DnsTimeout => "The name could not be resolved.",
        ErrorCode::ConnectionRefused | ErrorCode::ConnectionTimeout => "Nothing answers there.",
        ErrorCode::HttpRequestUriInvalid => "That is no address: write it like https://example.org/path.",
        _ => "The call failed.",
    }
}

fn fetch(url: &str) -> Result<(u16, String), ErrorCode> {
    let invalid = |()| ErrorCode::HttpRequestUriInvalid;
    let (scheme, rest) = url.split_once("://").ok_or(ErrorCode::HttpRequestUriInvalid)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let request = OutgoingRequest::new(Fields::new());
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    request.set_scheme(Some(&scheme)).map_err(invalid)?;
    request.set_authority(Some(authority)).map_err(invalid)?;
    request.set_path_with_query(Some(if path.is_empty() { "/" } else { path })).map_err(invalid)?;
    let pending = send(request, None)?;
    pending.subscribe().block();
    let response =
        pending.get().ok_or(ErrorCode::InternalError(None))?.map_err(|()| ErrorCode::InternalError(None))??;
    let status = response.status();
    let mut text = Vec::new();
    if let Ok(body) = response.consume()
        && let Ok(stream) = body.stream()
    {
        while let Ok(bytes) = stream.blocking_read(4096) {
            text.extend_from_slice(&bytes);
            if text.len() >= SHOWN {
                break;
            }
        }
    }
    text.truncate(SHOWN);
    Ok((status, String::from_utf8_lossy(&text).into_owned()))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

spaceport_guest::export!(handle);
