//! The hardware catalogue: flavors and storage tiers, their sizes and prices.

use crate::limits::Bytes;

/// The flavor every Space starts on; free.
pub const DEFAULT_FLAVOR: &str = "cpu-basic";
/// Most rows of the table: what a backend plugin can be told of.
pub const MAX_ROWS: usize = 256;
/// Longest name of a flavor, in bytes: it stands in lists, logs and the environment of apps.
const MAX_NAME: usize = 64;
/// Longest name for people, in bytes: it stands on a button.
const MAX_PRETTY_NAME: usize = 100;
/// Most vCPUs of a row: more than any machine has, so that a slip is no row.
const MAX_VCPU: f64 = 4096.0;
/// Most GPUs of a row, for the same reason.
const MAX_GPUS: u32 = 64;
/// Highest price of an hour, in US dollars: its millionths, for a year, are far below 2^63.
const MAX_PRICE: f64 = 100_000.0;

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

/// Why a row of hardware is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {why}")]
pub struct InvalidHardware {
    /// The member, as administrators write it.
    pub member: &'static str,
    /// What it has to be.
    pub why: String,
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

    /// Takes the row of a flavor out, if there is one.
    pub fn remove_hardware(&mut self, name: &str) {
        self.hardware.retain(|row| row.name != name);
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
    /// Refuses a row that no Space could run on, by the first of its mistakes.
    pub fn check(&self) -> Result<(), InvalidHardware> {
        self.mistakes().next().map_or(Ok(()), Err)
    }

    /// All that is wrong with a row that an administrator wrote. Names are made of ASCII letters, digits, `-`, `_` and `.`,
    /// sizes are above zero.
    pub fn mistakes(&self) -> impl Iterator<Item = InvalidHardware> + use<> {
        let is_word = |text: &str| {
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            let begins = text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
            begins && text.len() <= MAX_NAME && text.bytes().all(is_part)
        };
        let word = || format!("write up to {MAX_NAME} letters, digits and, after the first, \"-\", \"_\" and \".\"");
        let size = || "write a size above zero, such as \"64MiB\" or \"16GB\"".to_owned();
        let is_size = |bytes: Bytes| bytes.0 > 0;
        let is_pretty = |text: &str| {
            !text.trim().is_empty() && text.len() <= MAX_PRETTY_NAME && !text.chars().any(char::is_control)
        };
        let gpu = self.gpu.as_ref();
        let rules = [
            ("name", is_word(&self.name), word()),
            ("prettyName", is_pretty(&self.pretty_name), format!("write a line of up to {MAX_PRETTY_NAME} bytes")),
            ("vcpu", self.vcpu > 0.0 && self.vcpu <= MAX_VCPU, format!("write a number above 0, up to {MAX_VCPU}")),
            ("memory", is_size(self.memory), size()),
            ("disk", is_size(self.disk), size()),
            (
                "pricePerHour",
                (0.0..=MAX_PRICE).contains(&self.price_per_hour),
                format!("write US dollars, 0 to {MAX_PRICE}"),
            ),
            ("gpu.type", gpu.is_none_or(|gpu| is_word(&gpu.kind)), word()),
            (
                "gpu.count",
                gpu.is_none_or(|gpu| (1..=MAX_GPUS).contains(&gpu.count)),
                format!("write a whole number, 1 to {MAX_GPUS}"),
            ),
            ("gpu.memory", gpu.is_none_or(|gpu| is_size(gpu.memory)), size()),
            ("requestFuel", self.request_fuel != Some(0), "write a whole number above zero".to_owned()),
        ];
        rules.into_iter().filter(|(_, holds, _)| !holds).map(|(member, _, why)| InvalidHardware { member, why })
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_that_comes_with_the_host_is_one() {
        for row in Catalogue::default().hardware {
            assert_eq!(row.check(), Ok(()), "{}", row.name);
        }
    }

    #[test]
    fn a_row_that_nothing_could_run_on_is_refused_by_the_member_that_is_wrong() {
        let good = Catalogue::default().flavor("t4-small").unwrap().clone();
        let gpu = |gpu: Gpu| Hardware { gpu: Some(gpu), ..good.clone() };
        let t4 = good.gpu.clone().unwrap();
        for (member, row) in [
            ("name", Hardware { name: String::new(), ..good.clone() }),
            ("name", Hardware { name: "cpu tiny".into(), ..good.clone() }),
            ("name", Hardware { name: "../up".into(), ..good.clone() }),
            ("name", Hardware { name: "x".repeat(65), ..good.clone() }),
            ("name", Hardware { name: "-x".into(), ..good.clone() }),
            ("prettyName", Hardware { pretty_name: " ".into(), ..good.clone() }),
            ("prettyName", Hardware { pretty_name: "two\nlines".into(), ..good.clone() }),
            ("prettyName", Hardware { pretty_name: "x".repeat(101), ..good.clone() }),
            ("vcpu", Hardware { vcpu: 0.0, ..good.clone() }),
            ("vcpu", Hardware { vcpu: f64::NAN, ..good.clone() }),
            ("vcpu", Hardware { vcpu: f64::INFINITY, ..good.clone() }),
            ("memory", Hardware { memory: Bytes(0), ..good.clone() }),
            ("disk", Hardware { disk: Bytes(0), ..good.clone() }),
            ("pricePerHour", Hardware { price_per_hour: -0.01, ..good.clone() }),
            ("pricePerHour", Hardware { price_per_hour: f64::NAN, ..good.clone() }),
            ("gpu.type", gpu(Gpu { kind: "a 100".into(), ..t4.clone() })),
            ("gpu.count", gpu(Gpu { count: 0, ..t4.clone() })),
            ("gpu.memory", gpu(Gpu { memory: Bytes(0), ..t4.clone() })),
            ("requestFuel", Hardware { request_fuel: Some(0), ..good.clone() }),
        ] {
            assert_eq!(row.check().unwrap_err().member, member, "{row:?}");
        }
        let members: Vec<_> = Hardware { vcpu: 0.0, disk: Bytes(0), ..good }.mistakes().map(|one| one.member).collect();
        assert_eq!(members, ["vcpu", "disk"]);
    }
}
