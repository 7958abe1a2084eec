//! The stored forms of what Spaces have used.

use serde::{Deserialize, Serialize};
use spaceport_core::id::GrantId;

use crate::record::record_by_json;
use crate::usage::{DayUsage, MonthStorage, Stay, TierUse};

record_by_json!(DayUsage, DayUsageV1);
record_by_json!(MonthStorage, MonthStorageV1);

/// Short names: a running Space writes one every minute.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DayUsageV1 {
    path: String,
    to: u64,
    fuel: u64,
    stays: Vec<StayV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StayV1 {
    on: String,
    price: u64,
    grant: Option<GrantId>,
    ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MonthStorageV1 {
    path: String,
    tiers: Vec<TierUseV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TierUseV1 {
    tier: String,
    price: u64,
    since: u64,
}

impl From<&DayUsage> for DayUsageV1 {
    fn from(day: &DayUsage) -> Self {
        let stay =
            |stay: &Stay| StayV1 { on: stay.flavor.clone(), price: stay.price, grant: stay.grant, ms: stay.millis };
        Self { path: day.path.clone(), to: day.counted_to, fuel: day.fuel, stays: day.stays.iter().map(stay).collect() }
    }
}

impl From<DayUsageV1> for DayUsage {
    fn from(stored: DayUsageV1) -> Self {
        let stay = |stay: StayV1| Stay { flavor: stay.on, price: stay.price, grant: stay.grant, millis: stay.ms };
        let stays = stored.stays.into_iter().map(stay).collect();
        Self { path: stored.path, counted_to: stored.to, fuel: stored.fuel, stays }
    }
}

impl From<&MonthStorage> for MonthStorageV1 {
    fn from(month: &MonthStorage) -> Self {
        let tier = |tier: &TierUse| TierUseV1 { tier: tier.tier.clone(), price: tier.price, since: tier.since };
        Self { path: month.path.clone(), tiers: month.tiers.iter().map(tier).collect() }
    }
}

impl From<MonthStorageV1> for MonthStorage {
    fn from(stored: MonthStorageV1) -> Self {
        let tier = |tier: TierUseV1| TierUse { tier: tier.tier, price: tier.price, since: tier.since };
        Self { path: stored.path, tiers: stored.tiers.into_iter().map(tier).collect() }
    }
}
