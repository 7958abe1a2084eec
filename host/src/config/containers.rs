//! `[containers]`: the backend that comes with the host, and what it builds with.

use std::path::PathBuf;

use ipnet::IpNet;
use toml::Table;

use super::reader::{Findings, Section};

/// How containers are built and whether they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Containers {
    /// Whether the backend beside the executable is started; `None`: where a container engine answers.
    pub enabled: Option<bool>,
    /// The image that Gradio Spaces and web sites are built on.
    pub base_image: Option<String>,
    /// Certificates that builds and apps trust besides.
    pub ca_bundle: Option<PathBuf>,
    /// Where Python packages come from.
    pub pip_index: Option<String>,
    /// Devices that are not found by themselves.
    pub devices: Vec<String>,
}

/// The arguments of `spaceport-container` for them.
const BASE_IMAGE: &str = "--base-image";
const CA_BUNDLE: &str = "--ca-bundle";
const PIP_INDEX: &str = "--pip-index";
const DEVICE: &str = "--device";
const ALLOW: &str = "--allow";

impl Containers {
    /// Reads the table.
    pub(super) fn read(file: &Table, findings: &mut Findings) -> Self {
        let mut section =
            Section::open(file, "containers", "Docker and Gradio Spaces, through spaceport-container.", findings);
        let enabled =
            section.optional_switch("enabled", "Whether it is started; unset: where a container engine answers.");
        let base_image = section
            .text("base_image", "Image that Gradio Spaces and web sites are built on; unset: the backend's own.");
        let ca_bundle = section.text("ca_bundle", "PEM file of certificates that builds and apps trust besides.");
        let pip_index = section.text("pip_index", "URL of the index that Python packages come from; unset: pip's own.");
        let devices = section.list(
            "devices",
            "Devices that are not found by themselves, as docs/containers.md has them.",
            "write texts such as \"id=nvidia.com/gpu=0,kind=t4,memory=16000000000\"",
        );
        section.close();
        Self { enabled, base_image, ca_bundle: ca_bundle.map(PathBuf::from), pip_index, devices }
    }

    /// What the backend is told: this, and the ranges of `[egress] allow`. Spaces that run on when the host starts need those
    /// before anything is asked for.
    pub(crate) fn arguments(&self, allow: &[IpNet]) -> Vec<String> {
        let ca_bundle = self.ca_bundle.as_ref().map(|path| path.to_string_lossy().into_owned());
        let given =
            [(BASE_IMAGE, self.base_image.clone()), (CA_BUNDLE, ca_bundle), (PIP_INDEX, self.pip_index.clone())];
        let devices = self.devices.iter().map(|device| (DEVICE, Some(device.clone())));
        let allow = allow.iter().map(|network| (ALLOW, Some(network.to_string())));
        let given = given.into_iter().chain(devices).chain(allow);
        given.filter_map(|(name, value)| Some([name.to_owned(), value?])).flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_becomes_arguments() {
        assert_eq!(Containers::default().arguments(&[]), Vec::<String>::new());
        let allow = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        assert_eq!(Containers::default().arguments(&allow), ["--allow", "10.0.0.0/8", "--allow", "fd00::/8"]);
        let containers = Containers {
            base_image: Some("base:1".into()),
            pip_index: Some("http://mirror/simple".into()),
            devices: vec!["id=npu0,kind=npu,memory=1".into()],
            ..Containers::default()
        };
        let words =
            ["--base-image", "base:1", "--pip-index", "http://mirror/simple", "--device", "id=npu0,kind=npu,memory=1"];
        assert_eq!(containers.arguments(&[]), words);
    }
}
