//! What is paid for: which time of a Space, by which days, and what it costs.
//!
//! Whole minutes of starting and running are; sleeping, pausing and building are not, and a static Space uses no hardware.

use crate::lifecycle::{Desired, Millis, Serving, State};
use crate::space::Sdk;

/// Length of a minute.
pub const MINUTE: Millis = 60_000;
/// Length of a day.
pub const DAY: Millis = 24 * 60 * MINUTE;
/// Minutes of an hour, which prices are for.
const MINUTES_AN_HOUR: u64 = 60;
/// Prices and costs are counted in millionths of a US dollar, so that sums are exact.
const MICRO: f64 = 1e6;

/// Whether a Space of this kind is paid for while it is in this state.
pub fn is_billed(state: &State, sdk: Sdk) -> bool {
    let is_up = matches!(state.serving, Serving::Starting { .. } | Serving::Live { .. });
    sdk != Sdk::Static && state.desired == Desired::Run && is_up
}

/// The day of a moment, in UTC, counted from the Unix epoch.
pub fn day_of(at: Millis) -> u64 {
    at / DAY
}

/// The month of a day, written as a number: 202_608 is August 2026.
pub fn month_of(day: u64) -> u64 {
    // The civil calendar from days, as eras of 400 years that begin in March.
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    year * 100 + month
}

/// A span of time cut where days end: the day, and the part of the span in it.
pub fn by_day(from: Millis, to: Millis) -> impl Iterator<Item = (u64, Millis, Millis)> {
    let mut start = from;
    std::iter::from_fn(move || {
        let end = ((day_of(start) + 1) * DAY).min(to);
        let part = (start < to).then_some((day_of(start), start, end));
        start = end;
        part
    })
}

/// Minutes that are paid for: the whole ones.
pub fn whole_minutes(millis: Millis) -> u64 {
    millis / MINUTE
}

/// A price of the catalogue in millionths of a US dollar.
pub fn micro_dollars(dollars: f64) -> u64 {
    // A price that is no number, or below nothing, is none.
    (dollars * MICRO).round().max(0.0) as u64
}

/// Millionths of a US dollar in dollars, for people.
pub fn dollars(micro: u64) -> f64 {
    micro as f64 / MICRO
}

/// What minutes cost at a price per hour, both in millionths of a US dollar.
pub fn cost(minutes: u64, price_per_hour: u64) -> u64 {
    minutes.saturating_mul(price_per_hour) / MINUTES_AN_HOUR
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::{InstanceId, Release};
    use crate::revision::Oid;

    #[test]
    fn starting_and_running_are_paid_for_and_nothing_else_is() {
        let release = Release { number: 1, revision: Oid::from_bytes([1; 20]) };
        let instance = InstanceId(1);
        let starting = Serving::Starting { instance, release, failures: 0, fallback: None };
        let live = Serving::Live { instance, release, since: 0, failures: 0, next: None };
        let failed = Serving::Failed { release, message: "m".into(), failures: 1, retry_at: Some(1) };
        for (serving, expected) in [
            (starting, true),
            (live.clone(), true),
            (failed, false),
            (Serving::Asleep { release }, false),
            (Serving::Nothing, false),
        ] {
            let state = State { serving, ..State::default() };
            assert_eq!(is_billed(&state, Sdk::Wasm), expected, "{state:?}");
            assert!(!is_billed(&state, Sdk::Static));
            for desired in [Desired::Paused, Desired::Deleted] {
                assert!(!is_billed(&State { desired, ..state.clone() }, Sdk::Docker));
            }
        }
        assert!(!is_billed(&State::default(), Sdk::Wasm));
    }

    #[test]
    fn days_belong_to_their_months() {
        for (day, month) in [
            (0, 197_001),
            (30, 197_001),
            (31, 197_002),
            (11_016, 200_002), // 29 February 2000
            (11_017, 200_003),
            (19_782, 202_402), // 29 February 2024
            (19_783, 202_403),
            (20_453, 202_512), // 31 December 2025
            (20_454, 202_601),
        ] {
            assert_eq!(month_of(day), month, "{day}");
        }
    }

    #[test]
    fn spans_are_cut_where_days_end() {
        let cut = |from, to| by_day(from, to).collect::<Vec<_>>();
        assert_eq!(cut(5, 5), []);
        assert_eq!(cut(5, 9), [(0, 5, 9)]);
        assert_eq!(cut(DAY - 1, DAY), [(0, DAY - 1, DAY)]);
        assert_eq!(cut(DAY - 1, 2 * DAY + 7), [(0, DAY - 1, DAY), (1, DAY, 2 * DAY), (2, 2 * DAY, 2 * DAY + 7)]);
    }

    #[test]
    fn whole_minutes_cost_their_part_of_an_hour() {
        assert_eq!((whole_minutes(59_999), whole_minutes(60_000), whole_minutes(119_999)), (0, 1, 1));
        let price = micro_dollars(0.03);
        assert_eq!((price, cost(1, price), cost(60, price)), (30_000, 500, 30_000));
        assert_eq!((cost(7, 0), micro_dollars(f64::NAN), dollars(1_500_000)), (0, 0, 1.5));
    }
}
