//! What a visitor sees in place of a Space: a small page for browsers, JSON for programs.
//!
//! The page stands alone (no script, no file, no font), escapes everything it is told, and its policy allows exactly its
//! own style sheet. Where waiting helps it reloads itself.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use serde::Serialize;

use super::body::EdgeBody;
use super::context::X_REQUEST_ID;
use super::refusal::Refusal;

/// The code of the error contract, for programs.
pub(super) const X_SPACEPORT_ERROR: HeaderName = HeaderName::from_static("x-spaceport-error");

const TEMPLATE: &str = include_str!("fault_page.html");

#[derive(Serialize)]
struct ErrorView<'a> {
    error: &'a str,
    message: &'a str,
    request_id: &'a str,
}

/// What a page tells beside the refusal itself.
pub(super) struct Circumstances<'a> {
    /// Whether the visitor reads pages rather than JSON.
    pub(super) reads_pages: bool,
    /// The request's id.
    pub(super) request_id: &'a HeaderValue,
    /// The hub's page about the Space, if there is one that the visitor may see.
    pub(super) page: Option<String>,
}

/// The response in place of a Space's own.
pub(super) fn respond(refusal: &Refusal, circumstances: &Circumstances<'_>) -> Response<EdgeBody> {
    let retry_after = refusal.retry_after();
    let is_page = circumstances.reads_pages;
    let id = circumstances.request_id.to_str().unwrap_or_default();
    let body = match is_page {
        true => Bytes::from(page(refusal, retry_after, id, circumstances.page.as_deref())),
        false => json(refusal, id),
    };
    let mut response = Response::new(EdgeBody::empty());
    *response.status_mut() = refusal.status();
    let headers = response.headers_mut();
    headers.insert(X_SPACEPORT_ERROR, HeaderValue::from_static(refusal.code()));
    headers.insert(X_REQUEST_ID, circumstances.request_id.clone());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    // A program on another page must be able to tell why a Space does not answer.
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if refusal.closes_connection() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if is_page {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        if let Ok(policy) = HeaderValue::try_from(policy(id)) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
    } else {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    *response.body_mut() = EdgeBody::full(body);
    response
}

/// Whether the visitor reads pages: names HTML, as browsers do when they navigate, and does not refuse it.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accept.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"))
            && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// Nothing but the page's own style, known by the request's id.
fn policy(id: &str) -> String {
    format!("default-src 'none'; style-src 'nonce-{id}'; base-uri 'none'; form-action 'none'")
}

fn json(refusal: &Refusal, id: &str) -> Bytes {
    let view = ErrorView { error: refusal.code(), message: &refusal.message(), request_id: id };
    serde_json::to_vec(&view).expect("three strings are JSON").into()
}

fn page(refusal: &Refusal, retry_after: Option<u32>, id: &str, hub_page: Option<&str>) -> String {
    let refresh = match retry_after.filter(|_| refusal.refreshes()) {
        Some(seconds) => format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">"),
        None => String::new(),
    };
    let link = match hub_page {
        Some(url) => format!("<p><a href=\"{}\">About this Space</a></p>", escape(url)),
        None => String::new(),
    };
    let mark = if refusal.refreshes() { "mark waiting" } else { "mark" };
    let fill = |name: &str| match name {
        "refresh" => refresh.clone(),
        "nonce" | "request_id" => escape(id),
        "mark" => mark.to_owned(),
        "title" => escape(refusal.title()),
        "message" => escape(&refusal.message()),
        "advice" => escape(refusal.advice()),
        "link" => link.clone(),
        "code" => refusal.code().to_owned(),
        _ => String::new(),
    };
    let mut html = String::with_capacity(TEMPLATE.len() + 512);
    let mut rest = TEMPLATE;
    // Each slot is filled once and what fills it is never read as template.
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        html.push_str(before);
        html.push_str(&fill(name));
        rest = after;
    }
    html.push_str(rest);
    html
}

/// Text for HTML's content and quoted attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use spaceport_core::stage::Stage;

    use super::*;

    #[test]
    fn a_message_cannot_leave_its_place_on_the_page() {
        let refusal = Refusal::Stage {
            stage: Stage::BuildError,
            message: Some("<script>alert(1)</script> {{advice}} \"'&".into()),
        };
        let html = page(&refusal, None, "id", Some("http://hub/\"><script>"));
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt; {{advice}} &quot;&#39;&amp;"), "{html}");
    }

    #[test]
    fn a_page_reloads_itself_where_waiting_helps() {
        assert!(page(&Refusal::Waking, Some(3), "id", None).contains("content=\"3\""));
        let paused = Refusal::Stage { stage: Stage::Paused, message: None };
        assert!(!page(&paused, None, "id", None).contains("http-equiv=\"refresh\""));
    }

    #[test]
    fn every_slot_of_the_template_is_filled() {
        let html = page(&Refusal::Waking, Some(3), "id", Some("http://hub/"));
        assert!(!html.contains("{{") && !html.contains("}}"), "{html}");
    }

    #[test]
    fn only_visitors_who_name_html_get_a_page() {
        for (accept, page) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("*/*", false),
            ("application/json", false),
            ("text/html;q=0, application/json", false),
            ("TEXT/HTML ; q=0.5", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(wants_html(&headers), page, "{accept}");
        }
    }
}
