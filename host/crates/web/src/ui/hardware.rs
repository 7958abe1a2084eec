//! Hardware and storage as people read them.

use spaceport_core::hardware::Hardware;
use spaceport_core::limits::Bytes;

use crate::router::AppState;

/// A row of the hardware table.
pub(super) struct Flavor {
    pub(super) name: String,
    pub(super) pretty_name: String,
    pub(super) cpu: String,
    pub(super) memory: String,
    pub(super) gpu: String,
    pub(super) price: String,
}

/// A row of the storage table.
pub(super) struct Tier {
    pub(super) name: String,
    pub(super) size: String,
    pub(super) price: String,
}

/// The hardware on offer.
pub(super) fn flavors(app: &AppState) -> Vec<Flavor> {
    app.control.catalogue().hardware.iter().map(Flavor::of).collect()
}

impl Flavor {
    /// A row as people read it.
    pub(super) fn of(row: &Hardware) -> Self {
        Self {
            name: row.name.clone(),
            pretty_name: row.pretty_name.clone(),
            cpu: format!("{} vCPU", row.vcpu),
            memory: size(row.memory),
            gpu: row.gpu.as_ref().map_or_else(String::new, |gpu| {
                format!("{} × {}, {}", gpu.count, gpu.kind.to_uppercase(), size(gpu.memory))
            }),
            price: match row.price_per_hour {
                price if price > 0.0 => format!("${price:.2} an hour"),
                _ => "Free".to_owned(),
            },
        }
    }
}

/// The storage on offer.
pub(super) fn tiers(app: &AppState) -> Vec<Tier> {
    let tier = |row: &spaceport_core::hardware::StorageTier| Tier {
        name: row.name.clone(),
        size: size(row.size),
        price: format!("${:.2} a month", row.price_per_month),
    };
    app.control.catalogue().storage.iter().map(tier).collect()
}

/// A size in the largest unit of which there is at least one, in powers of ten, as hardware is sold.
pub(super) fn size(bytes: Bytes) -> String {
    const UNITS: [(&str, u64); 4] = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)];
    match UNITS.into_iter().find(|(_, unit)| bytes.0 >= *unit) {
        None => format!("{} B", bytes.0),
        Some((name, unit)) => {
            let tenths = u128::from(bytes.0) * 10 / u128::from(unit);
            match tenths % 10 {
                0 => format!("{} {name}", tenths / 10),
                tenth => format!("{}.{tenth} {name}", tenths / 10),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        for (bytes, text) in
            [(0, "0 B"), (999, "999 B"), (1536, "1.5 kB"), (16_000_000_000, "16 GB"), (1_000_000_000_000, "1 TB")]
        {
            assert_eq!(size(Bytes(bytes)), text);
        }
    }
}
