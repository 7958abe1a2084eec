//! Links to models and datasets: addresses on a hub, and `hf://`.

use super::{Kind, Linked, as_id, is_name};

/// The Hub, by the names it is linked by.
const HUBS: [&str; 3] = ["huggingface.co", "hf.co", "www.huggingface.co"];
/// Between scheme and authority.
const SEPARATOR: &str = "://";
/// Segments of an address that are looked at: one for the API, one for the kind, an owner and a name.
const SEGMENTS: usize = 4;
/// First segments of the Hub's addresses that are no owners.
const RESERVED: [&str; 34] = [
    "api",
    "assets",
    "blog",
    "brand",
    "buckets",
    "chat",
    "collections",
    "datasets",
    "docs",
    "enterprise",
    "front",
    "inference",
    "inference-endpoints",
    "join",
    "kernels",
    "landing",
    "learn",
    "login",
    "models",
    "new",
    "new-space",
    "oauth",
    "organizations",
    "papers",
    "posts",
    "pricing",
    "privacy",
    "resolve-cache",
    "settings",
    "spaces",
    "static",
    "support",
    "tasks",
    "terms-of-service",
];
/// What may follow the name of a dataset that has no owner.
const VIEWS: [&str; 8] = ["blob", "commits", "discussions", "raw", "resolve", "settings", "tree", "viewer"];

/// Whether nothing on a hub is owned by this name.
pub(super) fn is_reserved(owner: &str) -> bool {
    RESERVED.contains(&owner)
}

/// Reads a text, whatever it is written in.
pub(super) fn read(text: &str, hub: &str, into: &mut Linked) {
    let mut rest = text;
    while let Some(at) = rest.find(SEPARATOR) {
        let (head, tail) = (&rest[..at], &rest[at + SEPARATOR.len()..]);
        let found = match scheme(head) {
            "http" | "https" => on_a_hub(tail, hub),
            "hf" => linked(tail),
            _ => None,
        };
        if let Some((kind, id)) = found {
            into.add(kind, &id);
        }
        rest = tail;
    }
}

/// The letters at the end.
fn scheme(text: &str) -> &str {
    /// Letters of the longest scheme that counts.
    const LONGEST: usize = 5;
    let letters = text.bytes().rev().take(LONGEST).take_while(u8::is_ascii_alphabetic).count();
    &text[text.len() - letters..]
}

/// What an address leads to, after its scheme.
fn on_a_hub(address: &str, hub: &str) -> Option<(Kind, String)> {
    let path = HUBS.iter().copied().chain([hub]).find_map(|host| address.strip_prefix(host)?.strip_prefix('/'))?;
    linked(path)
}

/// What a path on a hub leads to.
fn linked(path: &str) -> Option<(Kind, String)> {
    let mut segments = Segments(path).take(SEGMENTS);
    let mut first = segments.next()?;
    let is_api = first == "api";
    if is_api {
        first = segments.next().filter(|kind| matches!(*kind, "models" | "datasets"))?;
    }
    match first {
        "datasets" => {
            let (owner, name) = (segments.next()?, segments.next());
            let id = name.filter(|name| !VIEWS.contains(name)).map(|name| format!("{owner}/{name}"));
            let id = id.unwrap_or_else(|| owner.to_owned());
            (as_id(&id).is_some() || is_name(&id)).then_some((Kind::Dataset, id))
        }
        "models" if is_api => model(segments.next()?, segments.next()?),
        owner if !is_reserved(owner) => model(owner, segments.next()?),
        _ => None,
    }
}

fn model(owner: &str, name: &str) -> Option<(Kind, String)> {
    let id = format!("{owner}/{name}");
    as_id(&id)?;
    Some((Kind::Model, id))
}

/// The segments of a path, for as long as they can be names.
struct Segments<'a>(&'a str);

impl<'a> Iterator for Segments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        /// One byte more than a name may have: such a segment is none.
        const LONGEST: usize = crate::name::MAX_NAME + 1;
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let length = self.0.bytes().take(LONGEST).take_while(is_part).count();
        let (segment, rest) = self.0.split_at(length);
        self.0 = rest.strip_prefix('/').unwrap_or_default();
        // The end of a sentence is none of a name.
        let segment = segment.trim_end_matches('.');
        (!segment.is_empty() && segment.len() < LONGEST).then_some(segment)
    }
}
