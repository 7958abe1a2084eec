//! How a container is given its devices, and kept from all others.

use bollard::models::{DeviceMapping, DeviceRequest, HostConfig};

use super::found::{Device, Way};

/// The variable by which an image may ask NVIDIA's runtime for GPUs.
const VISIBLE: &str = "NVIDIA_VISIBLE_DEVICES";
/// The variable by which it says what it wants of them.
const CAPABILITIES: &str = "NVIDIA_DRIVER_CAPABILITIES";
/// Asks for none.
const NONE: &str = "void";
/// What a container may do with a GPU: compute, and look how it is.
const USES: [&str; 3] = ["gpu", "compute", "utility"];

/// Asks for these devices.
pub(super) fn apply(devices: &[Device], host: &mut HostConfig, env: &mut Vec<String>) {
    let (mut nvidia, mut cdi, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
    for device in devices {
        match &device.way {
            Way::Nvidia(uuid) => nvidia.push(uuid.clone()),
            Way::Cdi(name) => cdi.push(name.clone()),
            Way::Nodes(paths) => nodes.extend(paths.iter().map(|path| path.to_string_lossy().into_owned())),
        }
    }
    without_gpu(env);
    if !nvidia.is_empty() {
        set(env, VISIBLE, &nvidia.join(","));
        set(env, CAPABILITIES, "compute,utility");
        requests(host).push(DeviceRequest {
            driver: Some("nvidia".to_owned()),
            device_ids: Some(nvidia),
            capabilities: Some(vec![USES.map(str::to_owned).to_vec()]),
            ..DeviceRequest::default()
        });
    }
    if !cdi.is_empty() {
        requests(host).push(DeviceRequest {
            driver: Some("cdi".to_owned()),
            device_ids: Some(cdi),
            ..DeviceRequest::default()
        });
    }
    let mappings = nodes.into_iter().map(|path| DeviceMapping {
        path_on_host: Some(path.clone()),
        path_in_container: Some(path),
        cgroup_permissions: Some("rw".to_owned()),
    });
    host.devices.get_or_insert_default().extend(mappings);
}

/// Keeps a container from every GPU: without a word, an image's own environment could ask NVIDIA's runtime for all of
/// them.
pub fn without_gpu(env: &mut Vec<String>) {
    set(env, VISIBLE, NONE);
}

fn requests(host: &mut HostConfig) -> &mut Vec<DeviceRequest> {
    host.device_requests.get_or_insert_default()
}

fn set(env: &mut Vec<String>, name: &str, value: &str) {
    env.retain(|variable| variable.split('=').next() != Some(name));
    env.push(format!("{name}={value}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str, way: Way) -> Device {
        Device { id: id.parse().unwrap(), kind: "t4".parse().unwrap(), memory_bytes: 1, way }
    }

    #[test]
    fn a_container_gets_its_devices_and_no_others() {
        let devices = [
            device("GPU-a", Way::Nvidia("GPU-a".into())),
            device("b", Way::Cdi("nvidia.com/gpu=1".into())),
            device("c", Way::Nodes(vec!["/dev/dri/renderD128".into()])),
        ];
        let mut host = HostConfig::default();
        let mut env = vec!["NVIDIA_VISIBLE_DEVICES=all".to_owned(), "NVIDIA_VISIBLE_DEVICES_X=1".to_owned()];
        apply(&devices, &mut host, &mut env);
        let requests = host.device_requests.unwrap();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].device_ids.as_deref(), Some(&["GPU-a".to_owned()][..]));
        assert_eq!(requests[1].driver.as_deref(), Some("cdi"));
        assert_eq!(requests[1].device_ids.as_deref(), Some(&["nvidia.com/gpu=1".to_owned()][..]));
        assert_eq!(host.devices.unwrap()[0].path_on_host.as_deref(), Some("/dev/dri/renderD128"));
        assert_eq!(env[0], "NVIDIA_VISIBLE_DEVICES_X=1");
        assert!(env.contains(&"NVIDIA_VISIBLE_DEVICES=GPU-a".to_owned()), "{env:?}");
        assert_eq!(env.len(), 3, "{env:?}");
    }

    #[test]
    fn one_without_a_gpu_cannot_ask_for_any() {
        for asked in [vec![], vec!["NVIDIA_VISIBLE_DEVICES=all".to_owned()], vec!["NVIDIA_VISIBLE_DEVICES".to_owned()]]
        {
            let mut env = asked;
            without_gpu(&mut env);
            assert_eq!(env, ["NVIDIA_VISIBLE_DEVICES=void"]);
        }
    }
}
