//! What there is, put together from all that tells of it. Pure: what was read comes in, devices and sentences come out.
//!
//! One device may be told of more than once: by the management library under its UUID, by CDI under its number and under
//! its UUID, by the operator. It is one all the same, known by its file, and the second time it is passed over: a device in
//! the list twice could be had twice.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use spaceport_backend_protocol::{self as protocol, Line, Word};

use super::cdi::{Described, Description};
use super::leases::{Shortage, is_kind};
use super::nvml::Gpu;
use super::{Declared, EngineCan};

/// One device, and how a container gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) id: Word,
    pub(super) kind: Word,
    pub(super) memory_bytes: u64,
    pub(super) way: Way,
}

/// How a container gets a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// By NVIDIA's runtime, which is told a UUID.
    Nvidia(String),
    /// By a name of CDI.
    Cdi(String),
    /// As files.
    Nodes(Vec<PathBuf>),
}

/// The result of a look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// What can be had.
    pub(super) devices: Vec<Device>,
    /// Sentences for the operator.
    pub(super) notes: Vec<String>,
    /// Models that are there and cannot be had, with the reason.
    unusable: Vec<(Word, String)>,
    /// What the management library told.
    gpus: Vec<Gpu>,
    /// Files of the devices so far.
    nodes: BTreeSet<PathBuf>,
    /// Declarations that tell more of something that was found.
    known: BTreeSet<Word>,
}

/// Files by which every GPU of NVIDIA's is used: they tell none from another.
const OF_ALL: [&str; 4] = ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset"];

/// A declared device as its files, all of which have to be there.
fn by_nodes(declared: &Declared, exists: &impl Fn(&Path) -> bool) -> Result<Way, String> {
    match declared.nodes.iter().find(|node| !exists(node)) {
        None => Ok(Way::Nodes(declared.nodes.clone())),
        Some(node) => Err(format!("the declared device {} is not there: {} is missing", declared.id, node.display())),
    }
}

impl Device {
    pub(super) fn described(&self) -> protocol::Device {
        protocol::Device { id: self.id.clone(), kind: self.kind.clone(), memory_bytes: self.memory_bytes }
    }
}

impl Findings {
    /// Puts together what was read. If the management library is out of order, what it told before is what there is: a driver
    /// that is being replaced is no device that was taken out.
    pub(super) fn of(
        nvml: Result<Vec<Gpu>, String>,
        cdi: Description,
        declared: &[Declared],
        engine: EngineCan,
        before: Self,
        exists: impl Fn(&Path) -> bool,
    ) -> Self {
        let mut found = Self { notes: cdi.notes, ..Self::default() };
        found.gpus = nvml.unwrap_or_else(|reason| {
            found.notes.push(format!("NVIDIA's management library does not answer: {reason}"));
            before.gpus
        });
        let mut described = cdi.devices;
        for gpu in found.gpus.clone() {
            let of_gpu = |device: &Described| {
                device.is_called(&gpu.uuid) || gpu.node.iter().any(|node| device.nodes.contains(node))
            };
            let position = described.iter().position(of_gpu);
            let described = position.map(|position| described.remove(position));
            found.add_gpu(&gpu, described.as_ref(), declared, engine, &exists);
        }
        for device in described {
            found.add_described(&device, declared, engine);
        }
        for device in declared {
            found.add_declared(device, &exists);
        }
        found
    }

    fn add_gpu(
        &mut self,
        gpu: &Gpu,
        described: Option<&Described>,
        declared: &[Declared],
        engine: EngineCan,
        exists: &impl Fn(&Path) -> bool,
    ) {
        let is_it = |declared: &&Declared| {
            declared.id.as_str() == gpu.uuid
                || described.is_some_and(|it| it.is_called(declared.id.as_str()))
                // The parts of a divided one have its file as well.
                || !gpu.is_divided && gpu.node.iter().any(|node| declared.nodes.contains(node))
        };
        let declared = declared.iter().find(is_it);
        self.known.extend(declared.map(|declared| declared.id.clone()));
        let kind = declared.map(|declared| declared.kind.clone()).or_else(|| kind_of(&gpu.name));
        let (Ok(id), Some(kind)) = (gpu.uuid.parse::<Word>(), kind) else {
            self.notes.push(format!("the GPU {:?} ({:?}) has no name that can be used", gpu.uuid, gpu.name));
            return;
        };
        let unusable = |reason: &str| format!("the {kind} GPU {id} cannot be used: {reason}");
        let way = match described {
            _ if gpu.is_divided => Err(unusable("it is divided into parts (MIG), which have to be declared")),
            _ if engine.nvidia_runtime => Ok(Way::Nvidia(gpu.uuid.clone())),
            Some(described) if engine.cdi => Ok(Way::Cdi(described.name().to_owned())),
            _ if let Some(declared) = declared.filter(|declared| !declared.nodes.is_empty()) => {
                by_nodes(declared, exists)
            }
            _ => Err(unusable("the container engine has neither NVIDIA's runtime nor a description of it for CDI")),
        };
        let memory_bytes = declared.map_or(gpu.memory_bytes, |declared| declared.memory_bytes);
        let nodes = gpu.node.iter().chain(described.iter().flat_map(|described| &described.nodes)).cloned().collect();
        self.add(id, kind, memory_bytes, way, nodes);
    }

