//! What a backend can do: asked when it has started, and again when it was unready for a while.

use serde::{Deserialize, Serialize};

use crate::decode::{list, no_twins, number};
use crate::{DecodeError, Line, Message, Word, limits};

/// The request of describe: the rows of hardware that the host would offer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The rows.
    #[serde(deserialize_with = "list::<_, _, { limits::FLAVORS }>")]
    pub hardware: Vec<Hardware>,
}

/// One row of hardware.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware {
    /// The flavor.
    pub name: Word,
    /// Thousandths of a CPU.
    #[serde(deserialize_with = "number")]
    pub cpu_milli: u64,
    /// Memory.
    #[serde(deserialize_with = "number")]
    pub memory_bytes: u64,
    /// Disk that is lost with the instance.
    #[serde(deserialize_with = "number")]
    pub disk_bytes: u64,
    /// The accelerator, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Gpu>,
}

/// The accelerator of a row of hardware.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    /// Model, such as `t4`.
    pub kind: Word,
    /// How many.
    pub count: u32,
    /// Memory of all of them together.
    #[serde(deserialize_with = "number")]
    pub memory_bytes: u64,
}

/// The reply of describe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// What it is, such as `Docker`.
    pub name: Line,
    /// Its version, and whatever helps who reads a log.
    pub version: Line,
    /// The kinds of Spaces it builds and runs, as the README's `sdk:` has them. `static` is among them if it can build the
    /// files of web sites, which it never runs.
    #[serde(deserialize_with = "list::<_, _, { limits::SDKS }>")]
    pub sdks: Vec<Word>,
    /// Every row that was asked for, in any order.
    #[serde(deserialize_with = "list::<_, _, { limits::FLAVORS }>")]
    pub flavors: Vec<Flavor>,
    /// What there is for all instances together.
    pub capacity: Capacity,
    /// Accelerators.
    #[serde(deserialize_with = "list::<_, _, { limits::DEVICES }>")]
    pub devices: Vec<Device>,
}

/// Whether a row of hardware can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flavor {
    /// The row.
    pub name: Word,
    /// Why it can never be had here, in a sentence for who asks for it; without one it can, though not always at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Line>,
}

/// What a backend has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Thousandths of a CPU.
    #[serde(deserialize_with = "number")]
    pub cpu_milli: u64,
    /// Memory.
    #[serde(deserialize_with = "number")]
    pub memory_bytes: u64,
    /// Disk.
    #[serde(deserialize_with = "number")]
    pub disk_bytes: u64,
}

/// One accelerator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its id: the same after a restart of anything.
    pub id: Word,
    /// Model, such as `t4`.
    pub kind: Word,
    /// Its memory.
    #[serde(deserialize_with = "number")]
    pub memory_bytes: u64,
}

/// The reply of health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Health {
    /// Everything can be asked of it.
    Ready,
    /// The plugin is well and what it works with is not, such as a container engine that is restarted.
    Unready {
        /// Why, in a sentence for the operator; owners of Spaces that need it may read it too.
        reason: Line,
    },
}

impl Description {
    /// Whether it answers this question: every row that was asked for, and none else.
    pub fn check_against(&self, ask: &Ask) -> Result<(), DecodeError> {
        let answered = |row: &&Hardware| !self.flavors.iter().any(|flavor| flavor.name == row.name);
        if let Some(missing) = ask.hardware.iter().find(answered) {
            return Err(DecodeError::invalid::<Self>(&format!("it says nothing of flavor {}", missing.name)));
        }
        let foreign = |flavor: &&Flavor| !ask.hardware.iter().any(|row| row.name == flavor.name);
        match self.flavors.iter().find(foreign) {
            Some(foreign) => Err(DecodeError::invalid::<Self>(&format!("nobody asked for flavor {}", foreign.name))),
            None => Ok(()),
        }
    }
}

impl Message for Ask {
    const WHAT: &'static str = "the question what it can do";

    fn check(&self) -> Result<(), String> {
        no_twins("flavor", self.hardware.iter().map(|row| &row.name))
    }
}

impl Message for Description {
    const WHAT: &'static str = "the description";

    fn check(&self) -> Result<(), String> {
        no_twins("sdk", self.sdks.iter())?;
        no_twins("flavor", self.flavors.iter().map(|flavor| &flavor.name))?;
        no_twins("device", self.devices.iter().map(|device| &device.id))
    }
}

impl Message for Health {
    const WHAT: &'static str = "the answer on its health";
    const MOST: usize = 64 << 10;
}
