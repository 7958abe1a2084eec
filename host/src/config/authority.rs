//! A host name, with a port if it is not the scheme's own: what stands between `http://` and the first slash of every
//! printed URL.

use std::fmt;
use std::str::FromStr;

/// Bytes of a host name, by the rules of the DNS.
const HOST: usize = 253;
/// Bytes of one label of it.
const LABEL: usize = 63;

/// `host` or `host:port`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority(String);

/// The text is not a host name with or without a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a host name, with a port if it is not the scheme's, such as \"spaces.example.org\" or \"localhost:7860\""
)]
pub struct InvalidAuthority;

impl FromStr for Authority {
    type Err = InvalidAuthority;

    fn from_str(text: &str) -> Result<Self, InvalidAuthority> {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        let is_port = |port: &str| {
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
        };
        if host.len() > HOST || !host.split('.').all(is_label) || !port.is_none_or(is_port) {
            return Err(InvalidAuthority);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=LABEL).contains(&label.len())
        && label.bytes().all(is_inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_with_or_without_a_port_is_taken_in_lower_case() {
        for text in
            ["localhost", "localhost:7860", "spaces.example.org", "a-b.c1:1", "127.0.0.1:80", "Spaces.Example.ORG"]
        {
            assert_eq!(text.parse::<Authority>().unwrap().to_string(), text.to_ascii_lowercase());
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("{}.org", "a".repeat(64));
        for text in [
            "",
            "http://x/",
            "x/",
            "x.org.",
            ".x",
            "a..b",
            "-a",
            "a-",
            "a b",
            "a_b",
            "ä.de",
            "x:",
            "x:0",
            "x:65536",
            "x:+80",
            "x:80:80",
            "user@x",
            "[::1]:80",
            "*",
            "x?y",
            "x\n",
            &long,
        ] {
            assert_eq!(text.parse::<Authority>(), Err(InvalidAuthority), "{text:?}");
        }
    }
}
