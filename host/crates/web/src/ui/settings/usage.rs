//! What a user's Spaces have used this month, and what it costs.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::{SpaceUsage, UsageReport};
use spaceport_core::billing::dollars;

use super::super::chrome::{Chrome, show};
use super::{Frame, Own, frame};
use crate::api::time::iso;
use crate::error::ApiResult;
use crate::router::AppState;

/// Characters of a moment that are its day.
const DAY_CHARS: usize = 10;

#[derive(Template)]
#[template(path = "settings_usage.html")]
struct UsagePage {
    chrome: Chrome,
    frame: Frame,
    used: Used,
}

/// A report as pages show it.
pub(in super::super) struct Used {
    /// The first day.
    pub(in super::super) from: String,
    /// The last.
    pub(in super::super) to: String,
    pub(in super::super) minutes: u64,
    pub(in super::super) cost: String,
    pub(in super::super) spaces: Vec<SpaceUsed>,
}

/// What a Space has used.
pub(in super::super) struct SpaceUsed {
    pub(in super::super) path: String,
    pub(in super::super) parts: Vec<Part>,
    pub(in super::super) minutes: u64,
    pub(in super::super) cost: String,
}

/// One hardware or storage tier of it.
pub(in super::super) struct Part {
    pub(in super::super) tier: String,
    pub(in super::super) about: String,
    pub(in super::super) cost: String,
}

impl Used {
    /// What a report says.
    pub(in super::super) fn of(report: &UsageReport) -> Self {
        let day = |at| iso(at).chars().take(DAY_CHARS).collect();
        Self {
            from: day(report.from),
            // It ends with the first moment of the day after.
            to: day(report.to.saturating_sub(1)),
            minutes: report.spaces.iter().map(SpaceUsage::minutes).sum(),
            cost: price(report.spaces.iter().map(SpaceUsage::cost).sum()),
            spaces: report.spaces.iter().map(SpaceUsed::of).collect(),
        }
    }
}

impl SpaceUsed {
    fn of(used: &SpaceUsage) -> Self {
        let hardware = used.hardware.iter().map(|part| Part {
            tier: part.flavor.clone(),
            about: match part.grant {
                Some(_) => format!("{} minutes, by a grant", part.minutes),
                None => format!("{} minutes at {} an hour", part.minutes, price(part.price)),
            },
            cost: price(part.cost),
        });
        let storage = used.storage.iter().map(|part| Part {
            tier: format!("storage {}", part.tier),
            about: format!("{:04}-{:02}", part.month / 100, part.month % 100),
            cost: price(part.cost),
        });
        Self {
            path: used.path.clone(),
            parts: hardware.chain(storage).collect(),
            minutes: used.minutes(),
            cost: price(used.cost()),
        }
    }
}

/// Millionths of a dollar as people read them.
pub(in super::super) fn price(micro: u64) -> String {
    format!("${:.2}", dollars(micro))
}

/// The page.
pub(super) async fn page(State(app): State<AppState>, Own { actor, chrome, .. }: Own) -> ApiResult<Response> {
    let report = app.control.own_usage(&actor, app.control.days(None, None)?)?;
    show(&app, StatusCode::OK, &UsagePage { chrome, frame: frame("Usage"), used: Used::of(&report) })
}
