//! What a request gets: a page with the script in it, a file that the host sends, or word that there is none.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use spaceport_guest::{HeaderName, HeaderValue, Method, Request, Response};

use crate::csp;
use crate::mime::{content_type, is_page};
use crate::page::{Page, copy};
use crate::resolve::resolve;
use crate::script::Script;

/// How long the host may keep an answer: for ever, since it drops what it keeps with every change of the Space.
const KEEP: &str = "max-age=31536000";
/// What browsers may do: keep it, and ask each time whether it has changed, so that a deploy shows at once.
const REVALIDATE: &str = "no-cache";
/// The header that carries the Space's own policy.
const POLICY: &str = "content-security-policy";

/// A static Space.
pub struct Site {
    /// The entry file.
    pub entry: String,
    /// Headers for every response.
    pub headers: Vec<(String, String)>,
    /// What goes into its pages.
    pub script: Script,
    /// Changes with the variables in the script.
    pub variables_tag: String,
    /// Where its files are.
    pub root: PathBuf,
    /// Finds a file by its path in the repository.
    pub lookup: Lookup,
}

/// From a path in the repository to what is known of the file.
pub type Lookup = Box<dyn Fn(&str) -> Option<Entry> + Send + Sync>;

/// A file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Changes exactly when its content does.
    pub oid: String,
}

/// Answers a request.
pub fn answer(request: &Request, site: &Site) -> Response {
    let mut response = match *request.method() {
        Method::GET | Method::HEAD => get(request, site),
        _ => Response::text("Only GET and HEAD are answered here").with_status(405).with_header("allow", "GET, HEAD"),
    };
    response = response.with_header("access-control-allow-origin", "*");
    for (name, value) in &site.headers {
        let is_ours = HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| response.headers.contains_key(name));
        if !is_ours {
            response = response.with_header(name, value);
        }
    }
    response
}

fn get(request: &Request, site: &Site) -> Response {
    let not_found = || Response::text("Entry not found").with_status(404);
    let Some((path, entry)) = resolve(request.path(), &site.entry, &site.lookup) else {
        return not_found().with_header("cdn-cache-control", KEEP);
    };
    let answer = if is_page(&path) { page(request, site, &path, &entry) } else { file(request, site, &path, &entry) };
    answer.unwrap_or_else(|error| {
        spaceport_guest::log!("{path} is in the repository and cannot be read: {error}");
        match error.kind() {
            // A link that leads nowhere or out of the repository.
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => not_found(),
            _ => Response::text("The file cannot be read").with_status(500),
        }
    })
}

fn page(request: &Request, site: &Site, path: &str, entry: &Entry) -> io::Result<Response> {
    let tag = format!("\"{}-{}\"", entry.oid, site.variables_tag);
    let is_current = request.header("if-none-match").is_some_and(|tags| names(tags, &tag));
    let response = if is_current {
        Response::empty(304)
    } else {
        let page = Page::open(&site.root.join(path), &site.script.element)?;
        body(request, page).with_header("x-content-type-options", "nosniff")
    };
    let response = response.with_header("etag", &tag).with_header("cache-control", REVALIDATE);
    let response = match site.headers.iter().find(|(name, _)| name == POLICY) {
        Some((_, policy)) => response.with_header(POLICY, &csp::allow(policy, &site.script.hash)),
        None => response,
    };
    // What answers HEAD or a condition is not what the next GET is to be answered with.
    let is_whole = *request.method() == Method::GET && !is_current;
    Ok(if is_whole { response.with_header("cdn-cache-control", KEEP) } else { response })
}

fn body(request: &Request, page: Page) -> Response {
    const HTML: &str = "text/html";
    let kind = page.content_type();
    let response = if *request.method() == Method::HEAD {
        Response::stream(HTML, |_| Ok(()))
    } else {
        match page.into_bytes() {
            Ok(bytes) => Response::new(HTML, bytes),
            Err(page) => {
                let length = page.length().to_string();
                Response::stream(HTML, move |out| page.write(out)).with_header("content-length", &length)
            }
        }
    };
    response.with_header("content-type", &kind)
}

/// The host sends the file, unless its name cannot be said in a header.
fn file(request: &Request, site: &Site, path: &str, entry: &Entry) -> io::Result<Response> {
    let kind = content_type(path);
    let mut response = match HeaderValue::from_bytes(path.as_bytes()) {
        Ok(name) => {
            let mut response = Response::empty(200).with_header("content-type", kind);
            response.headers.insert("x-sendfile", name);
            response
        }
        Err(_) => {
            let mut file = File::open(site.root.join(path))?;
            let is_head = *request.method() == Method::HEAD;
            Response::stream(kind, move |out| if is_head { Ok(()) } else { copy(&mut file, out) })
        }
    };
    response = response.with_header("etag", &format!("\"{}\"", entry.oid)).with_header("cache-control", REVALIDATE);
    let is_sent_by_host = response.headers.contains_key("x-sendfile");
    Ok(if is_sent_by_host { response.with_header("cdn-cache-control", KEEP) } else { response })
}

/// Whether an `If-None-Match` names this tag, by the weak comparison that it asks for (RFC 9110, 13.1.2).
fn names(tags: &str, tag: &str) -> bool {
    tags.split(',').map(str::trim).any(|listed| listed == "*" || listed.strip_prefix("W/").unwrap_or(listed) == tag)
}

#[cfg(test)]
mod tests;
