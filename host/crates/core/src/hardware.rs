//! The hardware catalogue: flavors and storage tiers, their sizes and prices.

use crate::limits::Bytes;

/// The flavor every Space starts on; free.
pub const DEFAULT_FLAVOR: &str = "cpu-basic";

/// One row of the hardware table.
#[derive(Debug, Clone, PartialEq)]
pub struct Hardware {
    /// Flavor name as clients send it, such as `cpu-basic`.
    pub name: String,
    /// Name for people, such as `CPU Basic`.
    pub pretty_name: String,
    /// vCPUs; may be a fraction.
    pub vcpu: f64,
    /// Memory.
    pub memory: Bytes,
    /// Disk that is lost at a restart.
    pub disk: Bytes,
    /// Price in US dollars per hour.
    pub price_per_hour: f64,
    /// The accelerator, if it has one. Flavors with one run on a container backend only.
    pub gpu: Option<Gpu>,
    /// Fuel one request may use, if less than what the vCPUs can burn in the longest request.
    pub request_fuel: Option<u64>,
}

/// An accelerator.
#[derive(Debug, Clone, PartialEq)]
pub struct Gpu {
    /// Model, such as `t4`.
    pub kind: String,
    /// How many.
    pub count: u32,
    /// Memory of all of them together.
    pub memory: Bytes,
}

/// One row of the storage table: a persistent disk at `/data`.
#[derive(Debug, Clone, PartialEq)]
pub struct StorageTier {
    /// Name as clients send it: `small`, `medium`, `large`.
    pub name: String,
    /// Size of `/data`.
    pub size: Bytes,
    /// Price in US dollars per month.
    pub price_per_month: f64,
}

/// Everything a Space can run on and store to, in the order shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    /// Hardware rows.
    pub hardware: Vec<Hardware>,
    /// Storage rows.
    pub storage: Vec<StorageTier>,
}

impl Catalogue {
    /// The row of a flavor.
    pub fn flavor(&self, name: &str) -> Option<&Hardware> {
        self.hardware.iter().find(|row| row.name == name)
    }

    /// The row of a storage tier.
    pub fn tier(&self, name: &str) -> Option<&StorageTier> {
        self.storage.iter().find(|row| row.name == name)
    }

    /// Puts a row in place of the one of the same name, or at the end.
    pub fn set_hardware(&mut self, row: Hardware) {
        match self.hardware.iter_mut().find(|old| old.name == row.name) {
            Some(old) => *old = row,
            None => self.hardware.push(row),
        }
    }

    /// Puts a storage row in place of the one of the same name, or at the end.
    pub fn set_storage(&mut self, row: StorageTier) {
        match self.storage.iter_mut().find(|old| old.name == row.name) {
            Some(old) => *old = row,
            None => self.storage.push(row),
        }
    }
}

impl Default for Catalogue {
    /// The table that Spaces users know: nine flavors and three storage tiers.
    fn default() -> Self {
        Self { hardware: default_hardware(), storage: default_storage() }
    }
}

impl Gpu {
    /// Whether whoever gives this one back makes room for `wanted`.
    pub fn makes_room_for(&self, wanted: &Self) -> bool {
        self.kind == wanted.kind && self.count >= wanted.count
    }
}

impl Hardware {
    /// Whether it costs nothing.
    pub fn is_free(&self) -> bool {
        self.price_per_hour == 0.0
    }
}

const GB: u64 = 1_000_000_000;

fn default_hardware() -> Vec<Hardware> {
    let gpu =
        |kind: &str, count: u32, memory_gb: u64| Some(Gpu { kind: kind.into(), count, memory: Bytes(memory_gb * GB) });
    // Name, name for people, vCPU, memory GB, disk GB, dollars per hour, accelerator.
    [
        ("cpu-basic", "CPU Basic", 2.0, 16, 50, 0.0, None),
        ("cpu-upgrade", "CPU Upgrade", 8.0, 32, 50, 0.03, None),
        ("t4-small", "Nvidia T4 - small", 4.0, 15, 50, 0.60, gpu("t4", 1, 16)),
        ("t4-medium", "Nvidia T4 - medium", 8.0, 30, 100, 0.90, gpu("t4", 1, 16)),
        ("a10g-small", "Nvidia A10G - small", 4.0, 15, 110, 1.05, gpu("a10g", 1, 24)),
        ("a10g-large", "Nvidia A10G - large", 12.0, 46, 200, 3.15, gpu("a10g", 1, 24)),
        ("a10g-largex2", "2x Nvidia A10G - large", 24.0, 92, 1000, 5.70, gpu("a10g", 2, 48)),
        ("a10g-largex4", "4x Nvidia A10G - large", 48.0, 184, 2000, 10.80, gpu("a10g", 4, 96)),
        ("a100-large", "Nvidia A100 - large", 12.0, 142, 1000, 4.13, gpu("a100", 1, 40)),
    ]
    .into_iter()
    .map(|(name, pretty, vcpu, memory, disk, price, gpu)| Hardware {
        name: name.into(),
        pretty_name: pretty.into(),
        vcpu,
        memory: Bytes(memory * GB),
        disk: Bytes(disk * GB),
        price_per_hour: price,
        gpu,
        request_fuel: None,
    })
    .collect()
}

fn default_storage() -> Vec<StorageTier> {
    [("small", 20, 5.0), ("medium", 150, 25.0), ("large", 1000, 100.0)]
        .into_iter()
        .map(|(name, size, price)| StorageTier { name: name.into(), size: Bytes(size * GB), price_per_month: price })
        .collect()
}
