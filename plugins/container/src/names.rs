//! What this plugin calls what it makes: one namespace for each host, so that several on one machine never meet.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

use sha2::{Digest, Sha256};
use spaceport_backend_protocol::{Artifact, InstanceId};

/// Characters of a namespace that is derived: enough that two hosts on one machine do not meet, and short enough for the
/// name of a network interface, which has 15.
const NAMESPACE: usize = 8;
/// The most characters of one that is given, for the same reason.
pub(crate) const LONGEST: usize = 12;

/// Which host's it is.
pub(crate) const LABEL_NAMESPACE: &str = "dev.spaceport.namespace";
/// Which instance a container is.
pub(crate) const LABEL_INSTANCE: &str = "dev.spaceport.instance";
/// What the host calls the image that it was made of.
pub(crate) const LABEL_ARTIFACT: &str = "dev.spaceport.artifact";
/// The port on which the app listens.
pub(crate) const LABEL_PORT: &str = "dev.spaceport.port";
/// Bytes of memory that it may have.
pub(crate) const LABEL_MEMORY: &str = "dev.spaceport.memory";
/// Bytes of disk that it may have.
pub(crate) const LABEL_DISK: &str = "dev.spaceport.disk";
/// Bytes that may lie at `/data`.
pub(crate) const LABEL_QUOTA: &str = "dev.spaceport.quota";
/// The devices that are its, with commas between them.
pub(crate) const LABEL_DEVICES: &str = "dev.spaceport.devices";
/// Which build made an image.
pub(crate) const LABEL_BUILD: &str = "dev.spaceport.build";
/// When an image was built, in seconds since 1970. An image of cached layers has the date of the layers.
pub(crate) const LABEL_BUILT: &str = "dev.spaceport.built";

/// The names of one host's things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    namespace: String,
}

impl Names {
    /// With a namespace of the operator's.
    pub(crate) fn given(namespace: String) -> Self {
        Self { namespace }
    }

    /// With one that follows from where the host talks to its plugin, which is the same after every restart.
    pub(crate) fn of_socket(socket: &Path) -> Self {
        let digest = Sha256::digest(socket.as_os_str().as_encoded_bytes());
        let mut namespace = String::new();
        for byte in digest.iter().take(NAMESPACE / 2) {
            // A string takes whatever is written to it.
            let _ = write!(namespace, "{byte:02x}");
        }
        Self { namespace }
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The container of an instance. The Engine has each name once: that is why there are never two.
    pub(crate) fn container(&self, id: &InstanceId) -> String {
        format!("spaceport-{}-{id}", self.namespace)
    }

    /// The network of all containers.
    pub(crate) fn network(&self) -> String {
        format!("spaceport-{}", self.namespace)
    }

    /// The bridge of that network, as an interface of the machine.
    pub(crate) fn bridge(&self) -> String {
        format!("sp-{}", self.namespace)
    }

    /// The tag of a build's image, so that no clean-up of untagged images takes it.
    pub(crate) fn image(&self, build: &InstanceId) -> String {
        format!("spaceport-{}:{build}", self.namespace)
    }

    /// The label of everything that is this host's, as a filter has it.
    pub(crate) fn filter(&self) -> HashMap<String, Vec<String>> {
        HashMap::from([("label".to_owned(), vec![format!("{LABEL_NAMESPACE}={}", self.namespace)])])
    }

    /// The labels of a container.
    pub(crate) fn labels(&self, id: &InstanceId, artifact: &Artifact) -> HashMap<String, String> {
        HashMap::from([
            (LABEL_NAMESPACE.to_owned(), self.namespace.clone()),
            (LABEL_INSTANCE.to_owned(), id.to_string()),
            (LABEL_ARTIFACT.to_owned(), artifact.to_string()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_the_same_names_after_a_restart_and_no_other_host_has_them() {
        let (here, there) = (Path::new("/srv/a/backends/container"), Path::new("/srv/b/backends/container"));
        assert_eq!(Names::of_socket(here), Names::of_socket(here));
        assert_ne!(Names::of_socket(here), Names::of_socket(there));
        assert_eq!(Names::of_socket(here).namespace().len(), NAMESPACE);
    }

    #[test]
    fn an_interface_has_at_most_fifteen_characters() {
        assert!(Names::given("x".repeat(LONGEST)).bridge().len() <= 15);
    }
}
