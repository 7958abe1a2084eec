//! Devices that vendors describe to container engines (Container Device Interface): files of JSON or YAML, each with the
//! devices of one kind and what a container needs to have them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Bytes of a file: one with hundreds of devices has less.
const FILE: u64 = 4 << 20;
/// Files that are read.
const FILES: usize = 256;
/// What vendors call all devices together.
const ALL: &str = "all";

/// What was found in all files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) devices: Vec<Described>,
    /// Sentences for the operator on what could not be read.
    pub(super) notes: Vec<String>,
}

/// One device, under all its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Described {
    /// Names such as `nvidia.com/gpu=0`; never empty.
    names: Vec<String>,
    /// Its files.
    pub(super) nodes: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Spec {
    kind: String,
    #[serde(default)]
    devices: Vec<SpecDevice>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecDevice {
    name: String,
    #[serde(default)]
    container_edits: Edits,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Edits {
    #[serde(default)]
    device_nodes: Vec<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    path: PathBuf,
    host_path: Option<PathBuf>,
}

impl Described {
    /// The name that it is asked for by.
    pub(super) fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// Whether it has this name, with or without its kind in front.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name || own.split_once('=').is_some_and(|(_, short)| short == name))
    }
}

/// Reads all files of all folders. Later folders go before earlier ones, as engines have it.
pub(super) fn look(folders: &[PathBuf]) -> Description {
    let mut notes = Vec::new();
    let mut texts = Vec::new();
    for folder in folders {
        // A machine without devices has no such folder.
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let mut files: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| is_spec(path)).collect();
        files.sort();
        for file in files.into_iter().take(FILES) {
            match read(&file) {
                Ok(text) => texts.push((file, text)),
                Err(error) => notes.push(format!("{}: {error}", file.display())),
            }
        }
    }
    let mut found = understand(&texts);
    found.notes.splice(0..0, notes);
    found
}

fn is_spec(path: &Path) -> bool {
    path.extension().and_then(|extension| extension.to_str()).is_some_and(|it| ["json", "yaml", "yml"].contains(&it))
}

fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let size = file.take(FILE + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if size as u64 > FILE { Err(format!("it has more than {FILE} bytes")) } else { Ok(text) }
}

/// The devices of files with their text. One that is made of others (all of them, say) is none of its own.
pub(super) fn understand(texts: &[(PathBuf, String)]) -> Description {
    let mut notes = Vec::new();
    let mut by_name: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (file, text) in texts {
        // JSON is YAML too.
        match serde_yaml_ng::from_str::<Spec>(text) {
            Ok(spec) => {
                for device in spec.devices.into_iter().filter(|device| device.name != ALL) {
                    let nodes = device.container_edits.device_nodes.into_iter();
                    let mut nodes: Vec<PathBuf> = nodes.map(|node| node.host_path.unwrap_or(node.path)).collect();
                    nodes.sort();
                    nodes.dedup();
                    by_name.insert(format!("{}={}", spec.kind, device.name), nodes);
                }
            }
            Err(error) => notes.push(format!("{} does not describe devices: {error}", file.display())),
        }
    }
    let mut devices: Vec<Described> = Vec::new();
    let mut by_size: Vec<_> = by_name.into_iter().collect();
    // A whole comes after its parts.
    by_size.sort_by_key(|(_, nodes)| nodes.len());
    for (name, nodes) in by_size {
        let same = devices.iter_mut().find(|device| !nodes.is_empty() && device.nodes == nodes);
        if let Some(same) = same {
            same.names.push(name);
        } else if !devices.iter().any(|device| device.nodes.iter().any(|node| nodes.contains(node))) {
            devices.push(Described { names: vec![name], nodes });
        }
    }
    Description { devices, notes }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NVIDIA: &str = r#"
cdiVersion: "0.6.0"
kind: nvidia.com/gpu
devices:
- name: "1"
  containerEdits: {deviceNodes: [{path: /dev/nvidia1}, {path: /dev/dri/card2}]}
- name: "0"
  containerEdits: {deviceNodes: [{path: /dev/nvidia0}]}
- name: GPU-aaaa
  containerEdits: {deviceNodes: [{path: /dev/nvidia0}]}
- name: both
  containerEdits: {deviceNodes: [{path: /dev/nvidia0}, {path: /dev/nvidia1}]}
- name: all
  containerEdits: {deviceNodes: [{path: /dev/nvidia0}]}
containerEdits: {deviceNodes: [{path: /dev/nvidiactl}]}
"#;

    fn understood(texts: &[&str]) -> Description {
        let texts: Vec<_> = texts.iter().map(|text| (PathBuf::from("/etc/cdi/x.yaml"), (*text).to_owned())).collect();
        understand(&texts)
    }

    #[test]
    fn a_device_is_one_under_all_its_names_and_a_group_is_none() {
        let found = understood(&[NVIDIA]);
        assert_eq!(found.notes, [""; 0]);
        let names: Vec<_> = found.devices.iter().map(|device| device.names.clone()).collect();
        assert_eq!(
            names,
            [
                vec!["nvidia.com/gpu=0".to_owned(), "nvidia.com/gpu=GPU-aaaa".to_owned()],
                vec!["nvidia.com/gpu=1".to_owned()]
            ]
        );
        assert!(found.devices[0].is_called("GPU-aaaa") && found.devices[0].is_called("nvidia.com/gpu=0"));
        assert!(!found.devices[0].is_called("1"));
    }

    #[test]
    fn json_is_read_and_what_cannot_be_read_is_told() {
        let json = r#"{"cdiVersion": "0.5.0", "kind": "example.com/npu", "devices": [
            {"name": "a", "containerEdits": {"deviceNodes": [{"path": "/dev/npu", "hostPath": "/dev/npu7"}]}},
            {"name": "b"}, {"name": "c"}]}"#;
        let found = understood(&[json, "kind: [", "just words"]);
        assert_eq!(found.devices.len(), 3, "those without files are told apart by name");
        let npu = found.devices.iter().find(|device| device.is_called("a")).unwrap();
        assert_eq!(npu.nodes, [PathBuf::from("/dev/npu7")]);
        assert_eq!(found.notes.len(), 2, "{:?}", found.notes);
        assert!(found.notes[0].contains("/etc/cdi/x.yaml"), "{:?}", found.notes);
    }

    #[test]
    fn files_are_found_by_their_ending() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("nvidia.yaml"), NVIDIA).unwrap();
        fs::write(folder.path().join("notes.txt"), "kind: [").unwrap();
        fs::write(folder.path().join("large.json"), vec![b' '; FILE as usize + 1]).unwrap();
        let found = look(&[PathBuf::from("/nonexistent"), folder.path().to_owned()]);
        assert_eq!(found.devices.len(), 2);
        assert_eq!(found.notes.len(), 1, "{:?}", found.notes);
        assert!(found.notes[0].contains("large.json"), "{:?}", found.notes);
    }
}
