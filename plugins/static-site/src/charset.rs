//! How a page's text is written, as far as the header may say so: what it says, browsers believe before the page itself.

use std::borrow::Cow;

/// The type of a page in UTF-8.
const UTF8: &str = "text/html; charset=utf-8";
/// The type of a page that has to tell by itself.
const UNSAID: &str = "text/html";
/// Where browsers look for a declaration (WHATWG HTML, 4.2.5.4). The script may move it out of there, so what the page
/// declares is said in the header as well.
const DECLARED_WITHIN: usize = 1024;
/// Longer than any encoding's name.
const LABEL: usize = 40;

/// The `Content-Type` of a page that begins like this; `is_all` if nothing follows. UTF-8 is what a page is in that says
/// nothing else and can be nothing else.
pub fn page_type(start: &[u8], is_all: bool) -> Cow<'static, str> {
    let is_utf8 = match std::str::from_utf8(start) {
        Ok(_) => true,
        // A character that the piece ends in the middle of.
        Err(error) => !is_all && error.error_len().is_none(),
    };
    match declared(&start[..start.len().min(DECLARED_WITHIN)]).map(label) {
        Some(Some(label)) => format!("{UNSAID}; charset={label}").into(),
        // Something that is no name, or cannot be true of bytes in which it could be read.
        Some(None) => UNSAID.into(),
        None if is_utf8 => UTF8.into(),
        None => UNSAID.into(),
    }
}

/// A declared name, if it is one that a header may repeat.
fn label(declared: &[u8]) -> Option<String> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    let is_label = (1..=LABEL).contains(&declared.len()) && declared.iter().all(is_name);
    let label = String::from_utf8(declared.to_ascii_lowercase()).ok()?;
    (is_label && !label.starts_with("utf-16")).then_some(label)
}

/// What the first `<meta>` that names an encoding names.
fn declared(mut page: &[u8]) -> Option<&[u8]> {
    while let Some(at) = page.iter().position(|byte| *byte == b'<') {
        page = &page[at..];
        if page.starts_with(b"<!--") {
            page = &page[2 + find(&page[2..], b"-->")?..];
            continue;
        }
        let is_meta = page.get(1..5).is_some_and(|name| name.eq_ignore_ascii_case(b"meta"))
            && page.get(5).is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b'/');
        let tag = &page[..find(page, b">").unwrap_or(page.len())];
        if let Some(label) = is_meta.then(|| charset(tag)).flatten() {
            return Some(label);
        }
        page = &page[1..];
    }
    None
}

/// The value of `charset=` in a tag: an attribute of its own, or a part of `content`.
fn charset(mut tag: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"charset";
    loop {
        tag = &tag[find(tag, NAME)? + NAME.len()..];
        let Some(value) = tag.trim_ascii_start().strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value).trim_ascii_start();
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b';' | b'/');
        return Some(&value[..value.iter().position(is_end).unwrap_or(value.len())]);
    }
}

/// Where `part` is in `text`, whatever the case of its letters.
fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_is_said_of_what_is_utf8_and_claims_nothing_else() {
        for (page, charset) in [
            (&b""[..], "utf-8"),
            (b"<!doctype html><p>plain", "utf-8"),
            ("<p>größe".as_bytes(), "utf-8"),
            (b"<p>gr\xf6\xdfe", ""),
            (b"<meta charset=UTF-8><p>x", "utf-8"),
            (b"<META Charset = 'utf8'>", "utf8"),
            (b"<meta charset=windows-1251><p>x", "windows-1251"),
            (b"<meta http-equiv=content-type content=\"text/html; charset=ISO-8859-1\">", "iso-8859-1"),
            (b"<meta http-equiv=content-type content='text/html;charset=utf-8'>", "utf-8"),
            (b"<meta name=charset content=x><meta charset=\"koi8-r\"/>", "koi8-r"),
            (b"<!-- <meta charset=koi8-r> --><p>x", "utf-8"),
            (b"<!--><meta charset=koi8-r>", "koi8-r"),
            (b"<script charset=koi8-r src=a.js></script>", "utf-8"),
            (b"<metadata charset=koi8-r>", "utf-8"),
            (b"<meta charset=utf-16>", ""),
            (b"<meta charset=\"a,b\">", ""),
            (b"\xff\xfe<\0h\0", ""),
            (b"<meta charset=", ""),
        ] {
            let expected = if charset.is_empty() { UNSAID.to_owned() } else { format!("{UNSAID}; charset={charset}") };
            assert_eq!(page_type(page, true), expected, "{}", String::from_utf8_lossy(page));
        }
    }

    #[test]
    fn a_declaration_counts_where_browsers_look_for_it() {
        let page = |filler: usize| [&vec![b' '; filler][..], b"<meta charset=koi8-r>"].concat();
        assert_eq!(page_type(&page(1000), true), "text/html; charset=koi8-r");
        assert_eq!(page_type(&page(1024), true), UTF8);
    }

    #[test]
    fn a_character_that_is_cut_is_one_if_there_is_more() {
        let cut = &"ö".as_bytes()[..1];
        assert_eq!(page_type(cut, false), UTF8);
        assert_eq!(page_type(cut, true), UNSAID);
    }
}
