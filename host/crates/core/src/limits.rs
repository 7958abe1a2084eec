//! The limits one running Space is held to, computed from its hardware, its storage tier, its manifest and the
//! operator's `[limits]`.

use std::time::Duration;

use crate::hardware::{Hardware, StorageTier};
use crate::manifest::WasmManifest;

/// Bytes, for humans in error messages and configuration: `64MiB`, `16GB`, `512KiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

/// The longest time a guest may take to the first byte, unless its manifest says less.
pub const FIRST_BYTE: Duration = Duration::from_secs(30);
/// The longest silence between two chunks of a body before the stream is cut.
pub const IDLE_CHUNK: Duration = Duration::from_secs(60);
/// The longest a request may take from its first byte to its last; also sizes a request's fuel.
pub const STREAM: Duration = Duration::from_secs(60 * 60);
/// The longest a request waits for its turn before it is refused as busy.
pub const QUEUE: Duration = Duration::from_secs(5);
/// The longest an instance may take to start.
pub const COLD_START: Duration = Duration::from_secs(30);
/// Files and directories a mount may hold: a directory listing is collected in the host's memory.
pub const INODES: u64 = 100_000;
/// The largest body of a request to a Space: above what people upload to a demo, below what fills a disk unnoticed.
pub const REQUEST_BODY: Bytes = Bytes(1 << 30);
/// The largest component: more than three times what a whole Python runtime takes.
pub const COMPONENT: Bytes = Bytes(64 << 20);
/// The longest a component may take to compile.
pub const COMPILE: Duration = Duration::from_secs(120);

/// What one running Space may use. All instances of the Space share the byte and CPU figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// CPU time per second of wall time, in vCPUs; may be a fraction.
    pub vcpu: f64,
    /// Linear memories, tables, GC heaps and host buffers of all instances together, in bytes.
    pub memory: u64,
    /// Bytes in `/tmp`.
    pub disk: u64,
    /// Bytes in `/data`; `None` without a storage tier.
    pub storage: Option<u64>,
    /// Files and directories per writable mount.
    pub inodes: u64,
    /// Fuel one request may use; `None`: what the vCPUs can burn in `stream`.
    pub request_fuel: Option<u64>,
    /// Time to the first byte.
    pub first_byte: Duration,
    /// Longest silence between chunks.
    pub idle_chunk: Duration,
    /// Longest time from first byte to last.
    pub stream: Duration,
    /// Longest wait for a turn.
    pub queue: Duration,
    /// Longest start of an instance.
    pub cold_start: Duration,
}

/// The operator's `[limits]`: what holds for every Space of this host.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorLimits {
    /// Longest time to the first byte; a manifest may say less.
    pub first_byte: Duration,
    /// Longest silence between chunks.
    pub idle_chunk: Duration,
    /// Longest time from first byte to last.
    pub stream: Duration,
    /// Longest wait for a turn.
    pub queue: Duration,
    /// Longest start of an instance.
    pub cold_start: Duration,
    /// Fuel one request may use; a hardware row may say less.
    pub request_fuel: Option<u64>,
    /// Files and directories per writable mount.
    pub inodes: u64,
    /// Largest body of a request to a Space.
    pub request_body: Bytes,
    /// Memory of all Spaces together; `None`: the machine's less 2 GiB.
    pub node_memory: Option<Bytes>,
    /// Largest component.
    pub component: Bytes,
    /// Longest compilation of a component.
    pub compile: Duration,
}

impl Default for OperatorLimits {
    fn default() -> Self {
        Self {
            first_byte: FIRST_BYTE,
            idle_chunk: IDLE_CHUNK,
            stream: STREAM,
            queue: QUEUE,
            cold_start: COLD_START,
            request_fuel: None,
            inodes: INODES,
            request_body: REQUEST_BODY,
            node_memory: None,
            component: COMPONENT,
            compile: COMPILE,
        }
    }
}

/// The limits of a Space on this hardware, with this storage tier and this `wasm:` key, under the operator's limits.
/// Where two of them name the same limit, the smaller one holds.
pub fn for_space(
    hardware: &Hardware,
    storage: Option<&StorageTier>,
    wasm: &WasmManifest,
    operator: &OperatorLimits,
) -> Limits {
    Limits {
        vcpu: hardware.vcpu,
        memory: hardware.memory.0,
        disk: hardware.disk.0,
        storage: storage.map(|tier| tier.size.0),
        inodes: operator.inodes,
        request_fuel: hardware.request_fuel.into_iter().chain(operator.request_fuel).min(),
        first_byte: wasm.timeout.map_or(operator.first_byte, |timeout| timeout.min(operator.first_byte)),
        idle_chunk: operator.idle_chunk,
        stream: operator.stream,
        queue: operator.queue,
        cold_start: operator.cold_start,
    }
}

