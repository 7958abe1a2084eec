//! The stored form of what an administrator has said of a flavor.

use serde::{Deserialize, Serialize};
use spaceport_core::hardware::{Gpu, Hardware};
use spaceport_core::limits::Bytes;

use crate::hardware::HardwareChange;
use crate::record::record_by_json;

record_by_json!(HardwareChange, HardwareChangeV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HardwareChangeV1 {
    row: Option<RowV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RowV1 {
    name: String,
    pretty_name: String,
    vcpu: f64,
    memory: u64,
    disk: u64,
    price_per_hour: f64,
    gpu: Option<GpuV1>,
    request_fuel: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GpuV1 {
    kind: String,
    count: u32,
    memory: u64,
}

impl From<&HardwareChange> for HardwareChangeV1 {
    fn from(change: &HardwareChange) -> Self {
        match change {
            HardwareChange::Offered(row) => Self { row: Some(row.into()) },
            HardwareChange::Withdrawn => Self { row: None },
        }
    }
}

impl From<HardwareChangeV1> for HardwareChange {
    fn from(stored: HardwareChangeV1) -> Self {
        stored.row.map_or(Self::Withdrawn, |row| Self::Offered(row.into()))
    }
}

impl From<&Hardware> for RowV1 {
    fn from(row: &Hardware) -> Self {
        let gpu = |gpu: &Gpu| GpuV1 { kind: gpu.kind.clone(), count: gpu.count, memory: gpu.memory.0 };
        Self {
            name: row.name.clone(),
            pretty_name: row.pretty_name.clone(),
            vcpu: row.vcpu,
            memory: row.memory.0,
            disk: row.disk.0,
            price_per_hour: row.price_per_hour,
            gpu: row.gpu.as_ref().map(gpu),
            request_fuel: row.request_fuel,
        }
    }
}

impl From<RowV1> for Hardware {
    fn from(stored: RowV1) -> Self {
        let gpu = |gpu: GpuV1| Gpu { kind: gpu.kind, count: gpu.count, memory: Bytes(gpu.memory) };
        Self {
            name: stored.name,
            pretty_name: stored.pretty_name,
            vcpu: stored.vcpu,
            memory: Bytes(stored.memory),
            disk: Bytes(stored.disk),
            price_per_hour: stored.price_per_hour,
            gpu: stored.gpu.map(gpu),
            request_fuel: stored.request_fuel,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    /// Texts that version 1 wrote: they must read the same for ever.
    const OFFERED: &str = concat!(
        r#"{"row":{"name":"cpu-tiny","pretty_name":"CPU Tiny","vcpu":0.25,"memory":67108864,"disk":104857600,"#,
        r#""price_per_hour":0.01,"gpu":{"kind":"t4","count":1,"memory":16000000000},"request_fuel":7}}"#
    );
    const WITHDRAWN: &str = r#"{"row":null}"#;

    #[test]
    fn the_forms_of_version_1_are_fixed() {
        let row = Hardware {
            name: "cpu-tiny".into(),
            pretty_name: "CPU Tiny".into(),
            vcpu: 0.25,
            memory: Bytes(64 << 20),
            disk: Bytes(100 << 20),
            price_per_hour: 0.01,
            gpu: Some(Gpu { kind: "t4".into(), count: 1, memory: Bytes(16_000_000_000) }),
            request_fuel: Some(7),
        };
        for (change, text) in [(HardwareChange::Offered(row), OFFERED), (HardwareChange::Withdrawn, WITHDRAWN)] {
            let mut bytes = Vec::new();
            change.encode(&mut bytes);
            assert_eq!(String::from_utf8_lossy(&bytes), text);
            assert_eq!(HardwareChange::decode(1, text.as_bytes()), Ok(change));
        }
        assert!(HardwareChange::decode(2, WITHDRAWN.as_bytes()).is_err());
    }
}
