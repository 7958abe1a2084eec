//! Entity tags: reading lists of them and comparing (RFC 9110, 8.8.3).

use http::HeaderValue;

/// One tag of a list, or the `*` that matches any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item<'a> {
    Any,
    Tag { is_weak: bool, opaque: &'a [u8] },
}

/// Whether `list` names `tag`, strong or weak: for `If-None-Match`.
pub(super) fn matches_weakly(list: &HeaderValue, tag: Option<&HeaderValue>) -> bool {
    let tag = tag.and_then(|tag| read(tag.as_bytes()));
    items(list.as_bytes()).any(|item| match (item, tag) {
        (Item::Any, _) => true,
        (Item::Tag { opaque, .. }, Some((_, own, _))) => opaque == own,
        (Item::Tag { .. }, None) => false,
    })
}

/// Whether `list` names `tag` and both are strong: for `If-Match` and `If-Range`.
pub(super) fn matches_strongly(list: &HeaderValue, tag: Option<&HeaderValue>) -> bool {
    let tag = tag.and_then(|tag| read(tag.as_bytes()));
    items(list.as_bytes()).any(|item| match (item, tag) {
        (Item::Any, _) => true,
        (Item::Tag { is_weak, opaque }, Some((own_weak, own, _))) => !is_weak && !own_weak && opaque == own,
        (Item::Tag { .. }, None) => false,
    })
}

/// The tag of a variant of what `tag` names: `"x"` becomes `"x-gzip"`. A value that is no tag stays none.
pub(super) fn variant(tag: &HeaderValue, suffix: &str) -> Option<HeaderValue> {
    let (_, _, rest) = read(tag.as_bytes())?;
    if !rest.is_empty() {
        return None;
    }
    let stem = tag.as_bytes().strip_suffix(b"\"")?;
    HeaderValue::from_maybe_shared(bytes::Bytes::from([stem, b"-", suffix.as_bytes(), b"\""].concat())).ok()
}

/// The tags of a list up to the first thing that is none.
fn items(mut list: &[u8]) -> impl Iterator<Item = Item<'_>> {
    std::iter::from_fn(move || {
        list = list.trim_ascii_start();
        while let Some(rest) = list.strip_prefix(b",") {
            list = rest.trim_ascii_start();
        }
        if let Some(rest) = list.strip_prefix(b"*") {
            list = rest;
            return Some(Item::Any);
        }
        let (is_weak, opaque, rest) = read(list)?;
        list = rest;
        Some(Item::Tag { is_weak, opaque })
    })
}

/// Weakness, opaque part and what follows.
fn read(text: &[u8]) -> Option<(bool, &[u8], &[u8])> {
    let (is_weak, quoted) = match text.strip_prefix(b"W/") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let inner = quoted.strip_prefix(b"\"")?;
    let end = inner.iter().position(|b| *b == b'"')?;
    Some((is_weak, &inner[..end], &inner[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> HeaderValue {
        HeaderValue::from_str(text).unwrap()
    }

    #[test]
    fn lists_are_compared_tag_by_tag() {
        let own = value("\"b\"");
        for (list, weakly, strongly) in [
            ("\"b\"", true, true),
            ("\"a\", \"b\"", true, true),
            ("\"a\",W/\"b\"", true, false),
            ("*", true, true),
            ("\"a\"", false, false),
            ("\"a,b\"", false, false),
            ("b", false, false),
            ("", false, false),
        ] {
            assert_eq!(matches_weakly(&value(list), Some(&own)), weakly, "{list}");
            assert_eq!(matches_strongly(&value(list), Some(&own)), strongly, "{list}");
        }
        assert!(!matches_strongly(&value("\"b\""), Some(&value("W/\"b\""))));
        assert!(!matches_weakly(&value("\"b\""), None));
    }

    #[test]
    fn a_variant_has_a_tag_of_its_own() {
        assert_eq!(variant(&value("\"x\""), "br"), Some(value("\"x-br\"")));
        assert_eq!(variant(&value("W/\"x\""), "br"), Some(value("W/\"x-br\"")));
        assert_eq!(variant(&value("x"), "br"), None);
    }
}
