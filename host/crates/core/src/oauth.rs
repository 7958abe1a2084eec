//! What an application may ask a user for when it signs the user in here: scopes, what each means in words, and what of
//! it this host's permissions can express.

use std::fmt;

use url::{Host, Url};

use crate::manifest::OauthManifest;
use crate::permission::TokenRole;

/// Every scope that the Hub knows, with what it lets an application do, in words that follow "This application will". The
/// order is the one in which scopes are written.
const SCOPES: [(&str, &str); 18] = [
    ("openid", "know who you are"),
    ("profile", "see your name and your public profile"),
    ("email", "see your e-mail address, if this host knows one"),
    ("read-billing", "know whether you pay for anything"),
    ("read-memberships", "see which organizations you belong to"),
    ("read-repos", "read your Spaces, private ones too"),
    ("gated-repos", "read gated repositories that you have access to"),
    ("contribute-repos", "create repositories for you and change those it has created"),
    ("write-repos", "read and change your Spaces"),
    ("manage-repos", "create, change, move and delete your Spaces"),
    ("read-collections", "read your collections"),
    ("write-collections", "change your collections"),
    ("inference-api", "call models on your behalf"),
    ("read-endpoints", "see your inference endpoints"),
    ("write-endpoints", "change your inference endpoints"),
    ("jobs", "run jobs for you"),
    ("webhooks", "manage your webhooks"),
    ("write-discussions", "write in discussions as you"),
];

/// Scopes that every application has.
const ALWAYS: [&str; 2] = ["openid", "profile"];

/// Longest address to which a user is sent back: what every browser takes.
const MAX_REDIRECT: usize = 2048;

/// Where a user is to be sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectTarget {
    /// The address, as browsers read it.
    pub url: String,
    /// Whether it is reached through TLS.
    pub is_https: bool,
    /// Its host name, in lower case.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl RedirectTarget {
    /// Reads an address that an application gives. It is read as browsers read it, so that what is checked is where they
    /// go; one with a user, a password or a fragment is none.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_REDIRECT || text.contains(|c: char| c.is_ascii_control() || c == '\\' || c == ' ') {
            return None;
        }
        let url = Url::parse(text).ok()?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let is_https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = match url.host()? {
            Host::Domain(host) => host.to_ascii_lowercase(),
            Host::Ipv4(_) | Host::Ipv6(_) => return None,
        };
        let port = url.port_or_known_default()?;
        is_plain.then(|| Self { url: url.into(), is_https, host, port })
    }
}

/// A set of scopes, each known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(Vec<&'static str>);

impl Scopes {
    /// Those of a text with spaces between them. What is not known is left out, as the standard asks.
    pub fn parse(text: &str) -> Self {
        Self::of(text.split_ascii_whitespace())
    }

    /// Those that a Space with these settings may ask for.
    pub fn of_manifest(manifest: &OauthManifest) -> Self {
        Self::of(manifest.scopes.iter().map(String::as_str).chain(ALWAYS))
    }

    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let names: Vec<&str> = names.collect();
        Self(SCOPES.iter().map(|(name, _)| *name).filter(|name| names.contains(name)).collect())
    }

    /// The same with what every application has.
    pub fn with_identity(self) -> Self {
        Self::of(self.0.into_iter().chain(ALWAYS))
    }

    /// Whether a scope is among them.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    /// Whether all of others are among them.
    pub fn includes(&self, others: &Self) -> bool {
        others.0.iter().all(|name| self.contains(name))
    }

    /// These and others.
    pub fn and(&self, others: &Self) -> Self {
        Self::of(self.0.iter().chain(&others.0).copied())
    }

    /// What they let an application do, in words.
    pub fn in_words(&self) -> impl Iterator<Item = &'static str> {
        SCOPES.iter().filter(|(name, _)| self.contains(name)).map(|(_, words)| *words)
    }

    /// What a token with these scopes may do with its user's Spaces; `None`: no more than a stranger.
    ///
    /// The one place that maps scopes to roles. Scopes that no role expresses give nothing: a `contribute-repos` that let
    /// an application change every Space would be more than the user has agreed to.
    pub fn role(&self) -> Option<TokenRole> {
        if self.contains("write-repos") || self.contains("manage-repos") {
            return Some(TokenRole::Write);
        }
        self.contains("read-repos").then_some(TokenRole::Read)
    }

    /// Every scope that there is.
    pub fn all() -> impl Iterator<Item = &'static str> {
        SCOPES.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(scopes: &[&str]) -> OauthManifest {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        OauthManifest { scopes, expiration_minutes: 60, authorized_orgs: Vec::new() }
    }

    #[test]
    fn an_application_always_has_identity_and_nothing_that_is_unknown() {
        assert_eq!(Scopes::of_manifest(&manifest(&[])).to_string(), "openid profile");
        let scopes = Scopes::of_manifest(&manifest(&["write-repos", "email", "everything", "openid", "email"]));
        assert_eq!(scopes.to_string(), "openid profile email write-repos");
        assert_eq!(Scopes::parse("profile  nonsense email").to_string(), "profile email");
        assert_eq!(Scopes::parse("email").with_identity().to_string(), "openid profile email");
    }

    #[test]
    fn only_scopes_for_repositories_give_a_role_and_none_gives_more_than_write() {
        for (scopes, role) in [
            ("openid profile email", None),
            ("gated-repos contribute-repos jobs webhooks write-discussions", None),
            ("openid read-repos", Some(TokenRole::Read)),
            ("read-repos write-repos", Some(TokenRole::Write)),
            ("manage-repos", Some(TokenRole::Write)),
        ] {
            assert_eq!(Scopes::parse(scopes).role(), role, "{scopes}");
        }
        let every: Vec<&str> = Scopes::all().collect();
        assert_eq!(Scopes::parse(&every.join(" ")).role(), Some(TokenRole::Write));
    }

    #[test]
    fn an_address_is_read_as_browsers_read_it_or_not_at_all() {
        let target = RedirectTarget::parse("HTTP://Ada-App.localhost:7860/a/../login/callback?x=1").unwrap();
        let expected = ("http://ada-app.localhost:7860/login/callback?x=1", "ada-app.localhost", 7860, false);
        assert_eq!((target.url.as_str(), target.host.as_str(), target.port, target.is_https), expected);
        assert_eq!(RedirectTarget::parse("https://a.example/").unwrap().port, 443);
        let long = format!("http://a.example/{}", "x".repeat(2048));
        for refused in [
            "",
            "/login",
            "//a.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "http:\\\\a.example\\",
            "http://user@a.example/",
            "http://:pw@a.example/",
            "http://a.example/#fragment",
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://a.example/\n",
            " http://a.example/",
            &long,
        ] {
            assert_eq!(RedirectTarget::parse(refused), None, "{refused}");
        }
    }

    #[test]
    fn sets_compare_and_join() {
        let (small, large) = (Scopes::parse("openid email"), Scopes::parse("openid profile email"));
        assert!(large.includes(&small) && !small.includes(&large) && small.includes(&Scopes::default()));
        assert_eq!(small.and(&Scopes::parse("profile")), large);
        assert_eq!(small.in_words().count(), 2);
    }
}
