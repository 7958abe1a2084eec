//! A container as it is to be: what it may use, and what it must not.
//!
//! Pure: from the request and the image to what the Engine is asked to create. What is not said here, the Engine's defaults
//! say, of which these are relied on: its seccomp filter, its masked paths, namespaces of its own for everything.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, ImageConfig, Mount, MountBindOptions,
    MountType, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use spaceport_backend_protocol::{StartRequest, Variable};

use crate::names::{LABEL_DISK, LABEL_MEMORY, LABEL_PORT, LABEL_QUOTA, Names};

/// The user that everything runs as, with a group of the same number. What the image says of it does not matter.
pub(crate) const USER: u32 = 1000;
/// Processes and threads together: more than any app of Python's has on the largest machine, and few enough that a fork
/// bomb is no matter.
const PIDS: i64 = 4096;
/// Open files of one process, as servers with many connections need them.
const FILES: i64 = 65_536;
/// What a log keeps: bytes of a file, and files.
const LOG_FILE: &str = "10m";
const LOG_FILES: &str = "3";
/// Billionths of a CPU in a thousandth.
const NANO_PER_MILLI: u64 = 1_000_000;
/// The least of a CPU that the Engine takes.
const LEAST_NANO: u64 = 10_000_000;
/// The least memory that the Engine takes.
const LEAST_MEMORY: u64 = 6 << 20;
/// Where an app finds what outlives it.
const DATA: &str = "/data";

/// What the machine has a say in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    /// Its CPUs: the Engine refuses more.
    pub(crate) cpus: u64,
    /// Whether the Engine's storage driver limits the disk of a container by itself.
    pub(crate) limits_disk: bool,
}

/// What the Engine is to create.
pub(crate) fn container(
    names: &Names,
    request: &StartRequest,
    image: &ImageConfig,
    machine: Machine,
) -> ContainerCreateBody {
    let mut labels = names.labels(&request.id, &request.artifact);
    let mut label = |name: &str, value: u64| labels.insert(name.to_owned(), value.to_string());
    label(LABEL_PORT, request.port.into());
    label(LABEL_MEMORY, request.hardware.memory_bytes);
    label(LABEL_DISK, request.hardware.disk_bytes);
    if let Some(data) = &request.data {
        label(LABEL_QUOTA, data.quota_bytes);
    }
    ContainerCreateBody {
        image: Some(request.artifact.to_string()),
        user: Some(format!("{USER}:{USER}")),
        env: Some(environment(request, image)),
        labels: Some(labels),
        // Whether it answers is the host's to find out; the image's own check would only cost.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
        attach_stdin: Some(false),
        open_stdin: Some(false),
        tty: Some(false),
        host_config: Some(host_config(names, request, machine)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(names: &Names, request: &StartRequest, machine: Machine) -> HostConfig {
    let hardware = &request.hardware;
    let memory = hardware.memory_bytes.max(LEAST_MEMORY);
    let nano = hardware.cpu_milli.saturating_mul(NANO_PER_MILLI);
    let nano = nano.min(machine.cpus.saturating_mul(1000 * NANO_PER_MILLI)).max(LEAST_NANO);
    let storage = machine.limits_disk.then(|| HashMap::from([("size".to_owned(), hardware.disk_bytes.to_string())]));
    HostConfig {
        memory: Some(signed(memory)),
        // The same as memory: no swap.
        memory_swap: Some(signed(memory)),
        nano_cpus: Some(signed(nano)),
        pids_limit: Some(PIDS),
        // Its pages count as memory of the container, so this bounds a single use, not the sum.
        shm_size: Some(signed(memory / 2)),
        ulimits: Some(vec![ulimit("nofile", FILES), ulimit("core", 0)]),
        storage_opt: storage,
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        privileged: Some(false),
        publish_all_ports: Some(false),
        network_mode: Some(names.network()),
        restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
        auto_remove: Some(false),
        log_config: Some(HostConfigLogConfig {
            typ: Some("local".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), LOG_FILE.to_owned()),
                ("max-file".to_owned(), LOG_FILES.to_owned()),
            ])),
        }),
        mounts: request.data.as_ref().map(|data| {
            vec![Mount {
                target: Some(DATA.to_owned()),
                source: Some(data.folder.to_string()),
                typ: Some(MountType::BIND),
                read_only: Some(false),
                bind_options: Some(MountBindOptions { non_recursive: Some(true), ..MountBindOptions::default() }),
                ..Mount::default()
            }]
        }),
        ..HostConfig::default()
    }
}

