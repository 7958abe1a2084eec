//! Pages of lists: where one starts, how long it is, and the address of the next in `Link`. Clients follow that address as
//! it is, so it is absolute and repeats the query.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, header};
use serde_json::Value;

use crate::extract::QueryPairs;

/// How many there are on all pages together.
pub(super) const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    /// What comes before it.
    pub(super) start: usize,
    /// The most that is on it.
    pub(super) limit: usize,
}

impl Page {
    /// The page that a query asks for, by `cursor` and `limit`; at most `most` items. Nonsense reads as not being there.
    pub(super) fn of(query: &QueryPairs, most: usize) -> Self {
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
        Self { start: number("cursor").unwrap_or(0), limit: number("limit").unwrap_or(most).clamp(1, most) }
    }

    /// The same of at most `usual` items where the query names no limit.
    pub(super) fn unless_said(self, query: &QueryPairs, usual: usize) -> Self {
        match query.get("limit") {
            Some(_) => self,
            None => Self { limit: self.limit.min(usual), ..self },
        }
    }

    /// Adds the address of the next page, if there is one, of a list of `total` items.
    pub(super) fn link(self, response: &mut Response, address: &str, query: &QueryPairs, total: usize) {
        let next = self.start.saturating_add(self.limit);
        if next < total {
            let query = query.with("cursor", &next.to_string());
            let link = format!("<{address}?{query}>; rel=\"next\"");
            if let Ok(link) = HeaderValue::try_from(link) {
                response.headers_mut().insert(header::LINK, link);
            }
        }
    }

    /// The part of a list of `total` items that is this page, with the address of the next and how many there are.
    pub(super) fn answer(self, address: &str, query: &QueryPairs, part: Value, total: usize) -> Response {
        let mut response = Json(part).into_response();
        self.link(&mut response, address, query, total);
        response.headers_mut().insert(X_TOTAL_COUNT, HeaderValue::from(total));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Page {
        Page::of(&QueryPairs::parse(query), 100)
    }

    #[test]
    fn a_page_is_never_empty_nor_longer_than_allowed() {
        assert_eq!(page(""), Page { start: 0, limit: 100 });
        assert_eq!(page("cursor=7&limit=3"), Page { start: 7, limit: 3 });
        for (query, limit) in [("limit=0", 1), ("limit=101", 100), ("limit=x", 100), ("limit=-1", 100)] {
            assert_eq!(page(query).limit, limit, "{query}");
        }
        assert_eq!(page("cursor=-1").start, 0);
        let usual = |query: &str| page(query).unless_said(&QueryPairs::parse(query), 10).limit;
        assert_eq!((usual(""), usual("limit=70"), usual("limit=700")), (10, 70, 100));
    }

    #[test]
    fn the_next_page_is_named_until_there_is_none() {
        let link = |query: &str, total| {
            let query = QueryPairs::parse(query);
            let mut response = ().into_response();
            Page::of(&query, 100).link(&mut response, "http://hub/x", &query, total);
            response.headers().get("link").map(|link| link.to_str().unwrap().to_owned())
        };
        assert_eq!(link("limit=2&a=b c", 3).unwrap(), "<http://hub/x?limit=2&a=b+c&cursor=2>; rel=\"next\"");
        assert_eq!(link("limit=2&cursor=2", 4), None);
        assert_eq!(link(&format!("cursor={}", usize::MAX), 4), None);
    }
}
