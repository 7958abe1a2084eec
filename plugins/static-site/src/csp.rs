//! A Content-Security-Policy that lets one inline script run, and otherwise allows what it allowed.

/// The policy list with the script of this hash (`'sha256-…'`) allowed in each policy.
///
/// A policy that governs no scripts, or allows inline ones anyway, stays as it is: a hash would switch its
/// `'unsafe-inline'` off. Where only `default-src` governs scripts, they get a `script-src` of the same sources.
pub fn allow(policies: &str, hash: &str) -> String {
    policies.split(',').map(|policy| allow_in(policy, hash)).collect::<Vec<_>>().join(",")
}

fn allow_in(policy: &str, hash: &str) -> String {
    let Some((name, sources)) = governing(policy) else { return policy.to_owned() };
    if allows_inline(sources) {
        return policy.to_owned();
    }
    let is_none = |source: &str| source.eq_ignore_ascii_case("'none'");
    let allowed: Vec<_> = sources.split_ascii_whitespace().filter(|source| !is_none(source)).chain([hash]).collect();
    let allowed = allowed.join(" ");
    if name.eq_ignore_ascii_case("default-src") {
        return format!("{}; script-src {allowed}", policy.trim_end().trim_end_matches(';'));
    }
    let directives = policy.split(';').scan(false, |is_done, directive| {
        // The first of a name counts; browsers ignore the rest.
        let is_it = !*is_done && directive_name(directive).eq_ignore_ascii_case(name);
        *is_done |= is_it;
        Some(if is_it { format!(" {name} {allowed}") } else { directive.to_owned() })
    });
    directives.collect::<Vec<_>>().join(";").trim_start().to_owned()
}

/// The directive that decides over inline script elements: the most special of the three.
fn governing(policy: &str) -> Option<(&str, &str)> {
    ["script-src-elem", "script-src", "default-src"].into_iter().find_map(|wanted| {
        policy.split(';').find_map(|directive| {
            let name = directive_name(directive);
            let rest = &directive.trim_ascii_start()[name.len()..];
            name.eq_ignore_ascii_case(wanted).then_some((name, rest))
        })
    })
}

fn directive_name(directive: &str) -> &str {
    directive.split_ascii_whitespace().next().unwrap_or("")
}

/// Whether any inline script may run: `'unsafe-inline'` counts only without hashes, nonces and `'strict-dynamic'`.
fn allows_inline(sources: &str) -> bool {
    let sources: Vec<_> = sources.split_ascii_whitespace().map(str::to_ascii_lowercase).collect();
    let is_strict = |source: &String| {
        source == "'strict-dynamic'"
            || ["'nonce-", "'sha256-", "'sha384-", "'sha512-"].iter().any(|start| source.starts_with(start))
    };
    sources.iter().any(|source| source == "'unsafe-inline'") && !sources.iter().any(is_strict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_added_where_scripts_are_governed() {
        for (policy, allowed) in [
            ("script-src 'self'", "script-src 'self' H"),
            ("default-src 'none'; SCRIPT-SRC 'self' ; img-src *", "default-src 'none'; SCRIPT-SRC 'self' H; img-src *"),
            ("script-src 'none'", "script-src H"),
            ("script-src", "script-src H"),
            ("script-src 'self'; script-src *", "script-src 'self' H; script-src *"),
            ("script-src a; script-src-elem b", "script-src a; script-src-elem b H"),
            ("default-src 'self'; img-src *", "default-src 'self'; img-src *; script-src 'self' H"),
            ("default-src 'self';", "default-src 'self'; script-src 'self' H"),
            ("script-src 'unsafe-inline' 'nonce-abc'", "script-src 'unsafe-inline' 'nonce-abc' H"),
            ("script-src 'self', default-src 'none'", "script-src 'self' H, default-src 'none'; script-src H"),
        ] {
            assert_eq!(allow(policy, "H"), allowed);
        }
    }

    #[test]
    fn a_policy_that_lets_it_run_anyway_stays_as_it_is() {
        for policy in [
            "",
            "img-src 'self'",
            "frame-ancestors 'none'; object-src 'none'",
            "script-src 'self' 'Unsafe-Inline'",
            "default-src 'unsafe-inline'",
            "script-srcs 'self'",
        ] {
            assert_eq!(allow(policy, "H"), policy);
        }
    }
}
