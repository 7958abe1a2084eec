//! What has been used in some days and what it costs: of a Space, of an owner, of everybody. Minutes under way are not in
//! it yet; they come within a minute.

use std::collections::BTreeMap;

use spaceport_core::billing::{DAY, cost, day_of, month_of, whole_minutes};
use spaceport_core::id::{AccountId, GrantId, SpaceId};
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Denied, TokenRole};
use spaceport_db::{DayUsage, MonthStorage, OwnerPeriod, ReadError, UsageKey, UsagePeriod};

use super::Control;
use super::admin::administrator;
use super::error::{ServiceError, ServiceResult};
use super::storage::read_failed;

/// Most days in one report: a leap year.
const MAX_DAYS: u64 = 366;

/// Whole days, in UTC, from the first to the last, both with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    first: u64,
    last: u64,
}

/// What was used in some days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReport {
    /// When the first day begins.
    pub from: Millis,
    /// When the last day ends.
    pub to: Millis,
    /// Each Space under each owner that it had, by path.
    pub spaces: Vec<SpaceUsage>,
}

/// What a Space has used while it had one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceUsage {
    /// The Space, which may be gone.
    pub space: SpaceId,
    /// Its path when it was last counted.
    pub path: String,
    /// Its owner at the time.
    pub owner: AccountId,
    /// Fuel.
    pub fuel: u64,
    /// Time on hardware, by flavor, price and grant.
    pub hardware: Vec<HardwareUse>,
    /// Persistent storage, by month.
    pub storage: Vec<StorageUse>,
}

/// Time on a flavor. Costs and prices are in millionths of a US dollar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardwareUse {
    /// The flavor.
    pub flavor: String,
    /// Its price per hour at the time.
    pub price: u64,
    /// Whole minutes of starting and running.
    pub minutes: u64,
    /// What they cost.
    pub cost: u64,
    /// The grant for which they cost nothing.
    pub grant: Option<GrantId>,
}

/// A storage tier in one month: the dearest that the Space had in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageUse {
    /// The month as a number: 202_608 is August 2026.
    pub month: u64,
    /// The tier.
    pub tier: String,
    /// What it costs.
    pub cost: u64,
}

impl SpaceUsage {
    /// Whole minutes on all hardware together.
    pub fn minutes(&self) -> u64 {
        self.hardware.iter().map(|part| part.minutes).sum()
    }

    /// What everything costs.
    pub fn cost(&self) -> u64 {
        let storage: u64 = self.storage.iter().map(|part| part.cost).sum();
        self.hardware.iter().map(|part| part.cost).sum::<u64>() + storage
    }
}

impl Control {
    /// The days from one moment to another; without them, this month so far.
    pub fn days(&self, from: Option<Millis>, to: Option<Millis>) -> ServiceResult<Days> {
        let last = day_of(to.unwrap_or_else(|| self.inner.clock.now()));
        let first = from.map_or_else(|| first_of_month(last), day_of);
        if first > last {
            return Err(ServiceError::Invalid("\"from\" must not be after \"to\"".to_owned()));
        }
        if last - first >= MAX_DAYS {
            return Err(ServiceError::Invalid(format!("A report has at most {MAX_DAYS} days")));
        }
        Ok(Days { first, last })
    }

    /// What a Space has used while it had the owner that it has.
    pub fn space_usage(&self, actor: &Actor, path: &SpacePath, days: Days) -> ServiceResult<UsageReport> {
        let space = self.space(actor, path, Action::SeeSettings)?;
        let key = |period| UsageKey { period, owner: space.owner, space: space.id };
        let (usage, months) = (self.inner.db.usage(), self.inner.db.storage_months());
        let mut report = Gathered::default();
        for day in days.all() {
            usage.get(&key(day)).map_err(read_failed)?.into_iter().for_each(|row| report.day(key(day), row));
        }
        for month in days.months() {
            months.get(&key(month)).map_err(read_failed)?.into_iter().for_each(|row| report.month(key(month), row));
        }
        Ok(report.finish(days))
    }

    /// What the actor's own Spaces have used.
    pub fn own_usage(&self, actor: &Actor, days: Days) -> ServiceResult<UsageReport> {
        let Actor::User(user) = actor else { return Err(Denied::SignIn.into()) };
        // It names all Spaces, also those that a fine-grained token is not for.
        if user.role < TokenRole::Read {
            return Err(ServiceError::Forbidden("This needs a token with the role \"read\"".to_owned()));
        }
        self.usage_of_owner(user.id, days)
    }

    /// What everybody's Spaces have used, or those of one owner.
    pub fn all_usage(&self, actor: &Actor, owner: Option<AccountId>, days: Days) -> ServiceResult<UsageReport> {
        administrator(actor)?;
        match owner {
            Some(owner) => self.usage_of_owner(owner, days),
            None => self.gather(
                days,
                |day| self.inner.db.usage().under(&UsagePeriod(day)),
                |month| self.inner.db.storage_months().under(&UsagePeriod(month)),
            ),
        }
    }

    fn usage_of_owner(&self, owner: AccountId, days: Days) -> ServiceResult<UsageReport> {
        self.gather(
            days,
            |day| self.inner.db.usage().under(&OwnerPeriod(day, owner)),
            |month| self.inner.db.storage_months().under(&OwnerPeriod(month, owner)),
        )
    }

