//! What this plugin can do on this machine, and whether it can do anything at the moment.

use bollard::models::{SystemInfo, SystemVersion};
use rustix::fs::statvfs;
use spaceport_backend_protocol::{
    Ask, Capacity, Description, Flavor, Gpu, Hardware, Health, Line, Refusal, Word, limits,
};

use crate::builds;
use crate::instances::{Unit, size};
use crate::plugin::Plugin;
use crate::refusal::of_engine;

/// The kinds of Spaces that are built and run here; static ones are only built.
const SDKS: [&str; 3] = ["docker", "gradio", "static"];

/// Whether anything can be done.
pub(crate) async fn health(plugin: &Plugin) -> Health {
    match plugin.engine.health().await {
        Health::Ready => match builds::client(plugin).await {
            Ok(_) => match plugin.guard.problem() {
                None => Health::Ready,
                Some(words) => Health::Unready { reason: Line::lossy(&words) },
            },
            Err(error) => Health::Unready { reason: Line::lossy(&error.to_string()) },
        },
        unready => unready,
    }
}

/// What can be done.
pub(crate) async fn describe(plugin: &Plugin, ask: &Ask) -> Result<Description, Refusal> {
    let docker = plugin.engine.client().await.map_err(|error| of_engine(&error))?;
    let info = docker.info().await.map_err(|error| of_engine(&error))?;
    let version = docker.version().await.map_err(|error| of_engine(&error))?;
    let capacity = capacity(&info);
    let sdks = SDKS.iter().filter_map(|sdk| sdk.parse::<Word>().ok()).collect();
    Ok(Description {
        name: Line::lossy("Docker"),
        version: Line::lossy(&in_words(&version)),
        sdks,
        flavors: flavors(&ask.hardware, capacity, &|gpu| plugin.guard.devices.offers(gpu).err()),
        capacity,
        devices: plugin.guard.devices.list(),
    })
}

fn in_words(version: &SystemVersion) -> String {
    let parts = version.components.iter().flatten().map(|part| format!("{} {}", part.name, part.version));
    let parts: Vec<String> = parts.collect();
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
    format!("{} (API {}; {})", text(&version.version), text(&version.api_version), parts.join(", "))
}

fn capacity(info: &SystemInfo) -> Capacity {
    let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
    let root = info.docker_root_dir.as_deref().unwrap_or("/");
    let disk = statvfs(root).map(|found| found.f_blocks.saturating_mul(found.f_frsize)).unwrap_or_default();
    Capacity {
        cpu_milli: number(info.ncpu).saturating_mul(1000),
        memory_bytes: number(info.mem_total).min(limits::NUMBER),
        disk_bytes: disk.min(limits::NUMBER),
    }
}

/// Which rows can be had. A row is a promise of CPUs and memory, so one that asks for more than there is cannot; but for the
/// least of them, which is where every Space begins: on a small machine it gets what there is.
fn flavors(rows: &[Hardware], capacity: Capacity, lacks: &dyn Fn(&Gpu) -> Option<Line>) -> Vec<Flavor> {
    let plain = rows.iter().filter(|row| row.gpu.is_none());
    let least = plain.min_by_key(|row| (row.cpu_milli, row.memory_bytes)).map(|row| &row.name);
    let refusal = |row: &Hardware| {
        if let Some(words) = row.gpu.as_ref().and_then(lacks) {
            return Some(words.to_string());
        }
        let is_least = least == Some(&row.name);
        if is_least {
            return None;
        }
        if row.cpu_milli > capacity.cpu_milli {
            let (wants, has) = (vcpus(row.cpu_milli), vcpus(capacity.cpu_milli));
            return Some(format!("{} has {wants} vCPU, and this machine {has}", row.name));
        }
        if row.memory_bytes > capacity.memory_bytes {
            let (wants, has) = (size(row.memory_bytes, Unit::Binary), size(capacity.memory_bytes, Unit::Binary));
            return Some(format!("{} has {wants} of memory, and this machine {has}", row.name));
        }
        None
    };
    let flavor = |row| {
        let refusal: Option<String> = refusal(row);
        Flavor { name: row.name.clone(), refusal: refusal.map(|words| Line::lossy(&words)) }
    };
    rows.iter().map(flavor).collect()
}

fn vcpus(milli: u64) -> String {
    match milli % 1000 {
        0 => (milli / 1000).to_string(),
        part => format!("{}.{}", milli / 1000, format!("{part:03}").trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, cpu_milli: u64, gib: u64) -> Hardware {
        Hardware { name: name.parse().unwrap(), cpu_milli, memory_bytes: gib << 30, disk_bytes: 1, gpu: None }
    }

    #[test]
    fn what_the_machine_does_not_have_is_not_offered_but_for_the_least() {
        let mut rows = vec![row("cpu-basic", 2000, 16), row("cpu-upgrade", 8000, 32), row("cpu-wide", 2000, 64)];
        rows.push(Hardware {
            gpu: Some(Gpu { kind: "t4".parse().unwrap(), count: 2, memory_bytes: 16 << 30 }),
            ..row("t4-small", 1000, 1)
        });
        let small = Capacity { cpu_milli: 2000, memory_bytes: 8 << 30, disk_bytes: 1 };
        let said = |capacity| -> Vec<Option<String>> {
            flavors(&rows, capacity, &|gpu| (gpu.count > 1).then(|| Line::lossy("there is one t4")))
                .into_iter()
                .map(|flavor| flavor.refusal.map(String::from))
                .collect()
        };
        let refused = said(small);
        assert_eq!(refused[0], None);
        assert_eq!(refused[1].as_deref(), Some("cpu-upgrade has 8 vCPU, and this machine 2"));
        assert_eq!(refused[2].as_deref(), Some("cpu-wide has 64Gi of memory, and this machine 8Gi"));
        assert_eq!(refused[3].as_deref(), Some("there is one t4"));
        let large = Capacity { cpu_milli: 64_000, memory_bytes: 256 << 30, disk_bytes: 1 };
        assert_eq!(said(large)[..3], [None, None, None]);
    }

    #[test]
    fn a_fraction_of_a_cpu_is_written_as_such() {
        assert_eq!((vcpus(2000), vcpus(250), vcpus(500)), ("2".to_owned(), "0.25".to_owned(), "0.5".to_owned()));
    }
}