/// The request's variables, and the names of the image's that must not be there. Programs of the engine's that run with a
/// container's environment before the app does would load what these name.
fn environment(request: &StartRequest, image: &ImageConfig) -> Vec<String> {
    let with_gpu = request.hardware.gpu.is_some();
    let is_wanted =
        |variable: &&Variable| !(is_devices(variable.name.as_str()) || with_gpu && is_loaders(variable.name.as_str()));
    let given: Vec<&Variable> = request.variables.iter().filter(is_wanted).collect();
    let is_given = |name: &str| given.iter().any(|variable| variable.name.as_str() == name);
    let of_image = image.env.iter().flatten().map(|pair| pair.split_once('=').map_or(pair.as_str(), |(name, _)| name));
    let hidden = of_image.filter(|name| (is_loaders(name) || is_devices(name)) && !is_given(name));
    // A name without a value takes the image's variable away.
    let mut environment: Vec<String> = hidden.filter(|name| *name != NO_DEVICES.0).map(str::to_owned).collect();
    environment.extend(given.iter().map(|variable| format!("{}={}", variable.name, variable.value.as_str())));
    // Where the runtime for GPUs is the engine's default, it would take an image's word for it.
    environment.push(format!("{}={}", NO_DEVICES.0, NO_DEVICES.1));
    environment
}

/// No GPU, in the words of the runtime for them.
const NO_DEVICES: (&str, &str) = ("NVIDIA_VISIBLE_DEVICES", "void");

fn is_loaders(name: &str) -> bool {
    name.starts_with("LD_")
}

fn is_devices(name: &str) -> bool {
    name.starts_with("NVIDIA_")
}

fn ulimit(name: &str, most: i64) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.to_owned()), soft: Some(most), hard: Some(most) }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(change: &str) -> StartRequest {
        let text = r#"{"id":"a-1","artifact":"sha256:00","port":7860,"egress":{"ports":[443],"allow":[]},
            "hardware":{"name":"cpu-basic","cpu_milli":2000,"memory_bytes":17179869184,"disk_bytes":53687091200},
            "variables":[{"name":"A","value":"b=c"},{"name":"LD_PRELOAD","value":"mine.so"},
            {"name":"NVIDIA_VISIBLE_DEVICES","value":"all"}],CHANGE
            "data":{"folder":"/srv/data/1","quota_bytes":20000000000}}"#;
        spaceport_backend_protocol::decode(text.replace("CHANGE", change).as_bytes()).unwrap()
    }

    fn spec(request: &StartRequest, env: &[&str]) -> ContainerCreateBody {
        let image =
            ImageConfig { env: Some(env.iter().map(|pair| (*pair).to_owned()).collect()), ..ImageConfig::default() };
        container(&Names::given("ns".to_owned()), request, &image, Machine { cpus: 64, limits_disk: false })
    }

    #[test]
    fn a_container_has_no_more_rights_than_an_app_needs() {
        let body = spec(&request(""), &[]);
        let host = body.host_config.unwrap();
        assert_eq!(body.user.as_deref(), Some("1000:1000"));
        assert_eq!(host.cap_drop.unwrap(), ["ALL"]);
        assert_eq!(host.security_opt.unwrap(), ["no-new-privileges"]);
        assert_eq!((host.privileged, host.cap_add, host.devices, host.binds), (Some(false), None, None, None));
        assert_eq!((host.memory, host.memory_swap), (Some(16 << 30), Some(16 << 30)));
        assert_eq!((host.nano_cpus, host.pids_limit, host.shm_size), (Some(2_000_000_000), Some(PIDS), Some(8 << 30)));
        assert_eq!(host.network_mode.as_deref(), Some("spaceport-ns"));
        assert_eq!((host.pid_mode, host.ipc_mode, host.userns_mode, host.port_bindings), (None, None, None, None));
        let log = host.log_config.unwrap();
        assert_eq!(log.typ.as_deref(), Some("local"));
        assert_eq!(log.config.unwrap()["max-size"], LOG_FILE);
        let mounts = host.mounts.unwrap();
        let ends = mounts.iter().map(|mount| (mount.source.as_deref().unwrap(), mount.target.as_deref().unwrap()));
        assert_eq!(ends.collect::<Vec<_>>(), [("/srv/data/1", "/data")]);
    }

    #[test]
    fn an_image_cannot_tell_the_loader_or_the_runtime_anything() {
        let image =
            ["PATH=/bin", "LD_AUDIT=/evil.so", "LD_PRELOAD=/evil.so", "NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_X=1"];
        let env = spec(&request(""), &image).env.unwrap();
        assert_eq!(env, ["LD_AUDIT", "NVIDIA_X", "A=b=c", "LD_PRELOAD=mine.so", "NVIDIA_VISIBLE_DEVICES=void"]);
    }

    #[test]
    fn with_a_gpu_nobody_can_since_its_runtime_reads_what_the_app_is_told() {
        let mut request = request("");
        request.hardware.gpu =
            Some(spaceport_backend_protocol::Gpu { kind: "t4".parse().unwrap(), count: 1, memory_bytes: 1 });
        let env = spec(&request, &["LD_PRELOAD=/evil.so"]).env.unwrap();
        assert_eq!(env, ["LD_PRELOAD", "A=b=c", "NVIDIA_VISIBLE_DEVICES=void"]);
    }

    #[test]
    fn more_cpus_than_there_are_cannot_be_asked_for() {
        let body = container(
            &Names::given("ns".to_owned()),
            &request(""),
            &ImageConfig::default(),
            Machine { cpus: 1, limits_disk: true },
        );
        let host = body.host_config.unwrap();
        assert_eq!(host.nano_cpus, Some(1_000_000_000));
        assert_eq!(host.storage_opt.unwrap()["size"], "53687091200");
    }
}
