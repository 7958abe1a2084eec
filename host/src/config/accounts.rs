//! `[accounts]`: who makes them.

use toml::Table;

use super::reader::{Findings, Section};

/// Whether people make accounts for themselves.
pub(super) fn read(file: &Table, findings: &mut Findings) -> bool {
    let mut section = Section::open(file, "accounts", "Who gets an account.", findings);
    let sign_up = section.switch(
        "sign_up",
        false,
        "Whether whoever reaches the hub may make an account at /join; otherwise the operator makes them.",
    );
    section.close();
    sign_up
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError, Overrides};

    fn read(text: &str) -> Result<(Config, String), ConfigError> {
        Config::read(text, &Overrides::default())
    }

    #[test]
    fn nobody_makes_an_account_for_themselves_unless_the_operator_lets_them() {
        for (text, expected) in [("", false), ("[accounts]\nsign_up = true\n", true)] {
            let (config, printed) = read(text).unwrap();
            assert_eq!(config.sign_up, expected, "{text}");
            assert_eq!(read(&printed).unwrap().0.sign_up, expected, "{printed}");
        }
        let ConfigError(problems) = read("[accounts]\nsign_up = 1\nsignup = true\n").unwrap_err();
        assert_eq!(problems[0], "accounts.sign_up: write true or false");
        assert!(problems[1].starts_with("accounts.signup: no such key; did you mean"), "{problems:?}");
    }
}