    fn add_described(&mut self, device: &Described, declared: &[Declared], engine: EngineCan) {
        let name = device.name();
        let Some(declared) = declared.iter().find(|declared| device.is_called(declared.id.as_str())) else {
            self.notes.push(format!("the device {name} is of an unknown model; declare it to have it used"));
            return;
        };
        self.known.insert(declared.id.clone());
        let way = match engine.cdi {
            true => Ok(Way::Cdi(name.to_owned())),
            false => {
                Err(format!("the {} GPU {name} cannot be used: the container engine does not know CDI", declared.kind))
            }
        };
        self.add(declared.id.clone(), declared.kind.clone(), declared.memory_bytes, way, device.nodes.clone());
    }

    fn add_declared(&mut self, declared: &Declared, exists: &impl Fn(&Path) -> bool) {
        let (id, kind) = (declared.id.clone(), declared.kind.clone());
        if self.known.contains(&id) {
            return;
        }
        if declared.nodes.is_empty() {
            return self.refuse(kind, format!("the declared device {id} is not there"));
        }
        self.add(id, kind, declared.memory_bytes, by_nodes(declared, exists), Vec::new());
    }

    /// Adds a device that is had in such a way, and known by these files and those of its way.
    fn add(&mut self, id: Word, kind: Word, memory_bytes: u64, way: Result<Way, String>, mut nodes: Vec<PathBuf>) {
        let way = match way {
            Ok(way) => way,
            Err(reason) => return self.refuse(kind, reason),
        };
        if let Way::Nodes(own) = &way {
            nodes.extend(own.iter().cloned());
        }
        nodes.retain(|node| !OF_ALL.iter().any(|of_all| node == Path::new(of_all)));
        if self.devices.iter().any(|device| device.id == id) || nodes.iter().any(|node| self.nodes.contains(node)) {
            self.notes.push(format!("the device {id} is there under another name already"));
            return;
        }
        self.nodes.extend(nodes);
        self.devices.push(Device { id, kind, memory_bytes, way });
    }

    fn refuse(&mut self, kind: Word, reason: String) {
        self.notes.push(reason.clone());
        self.unusable.push((kind, reason));
    }

    /// A shortage in a sentence for who asked.
    pub(super) fn explain(&self, shortage: &Shortage) -> Line {
        let gpus = |count: usize, kind: &Word| format!("{count} {kind} GPU{}", if count == 1 { "" } else { "s" });
        let text = match shortage {
            Shortage::Busy { kind, wanted, free, all } => {
                format!("waiting for {}: {free} of {all} free", gpus(*wanted, kind))
            }
            Shortage::Never { kind, wanted, all: 0, too_small: 0, .. } => {
                let reason = self.unusable.iter().find(|(unusable, _)| is_kind(unusable, kind));
                let reason = reason.map(|(_, reason)| format!(": {reason}")).unwrap_or_default();
                format!("this machine does not have {}{reason}", gpus(*wanted, kind))
            }
            Shortage::Never { kind, wanted, all, too_small, memory_each } => {
                let size = memory_each / 1_000_000_000;
                let small =
                    if *too_small > 0 { format!(" and {too_small} with less than {size} GB") } else { String::new() };
                format!("this machine does not have {}: it has {all}{small}", gpus(*wanted, kind))
            }
        };
        Line::lossy(&text)
    }
}

/// Makers' words in front of a model's name.
const BRANDS: [&str; 4] = ["NVIDIA", "Tesla", "Quadro", "GeForce"];

/// The model as rows of hardware name it: `NVIDIA A100-SXM4-80GB` is an `a100`, `Tesla T4` a `t4`, `NVIDIA GeForce RTX
/// 3090` an `rtx-3090`. All that comes after the first word with a digit tells of its form and size.
pub(super) fn kind_of(name: &str) -> Option<Word> {
    let mut kind: Vec<String> = Vec::new();
    for word in name.split_whitespace().skip_while(|word| BRANDS.contains(word)).filter(|word| !BRANDS.contains(word)) {
        let has_digit = word.contains(|c: char| c.is_ascii_digit());
        let word = if has_digit { word.split('-').next().unwrap_or(word) } else { word };
        kind.push(word.to_ascii_lowercase());
        if has_digit {
            break;
        }
    }
    kind.join("-").parse().ok()
}

#[cfg(test)]
mod tests;
