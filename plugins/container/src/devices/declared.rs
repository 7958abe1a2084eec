//! A device that the operator declares, or knows more about than the machine tells.

use std::path::PathBuf;
use std::str::FromStr;

use spaceport_backend_protocol::Word;

/// Such a device. On the command line: `id=npu0,kind=npu,memory=16000000000,node=/dev/npu0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its id: a GPU's UUID, a name of CDI such as `nvidia.com/gpu=0`, or any name for one that is given by its files.
    pub id: Word,
    /// Model, such as `t4`.
    pub kind: Word,
    /// Its memory.
    pub memory_bytes: u64,
    /// Its files, such as `/dev/dri/renderD128`; none for one that is found otherwise.
    pub nodes: Vec<PathBuf>,
}

impl FromStr for Declared {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut id, mut kind, mut memory, mut nodes) = (None, None, None, Vec::new());
        for part in text.split(',') {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("{part:?} has no value"))?;
            let word = || value.parse::<Word>().map_err(|error| format!("{name}: {error}"));
            let is_twice = match name {
                "id" => id.replace(word()?).is_some(),
                "kind" => kind.replace(word()?).is_some(),
                "memory" => {
                    let bytes = value.parse().map_err(|_| format!("memory is a number of bytes, not {value:?}"))?;
                    memory.replace(bytes).is_some()
                }
                "node" if value.starts_with("/dev/") && !value.contains("/../") => {
                    nodes.push(PathBuf::from(value));
                    false
                }
                "node" => return Err(format!("node is a file below /dev, not {value:?}")),
                _ => return Err(format!("{name} is none of id, kind, memory and node")),
            };
            if is_twice {
                return Err(format!("{name} is there twice"));
            }
        }
        let lacks = |name: &str| format!("{text:?} has no {name}");
        Ok(Self {
            id: id.ok_or_else(|| lacks("id"))?,
            kind: kind.ok_or_else(|| lacks("kind"))?,
            memory_bytes: memory.ok_or_else(|| lacks("memory"))?,
            nodes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_declared_in_one_word() {
        let found: Declared = "id=nvidia.com/gpu=0,kind=t4,memory=16000000000".parse().unwrap();
        assert_eq!((found.id.as_str(), found.kind.as_str()), ("nvidia.com/gpu=0", "t4"));
        assert_eq!((found.memory_bytes, found.nodes.len()), (16_000_000_000, 0));
        let found: Declared = "node=/dev/a,kind=npu,node=/dev/b,id=x,memory=1".parse().unwrap();
        assert_eq!(found.nodes, ["/dev/a", "/dev/b"].map(PathBuf::from));
    }

    #[test]
    fn what_is_wrong_with_a_declaration_is_said() {
        for (text, word) in [
            ("", "has no value"),
            ("id=x,kind=t4", "has no memory"),
            ("kind=t4,memory=1", "has no id"),
            ("id=x,memory=1", "has no kind"),
            ("id=x,kind=t4,memory=16GiB", "number of bytes"),
            ("id=x,id=y,kind=t4,memory=1", "id is there twice"),
            ("id=x y,kind=t4,memory=1", "id: a name"),
            ("id=x,kind=t4,memory=1,node=/etc/shadow", "below /dev"),
            ("id=x,kind=t4,memory=1,node=/dev/../etc/shadow", "below /dev"),
            ("id=x,kind=t4,memory=1,color=red", "color is none"),
        ] {
            let error = text.parse::<Declared>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
