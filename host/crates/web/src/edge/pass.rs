//! Passes to private Spaces, as a page or a client puts them into an address: `?__sign=<pass>`. The first visit trades the
//! address for a cookie, so that what the page loads next is let in too; the app sees neither.

use http::header::{COOKIE, HeaderValue, REFERER};
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, Request};

use super::context::Scheme;

/// The name in an address, as clients of the Hub write it.
const PARAMETER: &str = "__sign";
/// The same where it has a value.
const SET: &[u8] = b"__sign=";
/// The cookie. Its name begins as all of the platform's do, which never reach a guest.
const COOKIE_NAME: &str = "spaceport-visit";
/// The same over https: bound to the host and to https by its name.
const SECURE_COOKIE_NAME: &str = "__Host-spaceport-visit";
/// Longest pass, in bytes.
const MAX_PASS: usize = 2048;
/// How long the cookie is kept, in seconds: as long as a pass holds.
const MAX_AGE: u32 = 24 * 60 * 60;

/// What an address brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pass(String);

impl Pass {
    /// Takes the pass out of a request's address.
    pub(super) fn take<B>(request: &mut Request<B>) -> Option<Self> {
        let (rest, pass) = split(request.uri().query()?)?;
        let path = request.uri().path();
        let target = if rest.is_empty() { path.to_owned() } else { format!("{path}?{rest}") };
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
        *request.uri_mut() = Uri::from_parts(parts).ok()?;
        Some(pass)
    }

    /// Takes passes out of what a request says of the page that it comes from.
    pub(super) fn leave_out_of_referer(headers: &mut HeaderMap) {
        let has_pass = |value: &HeaderValue| value.as_bytes().windows(SET.len()).any(|word| word == SET);
        if !headers.get_all(REFERER).iter().any(has_pass) {
            return;
        }
        let cleaned = headers.get(REFERER).and_then(|referer| {
            let (page, query) = referer.to_str().ok()?.split_once('?')?;
            let rest = without_pass(query);
            HeaderValue::try_from(if rest.is_empty() { page.to_owned() } else { format!("{page}?{rest}") }).ok()
        });
        headers.remove(REFERER);
        // One that holds it where none of ours is (in a path, say) is no loss.
        if let Some(cleaned) = cleaned.filter(|cleaned| !has_pass(cleaned)) {
            headers.insert(REFERER, cleaned);
        }
    }

    /// The pass that an earlier visit has left in a cookie.
    pub(super) fn of_cookie(headers: &HeaderMap) -> Option<String> {
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let passes: Vec<_> = pairs.filter(|(_, value)| is_pass(value)).collect();
        let named =
            |wanted: &str| passes.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned());
        // Other Spaces can set the plain name for the domain above, not the one that is bound to this host.
        named(SECURE_COOKIE_NAME).or_else(|| named(COOKIE_NAME))
    }

    /// The pass itself.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The cookie that stands for it from now on. Pages of the hub show apps in frames, which are of another site.
    pub(super) fn cookie(&self, scheme: Scheme) -> Option<HeaderValue> {
        let pass = &self.0;
        let cookie = match scheme {
            Scheme::Https => {
                format!(
                    "{SECURE_COOKIE_NAME}={pass}; Path=/; Max-Age={MAX_AGE}; HttpOnly; Secure; SameSite=None; Partitioned"
                )
            }
            Scheme::Http => format!("{COOKIE_NAME}={pass}; Path=/; Max-Age={MAX_AGE}; HttpOnly; SameSite=Lax"),
        };
        HeaderValue::try_from(cookie).ok()
    }
}

/// A query without the pass, and the pass.
fn split(query: &str) -> Option<(String, Pass)> {
    let value = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        (name == PARAMETER && is_pass(value)).then(|| value.to_owned())
    };
    let pass = query.split('&').find_map(value)?;
    Some((without_pass(query), Pass(pass)))
}

fn without_pass(query: &str) -> String {
    let is_ours = |pair: &&str| pair.split('=').next() == Some(PARAMETER);
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_ours(pair)).collect();
    kept.join("&")
}

/// Three parts in the alphabet that needs no escape, with dots between.
fn is_pass(text: &str) -> bool {
    text.len() <= MAX_PASS
        && text.split('.').count() == 3
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(uri: &str) -> (Option<Pass>, String) {
        let mut request = Request::get(uri).body(()).unwrap();
        (Pass::take(&mut request), request.uri().to_string())
    }

    #[test]
    fn an_address_loses_its_pass_and_nothing_else() {
        let pass = Some(Pass("a.b.c".into()));
        assert_eq!(taken("/?__sign=a.b.c"), (pass.clone(), "/".into()));
        assert_eq!(taken("/x%20y?a=1&__sign=a.b.c&b=%2F"), (pass.clone(), "/x%20y?a=1&b=%2F".into()));
        assert_eq!(taken("http://h.test/p?__sign=a.b.c&__sign=x"), (pass.clone(), "http://h.test/p".into()));
        assert_eq!(taken("/?__signature=1&__sign=a.b.c"), (pass, "/?__signature=1".into()));
        for other in ["/", "/?a=1", "/?__sign=ab", "/?__sign=a.b.c%0d", "/?__sign=", "/?x__sign=a.b.c"] {
            assert_eq!(taken(other), (None, other.into()));
        }
        assert_eq!(taken(&format!("/?__sign=a.b.{}", "c".repeat(MAX_PASS))).0, None);
    }

    #[test]
    fn a_page_that_a_request_comes_from_loses_its_pass_and_nothing_else() {
        for (referer, cleaned) in [
            ("https://h.test/p?__sign=a.b.c", Some("https://h.test/p")),
            ("https://h.test/p?x=1&__sign=a.b.c&y=%2F", Some("https://h.test/p?x=1&y=%2F")),
            ("https://h.test/p?__signature=1", Some("https://h.test/p?__signature=1")),
            ("https://h.test/__sign=a.b.c", None),
            ("https://h.test/p?q=__sign", Some("https://h.test/p?q=__sign")),
            ("https://h.test/p?x=1", Some("https://h.test/p?x=1")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(REFERER, referer.parse().unwrap());
            Pass::leave_out_of_referer(&mut headers);
            assert_eq!(headers.get(REFERER).map(|value| value.to_str().unwrap()), cleaned, "{referer}");
        }
    }

    #[test]
    fn the_cookie_is_read_back_as_it_was_set() {
        let pass = Pass("a.b-_.c".into());
        for scheme in [Scheme::Http, Scheme::Https] {
            let cookie = pass.cookie(scheme).unwrap();
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            let mut headers = HeaderMap::new();
            headers.append(COOKIE, "a=b".parse().unwrap());
            headers.append(COOKIE, format!("c=d; {pair}; e=f").parse().unwrap());
            assert_eq!(Pass::of_cookie(&headers).as_deref(), Some(pass.as_str()), "{cookie:?}");
        }
        assert_eq!(Pass::of_cookie(&HeaderMap::new()), None);
    }

    #[test]
    fn a_cookie_that_others_can_set_does_not_hide_the_one_that_they_cannot() {
        let mut headers = HeaderMap::new();
        let both = format!("{COOKIE_NAME}=x.y.z; {SECURE_COOKIE_NAME}=a.b.c");
        headers.append(COOKIE, both.parse().unwrap());
        assert_eq!(Pass::of_cookie(&headers).as_deref(), Some("a.b.c"));
    }
}
