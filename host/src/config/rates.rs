//! `[rate_limits]`: requests to the hub in five minutes.

use spaceport_web::RateLimits;
use toml::Table;

use super::reader::{Findings, Section};

/// The quotas of one user, or of one address without a token.
pub(super) fn read(file: &Table, findings: &mut Findings) -> RateLimits {
    let default = RateLimits::default();
    let mut section = Section::open(
        file,
        "rate_limits",
        "Requests to the hub in 300 seconds, of one user or of one address without a token.",
        findings,
    );
    let mut quota = |key, default: u32, comment| {
        let number = section.number(key, Some(u64::from(default)), comment);
        u32::try_from(number.unwrap_or(u64::from(default))).unwrap_or(u32::MAX)
    };
    let limits = RateLimits {
        api: quota("api", default.api, "Calls of the API; how a Space runs and its logs are not counted."),
        pages: quota("pages", default.pages, "Pages."),
        resolvers: quota("resolvers", default.resolvers, "Files of repositories, by HTTP or git."),
    };
    section.close();
    for (key, quota) in [("api", limits.api), ("pages", limits.pages), ("resolvers", limits.resolvers)] {
        if quota == 0 {
            findings.problems.push(format!("rate_limits.{key}: write a number above zero"));
        }
    }
    limits
}
