//! Hardware, storage and sleep time: what is on offer for which kind of Space.

use std::time::Duration;

use spaceport_core::hardware::Hardware;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor};
use spaceport_core::space::{Sdk, SleepAfter};

use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::settings::{Settled, Warning};
use super::storage::fleet_failed;
use super::view::RuntimeView;
use super::{Control, Happening};

/// Longest sleep time that can be set, in seconds: a year. More is "never".
const MAX_SLEEP: i64 = 365 * 24 * 60 * 60;

/// What static Spaces answer to operations they have no use for.
const STATIC_HAS_NONE: &str = "is not possible for a static Space: it uses no hardware and is always there";

impl Control {
    /// Moves a Space to another flavor.
    pub async fn request_hardware(
        &self,
        actor: &Actor,
        path: &SpacePath,
        flavor: &str,
        sleep_after: Option<i64>,
    ) -> ServiceResult<Settled<RuntimeView>> {
        let found = self.space(actor, path, Action::Write)?;
        let sdk = self.runtime_of(&found).sdk;
        refuse_static(sdk, "Requesting hardware")?;
        self.check_flavor(sdk, flavor)?;
        let (sleep, warning) = self.sleep_wish(flavor, sleep_after)?;
        let space = self
            .change(actor, found.id, |space, batch| {
                self.end_grants(space, flavor, batch)?;
                self.note(
                    batch,
                    actor,
                    Act::on("space.hardware", space).with("flavor", flavor).with("before", &space.hardware),
                );
                space.hardware = flavor.to_owned();
                space.sleep_after = sleep.unwrap_or(space.sleep_after);
                Ok(())
            })
            .await?;
        Ok(Settled { value: self.runtime_of(&space), warnings: warning.into_iter().collect() })
    }

    /// Sets after how many seconds of idleness a Space sleeps; -1 is never.
    pub async fn set_sleep_time(
        &self,
        actor: &Actor,
        path: &SpacePath,
        seconds: i64,
    ) -> ServiceResult<Settled<RuntimeView>> {
        let found = self.space(actor, path, Action::Write)?;
        refuse_static(self.runtime_of(&found).sdk, "Setting a sleep time")?;
        let (sleep, warning) = self.sleep_wish(&found.hardware, Some(seconds))?;
        let Some(sleep) = sleep else {
            return Ok(Settled { value: self.runtime_of(&found), warnings: warning.into_iter().collect() });
        };
        let turn = self.settings_turn(actor, found.id).await?;
        let stored = self.store_change(&turn, |space, batch| {
            self.note(batch, actor, Act::on("space.sleep_time", space).with("seconds", seconds));
            space.sleep_after = sleep;
            Ok(())
        });
        let space = stored.await?;
        // The app sees nothing of it, so it goes on running.
        self.inner.fleet.republish(&space).await.map_err(fleet_failed)?;
        self.tell_webhooks(Happening::settings(&space, false)).await;
        Ok(Settled { value: self.runtime_of(&space), warnings: Vec::new() })
    }

    /// Gives a Space a persistent disk, or takes it away with everything on it.
    pub async fn set_storage(&self, actor: &Actor, path: &SpacePath, tier: Option<&str>) -> ServiceResult<RuntimeView> {
        let found = self.space(actor, path, Action::Write)?;
        refuse_static(self.runtime_of(&found).sdk, "Persistent storage")?;
        if let Some(tier) = tier {
            self.check_tier(tier)?;
        }
        let space = self
            .change(actor, found.id, |space, batch| {
                if let (Some(old), Some(new)) = (&space.storage, tier) {
                    self.refuse_smaller(old, new)?;
                }
                self.note(batch, actor, Act::on("space.storage", space).with("tier", tier.unwrap_or("none")));
                space.storage = tier.map(str::to_owned);
                Ok(())
            })
            .await?;
        Ok(self.runtime_of(&space))
    }

