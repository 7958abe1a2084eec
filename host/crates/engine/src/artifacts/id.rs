//! The name of an artifact.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use wasmtime::Engine;

/// Changes when artifacts of the same engine must be made anew.
const FORMAT: u8 = 1;

/// The name of a compiled component: covers the component, the engine's configuration and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArtifactId([u8; blake3::OUT_LEN]);

impl ArtifactId {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

/// The text is not the name of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an artifact's name is 64 hexadecimal digits")]
pub struct InvalidArtifactId;

impl FromStr for ArtifactId {
    type Err = InvalidArtifactId;

    fn from_str(text: &str) -> Result<Self, InvalidArtifactId> {
        blake3::Hash::from_hex(text).map(|hash| Self(*hash.as_bytes())).map_err(|_| InvalidArtifactId)
    }
}

/// What wasmtime says of the machine code it makes and takes.
pub(super) fn compatibility(engine: &Engine) -> [u8; blake3::OUT_LEN] {
    let mut hash = Blake3(blake3::Hasher::new());
    hash.0.update(&[FORMAT]);
    engine.precompile_compatibility_hash().hash(&mut hash);
    *hash.0.finalize().as_bytes()
}

/// The name of this component's artifact.
pub(super) fn name(component: &[u8], compatibility: &[u8; blake3::OUT_LEN]) -> ArtifactId {
    ArtifactId(*blake3::Hasher::new().update(compatibility).update(component).finalize().as_bytes())
}

/// Hashes what the standard's hashing traits feed it, with a hash that is the same in every process.
struct Blake3(blake3::Hasher);

impl Hasher for Blake3 {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        hash.as_bytes().iter().take(size_of::<u64>()).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_its_text_form() {
        let id = name(b"component", &[7; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("zz".parse::<ArtifactId>(), Err(InvalidArtifactId));
    }

    #[test]
    fn component_and_engine_both_count() {
        assert_ne!(name(b"a", &[0; 32]), name(b"b", &[0; 32]));
        assert_ne!(name(b"a", &[0; 32]), name(b"a", &[1; 32]));
    }
}
