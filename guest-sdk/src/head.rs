//! Headers on their way between an app and its host, the same in both versions of wasi:http.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Headers as the host lists them. What cannot be a header is left out.
pub(crate) fn header_map(entries: impl IntoIterator<Item = (String, Vec<u8>)>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in entries {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(&value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// An answer's headers as the host takes them: with the length of a body that is known, in place of any the app gave.
pub(crate) fn header_list<'a>(
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    status: StatusCode,
    whole_body: Option<usize>,
) -> Vec<(String, Vec<u8>)> {
    // Neither status has a body, and a length would be read as that of the answer they stand for.
    let length = whole_body.filter(|_| !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED));
    let own = headers.filter(|(name, _)| length.is_none() || !name.eq_ignore_ascii_case("content-length"));
    let mut list: Vec<_> = own.map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
    list.extend(length.map(|length| ("content-length".to_owned(), length.to_string().into_bytes())));
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_lists_is_kept_but_for_what_is_no_header() {
        let list = [("A", "1"), ("a", "2"), ("b c", "3"), ("d", "x\ny")];
        let headers = header_map(list.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())));
        assert_eq!(headers.get_all("a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn a_body_that_is_whole_has_its_own_length_where_one_may_stand() {
        let list = |status, whole| {
            let own = [("Content-Length", "7"), ("x", "1")].map(|(name, value)| (name, value.as_bytes()));
            let list = header_list(own.into_iter(), status, whole);
            list.into_iter()
                .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(&value)))
                .collect::<Vec<_>>()
        };
        assert_eq!(list(StatusCode::OK, Some(5)), ["x: 1", "content-length: 5"]);
        assert_eq!(list(StatusCode::OK, None), ["Content-Length: 7", "x: 1"]);
        assert_eq!(list(StatusCode::NOT_MODIFIED, Some(0)), ["Content-Length: 7", "x: 1"]);
    }
}
