//! `[ssh]`: where git is served over SSH.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use toml::Table;

use super::reader::{Findings, Section};

/// The port unless the operator says another.
const PORT: u16 = 2222;

/// An address, or the empty text for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listen(Option<SocketAddr>);

impl std::str::FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = match text.trim() {
            "" => None,
            text => Some(text.parse().map_err(|_| "write an address and a port, such as \"0.0.0.0:2222\", or \"\"")?),
        };
        Ok(Self(address))
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |address| address.fmt(f))
    }
}

/// Where to listen, unless it is switched off.
pub(super) fn read(file: &Table, findings: &mut Findings) -> Option<SocketAddr> {
    let mut section = Section::open(file, "ssh", "Git over SSH, on a port of its own.", findings);
    let enabled = section.switch("enabled", true, "Whether git is served over SSH.");
    let local = Listen(Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT)));
    let Listen(address) =
        section.parsed("listen", local, "Address to listen on; empty: none. One that is taken is a warning.");
    section.close();
    address.filter(|_| enabled)
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError, Overrides};

    fn read(text: &str) -> Result<(Config, String), ConfigError> {
        Config::read(text, &Overrides::default())
    }

    #[test]
    fn ssh_is_on_unless_it_is_switched_off() {
        for (text, expected) in [
            ("", Some("127.0.0.1:2222")),
            ("[ssh]\nlisten = \"0.0.0.0:22\"\n", Some("0.0.0.0:22")),
            ("[ssh]\nlisten = \"\"\n", None),
            ("[ssh]\nenabled = false\n", None),
            ("[ssh]\nenabled = false\nlisten = \"[::]:22\"\n", None),
        ] {
            let (config, printed) = read(text).unwrap();
            assert_eq!(config.ssh.map(|address| address.to_string()).as_deref(), expected, "{text}");
            assert_eq!(read(&printed).unwrap().0.ssh, config.ssh, "{printed}");
        }
        let ConfigError(problems) = read("[ssh]\nlisten = \"here\"\nport = 1\n").unwrap_err();
        assert!(problems[0].starts_with("ssh.listen: write an address and a port"), "{problems:?}");
        assert!(problems[1].starts_with("ssh.port: no such key"), "{problems:?}");
    }
}
