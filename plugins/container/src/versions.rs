//! Versions of the engine's parts below which a container or a build can take over the machine. What is that old is not used.
//!
//! A distribution corrects mistakes without a new number, and says so by more than a number: `1.1.5+ds1`. Such a one is told of
//! and used. Pure: from what the engine says of itself to sentences.

use bollard::models::SystemVersion;

/// A part as the engine calls it, the first version without the mistake, and which that is.
const LEAST: [(&str, [u64; 3], &str); 2] = [
    ("runc", [1, 1, 12], "a container may begin in a folder of this machine (CVE-2024-21626)"),
    ("Engine", [24, 0, 9], "a build may reach files of this machine (CVE-2024-23651, CVE-2024-23652)"),
];

/// What is too old.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TooOld {
    /// Why this engine is not used.
    pub(crate) refused: Option<String>,
    /// What the operator should look at.
    pub(crate) notes: Vec<String>,
}

/// Looks at what an engine says of itself.
pub(crate) fn too_old(found: &SystemVersion) -> TooOld {
    let mut result = TooOld::default();
    for part in found.components.iter().flatten() {
        let Some((name, least, why)) = LEAST.into_iter().find(|(name, ..)| *name == part.name) else { continue };
        let Some((version, is_plain)) = parse(&part.version) else { continue };
        if version >= least {
            continue;
        }
        let [major, minor, patch] = least;
        let words = format!("{name} {} is older than {major}.{minor}.{patch}: {why}", part.version);
        match is_plain {
            true => result.refused = result.refused.or(Some(format!("the container engine is too old: {words}"))),
            false => result.notes.push(format!("{words}, unless your distribution has corrected it")),
        }
    }
    result
}

/// The numbers of a version, and whether there is nothing else to it.
fn parse(text: &str) -> Option<([u64; 3], bool)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let mut numbers = numbers.split('.').map(str::parse);
    let mut next = || numbers.next().and_then(Result::ok);
    let first = next()?;
    // One that leads up to a version lacks what that has.
    let is_plain = rest.is_empty() || rest.starts_with("-rc");
    Some(([first, next().unwrap_or_default(), next().unwrap_or_default()], is_plain))
}

#[cfg(test)]
mod tests {
    use bollard::models::SystemVersionComponents;

    use super::*;

    fn of(engine: &str, runc: &str) -> TooOld {
        let part = |name: &str, version: &str| SystemVersionComponents {
            name: name.to_owned(),
            version: version.to_owned(),
            ..SystemVersionComponents::default()
        };
        let components = Some(vec![part("Engine", engine), part("runc", runc), part("docker-init", "0.1.0")]);
        too_old(&SystemVersion { components, ..SystemVersion::default() })
    }

    #[test]
    fn what_is_too_old_is_refused_and_says_why() {
        assert_eq!(of("28.2.2", "1.2.5"), TooOld::default());
        assert_eq!(of("24.0.9", "1.1.12"), TooOld::default());
        let refused = of("27.0.3", "1.1.11").refused.unwrap();
        assert!(
            refused.contains("runc 1.1.11 is older than 1.1.12") && refused.contains("CVE-2024-21626"),
            "{refused}"
        );
        assert!(of("27.0.3", "1.1.5-rc92").refused.is_some());
        assert!(of("20.10.24", "1.2.0").refused.unwrap().contains("Engine 20.10.24 is older than 24.0.9"));
    }

    #[test]
    fn what_a_distribution_looks_after_is_told_of() {
        let found = of("20.10.24+dfsg1", "1.1.5+ds1");
        assert_eq!((found.refused, found.notes.len()), (None, 2));
        assert_eq!(of("26.1.3", "1.1.12-0ubuntu2~22.04.1"), TooOld::default());
        assert_eq!(of("dev", "unknown"), TooOld::default(), "what says nothing cannot be compared");
    }
}