impl Bytes {
    /// Parses `<number><unit>`, unit one of B, KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024).
    pub fn parse(text: &str) -> Result<Self, InvalidBytes> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let factor: u64 = match unit.trim() {
            "" | "B" => 1,
            "KB" => 1000,
            "MB" => 1000u64.pow(2),
            "GB" => 1000u64.pow(3),
            "TB" => 1000u64.pow(4),
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return Err(InvalidBytes),
        };
        let number: f64 = number.parse().map_err(|_| InvalidBytes)?;
        let bytes = number * factor as f64;
        // Beyond 2^53 a float counts in steps; no machine has that much.
        if bytes.is_finite() && (0.0..9.0e15).contains(&bytes) { Ok(Self(bytes as u64)) } else { Err(InvalidBytes) }
    }
}

/// The text is not an amount of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a size as a number and a unit, such as \"64MiB\" or \"16GB\"")]
pub struct InvalidBytes;

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // From the largest on: the first that goes into it makes the shortest whole number.
        const UNITS: [(&str, u64); 8] = [
            ("TiB", 1 << 40),
            ("TB", 1_000_000_000_000),
            ("GiB", 1 << 30),
            ("GB", 1_000_000_000),
            ("MiB", 1 << 20),
            ("MB", 1_000_000),
            ("KiB", 1 << 10),
            ("KB", 1000),
        ];
        let whole = UNITS.into_iter().find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        let (unit, size) = whole.unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::Catalogue;

    #[test]
    fn bytes_are_shown_as_they_are_written() {
        for text in ["0B", "1023B", "512KiB", "1KB", "64MiB", "100MB", "16GB", "16GiB", "1TB", "2TiB", "1500MB"] {
            assert_eq!(Bytes::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_space_gets_the_smaller_of_two_limits() {
        let catalogue = Catalogue::default();
        let row = |request_fuel| Hardware { request_fuel, ..catalogue.flavor("cpu-upgrade").unwrap().clone() };
        let wasm = |seconds: Option<u64>| WasmManifest {
            timeout: seconds.map(Duration::from_secs),
            ..WasmManifest::default()
        };
        let operator = |request_fuel| OperatorLimits { request_fuel, ..OperatorLimits::default() };

        let limits = for_space(&row(None), catalogue.tier("small"), &wasm(None), &operator(None));
        assert_eq!((limits.vcpu, limits.memory, limits.disk), (8.0, 32_000_000_000, 50_000_000_000));
        assert_eq!((limits.storage, limits.request_fuel), (Some(20_000_000_000), None));
        assert_eq!(limits.first_byte, FIRST_BYTE);

        for (ours, theirs, expected) in [
            (Some(5), None, Some(5)),
            (None, Some(7), Some(7)),
            (Some(5), Some(7), Some(5)),
            (Some(9), Some(7), Some(7)),
        ] {
            assert_eq!(for_space(&row(ours), None, &wasm(None), &operator(theirs)).request_fuel, expected);
        }
        for (asked, seconds) in [(5, 5), (30, 30), (600, 30)] {
            let limits = for_space(&row(None), None, &wasm(Some(asked)), &operator(None));
            assert_eq!(limits.first_byte, Duration::from_secs(seconds));
        }
    }

    #[test]
    fn sizes_are_read_in_decimal_and_binary_units() {
        for (text, bytes) in
            [("64MiB", 64 << 20), ("16GB", 16_000_000_000), ("1.5GiB", 3 << 29), ("0", 0), ("7 KB", 7000)]
        {
            assert_eq!(Bytes::parse(text), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "MiB", "-1MiB", "64Mib", "1e9GB", "9999999TB"] {
            assert_eq!(Bytes::parse(text), Err(InvalidBytes), "{text}");
        }
    }

    #[test]
    fn sizes_are_written_so_that_they_read_back() {
        for bytes in [0, 1, 1000, 1024, 64 << 20, 16_000_000_000, 3 << 29] {
            assert_eq!(Bytes::parse(&Bytes(bytes).to_string()), Ok(Bytes(bytes)));
        }
    }
}
