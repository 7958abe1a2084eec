//! Which names code reads from its environment: what an owner may have to fill in.

use std::collections::BTreeSet;

/// How the languages of Spaces read a name, for `git grep -E -o`; the name follows.
pub(super) const READS: &str = r#"(environ\[|environ\.get\(|getenv\(|Getenv\(|env::var\(|process\.env\.|process\.env\[|st\.secrets\[)["']?[A-Za-z_][A-Za-z0-9_]*"#;

/// Names that every machine or this platform gives.
const GIVEN: [&str; 16] = [
    "ACCELERATOR",
    "CPU_CORES",
    "DEBUG",
    "HOME",
    "HOST",
    "LANG",
    "MEMORY",
    "NODE_ENV",
    "OPENID_PROVIDER_URL",
    "PATH",
    "PORT",
    "PWD",
    "PYTHONPATH",
    "SHELL",
    "TMPDIR",
    "USER",
];
/// What other such names start with.
const GIVEN_PREFIXES: [&str; 4] = ["SPACE_", "SPACES_", "OAUTH_", "GRADIO_"];

/// The names in what [`READS`] has found, in order.
pub(super) fn names(found: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let found = found.lines().filter_map(|read| read.rsplit(|c: char| !is_part(c)).next());
    let asked = found.filter(|name| {
        !name.is_empty() && !GIVEN.contains(name) && !GIVEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    });
    asked.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_told_once_and_given_ones_are_not() {
        let found = "environ[\"HF_TOKEN\nenviron.get('API_KEY\ngetenv(\"API_KEY\nprocess.env.STRIPE_KEY\n\
                     env::var(\"SPACE_HOST\nenviron[\"PATH\ngetenv(name\n";
        assert_eq!(names(found), ["API_KEY", "HF_TOKEN", "STRIPE_KEY", "name"]);
        assert_eq!(names(""), Vec::<String>::new());
    }
}