    fn gather(
        &self,
        days: Days,
        of_day: impl Fn(u64) -> Result<Vec<(UsageKey, DayUsage)>, ReadError>,
        of_month: impl Fn(u64) -> Result<Vec<(UsageKey, MonthStorage)>, ReadError>,
    ) -> ServiceResult<UsageReport> {
        let mut report = Gathered::default();
        for day in days.all() {
            of_day(day).map_err(read_failed)?.into_iter().for_each(|(key, row)| report.day(key, row));
        }
        for month in days.months() {
            of_month(month).map_err(read_failed)?.into_iter().for_each(|(key, row)| report.month(key, row));
        }
        Ok(report.finish(days))
    }
}

impl Days {
    fn all(self) -> impl Iterator<Item = u64> {
        self.first..=self.last
    }

    fn months(self) -> Vec<u64> {
        let mut months: Vec<u64> = self.all().map(month_of).collect();
        months.dedup();
        months
    }
}

/// The first day of a day's month.
fn first_of_month(day: u64) -> u64 {
    let month = month_of(day);
    (0..=day).rev().take_while(|earlier| month_of(*earlier) == month).last().unwrap_or(day)
}

/// Rows of many days on their way into one report.
#[derive(Default)]
struct Gathered(BTreeMap<(AccountId, SpaceId), Sum>);

#[derive(Default)]
struct Sum {
    path: String,
    fuel: u64,
    /// Milliseconds, by flavor, price and grant.
    stays: BTreeMap<(String, u64, Option<GrantId>), u64>,
    storage: Vec<StorageUse>,
}

impl Gathered {
    fn day(&mut self, key: UsageKey, row: DayUsage) {
        let sum = self.0.entry((key.owner, key.space)).or_default();
        sum.path = row.path;
        sum.fuel = sum.fuel.saturating_add(row.fuel);
        for stay in row.stays {
            *sum.stays.entry((stay.flavor, stay.price, stay.grant)).or_default() += stay.millis;
        }
    }

    fn month(&mut self, key: UsageKey, row: MonthStorage) {
        let sum = self.0.entry((key.owner, key.space)).or_default();
        sum.path = row.path;
        if let Some(tier) = row.tiers.into_iter().max_by_key(|tier| tier.price) {
            sum.storage.push(StorageUse { month: key.period, tier: tier.tier, cost: tier.price });
        }
    }

    fn finish(self, days: Days) -> UsageReport {
        let mut spaces: Vec<SpaceUsage> = self.0.into_iter().map(|(whose, sum)| sum.finish(whose)).collect();
        spaces.sort_by(|a, b| (&a.path, a.space).cmp(&(&b.path, b.space)));
        UsageReport { from: days.first * DAY, to: (days.last + 1) * DAY, spaces }
    }
}

impl Sum {
    fn finish(self, (owner, space): (AccountId, SpaceId)) -> SpaceUsage {
        let part = |((flavor, price, grant), millis): ((String, u64, Option<GrantId>), u64)| {
            let minutes = whole_minutes(millis);
            let cost = if grant.is_some() { 0 } else { cost(minutes, price) };
            HardwareUse { flavor, price, minutes, cost, grant }
        };
        let hardware = self.stays.into_iter().map(part).collect();
        SpaceUsage { space, path: self.path, owner, fuel: self.fuel, hardware, storage: self.storage }
    }
}

#[cfg(test)]
mod tests {
    use spaceport_db::{Stay, TierUse};

    use super::*;

    #[test]
    fn whole_minutes_of_all_days_are_paid_for_and_those_of_a_grant_are_not() {
        let (owner, space) = (AccountId::from_bytes([1; 12]), SpaceId::from_bytes([2; 12]));
        let key = |period| UsageKey { period, owner, space };
        let stay = |grant, millis| Stay { flavor: "t4-small".into(), price: 600_000, grant, millis };
        let grant = Some(GrantId::from_bytes([3; 12]));
        let row = |stays| DayUsage { path: "ada/x".into(), counted_to: 1, fuel: 5, stays };
        let mut gathered = Gathered::default();
        gathered.day(key(20_700), row(vec![stay(None, 90_000)]));
        gathered.day(key(20_701), row(vec![stay(None, 45_000), stay(grant, 3_600_000)]));
        let tier = |name: &str, price| TierUse { tier: name.into(), price, since: 0 };
        let tiers = vec![tier("small", 5_000_000), tier("large", 100_000_000), tier("medium", 25_000_000)];
        gathered.month(key(202_609), MonthStorage { path: "ada/x".into(), tiers });
        let report = gathered.finish(Days { first: 20_700, last: 20_701 });
        let used = &report.spaces[0];
        let parts: Vec<_> = used.hardware.iter().map(|part| (part.grant, part.minutes, part.cost)).collect();
        assert_eq!(parts, [(None, 2, 20_000), (grant, 60, 0)]);
        assert_eq!(used.storage, [StorageUse { month: 202_609, tier: "large".into(), cost: 100_000_000 }]);
        assert_eq!((used.fuel, used.minutes(), used.cost()), (10, 62, 100_020_000));
        assert_eq!((report.from, report.to), (20_700 * DAY, 20_702 * DAY));
    }

    #[test]
    fn days_know_their_months_and_a_month_its_first_day() {
        let days = Days { first: 20_440, last: 20_500 };
        assert_eq!(days.months(), [202_512, 202_601, 202_602]);
        assert_eq!((first_of_month(20_454), first_of_month(20_453)), (20_454, 20_423));
        assert_eq!(first_of_month(3), 0);
    }
}
