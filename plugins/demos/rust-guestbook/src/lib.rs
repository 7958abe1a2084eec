//! A guestbook that keeps its entries on the Space's persistent disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use spaceport_guest::{Method, Request, Response, form, log, variable};

/// Where entries are kept, one per line: seconds since 1970, name and message, the latter two escaped for HTML.
const BOOK: &str = "/data/entries.tsv";
/// Largest form taken.
const MAX_FORM: usize = 8 << 10;
/// Entries shown, the newest first.
const SHOWN: usize = 50;

fn handle(request: Request) -> Response {
    match (request.method(), request.path()) {
        (&Method::GET | &Method::HEAD, "/") => page(),
        (&Method::POST, "/") => sign(request),
        _ => Response::text("nothing here").with_status(404),
    }
}

fn sign(mut request: Request) -> Response {
    let Ok(Ok(body)) = request.read_all(MAX_FORM) else {
        return Response::text("the entry is too long").with_status(413);
    };
    let fields = form(&String::from_utf8_lossy(&body));
    let field = |name: &str| fields.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.trim());
    let (name, message) = (field("name"), field("message"));
    if message.is_empty() {
        return Response::redirect("/");
    }
    let name = if name.is_empty() { "Somebody" } else { name };
    match append(&escape(name), &escape(message)) {
        Ok(()) => Response::redirect("/"),
        Err(error) => {
            log!("an entry was not kept: {error}");
            Response::text(format!("The entry could not be kept: {error}")).with_status(507)
        }
    }
}

fn append(name: &str, message: &str) -> io::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    let mut book = File::options().create(true).append(true).open(BOOK)?;
    book.write_all(format!("{now}\t{name}\t{message}\n").as_bytes())?;
    book.sync_all()
}

fn page() -> Response {
    let title = escape(&variable("SPACE_TITLE").unwrap_or_else(|| "Guestbook".into()));
    let style = include_str!("style.css");
    let has_disk = fs::metadata("/data").is_ok();
    let body = if has_disk { book() } else { NO_DISK.to_owned() };
    Response::html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{style}</style></head><body><h1>📖 {title}</h1>{body}</body></html>"
    ))
}

const NO_DISK: &str = "<p>This Space has no persistent disk yet, so nothing can be kept. Its owner can give it one: a storage tier in \
                       the Space's settings, or <code>spaceport push --storage small</code>.</p>";

fn book() -> String {
    let entries = fs::read_to_string(BOOK).unwrap_or_default();
    let mut list = String::new();
    for line in entries.lines().rev().take(SHOWN) {
        let mut parts = line.splitn(3, '\t');
        if let (Some(time), Some(name), Some(message)) = (parts.next(), parts.next(), parts.next()) {
            list.push_str(&format!(
                "<div class=\"card entry\"><strong>{name}</strong>{message}<br><time data-seconds=\"{time}\"></time></div>"
            ));
        }
    }
    if list.is_empty() {
        list.push_str("<p>Nobody has signed yet. Be the first.</p>");
    }
    format!(
        "<p>Entries are kept on the Space's persistent disk and survive restarts.</p>\
         <form class=\"card\" method=\"post\" action=\"/\"><label for=\"name\">Name</label><input id=\"name\" name=\"name\" maxlength=\"80\" autocomplete=\"name\">\
         <label for=\"message\">Message</label><textarea id=\"message\" name=\"message\" rows=\"3\" maxlength=\"2000\" required></textarea>\
         <button>Sign</button></form>{list}\
         <script>document.querySelectorAll('time').forEach(t => t.textContent = new Date(t.dataset.seconds * 1000).toLocaleString())</script>"
    )
}

/// Text for HTML and for one field of a line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("<br>"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

spaceport_guest::export!(handle);