    /// Refuses a flavor that nothing here runs such a Space on, saying what is offered.
    pub(super) fn check_flavor(&self, sdk: Sdk, flavor: &str) -> ServiceResult<()> {
        let catalogue = self.catalogue();
        let refusal = |row: &Hardware| match sdk.is_container() {
            true => self.inner.fleet.refuses(sdk, row),
            false => row.gpu.is_some().then(|| {
                let sdk = sdk.as_str();
                format!("{} has an accelerator, which a Space with sdk: {sdk} cannot use", row.name)
            }),
        };
        let is_offered = |row: &Hardware| refusal(row).is_none();
        match catalogue.flavor(flavor) {
            Some(row) if is_offered(row) => Ok(()),
            known => {
                let offered = catalogue.hardware.iter().filter(|row| is_offered(row));
                let offered: Vec<&str> = offered.map(|row| row.name.as_str()).collect();
                let offered = offered.join(", ");
                Err(ServiceError::NotOffered(match known {
                    None => format!("There is no hardware named {flavor:?}; on offer: {offered}"),
                    Some(row) => format!("{}; on offer: {offered}", refusal(row).unwrap_or_default()),
                }))
            }
        }
    }

    /// Refuses a storage tier there is not, saying what is offered.
    pub(super) fn check_tier(&self, tier: &str) -> ServiceResult<()> {
        let catalogue = self.catalogue();
        if catalogue.tier(tier).is_some() {
            return Ok(());
        }
        let offered: Vec<&str> = catalogue.storage.iter().map(|row| row.name.as_str()).collect();
        let message = format!("There is no storage tier named {tier:?}; on offer: {}", offered.join(", "));
        Err(ServiceError::NotOffered(message))
    }

    /// What is on the disk might not fit; only deleting it makes it smaller.
    fn refuse_smaller(&self, old: &str, new: &str) -> ServiceResult<()> {
        let size = |tier: &str| self.catalogue().tier(tier).map_or(0, |row| row.size.0);
        if size(new) >= size(old) {
            return Ok(());
        }
        let message = format!("The storage cannot shrink from {old} to {new}: delete it first, with everything on it");
        Err(ServiceError::Invalid(message))
    }

    /// A wish for a sleep time as it is to be kept, and what to tell an owner who has one for hardware where the host sets
    /// it: such a wish is not kept.
    pub(super) fn sleep_wish(
        &self,
        flavor: &str,
        seconds: Option<i64>,
    ) -> ServiceResult<(Option<SleepAfter>, Option<Warning>)> {
        let Some(wish) = seconds.map(sleep_setting).transpose()? else { return Ok((None, None)) };
        if self.catalogue().flavor(flavor).is_some_and(|row| !row.is_free()) {
            return Ok((Some(wish), None));
        }
        let rule = match self.inner.fleet.config().free_sleep_after {
            Some(idle) => format!("it sleeps after {} seconds without a visit", idle.as_secs_f64()),
            None => "it does not sleep".to_owned(),
        };
        let text = format!("The sleep time of {flavor} cannot be changed: {rule}");
        Ok((None, Some(Warning::FixedSleepTime(text))))
    }
}

/// Seconds as clients send them: -1 is never.
fn sleep_setting(seconds: i64) -> ServiceResult<SleepAfter> {
    match seconds {
        -1 => Ok(SleepAfter::Never),
        1..=MAX_SLEEP => Ok(SleepAfter::After(Duration::from_secs(seconds.unsigned_abs()))),
        _ => Err(ServiceError::Invalid(format!("A sleep time is 1 to {MAX_SLEEP} seconds, or -1 for never"))),
    }
}

/// Refuses what a static Space has no use for.
pub(super) fn refuse_static(sdk: Sdk, what: &str) -> ServiceResult<()> {
    match sdk {
        Sdk::Static => Err(ServiceError::NotOffered(format!("{what} {STATIC_HAS_NONE}"))),
        _ => Ok(()),
    }
}
