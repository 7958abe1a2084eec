//! What Spaces have used that costs something, by day, and the disks they had, by month. The rows outlive their Spaces: a
//! bill is not settled by deleting what it is for.

use spaceport_core::id::{AccountId, GrantId, ID_BYTES, SpaceId};
use spaceport_core::lifecycle::Millis;

use crate::key::{Key, Under};

/// Days are whole ones of UTC, counted from the Unix epoch; months are written as numbers: 202_608 is August 2026.
pub type Period = u64;

/// Whose use of what in which day or month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageKey {
    /// The day, or the month.
    pub period: Period,
    /// Who owned the Space then.
    pub owner: AccountId,
    /// The Space.
    pub space: SpaceId,
}

/// The beginning of a [`UsageKey`]: everybody in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsagePeriod(pub Period);

/// The beginning of a [`UsageKey`]: one owner in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerPeriod(pub Period, pub AccountId);

/// What a Space of one owner used on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayUsage {
    /// The Space's path when it was last counted.
    pub path: String,
    /// Everything before this moment is counted, and is never counted again.
    pub counted_to: Millis,
    /// Fuel.
    pub fuel: u64,
    /// Time of starting and running.
    pub stays: Vec<Stay>,
}

/// Time that a Space spent on a flavor at a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// The flavor.
    pub flavor: String,
    /// Its price at the time, in millionths of a US dollar per hour.
    pub price: u64,
    /// The grant for which it cost nothing.
    pub grant: Option<GrantId>,
    /// How long.
    pub millis: u64,
}

/// The disks that a Space of one owner had in one month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MonthStorage {
    /// The Space's path when it was last looked at.
    pub path: String,
    /// Each tier that it had, once.
    pub tiers: Vec<TierUse>,
}

/// A storage tier in one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierUse {
    /// The tier.
    pub tier: String,
    /// Its price at the time, in millionths of a US dollar per month.
    pub price: u64,
    /// When it was first seen in that month.
    pub since: Millis,
}

impl Key for UsageKey {
    fn encode(&self, bytes: &mut Vec<u8>) {
        OwnerPeriod(self.period, self.owner).encode(bytes);
        self.space.encode(bytes);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (owned, space) = bytes.split_at_checked(size_of::<u64>() + ID_BYTES)?;
        let OwnerPeriod(period, owner) = OwnerPeriod::decode(owned)?;
        Some(Self { period, owner, space: SpaceId::decode(space)? })
    }
}

impl Key for UsagePeriod {
    fn encode(&self, bytes: &mut Vec<u8>) {
        self.0.encode(bytes);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        u64::decode(bytes).map(Self)
    }
}

impl Key for OwnerPeriod {
    fn encode(&self, bytes: &mut Vec<u8>) {
        self.0.encode(bytes);
        self.1.encode(bytes);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (period, owner) = bytes.split_at_checked(size_of::<u64>())?;
        Some(Self(u64::decode(period)?, AccountId::decode(owner)?))
    }
}

impl Under<UsagePeriod> for UsageKey {}
impl Under<OwnerPeriod> for UsageKey {}
