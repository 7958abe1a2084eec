//! The rows of hardware as administrators make, change and take them back. What runs keeps what it was started with.

use spaceport_core::hardware::{DEFAULT_FLAVOR, Hardware, InvalidHardware, MAX_ROWS};
use spaceport_core::permission::Actor;
use spaceport_db::HardwareChange;

use super::Control;
use super::admin::{HardwareInUse, administrator};
use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::storage::{fleet_failed, read_failed};
use crate::offer::Changes;

impl Control {
    /// A flavor with what is in use of it.
    pub fn hardware_row(&self, actor: &Actor, name: &str) -> ServiceResult<HardwareInUse> {
        let found = self.capacity(actor)?.hardware.into_iter().find(|in_use| in_use.row.name == name);
        found.ok_or_else(|| no_such(name))
    }

    /// Makes a row, which comes after those that are there.
    pub async fn create_hardware(&self, actor: &Actor, row: Hardware) -> ServiceResult<HardwareInUse> {
        administrator(actor)?;
        row.check().map_err(invalid)?;
        let mut changes = self.inner.fleet.shared().offer.turn().await;
        let catalogue = self.catalogue();
        if catalogue.flavor(&row.name).is_some() {
            return Err(ServiceError::Conflict(format!("There is hardware named {:?} already", row.name)));
        }
        if catalogue.hardware.len() >= MAX_ROWS {
            return Err(ServiceError::Conflict(format!("There are {MAX_ROWS} rows of hardware, which is the most")));
        }
        self.offer_hardware(actor, "hardware.create", &mut changes, row).await
    }

    /// Changes a row.
    pub async fn change_hardware(
        &self,
        actor: &Actor,
        name: &str,
        change: impl FnOnce(Hardware) -> Result<Hardware, InvalidHardware>,
    ) -> ServiceResult<HardwareInUse> {
        administrator(actor)?;
        let mut changes = self.inner.fleet.shared().offer.turn().await;
        let row = self.catalogue().flavor(name).cloned().ok_or_else(|| no_such(name))?;
        let row = Hardware { name: row.name.clone(), ..change(row).map_err(invalid)? };
        row.check().map_err(invalid)?;
        self.offer_hardware(actor, "hardware.change", &mut changes, row).await
    }

    /// Takes a row back that no Space is set to.
    pub async fn delete_hardware(&self, actor: &Actor, name: &str) -> ServiceResult<()> {
        administrator(actor)?;
        let shared = self.inner.fleet.shared();
        let mut changes = shared.offer.turn().await;
        let in_use = self.hardware_row(actor, name)?;
        if name == DEFAULT_FLAVOR {
            let message = format!("Every Space starts on {DEFAULT_FLAVOR}: change it instead");
            return Err(ServiceError::Conflict(message));
        }
        if in_use.spaces > 0 {
            let message = format!("{} Spaces are set to {name}: give them other hardware first", in_use.spaces);
            return Err(ServiceError::Conflict(message));
        }
        let noted = self.noted(actor, Act::new("hardware.delete").to(name));
        shared.change_hardware(&mut changes, name, HardwareChange::Withdrawn, noted).await.map_err(fleet_failed)
    }

    async fn offer_hardware(
        &self,
        actor: &Actor,
        action: &'static str,
        changes: &mut Changes,
        row: Hardware,
    ) -> ServiceResult<HardwareInUse> {
        let gpu = row.gpu.as_ref().map_or_else(|| "none".to_owned(), |gpu| format!("{} x {}", gpu.count, gpu.kind));
        let fuel = row.request_fuel.map_or_else(|| "none".to_owned(), |fuel| fuel.to_string());
        let act = Act::new(action)
            .to(&row.name)
            .with("prettyName", &row.pretty_name)
            .with("vcpu", row.vcpu)
            .with("memory", row.memory)
            .with("disk", row.disk)
            .with("pricePerHour", row.price_per_hour)
            .with("gpu", gpu)
            .with("requestFuel", fuel);
        let (name, is_free, noted) = (row.name.clone(), row.is_free(), self.noted(actor, act));
        let was_free = self.catalogue().flavor(&name).is_none_or(Hardware::is_free);
        let change = HardwareChange::Offered(row);
        self.inner.fleet.shared().change_hardware(changes, &name, change, noted).await.map_err(fleet_failed)?;
        if was_free != is_free {
            self.tell_of_price(&name).await?;
        }
        self.hardware_row(actor, &name)
    }

    /// Has the Spaces on a flavor hear that it costs something now, or nothing: that decides how long one that is not
    /// visited stays awake.
    async fn tell_of_price(&self, flavor: &str) -> ServiceResult<()> {
        let all = self.inner.db.all_spaces().map_err(read_failed)?;
        for space in all.iter().filter(|space| space.hardware == flavor) {
            // As it is now, and nobody changes it meanwhile.
            let _turn = self.bare_turn(space.id).await;
            let Some(space) = self.inner.db.spaces().get(&space.id).map_err(read_failed)? else { continue };
            if let Err(error) = self.inner.fleet.republish(&space).await {
                tracing::warn!(space = %space.path, %error, "a Space has not heard of the price of its hardware");
            }
        }
        Ok(())
    }
}

fn no_such(name: &str) -> ServiceError {
    ServiceError::NotFound(format!("There is no hardware named {name:?}"))
}

fn invalid(error: InvalidHardware) -> ServiceError {
    ServiceError::Invalid(error.to_string())
}
