//! The query string as the clients write it: repeated names, and booleans in any of their spellings.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;

/// Names and values, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct QueryPairs(Vec<(String, String)>);

impl QueryPairs {
    pub(crate) fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a name; some clients write `name[]` for a repeated one.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(key, _)| key.strip_suffix("[]").unwrap_or(key) == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// A switch: `1`, `true` or `True`; older clients write Python's spelling.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        matches!(self.get(name), Some("1" | "true" | "True"))
    }

    /// The same pairs with one name set to one value, as a query string.
    pub(crate) fn with(&self, name: &str, value: &str) -> String {
        let kept = self.0.iter().filter(|(key, _)| key != name);
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).append_pair(name, value).finish()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for QueryPairs {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_names_and_both_boolean_spellings_are_understood() {
        let query = QueryPairs::parse("expand=sha&expand[]=runtime&recursive=True&full=false");
        assert_eq!(query.all("expand"), ["sha", "runtime"]);
        assert!(query.is_set("recursive") && !query.is_set("full") && !query.is_set("missing"));
        assert_eq!(QueryPairs::parse("a=1&cursor=x").with("cursor", "y z"), "a=1&cursor=y+z");
    }
}
